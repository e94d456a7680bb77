"""Which projections of a tile count, and whether they are enough to reconstruct it."""

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.correct import CountStack
from lithoscope_pipeline.coverage import Coverage, judge_coverage
from lithoscope_pipeline.low_views import find_low_views, view_levels
from lithoscope_services.errors import ServiceError
from lithoscope_services.stages.reconstruct.tile_scan import TileScan

#: Rows whose light is looked at; with a row of 2560 columns each, more than enough.
_LEVEL_ROWS = 8


def level_rows(n_rows: int) -> slice:
    """Give the rows that tell how much light a projection has."""
    first = max(0, (n_rows - _LEVEL_ROWS) // 2)
    return slice(first, min(n_rows, first + _LEVEL_ROWS))


def levels_of(tile: TileScan, counts: CountStack) -> NDArray[np.float64]:
    """Tell the share of the beam that came through in each of some projections.

    Parameters
    ----------
    tile
        Whose flats and darks are used.
    counts
        Rows :func:`level_rows` of the projections, shape (n_angles, n_rows, n_columns).
    """
    rows = level_rows(tile.shape[0])
    flats = np.concatenate([each.frames[:, rows] for each in tile.flats])
    return view_levels(counts, flats, tile.darks[:, rows])


def judge_views(
    tile: TileScan, levels: NDArray[np.float64], *, scan: int, n_expected: int
) -> tuple[NDArray[np.bool_], Coverage]:
    """Mark the projections with too little light, and judge the others by their angles.

    Parameters
    ----------
    tile
        With all projections that are on disk.
    levels
        From :func:`levels_of`, of all of them.
    scan
        For messages.
    n_expected
        Projections announced.

    Raises
    ------
    ServiceError
        If the scan cannot be reconstructed to anything that may be believed.
    """
    is_low = find_low_views(levels, tile.thetas_rad)
    coverage = judge_coverage(tile.indices, tile.thetas_rad, n_expected=n_expected, is_low=is_low)
    if coverage.verdict == "refused":
        raise ServiceError(f"scan {scan} has {'; '.join(coverage.reasons)}; scan again")
    return is_low, coverage
