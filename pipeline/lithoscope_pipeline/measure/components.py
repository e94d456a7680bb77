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
    """26-connected pieces, numbered from 1.

    Parameters
    ----------
    number
        Piece of each run, shape (n_runs,); 0 for what belongs to none.
    voxels
        Voxels of each piece, shape (n_pieces + 1,); number 0 is empty.
    """

    number: NDArray[np.int32]
    voxels: Counts

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.voxels) - 1


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

    columns: Counts
    first: Counts
    last: Counts
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
    number = np.arange(len(runs.rows), dtype=np.int32)
    _unite(runs.begins, runs.rows, chosen, runs.shape[1], runs.shape[2], number)
    n = _number(chosen, number)
    voxels = np.zeros(n + 1, np.int64)
    _count_voxels(runs.begins, runs.rows, runs.shape[1], number, voxels)
    return Pieces(number=number, voxels=voxels)


def count_label(runs: LabelRuns, pieces: Pieces, label: Label) -> Counts:
    """Count the voxels of a class in each piece, shape (n_pieces + 1,)."""
    counts = np.zeros(pieces.n + 1, np.int64)
    _count_label(
        runs.begins, runs.rows, runs.labels, runs.shape[1], pieces.number, int(label), counts
    )
    return counts


def cut_by_border(runs: LabelRuns, pieces: Pieces) -> Mask:
    """Say of each piece whether the border of the volume cuts it, shape (n_pieces + 1,)."""
    is_cut = np.zeros(pieces.n + 1, np.bool_)
    _mark_cut(runs.begins, runs.rows, *runs.shape, pieces.number, is_cut)
    is_cut[0] = False
    return is_cut


def measure_extents(runs: LabelRuns, pieces: Pieces) -> Extents:
    """Measure size and place of each piece."""
    n = pieces.n + 1
    columns = np.zeros(n, np.int64)
    first = np.full((n, 3), np.iinfo(np.int64).max, np.int64)
    last, sums = np.full((n, 3), -1, np.int64), np.zeros((n, 3), np.float64)
    _measure_extents(
        runs.begins, runs.rows, runs.shape[1], runs.shape[2], pieces.number, columns, first, last,
        sums,
    )  # fmt: skip
    first[0] = 0
    return Extents(columns=columns, first=first, last=last, sums=sums)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _root(parents, run):  # type: ignore[no-untyped-def]  # for numba
    while parents[run] != run:
        parents[run] = parents[parents[run]]
        run = parents[run]
    return run


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _join(parents, one, other):  # type: ignore[no-untyped-def]  # for numba
    a, b = _root(parents, one), _root(parents, other)
    if a < b:
        parents[b] = a
    elif b < a:
        parents[a] = b


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _unite(begins, rows, chosen, n_y, n_x, parents):  # type: ignore[no-untyped-def]  # for numba
    n_columns = len(begins) - 1
    for column in range(n_columns):
        z, x = column // n_x, column % n_x
        first, stop = begins[column], begins[column + 1]
        for run in range(first + 1, stop):
            if chosen[run] and chosen[run - 1]:
                _join(parents, run, run - 1)
        for side in range(4):
            dz, dx = (0, -1) if side == 0 else (-1, side - 2)
            if z + dz < 0 or x + dx < 0 or x + dx >= n_x:
                continue
            other = column + dz * n_x + dx
            b, b_stop = begins[other], begins[other + 1]
            for a in range(first, stop):
                if not chosen[a]:
                    continue
                low = rows[a]
                high = rows[a + 1] if a + 1 < stop else n_y
                # Runs that end before this one begins end before all later ones.
                while b + 1 < b_stop and rows[b + 1] < low:
                    b += 1
                other_run = b
                while other_run < b_stop and rows[other_run] <= high:
                    if chosen[other_run]:
                        _join(parents, a, other_run)
                    other_run += 1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _number(chosen, parents):  # type: ignore[no-untyped-def]  # for numba
    """Put numbers in the place of parents: a root comes before all that hang on it."""
    for run in range(len(chosen)):
        parents[run] = _root(parents, run)
    n = 0
    for run in range(len(chosen)):
        if not chosen[run]:
            parents[run] = 0
        elif parents[run] == run:
            n += 1
            parents[run] = -n
        else:
            parents[run] = parents[parents[run]]
    for run in range(len(chosen)):
        parents[run] = -parents[run]
    return n


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _count_voxels(begins, rows, n_y, number, voxels):  # type: ignore[no-untyped-def]  # for numba
    for column in range(len(begins) - 1):
        end = n_y
        for run in range(begins[column + 1] - 1, begins[column] - 1, -1):
            if number[run] > 0:
                voxels[number[run]] += end - rows[run]
            end = rows[run]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _count_label(begins, rows, labels, n_y, number, label, counts):  # type: ignore[no-untyped-def]  # for numba
    for column in range(len(begins) - 1):
        end = n_y
        for run in range(begins[column + 1] - 1, begins[column] - 1, -1):
            if number[run] > 0 and labels[run] == label:
                counts[number[run]] += end - rows[run]
            end = rows[run]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _mark_cut(begins, rows, n_z, n_y, n_x, number, is_cut):  # type: ignore[no-untyped-def]  # for numba
    for column in range(len(begins) - 1):
        z, x = column // n_x, column % n_x
        at_side = z == 0 or z == n_z - 1 or x == 0 or x == n_x - 1
        first, stop = begins[column], begins[column + 1]
        for run in range(first, stop):
            if at_side or run == first or run == stop - 1:
                is_cut[number[run]] = True


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _measure_extents(begins, rows, n_y, n_x, number, columns, first, last, sums):  # type: ignore[no-untyped-def]  # for numba
    newest = np.full(len(columns), -1, np.int64)
    for column in range(len(begins) - 1):
        z, x = column // n_x, column % n_x
        end = n_y
        for run in range(begins[column + 1] - 1, begins[column] - 1, -1):
            low, high = rows[run], end
            end = low
            piece = number[run]
            if piece == 0:
                continue
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
