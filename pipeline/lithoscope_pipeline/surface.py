"""Where a plated surface ends and a dendrite begins: one rule for the truth and for the image."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatImage

_BIN_UM = 1.0
_MIN_SMOOTHING_UM = 2.0
# Two neighbouring heights of a map in whole voxels must not make two peaks.
_SMOOTHING_PIXELS = 0.6
_MIN_PEAK = 0.7
_MAX_MAD_RATIO = 2.0
_MIN_EXCESS_UM = 5.0
_EXCESS_MADS = 3.0
_BLOCKS_PER_WINDOW = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatedSurface:
    """The uniformly plated layer around each in-plane pixel.

    Parameters
    ----------
    mode_um
        Height of the layer, shape (n_z, n_x), micrometres.
    threshold_um
        Height above which lithium counts as dendrite, same shape.
    """

    mode_um: FloatImage
    threshold_um: FloatImage


def dendrite_threshold(
    height_um: FloatImage, pixel_um: float, window_um: float = 50.0
) -> FloatImage:
    """Give the height above which lithium counts as dendrite.

    A dendrite stands above the uniformly plated layer. The height of that layer is the mode of
    the surface height in a window around each pixel; lithium higher than the mode by more than
    ``max(3 MAD, 5 um)`` is dendrite. The same rule makes the truth of the simulated cell.

    Parameters
    ----------
    height_um
        Height of the lithium surface above any plane, shape (n_z, n_x), micrometres, finite.
    pixel_um
        Edge of a pixel of the map, micrometres.
    window_um
        Edge of the square window, micrometres. At the border it holds only what exists.

    Returns
    -------
    FloatImage
        Threshold height on the same scale as ``height_um``, same shape.

    Raises
    ------
    ShapeError, NonFiniteError, ParameterError
        If the map is not an image, not finite, or a length is not positive.

    See Also
    --------
    plated_surface : gives the height of the layer as well.
    """
    return plated_surface(height_um, pixel_um, window_um).threshold_um


def plated_surface(
    height_um: FloatImage, pixel_um: float, window_um: float = 50.0
) -> PlatedSurface:
    """Find the uniformly plated layer and the height at which dendrites begin.

    Parameters and errors are those of `dendrite_threshold`.

    Notes
    -----
    The mode is the peak of a histogram of 1 um bins smoothed by a Gaussian of
    ``max(2 um, 0.6 pixel)``; of peaks at least 0.7 as high as the highest, the lowest, so that a
    dendrite that fills most of the window does not take the layer's place. For the same reason
    the MAD, the median of ``|height - mode|`` in the window, is replaced by that of the heights
    not above the mode where it is more than twice as large. Where the window spans more than 16
    pixels, both are found on blocks of pixels and interpolated linearly.
    """
    if height_um.ndim != 2 or height_um.size == 0:
        msg = f"height_um has shape {height_um.shape}, an image (z, x) is needed"
        raise ShapeError(msg)
    if not np.isfinite(height_um).all():
        msg = "height_um holds NaN or infinity; give columns without lithium a height of 0"
        raise NonFiniteError(msg)
    if pixel_um <= 0 or window_um <= 0:
        msg = f"pixel_um {pixel_um} and window_um {window_um} must be positive"
        raise ParameterError(msg)

    block = max(1, round(window_um / pixel_um) // _BLOCKS_PER_WINDOW)
    base_um = float(height_um.min())
    counts = _window_counts(height_um - base_um, block, round(window_um / pixel_um / block))

    mode_um = _mode_um(counts, max(_MIN_SMOOTHING_UM, _SMOOTHING_PIXELS * pixel_um))
    mad_um = _mad_um(counts, mode_um)
    excess_um = np.maximum(_EXCESS_MADS * mad_um, _MIN_EXCESS_UM)

    mode_um = _to_pixels(base_um + mode_um, block, height_um.shape)
    excess_um = _to_pixels(excess_um, block, height_um.shape)
    return PlatedSurface(
        mode_um=mode_um.astype(np.float32), threshold_um=(mode_um + excess_um).astype(np.float32)
    )


def _window_counts(height_um: FloatImage, block: int, window: int) -> NDArray[np.float64]:
    """Count heights in the window of each block: (bin, block z, block x), linearly shared."""
    n_bins = int(np.ceil(height_um.max() / _BIN_UM)) + 2
    blocks_z, blocks_x = (-(-n // block) for n in height_um.shape)
    index_z = np.arange(height_um.shape[0]) // block
    index_x = np.arange(height_um.shape[1]) // block
    place = (index_z[:, None] * blocks_x + index_x).ravel()

    position = height_um.astype(np.float64).ravel() / _BIN_UM
    low = np.floor(position).astype(np.intp)
    share = position - low
    n_cells = n_bins * blocks_z * blocks_x
    plane = blocks_z * blocks_x
    counts = np.bincount(low * plane + place, weights=1 - share, minlength=n_cells)
    counts += np.bincount((low + 1) * plane + place, weights=share, minlength=n_cells)

    window = max(1, window) | 1
    cube = counts.reshape(n_bins, blocks_z, blocks_x)
    for axis in (1, 2):
        cube = ndimage.uniform_filter1d(cube, window, axis=axis, mode="constant")
    return np.asarray(cube * window**2)


def _mode_um(counts: NDArray[np.float64], smoothing_um: float) -> NDArray[np.float64]:
    """Find the lowest high peak of each smoothed histogram, to a fraction of a bin."""
    smooth = ndimage.gaussian_filter1d(counts, smoothing_um / _BIN_UM, axis=0, mode="constant")
    # Sums differ in the last digits between machines; rounding keeps equal values equal.
    smooth = np.pad(np.round(smooth, 6), ((1, 1), (0, 0), (0, 0)))
    inner = smooth[1:-1]
    is_peak = (inner > smooth[:-2]) & (inner >= smooth[2:])
    is_peak &= inner >= _MIN_PEAK * inner.max(axis=0)
    peak = np.argmax(is_peak, axis=0)[None]

    before, here, after = (np.take_along_axis(smooth, peak + k, axis=0) for k in range(3))
    before = np.where(peak == 0, after, before)
    curvature = before - 2 * here + after
    offset = np.divide(
        (before - after) / 2, curvature, out=np.zeros_like(here), where=curvature < -1e-9
    )
    return np.asarray((peak + np.clip(offset, -0.5, 0.5))[0] * _BIN_UM)


def _mad_um(counts: NDArray[np.float64], mode_um: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the scatter about the mode of all heights, or of the lower ones beside a dendrite."""
    cumulative = np.concatenate([np.zeros_like(counts[:1]), np.cumsum(counts, axis=0)])
    up_to_mode = _cumulative_at(cumulative, mode_um)
    of_all_um = np.zeros_like(mode_um), np.full_like(mode_um, len(counts) * _BIN_UM)
    of_lower_um = of_all_um
    for _ in range(16):
        of_all_um = _halve(
            of_all_um,
            lambda d: (
                _cumulative_at(cumulative, mode_um + d) - _cumulative_at(cumulative, mode_um - d)
                >= cumulative[-1] / 2
            ),
        )
        of_lower_um = _halve(
            of_lower_um,
            lambda d: up_to_mode - _cumulative_at(cumulative, mode_um - d) >= up_to_mode / 2,
        )
    all_um, lower_um = of_all_um[1], of_lower_um[1]
    return np.where(all_um > _MAX_MAD_RATIO * lower_um, lower_um, all_um)


def _halve(
    bracket: tuple[NDArray[np.float64], NDArray[np.float64]],
    is_enough: Callable[[NDArray[np.float64]], NDArray[np.bool_]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Take the half of each bracket in which the condition becomes true."""
    low, high = bracket
    middle = (low + high) / 2
    enough = is_enough(middle)
    return np.where(enough, low, middle), np.where(enough, middle, high)


def _cumulative_at(
    cumulative: NDArray[np.float64], height_um: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Interpolate the count below a height; bin k holds (k - 1/2, k + 1/2) bin widths."""
    position = np.clip(height_um / _BIN_UM + 0.5, 0, len(cumulative) - 1)
    low = np.minimum(position.astype(np.intp), len(cumulative) - 2)[None]
    below = np.take_along_axis(cumulative, low, axis=0)[0]
    above = np.take_along_axis(cumulative, low + 1, axis=0)[0]
    return np.asarray(below + (position - low[0]) * (above - below))


def _to_pixels(
    blocks: NDArray[np.float64], block: int, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Interpolate values at block centres to pixels, constant beyond the outer centres."""
    if block == 1:
        return blocks
    where = [(np.arange(n) - (block - 1) / 2) / block for n in shape]
    grid = np.meshgrid(*where, indexing="ij")
    return np.asarray(ndimage.map_coordinates(blocks, grid, order=1, mode="nearest"))
