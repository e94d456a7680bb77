"""Stripes damped where they stand out: fine across columns, slow along angles [1]_.

References
----------
.. [1] B. Münch, P. Trtik, F. Marone and M. Stampanoni, Opt. Express 17, 8567 (2009).
   doi:10.1364/OE.17.008567
"""

from typing import Final

import numpy as np
import pywt
from scipy import fft

from lithoscope_pipeline.geometry import FloatImage

WAVELET: Final = "db5"
LEVELS: Final = 4  # stripes up to 16 columns
DAMPED_PERIODS: Final = 1.0  # [1]: standard deviation of the notch, in periods a scan


def damp_stripes(sinogram: FloatImage) -> FloatImage:
    """Damp slow changes along the angle in the details across columns.

    Parameters
    ----------
    sinogram
        Shape (n_angles, n_columns), finite.

    Returns
    -------
    FloatImage
        Same shape, float32.
    """
    n_angles, n_columns = sinogram.shape
    levels = min(LEVELS, pywt.dwt_max_level(min(sinogram.shape), WAVELET))
    parts = []
    coarse = np.ascontiguousarray(sinogram, np.float32)
    for _ in range(levels):
        coarse, (along, across, both) = pywt.dwt2(coarse, WAVELET, mode="symmetric")
        parts.append((along, _without_slow(across), both))
    for along, across, both in reversed(parts):
        rows, columns = across.shape
        coarse = pywt.idwt2((coarse[:rows, :columns], (along, across, both)), WAVELET)
    return np.asarray(coarse[:n_angles, :n_columns], np.float32)


def _without_slow(details: FloatImage) -> FloatImage:
    spectrum = fft.rfft(details, axis=0, workers=1)
    periods = np.arange(len(spectrum))
    notch = -np.expm1(-(periods**2) / (2.0 * DAMPED_PERIODS**2))
    spectrum *= notch[:, None].astype(np.float32)
    return np.asarray(fft.irfft(spectrum, n=len(details), axis=0, workers=1))
