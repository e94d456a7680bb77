"""From mean photons to grey levels: blur, counting noise, pixel errors, direct hits."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.phantom.parameters import DetectorParameters
from lithoscope_pipeline.phantom.texture import seeded

Frame = NDArray[np.uint16]

FWHM_PER_SIGMA: Final = float(np.sqrt(8.0 * np.log(2.0)))
_PIXEL_STREAM: Final = 34
_MAX_LEVEL: Final = 65_535
_BAD_FACTOR: Final = 10.0
_ZINGER_SHARE: Final = 0.2  # of the open beam, the weakest one; on top an exponential tail
_ZINGER_TAIL: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelResponse:
    """What the pixels of a detector make of light; the same in all scans.

    Parameters
    ----------
    detector
        The detector.
    gain_errors
        Gain behind the sample relative to that in flats, less 1, shape (n_rows, n_columns),
        float32.
    is_dead
        Pixels that always read the dark level, shape (n_rows, n_columns).
    """

    detector: DetectorParameters
    gain_errors: FloatImage
    is_dead: NDArray[np.bool_]

    @classmethod
    def make(cls, detector: DetectorParameters, seed: int) -> "PixelResponse":
        """Draw the pixels of an experiment."""
        response, shape = detector.response, (detector.n_rows, detector.n_columns)
        errors, ranks, dead_ranks, columns = (
            seeded(seed, _PIXEL_STREAM, index) for index in range(4)
        )
        size = np.where(ranks.random(shape) < response.bad_pixel_share, _BAD_FACTOR, 1.0)
        is_dead = dead_ranks.random(shape) < response.dead_pixel_share
        n_columns = min(response.n_dead_columns, detector.n_columns)
        is_dead[:, columns.permutation(detector.n_columns)[:n_columns]] = True
        return cls(
            detector=detector,
            gain_errors=(response.gain_error * size * errors.standard_normal(shape)).astype(
                np.float32
            ),
            is_dead=is_dead,
        )

    def blurred(self, photons: FloatImage) -> FloatImage:
        """Spread photons as the scintillator does; their number stays."""
        sigma_px = self.detector.response.psf_fwhm_px / FWHM_PER_SIGMA
        if sigma_px == 0.0:
            return photons
        return np.asarray(ndimage.gaussian_filter(photons, sigma_px, mode="nearest"))

    def read_out(
        self,
        photons: FloatImage,
        rng: np.random.Generator | None,
        *,
        is_behind_sample: bool,
        zingers: "Zingers | None" = None,
    ) -> Frame:
        """Turn mean photons into grey levels.

        Parameters
        ----------
        photons
            After the blur, shape (n_rows, n_columns).
        rng
            Makes the noise; None for none.
        is_behind_sample
            Whether the gain errors show.
        zingers
            Direct hits to add.

        Returns
        -------
        Frame
            Shape (n_rows, n_columns), uint16.
        """
        detector = self.detector
        levels = photons if rng is None else self._counted(photons, rng)
        levels = levels * np.float32(detector.gain)
        if is_behind_sample:
            levels += levels * self.gain_errors
        levels += np.float32(detector.dark_level)
        if rng is not None:
            noise = rng.standard_normal(photons.shape, dtype=np.float32)
            levels += np.float32(detector.read_noise) * noise
        if zingers is not None:
            np.add.at(levels, (zingers.rows, zingers.columns), zingers.levels)
        levels[self.is_dead] = detector.dark_level
        return np.clip(np.rint(levels), 0, _MAX_LEVEL).astype(np.uint16)

    def _counted(self, photons: FloatImage, rng: np.random.Generator) -> FloatImage:
        """Count photons; with a light spread their noise is shared by neighbouring pixels."""
        counts = rng.poisson(photons).astype(np.float32)
        sigma_px = self.detector.response.noise_fwhm_px / FWHM_PER_SIGMA
        if sigma_px == 0.0:
            return counts
        # Filtered white noise of unit variance keeps the power of the filter.
        point = np.zeros((1, 2 * int(np.ceil(4.0 * sigma_px)) + 1), np.float32)
        point[0, point.size // 2] = 1.0
        power = float((ndimage.gaussian_filter1d(point, sigma_px, axis=1) ** 2).sum())
        noise = ndimage.gaussian_filter(counts - photons, sigma_px, mode="wrap") / power
        return np.maximum(photons + noise, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Zingers:
    """Direct hits of a frame: where, and how many grey levels they add; all of shape (n,)."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    levels: FloatImage


def draw_zingers(detector: DetectorParameters, rng: np.random.Generator) -> Zingers | None:
    """Draw the direct hits of a frame; None if zingers are switched off."""
    rate = detector.response.zingers_per_megapixel
    if rate == 0.0:
        return None
    count = int(rng.poisson(rate * 1e-6 * detector.n_rows * detector.n_columns))
    shares = _ZINGER_SHARE + rng.exponential(_ZINGER_TAIL, count)
    return Zingers(
        rows=rng.integers(0, detector.n_rows, count).astype(np.intp),
        columns=rng.integers(0, detector.n_columns, count).astype(np.intp),
        levels=(shares * detector.open_beam_level).astype(np.float32),
    )
