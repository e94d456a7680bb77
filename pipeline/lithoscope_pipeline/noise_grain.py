"""How coarse the noise of a scan is, measured in the scan itself: inside the electrodes."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.resample import VolumeSource
from lithoscope_pipeline.segment import find_grey_references
from lithoscope_pipeline.sharpness import slice_blocks

_ROWS: Final = 16
_LAG: Final = 2
#: Faces of both, in the order of `GreyReferences`.
_ELECTRODES: Final = ((0, 1), (2, 3))


def measure_grain(volume: VolumeSource) -> float | None:
    """Measure how alike grey values two voxels apart are inside the electrodes.

    Parameters
    ----------
    volume
        Region of interest, shape (z, y, x), y through all layers; three blocks of eight slices
        are read.

    Returns
    -------
    float or None
        Correlation along x of voxels two apart, of the sixteen rows in the middle of each
        electrode; None where the layers are not found.
    """
    found = [grain for block in slice_blocks(volume) for grain in _grains(block)]
    return float(np.mean(found)) if found else None


def _grains(block: FloatVolume) -> list[float]:
    """Give the grain of both electrodes."""
    references = find_grey_references(block)
    if references.verdict != "resolved":
        return []
    out = []
    for outer, inner in _ELECTRODES:
        middle = (references.edges_px[outer] + references.edges_px[inner]) / 2
        first = max(int(middle) - _ROWS // 2, 0)
        grain = _correlation(np.asarray(block[:, first : first + _ROWS], np.float64))
        if grain is not None:
            out.append(grain)
    return out


def _correlation(rows: NDArray[np.float64]) -> float | None:
    """Correlate voxels two apart along x, each row about its own mean."""
    if rows.shape[2] <= _LAG:
        return None
    off = rows - rows.mean(axis=(0, 2), keepdims=True)
    variance = float(off.var())
    if not variance:
        return None
    return float((off[:, :, :-_LAG] * off[:, :, _LAG:]).mean() / variance)
