"""The mode of heights around each block of a map, and their scatter about it: the inner loops.

One window is looked at after another, and of its histogram only the bins between its lowest and
its highest height: memory does not grow with the range of heights.
"""

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatImage

BIN_UM: Final = 1.0
_MIN_PEAK = 0.7
_MAX_MAD_RATIO = 2.0
_HALVINGS = 16


def find_modes(
    height_um: FloatImage, *, block: int, window: int, smoothing_um: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the mode of the heights around each block, and their scatter about it.

    Parameters
    ----------
    height_um
        Not negative, shape (n_z, n_x).
    block
        Pixels along an edge of a block.
    window
        Blocks along an edge of the window; an odd number is made of it.
    smoothing_um
        Sigma of the Gaussian that histograms of 1 um bins are smoothed by.

    Returns
    -------
    tuple
        Mode and scatter, shape (blocks along z, blocks along x), micrometres.
    """
    n_z, n_x = (-(-n // block) for n in height_um.shape)
    mode_um, scatter_um = np.empty((n_z, n_x)), np.empty((n_z, n_x))
    sigma = smoothing_um / BIN_UM
    radius = int(4.0 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    n_bins = int(np.ceil(height_um.max() / BIN_UM)) + 2
    _find(
        height_um.astype(np.float64) / BIN_UM, block, max(1, window) // 2, n_bins,
        weights / weights.sum(), mode_um, scatter_um,
    )  # fmt: skip
    return mode_um * BIN_UM, scatter_um * BIN_UM


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _find(position, block, reach, n_bins, weights, mode, scatter):  # type: ignore[no-untyped-def]  # for numba
    n_z, n_x = position.shape
    counts = np.zeros(n_bins)
    smooth = np.zeros(n_bins + 2)
    cumulative = np.zeros(n_bins + 1)
    for bz in range(mode.shape[0]):
        for bx in range(mode.shape[1]):
            lowest, highest = n_bins, -1
            for z in range(max(bz - reach, 0) * block, min((bz + reach + 1) * block, n_z)):
                for x in range(max(bx - reach, 0) * block, min((bx + reach + 1) * block, n_x)):
                    low = int(np.floor(position[z, x]))
                    share = position[z, x] - low
                    counts[low] += 1.0 - share
                    counts[low + 1] += share
                    lowest, highest = min(lowest, low), max(highest, low + 1)
            mode[bz, bx] = _highest(counts, lowest, highest, weights, smooth)
            scatter[bz, bx] = _scatter(counts, lowest, highest, cumulative, mode[bz, bx])
            counts[lowest : highest + 1] = 0.0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _highest(counts, lowest, highest, weights, smooth):  # type: ignore[no-untyped-def]  # for numba
    """Find the lowest high peak of the smoothed histogram, to a fraction of a bin."""
    radius = len(weights) // 2
    n = len(counts)
    first, last = max(lowest - radius, 0), min(highest + radius, n - 1)
    greatest = 0.0
    for k in range(first, last + 1):
        total = 0.0
        for j in range(max(k - radius, lowest), min(k + radius, highest) + 1):
            total += counts[j] * weights[j - k + radius]
        # Sums differ in the last digits between machines; rounding keeps equal values equal.
        smooth[k + 1] = np.round(total, 6)
        greatest = max(greatest, smooth[k + 1])
    peak = 0
    for k in range(first, last + 1):
        here = smooth[k + 1]
        if here > smooth[k] and here >= smooth[k + 2] and here >= _MIN_PEAK * greatest:
            peak = k
            break
    before, here, after = smooth[peak], smooth[peak + 1], smooth[peak + 2]
    smooth[first + 1 : last + 2] = 0.0
    if peak == 0:
        before = after
    curvature = before - 2.0 * here + after
    offset = (before - after) / 2.0 / curvature if curvature < -1e-9 else 0.0
    return peak + min(max(offset, -0.5), 0.5)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _scatter(counts, lowest, highest, cumulative, mode):  # type: ignore[no-untyped-def]  # for numba
    """Find the scatter about the mode of all heights, or of the lower ones beside a dendrite."""
    total = 0.0
    cumulative[lowest] = 0.0
    for k in range(lowest, highest + 1):
        total += counts[k]
        cumulative[k + 1] = total
    up_to_mode = _below(cumulative, lowest, highest, mode)
    low_all, high_all = 0.0, float(len(counts))
    low_lower, high_lower = 0.0, float(len(counts))
    for _ in range(_HALVINGS):
        middle = (low_all + high_all) / 2.0
        within = _below(cumulative, lowest, highest, mode + middle)
        within -= _below(cumulative, lowest, highest, mode - middle)
        if within >= total / 2.0:
            high_all = middle
        else:
            low_all = middle
        middle = (low_lower + high_lower) / 2.0
        within = up_to_mode - _below(cumulative, lowest, highest, mode - middle)
        if within >= up_to_mode / 2.0:
            high_lower = middle
        else:
            low_lower = middle
    return high_lower if high_all > _MAX_MAD_RATIO * high_lower else high_all


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _below(cumulative, lowest, highest, height):  # type: ignore[no-untyped-def]  # for numba
    """Interpolate the count below a height; bin k holds (k - 1/2, k + 1/2) bin widths."""
    position = min(max(height + 0.5, float(lowest)), float(highest + 1))
    low = min(int(position), highest)
    return cumulative[low] + (position - low) * (cumulative[low + 1] - cumulative[low])
