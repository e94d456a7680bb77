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
from typing import Final

import numpy as np
from scipy import fft

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatStack

LITHIUM_IN_POLYMER: Final = 1840.0  # delta over beta of their difference at 27.5 keV
_WAVELENGTH_UM_KEV: Final = 1.23984198e-3
_UM_PER_MM: Final = 1.0e3
_REACH: Final = 4.0  # lengths of the filter that a pixel is counted to depend on (2 % are left)
_ANGLES_AT_ONCE: Final = 16


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


def retrieve_phase(attenuation: FloatStack, paganin: PaganinFilter) -> FloatStack:
    """Take the fringes of in-line phase contrast out of projections.

    Parameters
    ----------
    attenuation
        Minus the logarithm of the transmission, shape (n_angles, n_rows, n_columns), finite.
        Within `PaganinFilter.reach_px` of a border the result depends on what lies beyond. There
        the mirror image is taken: it goes on as a fringe does, to and fro, whereas a border value
        repeated without end would weigh as much as the filter is long.
    paganin
        The filter.

    Returns
    -------
    FloatStack
        Line integrals of the attenuation coefficient, same shape, float32. The mean of a uniform
        region stays what it was.

    Raises
    ------
    ShapeError
        If ``attenuation`` is no stack of images.
    """
    if attenuation.ndim != 3 or 0 in attenuation.shape:
        raise ShapeError(
            f"attenuation of shape {attenuation.shape} given, (angle, row, column) is needed"
        )
    n_angles, n_rows, n_columns = attenuation.shape
    pad = paganin.reach_px
    shape = [fft.next_fast_len(n + 2 * pad, real=True) for n in (n_rows, n_columns)]
    rows, columns = fft.fftfreq(shape[0]), fft.rfftfreq(shape[1])
    square = rows[:, None] ** 2 + columns**2
    response = 1.0 / (1.0 + (2.0 * np.pi * paganin.length_px) ** 2 * square)
    out = np.empty(attenuation.shape, np.float32)
    # What fills up to a fast length lies behind the padding on either side.
    padding = [(pad, size - n - pad) for size, n in zip(shape, (n_rows, n_columns), strict=True)]
    for start in range(0, n_angles, _ANGLES_AT_ONCE):
        angles = slice(start, start + _ANGLES_AT_ONCE)
        padded = np.pad(attenuation[angles], [(0, 0), *padding], mode="reflect")
        spectra = fft.rfft2(padded, workers=1)
        spectra *= response.astype(np.float32)
        smooth = fft.irfft2(spectra, s=shape, workers=1)
        out[angles] = smooth[:, pad : pad + n_rows, pad : pad + n_columns]
    return out
