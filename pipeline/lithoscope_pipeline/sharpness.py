"""How sharp a scan is, measured in the scan itself: the steepness of the outer faces of the cell.

The outer faces are metal against packaging, flat, and seen in every scan. Columns are averaged in
tiles against noise; each tile is laid over the others where it crosses the middle of its two grey
values, so that a tilted or wavy face is no blurred one.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.resample import VolumeSource
from lithoscope_pipeline.segment import find_grey_references

_TILE: Final = 8
_N_BLOCKS: Final = 3
_REACH: Final = 10  # rows to either side of a face
_FAR: Final = 5  # rows from a face where its blur has ended
# Further away a crossing is that of another face, or of noise.
_SEARCHED: Final = 4
_LEAST_TILES: Final = 3
_LEAST_SHARE: Final = 0.05
_MOST_SHARE: Final = 0.999


def measure_blur(volume: VolumeSource) -> float | None:
    """Measure how blurred the outer faces of a cell are.

    Parameters
    ----------
    volume
        Region of interest, shape (z, y, x), y through all layers; three blocks of eight slices
        are read.

    Returns
    -------
    float or None
        Standard deviation of the Gaussian that makes such a face from a step, voxels; None where
        no outer face is seen.

    Notes
    -----
    A blurred step rises by ``erf(1 / (sqrt(2) sigma))`` of its height from one row before its
    middle to one row behind.
    """
    rises, heights = np.concatenate([_rises(block) for block in slice_blocks(volume)], axis=1)
    if len(rises) < _LEAST_TILES or heights.sum() <= 0:
        return None
    share = float(np.clip(rises.sum() / heights.sum(), _LEAST_SHARE, _MOST_SHARE))
    return float(1.0 / (np.sqrt(2.0) * special.erfinv(share)))


def slice_blocks(volume: VolumeSource) -> list[FloatVolume]:
    """Read three blocks of eight slices, evenly over z: what a look at the image takes."""
    n_z = volume.shape[0]
    starts = np.unique(np.linspace(0, max(n_z - _TILE, 0), 2 * _N_BLOCKS + 1)[1::2].astype(int))
    return [volume[slice(z, min(z + _TILE, n_z)), slice(None), slice(None)] for z in starts]


def _rises(block: FloatVolume) -> NDArray[np.float64]:
    """Give rise and height of both outer faces in each tile, shape (2, n)."""
    references = find_grey_references(block)
    if references.verdict != "resolved":
        return np.empty((2, 0))
    return np.concatenate([_rises_at(block, references.edges_px[side]) for side in (0, 3)], axis=1)


def _rises_at(block: FloatVolume, edge_px: float) -> NDArray[np.float64]:
    first, stop = round(edge_px) - _REACH, round(edge_px) + _REACH + 1
    if first < 0 or stop > block.shape[1]:
        return np.empty((2, 0))
    profiles = _tiles(block[:, first:stop])
    before = profiles[:, : _REACH - _FAR].mean(axis=1)
    behind = profiles[:, _REACH + _FAR + 1 :].mean(axis=1)
    sign = np.sign(behind - before)
    above = (profiles - ((before + behind) / 2)[:, None]) * sign[:, None]
    rows = np.arange(_REACH - _SEARCHED, _REACH + _SEARCHED)
    crosses = (above[:, rows] < 0) & (above[:, rows + 1] >= 0)
    tile = np.flatnonzero(crosses.any(axis=1))
    row = rows[crosses[tile].argmax(axis=1)]
    low, high = above[tile, row], above[tile, row + 1]
    middle = row + low / (low - high)
    found = profiles[tile]
    return np.stack(
        [
            sign[tile] * (_at(found, middle + 1) - _at(found, middle - 1)),
            np.abs(behind - before)[tile],
        ]
    )


def _tiles(rows: FloatVolume) -> NDArray[np.float64]:
    """Average tiles of 8 x 8 columns: shape (n_tiles, n_rows)."""
    n_z, n_y, n_x = rows.shape
    a, b = min(_TILE, n_z), min(_TILE, n_x)
    whole = rows[: n_z // a * a, :, : n_x // b * b].reshape(n_z // a, a, n_y, n_x // b, b)
    means = whole.mean(axis=(1, 4), dtype=np.float64)
    return np.asarray(means.transpose(0, 2, 1).reshape(-1, n_y))


def _at(profiles: NDArray[np.float64], row: NDArray[np.float64]) -> NDArray[np.float64]:
    """Read each profile between its rows."""
    low = np.floor(row).astype(np.intp)
    share = row - low
    tile = np.arange(len(profiles))
    return np.asarray(profiles[tile, low] * (1 - share) + profiles[tile, low + 1] * share)
