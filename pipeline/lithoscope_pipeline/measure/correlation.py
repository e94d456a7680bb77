"""Do two maps lie over each other more than chance lets them: Pearson's r, and what shifts give.

Shifting one map against the other, round the edges, breaks every relation between them and keeps
how each of them looks. The share of all shifts whose r is as far from zero as that of the maps
themselves is the p-value [1]_.

References
----------
.. [1] B. Lotwick, B. Silverman, J. R. Stat. Soc. B 44, 406 (1982).
   doi:10.1111/j.2517-6161.1982.tb01221.x
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.measure.metric import Metric, measured, not_measured

# Sums by Fourier transform are exact to far less; equal correlations must count as equal.
_ROUNDING = 1e-9


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
    a, b = (each.astype(np.float64) - each.mean(dtype=np.float64) for each in (first, second))
    if first.min() == first.max() or second.min() == second.max():
        return not_measured("1", "no_variation")
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    r = float((a * b).sum()) / norm
    product = fft.rfft2(a) * np.conj(fft.rfft2(b))
    of_shifts = fft.irfft2(product, s=a.shape) / norm
    p_value = float((np.abs(of_shifts) >= abs(r) - _ROUNDING).mean())
    return measured(min(max(r, -1.0), 1.0), "1", voxels=first.size, p_value=p_value)
