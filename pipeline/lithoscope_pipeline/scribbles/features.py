"""What a forest sees of a pixel: its surroundings at several scales."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatImage

Features = NDArray[np.float32]

SIGMAS_PX: Final = (0.7, 1.0, 1.6, 3.5, 5.0)
_KINDS: Final = ("gaussian", "gradient", "laplacian", "ridge", "valley")
_TRUNCATE: Final = 4.0


def feature_names(sigmas_px: tuple[float, ...] = SIGMAS_PX) -> tuple[str, ...]:
    """Name the features in their order, such as ``gradient_1.6_px``."""
    return ("grey", *(f"{kind}_{sigma:g}_px" for sigma in sigmas_px for kind in _KINDS))


def reach_px(sigmas_px: tuple[float, ...] = SIGMAS_PX) -> int:
    """Say how far from a pixel its features look."""
    return int(_TRUNCATE * max(sigmas_px) + 0.5)


def slice_features(slice_: FloatImage, sigmas_px: tuple[float, ...] = SIGMAS_PX) -> Features:
    """Describe each pixel of a slice by its surroundings.

    At each scale: smoothed grey value, magnitude of the gradient, Laplacian, and the two
    eigenvalues of the Hessian, which tell ridges, valleys and blobs apart. Derivatives are
    multiplied by sigma for each order [1]_, so that all features have the unit of the grey value.

    Parameters
    ----------
    slice_
        Grey values, shape (rows, columns), finite.
    sigmas_px
        Widths of the Gaussians, in pixels, over 0.

    Returns
    -------
    Features
        Shape (rows, columns, features), float32, in the order of `feature_names`.

    Raises
    ------
    ShapeError, NonFiniteError, ParameterError
        If the slice is no finite image, or a width is not over 0.

    References
    ----------
    .. [1] T. Lindeberg, Int. J. Comput. Vis. 30, 79 (1998). doi:10.1023/A:1008045108935
    """
    if slice_.ndim != 2:
        raise ShapeError(f"slice_ has shape {slice_.shape}, (rows, columns) is needed")
    if not np.isfinite(slice_).all():
        raise NonFiniteError("slice_ holds NaN or infinity; fill it first")
    if not sigmas_px or min(sigmas_px) <= 0:
        raise ParameterError(f"sigmas_px is {sigmas_px}; give widths over 0")
    out = np.empty((*slice_.shape, 1 + len(_KINDS) * len(sigmas_px)), np.float32)
    out[..., 0] = slice_
    for number, sigma in enumerate(sigmas_px):
        first = 1 + len(_KINDS) * number
        out[..., first : first + len(_KINDS)] = _at_scale(slice_.astype(np.float32), sigma)
    return out


def _at_scale(slice_: FloatImage, sigma_px: float) -> Features:
    def derived(rows: int, columns: int) -> FloatImage:
        blurred = ndimage.gaussian_filter(
            slice_, sigma_px, order=(rows, columns), mode="nearest", truncate=_TRUNCATE
        )
        return blurred * np.float32(sigma_px ** (rows + columns))

    across, along, mixed = derived(2, 0), derived(0, 2), derived(1, 1)
    half_trace = (across + along) / 2
    spread = np.hypot((across - along) / 2, mixed)
    kinds = (
        derived(0, 0),
        np.hypot(derived(1, 0), derived(0, 1)),
        2 * half_trace,
        half_trace + spread,
        half_trace - spread,
    )
    return np.stack(kinds, axis=-1)
