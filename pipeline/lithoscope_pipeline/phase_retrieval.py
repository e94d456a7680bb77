"""Phase retrieval: attenuation from in-line phase contrast, for an object of two materials [1]_.

In free space behind the sample, interfaces get bright and dark fringes. If all that differs in
the sample differs by two materials, phase and attenuation are proportional and one image tells
both: the fringes are taken back by a filter that is smooth in space, so that photon noise, white
before, goes with them.

The filter acts on the attenuation, after minus log. For the small contrasts of polymers and
lithium this equals the original form, which filters the intensity; it has the advantage that what
lies in front and behind and a slope of the beam add up with the sample and come off again.

References
----------
.. [1] D. Paganin et al., J. Microsc. 206, 33 (2002). doi:10.1046/j.1365-2818.2002.01010.x
"""

from dataclasses import dataclass
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatStack

LITHIUM_IN_POLYMER: Final = 1840.0  # delta over beta of their difference at 27.5 keV
_WAVELENGTH_UM_KEV: Final = 1.23984198e-3
_UM_PER_MM: Final = 1.0e3
_REACH: Final = 4.0  # lengths of the filter that a pixel is counted to depend on (2 % are left)
_ANGLES_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PaganinFilter:
    """The filter ``1 / (1 + pi lambda z (delta / beta) k**2)``.

    Parameters
    ----------
    distance_mm
        From the sample to the detector in a parallel beam.
    energy_keV
        Of the photons.
    voxel_um
        Detector pixel at the sample.
    delta_beta
        Difference of the refractive index decrements of the two materials, over that of the
        imaginary parts ``mu lambda / 4 pi``, with the total attenuation ``mu``.

    Raises
    ------
    ParameterError
        If a number is not positive.
    """

    distance_mm: float
    energy_keV: float  # noqa: N815 - the unit is spelt so
    voxel_um: float
    delta_beta: float = LITHIUM_IN_POLYMER

    def __post_init__(self) -> None:
        for name in ("distance_mm", "energy_keV", "voxel_um", "delta_beta"):
            value = getattr(self, name)
            if not value > 0:
                raise ParameterError(f"{name} is {value}; phase retrieval needs it above 0")

    @property
    def length_px(self) -> float:
        """Distance over which the filter's kernel falls by e, pixels."""
        wavelength_um = _WAVELENGTH_UM_KEV / self.energy_keV
        square_um2 = wavelength_um * self.distance_mm * _UM_PER_MM * self.delta_beta / (4 * np.pi)
        return float(np.sqrt(square_um2)) / self.voxel_um

    @property
    def reach_px(self) -> int:
        """Pixels on either side that a pixel depends on."""
        return int(np.ceil(_REACH * self.length_px))


def retrieve_phase(
    attenuation: FloatStack, paganin: PaganinFilter, *, halo_rows: tuple[int, int] = (0, 0)
) -> FloatStack:
    """Take the fringes of in-line phase contrast out of projections.

    Along rows the filter is applied to cosine transforms. Along columns it then is an exponential
    for each frequency, the inverse of a tridiagonal matrix, which takes two sweeps over the rows
    instead of two transforms of more rows than there are.

    Parameters
    ----------
    attenuation
        Minus the logarithm of the transmission, shape (n_angles, n_rows, n_columns), finite.
        Within `PaganinFilter.reach_px` of a border the result depends on what lies beyond. There
        the mirror image is taken: it goes on as a fringe does, to and fro, whereas a border value
        repeated without end would weigh as much as the filter is long.
    paganin
        The filter.
    halo_rows
        First and last rows that only serve the others and are left out.

    Returns
    -------
    FloatStack
        Line integrals of the attenuation coefficient, shape (n_angles, n_rows - halo, n_columns),
        float32. The mean of a uniform region stays what it was.

    Raises
    ------
    ShapeError
        If ``attenuation`` is no stack of images, or the halo leaves no row.

    Notes
    -----
    With the second difference in place of the second derivative along columns, ``u`` at row ``r``
    and frequency ``k`` solves ``(1 + (2 pi L k)**2) u[r] - L**2 (u[r-1] - 2 u[r] + u[r+1]) =
    p[r]``. It differs from the derivative where the filter lets through less than a hundredth.
    """
    if attenuation.ndim != 3 or 0 in attenuation.shape:
        raise ShapeError(
            f"attenuation of shape {attenuation.shape} given, (angle, row, column) is needed"
        )
    n_angles, n_rows, n_columns = attenuation.shape
    rows = slice(halo_rows[0], n_rows - halo_rows[1])
    if rows.stop <= rows.start:
        raise ShapeError(f"a halo of {halo_rows} leaves none of {n_rows} rows; give more rows")
    length = _fast_length(n_columns, paganin.reach_px)
    factors = _sweep_factors(n_rows, length, paganin.length_px)
    out = np.empty((n_angles, rows.stop - rows.start, n_columns), np.float32)
    for start in range(0, n_angles, _ANGLES_AT_ONCE):
        angles = slice(start, start + _ANGLES_AT_ONCE)
        seen = np.pad(
            attenuation[angles], [(0, 0), (0, 0), (0, length - n_columns)], mode="symmetric"
        )
        spectra = fft.dct(seen, axis=2, workers=1)
        _sweep(spectra, factors, 1.0 / paganin.length_px**2)
        smooth = fft.idct(spectra[:, rows], axis=2, overwrite_x=True, workers=1)
        out[angles] = smooth[..., :n_columns]
    return out


def _fast_length(n_columns: int, reach_px: int) -> int:
    """Columns to transform: as many as there are, or beyond what still matters if that is slow."""
    if fft.next_fast_len(n_columns, real=True) == n_columns:
        return n_columns
    return fft.next_fast_len(n_columns + reach_px, real=True)


def _sweep_factors(n_rows: int, n_columns: int, length_px: float) -> NDArray[np.float64]:
    """Eliminate the lower diagonal of each frequency: how much a row passes on to the next."""
    frequencies = np.arange(n_columns) / (2.0 * n_columns)
    own = (1.0 / length_px) ** 2 + (2.0 * np.pi * frequencies) ** 2
    factors = np.empty((n_rows, n_columns))
    passed = np.ones(n_columns)  # beyond the first row stands its mirror image
    for row in range(n_rows):
        passed = 1.0 / (own + 2.0 - passed - (row == n_rows - 1))
        factors[row] = passed
    return factors


@numba.njit(cache=True, nogil=True)
def _sweep(spectra: Any, factors: Any, scale: float) -> None:  # Any: arrays, compiled
    """Solve for all rows in place: down with what is known, and up with what follows."""
    n_angles, n_rows, n_columns = spectra.shape
    carried = np.empty(n_columns)
    for angle in range(n_angles):
        carried[:] = 0.0
        for row in range(n_rows):
            for column in range(n_columns):
                value = spectra[angle, row, column] * scale + carried[column]
                carried[column] = factors[row, column] * value
                spectra[angle, row, column] = np.float32(carried[column])
        carried[:] = 0.0
        for row in range(n_rows - 1, -1, -1):
            for column in range(n_columns):
                value = spectra[angle, row, column] + factors[row, column] * carried[column]
                carried[column] = value
                spectra[angle, row, column] = np.float32(value)
