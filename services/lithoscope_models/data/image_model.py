"""What the chain makes of a cell by spatial frequency: its blur and the spectrum of its noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.phantom import DetectorParameters
from lithoscope_pipeline.phantom.response import FWHM_PER_SIGMA

Spectrum = NDArray[np.float64]

_PLANE_BINS = 24  # of spatial frequency within a slice, up to 0.5 cycles a voxel
_ROW_BINS = 8  # along z
_LARGEST_TRANSFER = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageModel:
    """What the chain makes of a cell, by spatial frequency.

    Parameters
    ----------
    transfer
        What is left of a frequency after scintillator, reconstruction and resampling, shape
        (row bins, plane bins).
    noise
        Standard deviation of the noise a mode, 1/cm, for transforms of unit norm; same shape.
    """

    transfer: Spectrum
    noise: Spectrum


def seen_by(
    model: ImageModel, measured: DetectorParameters, detector: DetectorParameters
) -> ImageModel:
    """Give blur and noise of a detector from those measured with one that is much like it.

    Another scintillator blurs otherwise, other numbers of photons make other noise; both detectors
    correlate noise alike.
    """
    before, now = (each.response.psf_fwhm_px / FWHM_PER_SIGMA for each in (measured, detector))
    return ImageModel(
        transfer=model.transfer * left_by_blur(model.transfer.shape, now**2 - before**2),
        noise=model.noise * np.sqrt(measured.photons / detector.photons),
    )


def left_by_blur(shape: tuple[int, ...], variance_px2: float) -> Spectrum:
    """Give what a Gaussian blur leaves of each frequency, for the bins of an `ImageModel`.

    Parameters
    ----------
    shape
        (row bins, plane bins + 1).
    variance_px2
        Square of its standard deviation; below 0 for less blur than there is.
    """
    n_rows, n_plane = shape
    along = (np.arange(n_rows) + 0.5) / (2 * n_rows)
    plane = (np.arange(n_plane) + 0.5) / (2 * (n_plane - 1))
    square = along[:, None] ** 2 + plane[None, :] ** 2
    return np.asarray(np.exp(-2.0 * np.pi**2 * variance_px2 * square))


def noise_volume(
    noise: Spectrum, shape: tuple[int, int, int], rng: np.random.Generator
) -> FloatVolume:
    """Draw noise of a spectrum, as `ImageModel` has it."""
    white = fft.rfftn(rng.standard_normal(shape, np.float32), norm="ortho", workers=1)
    out = fft.irfftn(white * spread(noise, shape), s=shape, norm="ortho", workers=1)
    return np.asarray(out, np.float32)


def separable(cross: Spectrum, power: Spectrum) -> Spectrum:
    """Fit a curve within slices times one along z; few modes along z see anything of a cell."""
    tiny = 1e-12 * power.max()
    plane = np.clip(cross[0] / np.maximum(power[0], tiny), 0.0, _LARGEST_TRANSFER)
    rows = (cross * plane).sum(axis=1) / np.maximum((power * plane**2).sum(axis=1), tiny)
    return np.outer(np.clip(rows / rows[0], 0.0, _LARGEST_TRANSFER), plane)


def _frequencies(shape: tuple[int, ...]) -> tuple[Spectrum, Spectrum]:
    """Give the bin, with its fraction, of each mode of a real transform: along z, in slices."""
    plane = np.hypot(fft.fftfreq(shape[1])[:, None], fft.rfftfreq(shape[2])[None, :])
    return np.abs(fft.fftfreq(shape[0])) * 2 * _ROW_BINS, plane * 2 * _PLANE_BINS


def binned(values: NDArray[np.floating], shape: tuple[int, ...]) -> Spectrum:
    """Average over the modes of each bin; the last one in the plane has the corners."""
    along, plane = _frequencies(shape)
    row_bin = np.minimum(along.astype(np.intp), _ROW_BINS - 1)
    plane_bin = np.minimum(plane.astype(np.intp), _PLANE_BINS)
    bins = (row_bin[:, None, None] * (_PLANE_BINS + 1) + plane_bin[None]).ravel()
    n = _ROW_BINS * (_PLANE_BINS + 1)
    total = np.bincount(bins, values.ravel(), n)
    counts = np.maximum(np.bincount(bins, minlength=n), 1)
    return np.asarray(total / counts).reshape(_ROW_BINS, _PLANE_BINS + 1)


def spread(table: Spectrum, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Give each mode what its bin has, going evenly from the middle of one to the next."""
    along, plane = _frequencies(shape)
    row_bin = np.minimum(along.astype(np.intp), _ROW_BINS - 1)
    middle = np.clip(plane - 0.5, 0.0, _PLANE_BINS - 1e-6)
    low = middle.astype(np.intp)
    share = middle - low
    rows = table[row_bin]
    return np.asarray(rows[:, low] * (1 - share) + rows[:, low + 1] * share, np.float32)
