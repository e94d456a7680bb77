"""Where a plated surface ends and a dendrite begins: one rule for the truth and for the image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.height_modes import find_modes

# The electrodes are flat foils: so wide an average finds their faces to a tenth of a voxel.
FACE_SIGMA_PX = 3.0

_MIN_SMOOTHING_UM = 2.0
# Two neighbouring heights of a map in whole voxels must not make two peaks.
_SMOOTHING_PIXELS = 0.6
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
    mode_um, mad_um = find_modes(
        height_um - np.float32(base_um),
        block=block,
        window=round(window_um / pixel_um / block),
        smoothing_um=max(_MIN_SMOOTHING_UM, _SMOOTHING_PIXELS * pixel_um),
    )
    excess_um = np.maximum(_EXCESS_MADS * mad_um, _MIN_EXCESS_UM)

    mode_um = _to_pixels(base_um + mode_um, block, height_um.shape)
    excess_um = _to_pixels(excess_um, block, height_um.shape)
    return PlatedSurface(
        mode_um=mode_um.astype(np.float32), threshold_um=(mode_um + excess_um).astype(np.float32)
    )


def smooth_face(row_px: FloatImage, *, sigma_px: float = FACE_SIGMA_PX) -> FloatImage:
    """Smooth the face of a flat foil, over the columns in which it was seen.

    Parameters
    ----------
    row_px
        Place of the face, shape (n_z, n_x), voxels; NaN where it was not seen.
    sigma_px
        Width of the Gaussian.

    Returns
    -------
    FloatImage
        Same shape, finite; zeros if the face was seen nowhere.
    """
    seen = np.isfinite(row_px)
    if not seen.any():
        return np.zeros_like(row_px)
    middle = np.median(row_px[seen])
    # A column beside a hole in the foil, or under wrong labels, must not bend the face.
    near = np.where(seen, np.abs(row_px - middle) < 8 * sigma_px, False)
    weight = ndimage.gaussian_filter(near.astype(np.float32), sigma_px, mode="nearest")
    offset = np.where(near, row_px - middle, 0).astype(np.float32)
    smooth = ndimage.gaussian_filter(offset, sigma_px, mode="nearest")
    return np.asarray(middle + smooth / np.maximum(weight, 1e-3), np.float32)


def _to_pixels(
    blocks: NDArray[np.float64], block: int, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Interpolate values at block centres to pixels, constant beyond the outer centres."""
    if block == 1:
        return blocks
    where = [(np.arange(n) - (block - 1) / 2) / block for n in shape]
    grid = np.meshgrid(*where, indexing="ij")
    return np.asarray(ndimage.map_coordinates(blocks, grid, order=1, mode="nearest"))
