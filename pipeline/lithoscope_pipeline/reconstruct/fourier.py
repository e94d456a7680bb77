"""Filtered back-projection as a sum in Fourier space by a non-uniform FFT.

The projection-slice theorem puts the spectrum of each projection on a line through the plane of
the slice; a type-1 non-uniform FFT [1]_ sums these lines straight into voxels. It is the
back-projection of trigonometrically interpolated, ramp-filtered projections.

References
----------
.. [1] A. H. Barnett, J. Magland and L. af Klinteberg, SIAM J. Sci. Comput. 41, C479 (2019).
   doi:10.1137/18M120885X
"""

from dataclasses import dataclass

import finufft
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.geometry import UM_PER_CM, Angles, FloatImage, FloatStack, FloatVolume
from lithoscope_pipeline.reconstruct.weights import angular_weights_rad
from lithoscope_pipeline.truncation import Extension, extend_edges

# Both far below the discretisation error of a slice, which is about 1e-2 of its range.
NUFFT_TOLERANCE = 1.0e-4
NUFFT_OVERSAMPLING = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class FourierBackend:
    """Reconstruction by a type-1 non-uniform FFT, one thread, equal to the byte on every call.

    Each row is transformed by itself, so a slice does not depend on the slab it came in.

    Parameters
    ----------
    extension
        How projections go on outside the detector: ``edge`` for a sample wider than the view.
    """

    extension: Extension = "edge"

    @property
    def name(self) -> str:
        """Name in settings and facts."""
        return "fourier"

    def reconstruct(
        self,
        attenuation: FloatStack,
        thetas_rad: Angles,
        *,
        rotation_axis_px: float,
        voxel_um: float,
        size: int | None = None,
    ) -> FloatVolume:
        """Reconstruct one slice a detector row.

        Parameters
        ----------
        attenuation
            Line integrals, shape (n_angles, n_rows, n_columns), dimensionless, finite.
        thetas_rad
            Angle of each projection, shape (n_angles,), in any order and over any number of turns.
        rotation_axis_px
            Detector column of the rotation axis.
        voxel_um
            Detector pixel referred to the sample = edge of a voxel.
        size
            Edge of a slice in voxels; the number of columns by default.

        Returns
        -------
        FloatVolume
            Linear attenuation coefficient in 1/cm, shape (n_rows, size, size), axes (z, y, x).
            Voxels farther from the axis than the nearer border of the detector were not seen at
            all angles and hold an extrapolation.

        Raises
        ------
        ShapeError
            If the number of angles differs from that of projections or a dimension is missing.
        ParameterError
            If the axis lies outside the detector or a length is not above zero.
        NonFiniteError
            If ``attenuation`` holds NaN or infinity.
        AngularRangeError
            If the angles leave a hole wider than 45 degrees in the half turn.
        """
        _check(attenuation, thetas_rad, rotation_axis_px, voxel_um, size)
        n_rows, n_columns = attenuation.shape[1:]
        edge = n_columns if size is None else size
        plan = _Plan.make(thetas_rad, n_columns, edge, rotation_axis_px, voxel_um)
        volume = np.empty((n_rows, edge, edge), dtype=np.float32)
        for row in range(n_rows):
            sinogram = np.ascontiguousarray(attenuation[:, row], dtype=np.float32)
            volume[row] = plan.slice_of(sinogram, self.extension)
        return volume


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What all rows of a scan share."""

    nufft: finufft.Plan
    pad_px: int
    length: int
    ramp: FloatImage  # (1, length // 2 + 1)
    factors: NDArray[np.complex64]  # (n_angles, n_frequencies): weight, axis and half-voxel phase
    window: NDArray[np.float32]  # (1, n_kept): what of the filtered row is transformed
    first_kept: int

    @classmethod
    def make(
        cls,
        thetas_rad: Angles,
        n_columns: int,
        size: int,
        rotation_axis_px: float,
        voxel_um: float,
    ) -> "_Plan":
        reach_px = 0.5 * size * np.sqrt(2.0) + 2.0
        first, n_kept, window = _kept_columns(rotation_axis_px, reach_px)
        # The extension must hold all kept columns, and half the row again against wrap-around.
        pad_px = max(n_columns, -first, first + n_kept - n_columns)
        length = scipy.fft.next_fast_len(n_columns + 2 * pad_px, real=True)

        thetas = thetas_rad.astype(np.float64)
        frequencies = np.arange((n_kept + 1) // 2) / n_kept
        u = 2.0 * np.pi * frequencies[None, :] * np.cos(thetas)[:, None]
        v = 2.0 * np.pi * frequencies[None, :] * np.sin(thetas)[:, None]
        # finufft counts modes from -size // 2: odd sizes are centred, even ones half a voxel off.
        half_voxel = 0.5 if size % 2 == 0 else 0.0
        phase = 2.0 * np.pi * frequencies[None, :] * (rotation_axis_px - first)
        phase = phase + half_voxel * (u + v)
        weights = angular_weights_rad(thetas_rad) / n_kept * (UM_PER_CM / voxel_um)
        twice = np.where(frequencies > 0.0, 2.0, 1.0)  # the other half of a real row's spectrum
        factors = weights[:, None] * twice[None, :] * np.exp(1j * phase)

        nufft = finufft.Plan(
            1, (size, size), 1, NUFFT_TOLERANCE, 1, dtype="complex64",
            upsampfac=NUFFT_OVERSAMPLING, nthreads=1,
        )  # fmt: skip
        nufft.setpts(v.astype(np.float32).ravel(), u.astype(np.float32).ravel())
        return cls(
            nufft=nufft,
            pad_px=pad_px,
            length=length,
            ramp=_ramp(length),
            factors=factors.astype(np.complex64),
            window=window,
            first_kept=first,
        )

    def slice_of(self, sinogram: FloatImage, extension: Extension) -> FloatImage:
        """Filter, transform and sum one sinogram (angle, column) into a slice (y, x)."""
        extended = extend_edges(sinogram, self.pad_px, mode=extension)
        spectrum = scipy.fft.rfft(extended, n=self.length, axis=1, workers=1)
        spectrum *= self.ramp
        filtered = scipy.fft.irfft(spectrum, n=self.length, axis=1, workers=1)
        start = self.pad_px + self.first_kept
        kept = filtered[:, start : start + self.window.shape[1]] * self.window
        strengths = scipy.fft.rfft(kept, axis=1, workers=1)[:, : self.factors.shape[1]]
        image = self.nufft.execute((strengths * self.factors).ravel())
        return np.ascontiguousarray(image.real, dtype=np.float32)


def _kept_columns(
    rotation_axis_px: float, reach_px: float
) -> tuple[int, int, NDArray[np.float32]]:
    """First column, number of columns and window of what a slice can see of a filtered row."""
    taper = max(8, round(0.06 * reach_px))
    first = int(np.floor(rotation_axis_px - reach_px)) - taper
    last = int(np.ceil(rotation_axis_px + reach_px)) + taper
    n_kept = scipy.fft.next_fast_len(last - first + 1, real=True)
    window = np.ones(n_kept, dtype=np.float32)
    # Both ends fall to zero, so that the periodic row has no step that would ring into the slice.
    fall = 0.5 + 0.5 * np.cos(np.pi * (np.arange(taper) + 1.0) / (taper + 1.0))
    window[:taper] = fall[::-1]
    window[n_kept - taper :] = fall
    return first, n_kept, window[None, :]


def _ramp(length: int) -> FloatImage:
    """Spectrum of the discrete ramp filter, for rows sampled once a voxel.

    It is the transform of the sampled kernel, not ``|frequency|``: only so is the mean right.
    See A. C. Kak and M. Slaney, Principles of Computerized Tomographic Imaging (1988), eq. 3.61.
    """
    n = np.minimum(np.arange(length), length - np.arange(length))
    kernel = np.zeros(length)
    kernel[0] = 0.25
    is_odd = n % 2 == 1
    kernel[is_odd] = -1.0 / (np.pi * n[is_odd]) ** 2
    return scipy.fft.rfft(kernel).real.astype(np.float32)[None, :]


def _check(
    attenuation: FloatStack,
    thetas_rad: Angles,
    rotation_axis_px: float,
    voxel_um: float,
    size: int | None,
) -> None:
    if attenuation.ndim != 3 or attenuation.shape[2] < 2:
        raise ShapeError(
            f"attenuation of shape {attenuation.shape} given, (angle, row, column) is needed"
        )
    if thetas_rad.shape != attenuation.shape[:1]:
        raise ShapeError(
            f"{thetas_rad.size} angles for {attenuation.shape[0]} projections given; leave out "
            "the angles of flats and darks"
        )
    if not 0.0 <= rotation_axis_px <= attenuation.shape[2] - 1:
        raise ParameterError(
            f"rotation_axis_px is {rotation_axis_px}, it must lie on the detector, "
            f"0..{attenuation.shape[2] - 1}"
        )
    if not voxel_um > 0.0 or (size is not None and size < 1):
        raise ParameterError(f"voxel_um is {voxel_um} and size {size}; both must be above 0")
    if not np.isfinite(attenuation).all():
        raise NonFiniteError("attenuation holds NaN or infinity; correct the projections first")
