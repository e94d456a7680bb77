"""In-line phase contrast: what free space makes of attenuation and phase behind the sample.

For a weak object the logarithm of the intensity at a distance ``z`` is linear in both [1]_:
with ``chi = pi lambda z k**2`` and the line integrals ``M`` of the attenuation and ``D`` of the
refractive index decrement, its transform is ``cos(chi) M + (4 pi / lambda) sin(chi) D``. This is
the real part of ``exp(-i chi) (M + 4 pi i D / lambda)``, so that propagation along columns and
along rows can be applied one after the other.

The form is also exact to first order in ``chi`` wherever the transport of intensity is, for
objects that are strong but smooth. What it neglects are products of gradients of phase and
attenuation, and interference of what was diffracted twice: of the second order in the contrast
at an interface, which is small for polymers and lithium and not for the edges of tabs.

References
----------
.. [1] P. Cloetens et al., Appl. Phys. Lett. 75, 2912 (1999). doi:10.1063/1.125225
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from lithoscope_pipeline.geometry import UM_PER_CM
from lithoscope_pipeline.phantom.materials import DELTA_SCALE

Array = NDArray[np.floating]
ComplexArray = NDArray[np.complexfloating]

_WAVELENGTH_UM_KEV: Final = 1.23984198e-3
_UM_PER_MM: Final = 1.0e3
_KAISER: Final = 5.0
_SHIFT_REACH_PX: Final = 6
_QUADRATURE: Final = 128  # of the response along rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Propagation:
    """Free space between sample and detector.

    Parameters
    ----------
    energy_keV
        Of the photons.
    distance_mm
        Length of the way, 0 for a detector in contact.
    pixel_um
        Detector pixel at the sample.
    """

    energy_keV: float  # noqa: N815 - the unit is spelt so
    distance_mm: float
    pixel_um: float

    @property
    def wavelength_um(self) -> float:
        """Wavelength of the photons."""
        return _WAVELENGTH_UM_KEV / self.energy_keV

    @property
    def spread_px2(self) -> float:
        """Wavelength times distance, in pixels squared: the inverse of the Fresnel number."""
        return self.wavelength_um * self.distance_mm * _UM_PER_MM / self.pixel_um**2

    @property
    def phase_per_cm(self) -> float:
        """What a decrement of 1e-8 counts as beside an attenuation in 1/cm: 4 pi / lambda."""
        return 4.0 * np.pi / (self.wavelength_um / UM_PER_CM) / DELTA_SCALE

    @property
    def reach_px(self) -> int:
        """Rows on either side that a row mixes with; none without a distance."""
        return 4 + int(np.ceil(2.0 * self.spread_px2)) if self.distance_mm > 0 else 0

    def chi(self, cycles_per_px: Array) -> Array:
        """Return the phase that free space adds at a spatial frequency, radians."""
        return np.asarray(np.pi * self.spread_px2 * cycles_per_px**2)

    def ramp_excess(self, t_px: Array) -> ComplexArray:
        """Return what propagation adds to a ramp that begins at 0, averaged over a pixel.

        Parameters
        ----------
        t_px
            Centre of the pixel.

        Returns
        -------
        ComplexArray
            Pixels; ``exp(-i chi)`` of the ramp less the ramp. It falls off with the third power
            of the distance.
        """
        if self.distance_mm == 0:
            return np.zeros(np.shape(t_px), np.complex128)
        edges = np.asarray(t_px)[..., None] + (-0.5, 0.5)
        plain = 0.5 * np.maximum(edges, 0.0) ** 2
        return np.asarray(np.diff(_twice_integrated_step(edges, self.spread_px2) - plain))[..., 0]

    def row_taps(self, shift_px: float | None = None) -> ComplexArray:
        """Return the weights with which rows mix: propagation, and a shift along the rows.

        Parameters
        ----------
        shift_px
            The image moves to higher rows by this much, less than one row. None for an image
            that stays; a shift of 0 has as many weights as any.

        Returns
        -------
        ComplexArray
            Shape (2 reach + 1,), of sum one; entry ``reach + j`` takes a row to the one ``j``
            above it. Frequencies up to that of one row in two are right, but for the last tenth.
        """
        reach = max(self.reach_px, _SHIFT_REACH_PX if shift_px is not None else 0)
        if reach == 0:
            return np.ones(1, np.complex128)
        shift = shift_px or 0.0
        frequencies = (np.arange(_QUADRATURE) + 0.5) / _QUADRATURE - 0.5
        rows = np.arange(-reach, reach + 1)
        response = np.exp(-1j * self.chi(frequencies) - 2j * np.pi * shift * frequencies)
        taps = np.exp(2j * np.pi * np.outer(rows, frequencies)) @ response / _QUADRATURE
        away = np.clip((rows - shift) / (reach + 1.0), -1.0, 1.0)
        taps *= np.i0(_KAISER * np.sqrt(1.0 - away**2)) / np.i0(_KAISER)
        taps /= taps.sum()
        # The window drew the middle in; the neighbours set it right.
        missing = shift - taps @ rows
        taps[reach - 1 : reach + 2 : 2] += 0.5 * missing * np.array([-1.0, 1.0])
        return np.asarray(taps)


def _twice_integrated_step(t: Array, spread: float) -> ComplexArray:
    """Propagate a step and integrate it twice.

    The step becomes ``H = 1/2 + (C + iS)(t sqrt(2 / a)) / sqrt(2i)`` with Fresnel's integrals
    and the spread ``a``; its kernel is ``h = exp(i pi t**2 / a) / sqrt(i a)``. By parts, twice.
    """
    sine, cosine = special.fresnel(t * np.sqrt(2.0 / spread))
    turn = np.exp(-0.25j * np.pi)
    step = 0.5 + turn * (cosine + 1j * sine) / np.sqrt(2.0)
    kernel = turn * np.exp(1j * np.pi * t**2 / spread) / np.sqrt(spread)
    part = spread / (4j * np.pi)
    return np.asarray((0.5 * t**2 - part) * step - part * t * kernel)
