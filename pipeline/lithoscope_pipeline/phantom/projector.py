"""Projections of sampled slices through the Fourier slice theorem, with free space behind them.

The projection of a slice is found from its Fourier transform along lines through the origin [1]_
by a non-uniform FFT [2]_. There a drift, the turn during an exposure, the aperture of a pixel and
propagation along the columns are factors.

References
----------
.. [1] F. Natterer, The Mathematics of Computerized Tomography, theorem II.1.1 (1986).
.. [2] A. H. Barnett et al., SIAM J. Sci. Comput. 41, C479 (2019). doi:10.1137/18M120885X
"""

from dataclasses import dataclass
from typing import Final

import finufft
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from lithoscope_pipeline.geometry import FloatStack
from lithoscope_pipeline.phantom.propagation import Propagation
from lithoscope_pipeline.phantom.view import View

Array = NDArray[np.floating]
ComplexSlices = NDArray[np.complex64]

FINE: Final = 2  # samples of the object a detector pixel
_TOLERANCE: Final = 1e-4
_BLOCK: Final = 16  # frequencies
_BALANCE: Final = 1.0 / 64.0  # brings decrements to the size of attenuations before a transform
# Two points of Gauss are exact for what is cubic in the angle within one exposure.
_GAUSS_POINTS: Final = (-0.5 / 3.0**0.5, 0.5 / 3.0**0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """What stands behind each row before rows mix; both times voxels, (angle, row, column).

    Parameters
    ----------
    direct, coupled
        Real and imaginary part of the attenuation and ``i`` times the phase, propagated along
        the columns. ``coupled`` is None in contact with the detector.
    """

    direct: FloatStack
    coupled: FloatStack | None


class SliceProjector:
    """Projects slices of one shape; not for two threads at once.

    Parameters
    ----------
    shape
        Samples along (y, x), ``FINE`` a pixel; the rotation axis is at half of each.
    view
        Columns, angles, drift and motion.
    propagation
        The way to the detector.
    """

    def __init__(self, shape: tuple[int, int], view: View, propagation: Propagation) -> None:
        self._view, self._propagation = view, propagation
        # The projection is periodic: its copies must stay out of the view.
        reach_px = np.hypot(*shape) / FINE / 2.0 + view.n_columns / 2.0
        least = int(reach_px * 1.02) + 8 + view.n_columns // 8
        period = _BLOCK * fft.next_fast_len(least // _BLOCK + 1)
        self._frequencies = np.fft.fftfreq(FINE * period, 1.0 / FINE)
        points = _GAUSS_POINTS if view.exposure_rad > 0 else (0.0,)
        self._turned_rad = view.exposure_rad * np.array(points)
        self._plan = self._make_plan(shape)
        # Area of a sample, the pixel's aperture, the cell's own stretch.
        area = abs(np.linalg.det(view.in_plane)) / FINE / len(points)
        self._gain = (np.sinc(self._frequencies) * area).astype(np.float32)

    def project(self, slices: ComplexSlices, heights_px: Array) -> Wave:
        """Project slices, averaged over each pixel.

        Parameters
        ----------
        slices
            Optical constants in the cell's own coordinates, shape (n_rows, n_y, n_x).
        heights_px
            Height of each row above the centre of the volume, shape (n_rows,).

        Returns
        -------
        Wave
            What each row sees.

        Notes
        -----
        Exact for the band-limited object that the samples describe: up to the tolerance of the
        non-uniform FFT (1e-4 of the norm), drift and motion cost nothing.
        """
        view = self._view
        shape = len(view.thetas_rad), len(heights_px), view.n_columns
        direct = np.empty(shape, np.float32)
        coupled = np.empty(shape, np.float32) if self._propagation.distance_mm > 0 else None
        offsets_px = np.stack(
            [
                view.offsets_px(angle, self._turned_rad, heights_px)
                for angle in range(len(view.thetas_rad))
            ],
            axis=1,
        )
        for row, one in enumerate(slices):
            spectra = self._spectra(one)
            _turn(spectra, offsets_px[..., row], self._frequencies)
            exposed = spectra.sum(axis=0)
            exposed *= self._gain
            direct[:, row], other = self._lines(exposed)
            if coupled is not None:
                coupled[:, row] = other
        return Wave(direct=direct, coupled=coupled)

    def _make_plan(self, shape: tuple[int, int]) -> finufft.Plan:
        """Prepare the transform from slices to the lines that the angles ask for."""
        thetas_rad = self._view.thetas_rad + self._turned_rad[:, None]
        slopes = self._view.slopes(thetas_rad.ravel())
        turns = 2.0 * np.pi / FINE * self._frequencies
        # finufft folds its points into one period; float32 holds them to 1e-7 of it.
        points = [np.outer(slopes[:, axis], turns).ravel().astype(np.float32) for axis in (1, 0)]
        plan = finufft.Plan(
            2,
            shape,
            eps=_TOLERANCE,
            isign=-1,
            dtype="complex64",
            nthreads=1,
            upsampfac=1.25,
            # As they come, points follow lines: they are neighbours without being sorted.
            spread_sort=0,
        )
        plan.setpts(*points)
        return plan

    def _spectra(self, one: NDArray[np.complex64]) -> ComplexSlices:
        """Transform a slice: (point of Gauss, angle, frequency)."""
        balanced = np.empty(one.shape, np.complex64)
        balanced.real = one.real
        np.multiply(one.imag, np.float32(_BALANCE), out=balanced.imag)
        shape = len(self._turned_rad), -1, len(self._frequencies)
        return np.asarray(self._plan.execute(balanced).reshape(shape))

    def _lines(self, spectrum: ComplexSlices) -> tuple[FloatStack, FloatStack]:
        """Propagate along the columns and return both parts of the wave, (angle, column)."""
        chi = self._propagation.chi(self._frequencies)
        last = FINE * self._view.n_columns

        def back(factor: Array) -> ComplexSlices:
            lines = fft.ifft(spectrum * factor.astype(np.float32), axis=1, workers=1)
            return np.asarray(lines[:, :last:FINE])

        upright = back(np.cos(chi))
        if self._propagation.distance_mm == 0:
            return upright.real, upright.imag
        turned = back(np.sin(chi))
        # Real and imaginary part are attenuation and decrement: real kernels do not mix them.
        phase = np.float32(self._propagation.phase_per_cm / _BALANCE)
        return upright.real + phase * turned.imag, phase * upright.imag - turned.real


def _turn(spectra: ComplexSlices, offsets_px: Array, frequencies: Array) -> None:
    """Move lines to their columns, in place: ``offsets_px`` has an entry for each spectrum.

    Frequencies are equidistant within a block, so that the turn of one is that of the block's
    first times that of its place in it.
    """
    blocks = frequencies.reshape(-1, _BLOCK)
    parts = spectra.reshape(*offsets_px.shape, *blocks.shape)
    parts *= _turns(offsets_px, blocks[:, 0])[..., None]
    parts *= _turns(offsets_px, blocks[0] - blocks[0, 0])[..., None, :]


def _turns(offsets_px: Array, frequencies: Array) -> ComplexSlices:
    turns = np.exp(-2j * np.pi * (offsets_px[..., None] * frequencies))
    return np.asarray(turns.astype(np.complex64))
