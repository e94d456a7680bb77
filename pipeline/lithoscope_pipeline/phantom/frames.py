"""Detector frames of a simulated scan: photon noise, structured flats, darks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import FloatImage, FloatStack
from lithoscope_pipeline.phantom.parameters import DetectorParameters
from lithoscope_pipeline.phantom.texture import seeded

Frame = NDArray[np.uint16]
FrameKind = Literal["dark", "flat", "projection"]

_FRAME_STREAM: Final = 31
_BEAM_STREAM: Final = 32
_KINDS: Final[tuple[FrameKind, ...]] = ("dark", "flat", "projection")
_MAX_LEVEL: Final = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFrames:
    """The frames of one scan, each made when it is asked for and always the same.

    Parameters
    ----------
    scan
        Number of the scan.
    seed
        Seed of the cell; with scan, kind and index it makes the noise of a frame.
    has_noise
        Whether photons and read-out are noisy.
    detector
        The detector.
    beam
        Mean photons of the open beam, shape (n_rows, n_columns).
    thetas_deg
        Angle of each projection, shape (n_angles,).
    attenuation
        Line integrals, shape (n_angles, n_rows, n_columns), float32.
    """

    scan: int
    seed: int
    has_noise: bool
    detector: DetectorParameters
    beam: FloatImage
    thetas_deg: NDArray[np.floating]
    attenuation: FloatStack

    def count(self, kind: FrameKind) -> int:
        """Return how many frames of a kind the scan has."""
        detector = self.detector
        counts = {"dark": detector.n_darks, "flat": detector.n_flats}
        return counts.get(kind, detector.n_angles)

    def frame(self, kind: FrameKind, index: int) -> Frame:
        """Return one frame, shape (n_rows, n_columns), uint16.

        Raises
        ------
        ParameterError
            If the scan has no such frame.
        """
        if not 0 <= index < self.count(kind):
            msg = f"{kind} {index} was asked for, the scan has 0 to {self.count(kind) - 1}"
            raise ParameterError(msg)
        detector = self.detector
        if kind == "dark":
            photons = np.zeros((detector.n_rows, detector.n_columns))
        else:
            photons = self.beam.astype(np.float64)
        if kind == "projection":
            photons *= np.exp(-self.attenuation[index].astype(np.float64))
        rng = seeded(self.seed, _FRAME_STREAM, self.scan, _KINDS.index(kind), index)
        return _read_out(photons, detector, rng if self.has_noise else None)

    @property
    def darks(self) -> Frame:
        """All darks, shape (n_darks, n_rows, n_columns)."""
        return np.stack([self.frame("dark", i) for i in range(self.detector.n_darks)])

    @property
    def flats(self) -> Frame:
        """All flats, shape (n_flats, n_rows, n_columns)."""
        return np.stack([self.frame("flat", i) for i in range(self.detector.n_flats)])

    @property
    def projections(self) -> Iterator[Frame]:
        """The projections one at a time, in the order of their angles."""
        return (self.frame("projection", i) for i in range(self.detector.n_angles))

    def __iter__(self) -> Iterator[tuple[FrameKind, int, Frame]]:
        """Yield (kind, index, frame) in the order of acquisition: darks, flats, projections."""
        for kind in _KINDS:
            for index in range(self.count(kind)):
                yield kind, index, self.frame(kind, index)


def open_beam(detector: DetectorParameters, seed: int) -> FloatImage:
    """Return the mean photons of the open beam: its profile and the scintillator's structure.

    Parameters
    ----------
    detector
        The detector; the mean over the image is its ``photons``.
    seed
        Makes the structure, which stays for a whole experiment.

    Returns
    -------
    FloatImage
        Photons a pixel, shape (n_rows, n_columns).
    """
    rng = seeded(seed, _BEAM_STREAM)
    shape = detector.n_rows, detector.n_columns
    rows = np.linspace(-1.0, 1.0, detector.n_rows)[:, None]
    columns = np.linspace(-1.0, 1.0, detector.n_columns)
    profile = np.exp(-0.15 * rows**2) * (1.0 + 0.05 * columns - 0.05 * columns**2)
    grains = ndimage.gaussian_filter(rng.standard_normal(shape), 1.5, mode="wrap")
    structure = 1.0 + 0.03 * grains / grains.std() + 0.005 * rng.standard_normal(shape)
    beam = profile * np.clip(structure, 0.8, 1.2)
    return (beam * (detector.photons / beam.mean())).astype(np.float32)


def _read_out(
    photons: NDArray[np.floating], detector: DetectorParameters, rng: np.random.Generator | None
) -> Frame:
    """Turn mean photons into grey levels."""
    if rng is None:
        levels = photons * detector.gain + detector.dark_level
    else:
        levels = rng.poisson(photons) * detector.gain + rng.normal(
            detector.dark_level, detector.read_noise, photons.shape
        )
    return np.clip(np.rint(levels), 0, _MAX_LEVEL).astype(np.uint16)
