"""Connected pieces of a volume of runs: the 26 neighbours of a voxel, by union and find over runs.

Two runs of neighbouring columns touch where they overlap along y by as little as a corner. The
root of a piece is its first run, and pieces are numbered in the order of their first runs: the
numbers do not depend on how the volume was read.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure.runs import LabelRuns

Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """26-connected pieces, numbered from 1; only the runs that belong to one are kept.

    Parameters
    ----------
    run
        Runs that belong to a piece, rising, shape (n_chosen,).
    number
        Piece of each of them.
    voxels
        Voxels of each piece, shape (n_pieces + 1,); number 0 is empty.
    """

    run: NDArray[np.int32]
    number: NDArray[np.int32]
    voxels: Counts

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.voxels) - 1

    def of(self, runs: NDArray[np.int32]) -> NDArray[np.int32]:
        """Give the piece of each of some runs that do not fall, 0 where they belong to none."""
        numbers = np.zeros(len(runs), np.int32)
        _look_up(self.run, self.number, runs, numbers)
        return numbers

    def mark(self, wanted: Mask, n_runs: int) -> Mask:
        """Mark the runs of some pieces, shape (n_runs,); ``wanted`` has shape (n_pieces + 1,)."""
        marked = np.zeros(n_runs, np.bool_)
        marked[self.run] = wanted[self.number]
        return marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Extents:
    """Size and place of each piece; index 0 is empty.

    Parameters
    ----------
    columns
        In-plane pixels that it covers.
    first, last
        First and last voxel along (z, y, x), shape (n_pieces + 1, 3).
    sums
        Sums of the coordinates of its voxels, same shape.
    """

    columns: NDArray[np.int32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    sums: NDArray[np.float64]


def runs_of(runs: LabelRuns, labels: Collection[Label]) -> Mask:
    """Mark the runs of some classes."""
    wanted = np.zeros(256, np.bool_)
    wanted[[int(label) for label in labels]] = True
    return np.asarray(wanted[runs.labels])


def connect_runs(runs: LabelRuns, chosen: Mask) -> Pieces:
    """Find the 26-connected pieces of the chosen runs.

    Parameters
    ----------
    runs
        The volume.
    chosen
        Which runs, shape (n_runs,).

    Returns
    -------
    Pieces
        Numbered in the order of their first runs.
    """
    n_chosen = int(np.count_nonzero(chosen))
    run, firsts = np.empty(n_chosen, np.int32), np.empty(runs.n_columns + 1, np.int32)
    _choose(runs.begins, chosen, run, firsts)
    number = np.arange(n_chosen, dtype=np.int32)
    _unite(runs.begins, runs.rows, run, firsts, runs.shape[1], runs.shape[2], number)
    n = _number(number)
    voxels = np.zeros(n + 1, np.int64)
    _count_voxels(runs.begins, runs.rows, runs.shape[1], run, number, voxels)
    return Pieces(run=run, number=number, voxels=voxels)


def count_label(runs: LabelRuns, pieces: Pieces, label: int) -> Counts:
    """Count the voxels of a class in each piece, shape (n_pieces + 1,)."""
    counts = np.zeros(pieces.n + 1, np.int64)
    is_label = runs.labels[pieces.run] == label
    _count_voxels(
        runs.begins,
        runs.rows,
        runs.shape[1],
        pieces.run[is_label],
        pieces.number[is_label],
        counts,
    )
    return counts


def cut_by_border(runs: LabelRuns, pieces: Pieces) -> Mask:
    """Say of each piece whether the border of the volume cuts it, shape (n_pieces + 1,)."""
    is_cut = np.zeros(pieces.n + 1, np.bool_)
    _mark_cut(runs.begins, *runs.shape, pieces.run, pieces.number, is_cut)
    return is_cut


def measure_extents(runs: LabelRuns, pieces: Pieces) -> Extents:
    """Measure size and place of each piece."""
    n = pieces.n + 1
    columns = np.zeros(n, np.int32)
    first = np.full((n, 3), np.iinfo(np.int32).max, np.int32)
    last, sums = np.full((n, 3), -1, np.int32), np.zeros((n, 3), np.float64)
    _measure_extents(
        runs.begins, runs.rows, runs.shape[1], runs.shape[2], pieces.run, pieces.number, columns,
        first, last, sums,
    )  # fmt: skip
    first[0] = 0
    return Extents(columns=columns, first=first, last=last, sums=sums)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _choose(begins, chosen, run, firsts):  # type: ignore[no-untyped-def]  # for numba
    """List the chosen runs, and of each column the place of its first in the list."""
    n = 0
    for column in range(len(begins) - 1):
        firsts[column] = n
        for each in range(begins[column], begins[column + 1]):
            if chosen[each]:
                run[n] = each
                n += 1
    firsts[len(begins) - 1] = n


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _look_up(run, number, runs, numbers):  # type: ignore[no-untyped-def]  # for numba
    place = 0
    for each in range(len(runs)):
        while place < len(run) and run[place] < runs[each]:
            place += 1
        if place < len(run) and run[place] == runs[each]:
            numbers[each] = number[place]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _root(parents, place):  # type: ignore[no-untyped-def]  # for numba
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = parents[place]
    return place


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _join(parents, one, other):  # type: ignore[no-untyped-def]  # for numba
    a, b = _root(parents, one), _root(parents, other)
    if a < b:
        parents[b] = a
    elif b < a:
        parents[a] = b


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _end(begins, rows, n_y, column, run):  # type: ignore[no-untyped-def]  # for numba
    """Give one past the last row of a run."""
    return rows[run + 1] if run + 1 < begins[column + 1] else n_y


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _unite(begins, rows, run, firsts, n_y, n_x, parents):  # type: ignore[no-untyped-def]  # for numba
    for column in range(len(begins) - 1):
        z, x = column // n_x, column % n_x
        first, stop = firsts[column], firsts[column + 1]
        for place in range(first + 1, stop):
            if run[place] == run[place - 1] + 1:
                _join(parents, place, place - 1)
        for side in range(4):
            dz, dx = (0, -1) if side == 0 else (-1, side - 2)
            if z + dz < 0 or x + dx < 0 or x + dx >= n_x:
                continue
            other = column + dz * n_x + dx
            b, b_stop = firsts[other], firsts[other + 1]
            for a in range(first, stop):
                low = rows[run[a]]
                high = _end(begins, rows, n_y, column, run[a])
                # Runs that end before this one begins end before all later ones.
                while b < b_stop and _end(begins, rows, n_y, other, run[b]) < low:
                    b += 1
                touched = b
                while touched < b_stop and rows[run[touched]] <= high:
                    _join(parents, a, touched)
                    touched += 1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _number(parents):  # type: ignore[no-untyped-def]  # for numba
    """Put numbers in the place of parents: a root comes before all that hang on it."""
    n = 0
    for place in range(len(parents)):
        if parents[place] == place:
            n += 1
            parents[place] = -n
        else:
            # What it hangs on comes before it and has its number already.
            parents[place] = parents[parents[place]]
    for place in range(len(parents)):
        parents[place] = -parents[place]
    return n


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _count_voxels(begins, rows, n_y, run, number, voxels):  # type: ignore[no-untyped-def]  # for numba
    column = 0
    for place in range(len(run)):
        while begins[column + 1] <= run[place]:
            column += 1
        voxels[number[place]] += _end(begins, rows, n_y, column, run[place]) - rows[run[place]]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _mark_cut(begins, n_z, n_y, n_x, run, number, is_cut):  # type: ignore[no-untyped-def]  # for numba
    column = 0
    for place in range(len(run)):
        while begins[column + 1] <= run[place]:
            column += 1
        z, x = column // n_x, column % n_x
        at_side = z == 0 or z == n_z - 1 or x == 0 or x == n_x - 1
        if at_side or run[place] == begins[column] or run[place] == begins[column + 1] - 1:
            is_cut[number[place]] = True


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _measure_extents(begins, rows, n_y, n_x, run, number, columns, first, last, sums):  # type: ignore[no-untyped-def]  # for numba
    newest = np.full(len(columns), -1, np.int32)
    column = 0
    for place in range(len(run)):
        while begins[column + 1] <= run[place]:
            column += 1
        z, x = column // n_x, column % n_x
        low = np.int64(rows[run[place]])
        high = np.int64(_end(begins, rows, n_y, column, run[place]))
        piece = number[place]
        if newest[piece] != column:
            newest[piece] = column
            columns[piece] += 1
        first[piece, 0] = min(first[piece, 0], z)
        first[piece, 1] = min(first[piece, 1], low)
        first[piece, 2] = min(first[piece, 2], x)
        last[piece, 0] = max(last[piece, 0], z)
        last[piece, 1] = max(last[piece, 1], high - 1)
        last[piece, 2] = max(last[piece, 2], x)
        n = high - low
        sums[piece, 0] += n * z
        sums[piece, 1] += 0.5 * n * (low + high - 1)
        sums[piece, 2] += n * x
