"""Do two maps lie over each other more than chance lets them: Pearson's r, and what shifts give.

Shifting one map against the other breaks every relation between them and keeps how each of them
looks [1]_. What comes in from beyond an edge is the map's own mirror image: round the edges, as on
a torus, seams would make wide structures look less alike than chance does. The share of all shifts
whose r is as far from zero as that of the maps themselves is the p-value.

References
----------
.. [1] B. Lotwick, B. Silverman, J. R. Stat. Soc. B 44, 406 (1982).
   doi:10.1111/j.2517-6161.1982.tb01221.x
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.metric import Metric, measured, not_measured

# Sums by Fourier transform are exact to far less; equal correlations must count as equal.
_ROUNDING: Final = 1e-9
#: Larger maps are shifted as means of blocks: what is as small as a block has no part in chance.
_MOST_PX: Final = 512

Map = NDArray[np.float64]


def correlate_maps(first: NDArray[Any], second: NDArray[Any]) -> Metric:
    """Correlate two maps, with the share of shifts that do as well.

    Parameters
    ----------
    first, second
        Maps of numbers, the same shape (n_z, n_x), finite.

    Returns
    -------
    Metric
        Pearson's r with its two-sided p-value; no value with ``no_variation`` if a map is even.

    Raises
    ------
    ShapeError
        If the maps differ in shape.
    """
    if first.shape != second.shape or first.ndim != 2:
        msg = f"maps have shapes {first.shape} and {second.shape}, two equal images are needed"
        raise ShapeError(msg)
    if first.min() == first.max() or second.min() == second.max():
        return not_measured("1", "no_variation")
    a, b = (each.astype(np.float64) - each.mean(dtype=np.float64) for each in (first, second))
    r = float((a * b).sum()) / float(np.sqrt((a * a).sum() * (b * b).sum()))
    of_shifts = np.abs(_shifted(_in_blocks(a), _in_blocks(b)))
    p_value = float((of_shifts >= of_shifts[0, 0] - _ROUNDING).mean())
    return measured(min(max(r, -1.0), 1.0), "1", voxels=first.size, p_value=p_value)


def _shifted(a: Map, b: Map) -> Map:
    """Correlate a map with each window of its size in another that goes on as its mirror image.

    Shape (2 n_z, 2 n_x); first the maps as they are. Windows have means and spreads of their own.
    """
    a = a - a.mean()
    both = np.block([[b, b[:, ::-1]], [b[::-1], b[::-1, ::-1]]])
    shape = both.shape
    # Each transform is as large as four maps: no more of them at a time than must be.
    square = fft.rfft2(both * both)
    window = fft.rfft2(np.ones_like(a), s=shape)
    np.conj(window, out=window)
    square *= window
    square = _map_of(square, shape) / a.size
    least = _ROUNDING * square[0, 0]
    of_both = fft.rfft2(both)
    del both
    window = np.multiply(of_both, window, out=window)
    mean = _map_of(window, shape) / a.size
    del window
    square -= mean * mean
    del mean
    spread = np.sqrt(np.maximum(square, least, out=square) * (a * a).mean())
    del square
    of_first = fft.rfft2(a, s=shape)
    of_both *= np.conj(of_first, out=of_first)
    del of_first
    product = _map_of(of_both, shape) / a.size
    # A window in which nothing varies correlates with nothing.
    return np.asarray(np.divide(product, spread, out=np.zeros_like(product), where=spread > 0))


def _map_of(transform: NDArray[np.complex128], shape: tuple[int, int]) -> Map:
    """Go back from a transform, which is used up, to its map."""
    return np.asarray(fft.irfft2(transform, s=shape, overwrite_x=True))


def _in_blocks(image: Map) -> Map:
    """Average blocks of a map that is larger than it needs to be."""
    step = -(-max(image.shape) // _MOST_PX)
    n_z, n_x = (max(n // step, 1) for n in image.shape)
    whole = image[: n_z * step, : n_x * step]
    if whole.size < n_z * n_x * step * step:
        return image  # a strip that is narrower than a block
    return np.asarray(whole.reshape(n_z, step, n_x, step).mean(axis=(1, 3)))
