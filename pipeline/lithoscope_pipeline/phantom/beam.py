"""The open beam of a simulated experiment: its profile, its structure, and how both change."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.phantom.detector_parameters import BeamParameters
from lithoscope_pipeline.phantom.parameters import DetectorParameters
from lithoscope_pipeline.phantom.texture import seeded

_BEAM_STREAM: Final = 32
_PATH_STREAM: Final = 33
_GRAIN_PX: Final = 1.5  # standard deviation of the filter that makes stripes and grain
_PIXEL_SPREAD: Final = 0.005  # of the pixels' sensitivity; does not move
_ACROSS: Final = 0.25  # of the vertical movement: a monochromator moves the beam up and down
_DARKEST: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBeam:
    """Mean photons of the open beam wherever its structure has moved to.

    Parameters
    ----------
    steady
        Photons by profile and sensitivity, which stay, shape (n_rows, n_columns), float32.
    structure
        Spectrum of what moves, relative, as of a real transform, shape (n_rows, n_columns/2+1).
    """

    steady: FloatImage
    structure: NDArray[np.complex64]

    @classmethod
    def make(cls, detector: DetectorParameters, seed: int) -> "OpenBeam":
        """Draw the beam of an experiment; its mean is the detector's ``photons``."""
        rng = seeded(seed, _BEAM_STREAM)
        shape = detector.n_rows, detector.n_columns
        rows = np.linspace(-1.0, 1.0, detector.n_rows)[:, None]
        columns = np.linspace(-1.0, 1.0, detector.n_columns)
        profile = np.exp(-0.15 * rows**2) * (1.0 + 0.05 * columns - 0.05 * columns**2)
        sensitivity = 1.0 + _PIXEL_SPREAD * rng.standard_normal(shape)
        # Periodic, so that a movement is a phase.
        grain = ndimage.gaussian_filter(rng.standard_normal(shape), _GRAIN_PX, mode="wrap")
        stripes = ndimage.gaussian_filter1d(rng.standard_normal(shape[0]), _GRAIN_PX, mode="wrap")
        structure = np.broadcast_to(
            detector.beam.stripe * _standard(stripes)[:, None], shape
        ) + detector.beam.grain * _standard(grain)
        steady = profile * sensitivity
        mean = (steady * (1.0 + structure)).mean()
        return cls(
            steady=(steady * (detector.photons / mean)).astype(np.float32),
            structure=fft.rfft2(structure.astype(np.float32), workers=1),
        )

    def photons(self, shift_px: tuple[float, float]) -> FloatImage:
        """Return photons a pixel with the structure moved by (rows, columns)."""
        n_rows, n_columns = self.steady.shape
        turns = [
            np.exp(-2j * np.pi * shift * frequencies).astype(np.complex64)
            for shift, frequencies in zip(
                shift_px, (fft.fftfreq(n_rows), fft.rfftfreq(n_columns)), strict=True
            )
        ]
        moved = fft.irfft2(
            self.structure * turns[0][:, None] * turns[1], s=self.steady.shape, workers=1
        )
        return self.steady * np.maximum(1.0 + moved, _DARKEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanBeam:
    """The open beam during one scan.

    Parameters
    ----------
    beam
        Of the experiment.
    start_px, movement_px
        Where its structure stands at the beginning, and how far it moves until the end, along
        (row, column).
    intensity, decay
        At the beginning, relative, and the share of it that is lost until the end.
    """

    beam: OpenBeam
    start_px: tuple[float, float]
    movement_px: tuple[float, float]
    intensity: float
    decay: float

    def photons(self, moment: float) -> FloatImage:
        """Return photons a pixel at a moment: 0 at the first flat, 1 at the last projection."""
        rows_px, columns_px = (
            start + moment * movement
            for start, movement in zip(self.start_px, self.movement_px, strict=True)
        )
        level = np.float32(self.intensity * (1.0 - self.decay * moment))
        return self.beam.photons((rows_px, columns_px)) * level


def beam_during(
    beam: OpenBeam, parameters: BeamParameters, *, seed: int, scan: int, tile: int
) -> ScanBeam:
    """Draw how the beam drifts to and during a scan; the first begins with the stated photons."""
    draws = seeded(seed, _PATH_STREAM, scan, tile).standard_normal(5)
    is_first = scan == 0 and tile == 0
    away = 0.0 if is_first else parameters.shift_px
    within = parameters.shift_within_px
    return ScanBeam(
        beam=beam,
        start_px=(away * float(draws[0]), away * _ACROSS * float(draws[1])),
        movement_px=(within * float(draws[2]), within * _ACROSS * float(draws[3])),
        intensity=1.0 if is_first else max(0.1, 1.0 + parameters.change * float(draws[4])),
        decay=parameters.decay,
    )


def _standard(values: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-12))
