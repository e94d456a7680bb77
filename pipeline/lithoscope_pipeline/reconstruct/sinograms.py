"""What other programs are given: sinograms weighted, continued past the view, and filtered."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from lithoscope_pipeline.correct.stripes import Stripes
from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.geometry import Angles, FloatImage, FloatStack, FloatVector
from lithoscope_pipeline.reconstruct.weights import angular_weights_rad
from lithoscope_pipeline.truncation import Extension, extend_edges


def check_projections(
    attenuation: FloatStack,
    thetas_rad: Angles,
    *,
    rotation_axis_px: float,
    voxel_um: float,
    size: int | None,
) -> int:
    """Refuse what no method can work with, and give the edge of the slices.

    Raises
    ------
    ShapeError
        If the number of angles differs from that of projections or a dimension is missing.
    ParameterError
        If the axis lies outside the detector or a length is not above zero.
    NonFiniteError
        If ``attenuation`` holds NaN or infinity.
    """
    if attenuation.ndim != 3 or attenuation.shape[1] < 1 or attenuation.shape[2] < 2:
        raise ShapeError(
            f"attenuation of shape {attenuation.shape} given, (angle, row, column) is needed"
        )
    n_angles, _, n_columns = attenuation.shape
    if thetas_rad.shape != (n_angles,):
        raise ShapeError(
            f"{thetas_rad.size} angles for {n_angles} projections given; leave out the angles of "
            "flats and darks"
        )
    if not 0.0 <= rotation_axis_px <= n_columns - 1:
        raise ParameterError(
            f"rotation_axis_px is {rotation_axis_px}, it must lie on the detector, "
            f"0..{n_columns - 1}"
        )
    if not voxel_um > 0.0 or (size is not None and size < 1):
        raise ParameterError(f"voxel_um is {voxel_um} and size {size}; both must be above 0")
    for row in range(attenuation.shape[1]):  # one by one: no mask as large as the data
        if not np.isfinite(attenuation[:, row]).all():
            raise NonFiniteError("attenuation holds NaN or infinity; correct it first")
    return n_columns if size is None else size


def sinogram_of(attenuation: FloatStack, row: int, stripes: Stripes | None) -> FloatImage:
    """Give a copy of one row of all projections, less its stripes, shape (angle, column)."""
    sinogram = np.array(attenuation[:, row], np.float32, order="C")
    if stripes is not None:
        sinogram -= stripes.image[row]
    return sinogram


def relative_weights(thetas_rad: Angles) -> NDArray[np.float32]:
    """Give the share of each view, 1 where all have the same, shape (n_angles, 1).

    Programs that take all views for equal are given projections multiplied by this.
    """
    weights = angular_weights_rad(thetas_rad) * (thetas_rad.size / np.pi)
    return weights.astype(np.float32)[:, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SinogramFilter:
    """Continues sinograms past the view and filters them, for programs that only back-project.

    It shares nothing with the filter of `FourierBackend`, so that either checks the other.

    Parameters
    ----------
    extension
        How projections go on outside the detector.
    pad_px
        Columns added on either side.
    length
        Columns of the row that is transformed.
    ramp
        Spectrum of the filter, shape (length // 2 + 1,).
    first_kept, n_kept
        Detector columns that a slice can see: all on its diagonal. The first may be negative.
    """

    extension: Extension
    pad_px: int
    length: int
    ramp: FloatVector
    first_kept: int
    n_kept: int

    @classmethod
    def make(
        cls, n_columns: int, size: int, rotation_axis_px: float, extension: Extension
    ) -> "SinogramFilter":
        """Prepare for slices of ``size`` voxels from rows of ``n_columns``."""
        reach_px = int(np.ceil(size / np.sqrt(2.0))) + 2
        first = int(np.floor(rotation_axis_px)) - reach_px
        n_kept = 2 * reach_px + 2
        # All kept columns must be there, and as many as the view against wrap-around.
        pad_px = max(n_columns, -first, first + n_kept - n_columns)
        length = int(scipy.fft.next_fast_len(n_columns + 2 * pad_px, real=True))
        # The transform of the sampled kernel, 1/4 and -1/(pi n)^2 at odd n; |frequency| itself
        # would lose the mean.
        n = np.minimum(np.arange(length), length - np.arange(length))
        kernel = np.where(n % 2 == 1, -1.0 / (np.pi * np.maximum(n, 1)) ** 2, 0.0)
        kernel[0] = 0.25
        return cls(
            extension=extension,
            pad_px=pad_px,
            length=length,
            ramp=scipy.fft.rfft(kernel).real.astype(np.float32),
            first_kept=first,
            n_kept=n_kept,
        )

    def filtered(self, sinogram: FloatImage) -> FloatImage:
        """Filter a sinogram (angle, column), shape (n_angles, ``n_kept``)."""
        extended = extend_edges(sinogram, self.pad_px, mode=self.extension)
        spectrum = scipy.fft.rfft(extended, n=self.length, axis=-1, workers=1)
        spectrum *= self.ramp
        filtered = scipy.fft.irfft(spectrum, n=self.length, axis=-1, workers=1)
        start = self.pad_px + self.first_kept
        return np.ascontiguousarray(filtered[:, start : start + self.n_kept], dtype=np.float32)


def shifted_columns(sinogram: FloatImage, shifts_px: NDArray[np.float64]) -> FloatImage:
    """Move each row of a sinogram by a fraction of a column, to the right if positive.

    A phase in Fourier space: nothing is smoothed, and rows are periodic.
    """
    n_columns = sinogram.shape[1]
    spectrum = scipy.fft.rfft(sinogram, axis=-1, workers=1)
    frequencies = (np.arange(spectrum.shape[1]) / n_columns).astype(np.float32)
    turns = -2.0 * np.pi * shifts_px.astype(np.float32)
    spectrum *= np.exp(np.complex64(1j) * (turns[:, None] * frequencies))
    shifted = scipy.fft.irfft(spectrum, n=n_columns, axis=-1, workers=1)
    return np.asarray(shifted, dtype=np.float32)
