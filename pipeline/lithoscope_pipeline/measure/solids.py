"""What distances are measured between: lithium without the single voxels that stick out of it."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.measure.components import Mask
from lithoscope_pipeline.measure.runs import LabelRuns

# Of the 27 voxels around it and itself a single one on a flat face has ten, one on the edge of a
# filament of 3 x 3 voxels twelve.
_MIN_AROUND = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Solid:
    """Filled stretches of columns.

    Parameters
    ----------
    plane
        Columns along (z, x).
    begins
        First stretch of each column, and one past the last, shape (n_columns + 1,).
    first, stop
        First row of each stretch and one past its last, in order within a column.
    run
        Run of the volume that each stretch is a part of.
    """

    plane: tuple[int, int]
    begins: NDArray[np.int64]
    first: NDArray[np.uint16]
    stop: NDArray[np.uint16]
    run: NDArray[np.int32]

    @property
    def n_voxels(self) -> int:
        """How many voxels are filled."""
        return int((self.stop - self.first).sum(dtype=np.int64))


def make_solid(runs: LabelRuns, chosen: Mask, *, without_bumps: bool = False) -> Solid:
    """Take the chosen runs out of a volume.

    Parameters
    ----------
    runs
        The volume.
    chosen
        Which runs, shape (n_runs,).
    without_bumps
        Leave out voxels with no more chosen ones around them than a single one on a flat face
        has; beyond the border the outermost voxels go on.
    """
    counts = np.zeros(runs.n_columns + 1, np.int64)
    empty = np.empty(0, np.uint16)
    least = _MIN_AROUND if without_bumps else 0
    place = (runs.begins, runs.rows, chosen, *runs.shape)
    _cut(*place, least, counts, empty, empty, np.empty(0, np.int32))
    begins = np.zeros(runs.n_columns + 1, np.int64)
    np.cumsum(counts[:-1], out=begins[1:])
    n = int(begins[-1])
    first, stop, run = np.empty(n, np.uint16), np.empty(n, np.uint16), np.empty(n, np.int32)
    counts[:-1] = begins[:-1]
    if n:
        _cut(*place, least, counts, first, stop, run)
    return Solid(plane=runs.plane, begins=begins, first=first, stop=stop, run=run)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _cut(begins, rows, chosen, n_z, n_y, n_x, least, counts, first, stop, origin):  # type: ignore[no-untyped-def]  # for numba
    """Count the stretches of each column, or with room for them write them down."""
    steps = np.zeros(n_y + 5, np.int32)
    is_counting = len(first) == 0
    for column in range(n_z * n_x):
        any_chosen = False
        for run in range(begins[column], begins[column + 1]):
            any_chosen = any_chosen or chosen[run]
        if not any_chosen:
            continue
        if least > 0:
            _add_around(begins, rows, chosen, n_z, n_y, n_x, column, steps)
        place = counts[column]
        around = 0
        read = 0
        for run in range(begins[column], begins[column + 1]):
            end = rows[run + 1] if run + 1 < begins[column + 1] else n_y
            if not chosen[run]:
                continue
            is_open = False
            for y in range(rows[run], end):
                if least > 0:
                    while read <= y + 2:
                        around += steps[read]
                        read += 1
                keeps = around >= least
                if keeps and not is_open and not is_counting:
                    first[place] = y
                    origin[place] = run
                if is_open and not keeps:
                    if not is_counting:
                        stop[place] = y
                    place += 1
                is_open = keeps
            if is_open:
                if not is_counting:
                    stop[place] = end
                place += 1
        counts[column] = place
        if least > 0:
            steps[:] = 0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _add_around(begins, rows, chosen, n_z, n_y, n_x, column, steps):  # type: ignore[no-untyped-def]  # for numba
    """Add the steps of the number of chosen voxels among the 27; row y stands at y + 2."""
    z, x = column // n_x, column % n_x
    for dz in range(-1, 2):
        for dx in range(-1, 2):
            other = min(max(z + dz, 0), n_z - 1) * n_x + min(max(x + dx, 0), n_x - 1)
            for run in range(begins[other], begins[other + 1]):
                if not chosen[run]:
                    continue
                low = rows[run]
                high = rows[run + 1] if run + 1 < begins[other + 1] else n_y
                low = -1 if low == 0 else low
                high = n_y + 1 if high == n_y else high
                for shift in range(-1, 2):
                    steps[max(low + shift + 2, 0)] += 1
                    steps[min(high + shift + 2, n_y + 4)] -= 1
