"""Spectra of ramp-filtered projections, cut to what a slice can see of them."""

from dataclasses import dataclass
from typing import Final

import numba
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from lithoscope_pipeline.errors import NonFiniteError
from lithoscope_pipeline.geometry import FloatStack, FloatVector
from lithoscope_pipeline.reconstruct.gridding import LANES
from lithoscope_pipeline.truncation import Extension, extend_edges

#: Cycles a column up to which a spectrum is used. Beyond a half it is its own mirror image, but a
#: third of it still is of the sample: without, the error is up to 1.13 times that of a
#: back-projection that interpolates linearly; to 0.55 1.01, to 0.6 0.96 and to 0.7 0.93 times.
MAX_FREQUENCY: Final = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFilter:
    """What is done to each row of each projection by itself.

    Parameters
    ----------
    profile
        What the value at the border is multiplied by outside the detector, 1 inside, shape
        (n_columns + 2 pad_px,).
    pad_px
        Columns added on either side.
    length
        Columns of the row that is transformed.
    ramp
        Spectrum of the ramp filter, shape (length // 2 + 1,).
    window
        Kept columns of the filtered row, falling to 0 at both ends, shape (n_kept,).
    first_kept
        Detector column of the first of them; may be negative.
    """

    profile: FloatVector
    pad_px: int
    length: int
    ramp: FloatVector
    window: FloatVector
    first_kept: int

    @classmethod
    def make(
        cls, n_columns: int, size: int, rotation_axis_px: float, extension: Extension
    ) -> "RowFilter":
        """Prepare for slices of ``size`` voxels from rows of ``n_columns``."""
        reach_px = 0.5 * size * np.sqrt(2.0) + 2.0
        n_needed = int(np.ceil(2.0 * (reach_px + max(8.0, 0.03 * reach_px)))) + 1
        n_kept = int(scipy.fft.next_fast_len(n_needed, real=True))
        first = round(rotation_axis_px - 0.5 * (n_kept - 1))
        taper = int(0.5 * n_kept - reach_px) - 1
        # The extension must hold all kept columns, and half the row again against wrap-around.
        pad_px = max(n_columns, -first, first + n_kept - n_columns)
        length = int(scipy.fft.next_fast_len(n_columns + 2 * pad_px, real=True))
        inside = np.ones((1, n_columns), np.float32)
        return cls(
            profile=extend_edges(inside, pad_px, mode=extension)[0],
            pad_px=pad_px,
            length=length,
            ramp=_ramp(length),
            window=_window(n_kept, taper),
            first_kept=first,
        )

    @property
    def n_kept(self) -> int:
        """Columns of the filtered row that are transformed again."""
        return int(self.window.size)

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Frequencies that are used, cycles a column, from 0 to `MAX_FREQUENCY`."""
        return np.arange(int(MAX_FREQUENCY * self.n_kept) + 1) / self.n_kept

    @property
    def shares(self) -> NDArray[np.float64]:
        """How much of a sample at each of the frequencies is of the sample, 0..1.

        A sampled row holds at f what was there at f and at 1 - f. The power of projected edges
        falls as f^-3, and as f^-2 more by the average over a column, so the least mean square
        error is that of the Wiener filter 1 / (1 + (f / (1 - f))^5): nearly 1 to a third of a
        cycle a column, a half at a half, where nothing tells one from the other.
        """
        frequencies = self.frequencies
        shares: NDArray[np.float64] = 1.0 / (1.0 + (frequencies / (1.0 - frequencies)) ** 5)
        return shares

    def spectra(self, attenuation: FloatStack) -> NDArray[np.complex64]:
        """Filter projections of up to ``LANES`` rows.

        Parameters
        ----------
        attenuation
            Shape (n_projections, n_rows, n_columns).

        Returns
        -------
        NDArray[np.complex64]
            At the frequencies up to a half, shape (n_projections, n_kept // 2 + 1, LANES); 0
            where there is no row.

        Raises
        ------
        NonFiniteError
            If ``attenuation`` holds NaN or infinity.
        """
        n = len(attenuation)
        extended = np.zeros((n, self.length, LANES), np.float32)
        _extend(attenuation, self.profile, self.pad_px, extended)
        spectrum = scipy.fft.rfft(extended, axis=1, workers=1)
        # The sum of a row is not finite if one of its values is not.
        if not np.isfinite(spectrum[:, 0]).all():
            raise NonFiniteError(
                "attenuation holds NaN or infinity; correct the projections first"
            )
        _weigh(spectrum.view(np.float32), self.ramp)
        filtered = scipy.fft.irfft(spectrum, n=self.length, axis=1, workers=1)
        start = self.pad_px + self.first_kept
        kept = filtered[:, start : start + self.n_kept]
        _weigh(kept, self.window)
        spectra: NDArray[np.complex64] = scipy.fft.rfft(kept, axis=1, workers=1)
        return spectra


@numba.njit(cache=True, nogil=True)
def _extend(attenuation: FloatStack, profile: FloatVector, pad_px: int, out: FloatStack) -> None:
    """Write rows (angle, row, column), continued on both sides, to (angle, column, lane)."""
    n_columns = attenuation.shape[2]
    for angle in range(attenuation.shape[0]):
        for place in range(profile.size):
            column = min(max(place - pad_px, 0), n_columns - 1)
            for row in range(attenuation.shape[1]):
                out[angle, place, row] = profile[place] * attenuation[angle, row, column]


@numba.njit(cache=True, nogil=True)
def _weigh(lines: FloatStack, weights: FloatVector) -> None:
    """Multiply lines (angle, place, part) by one weight a place."""
    for angle in range(lines.shape[0]):
        for place in range(lines.shape[1]):
            for part in range(lines.shape[2]):
                lines[angle, place, part] *= weights[place]


def _window(n_kept: int, taper: int) -> FloatVector:
    """Both ends fall to zero, so that the periodic row has no step that would ring."""
    window = np.ones(n_kept, dtype=np.float32)
    fall = 0.5 + 0.5 * np.cos(np.pi * (np.arange(taper) + 1.0) / (taper + 1.0))
    window[:taper] = fall[::-1]
    window[n_kept - taper :] = fall
    return window


def _ramp(length: int) -> FloatVector:
    """Spectrum of the discrete ramp filter, for rows sampled once a voxel.

    It is the transform of the sampled kernel, not ``|frequency|``: only so is the mean right.
    See A. C. Kak and M. Slaney, Principles of Computerized Tomographic Imaging (1988), eq. 3.61.
    """
    n = np.minimum(np.arange(length), length - np.arange(length))
    kernel = np.zeros(length)
    kernel[0] = 0.25
    is_odd = n % 2 == 1
    kernel[is_odd] = -1.0 / (np.pi * n[is_odd]) ** 2
    return scipy.fft.rfft(kernel).real.astype(np.float32)
