"""Detector frames of a simulated scan: made when asked for, taken in order, faults included."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import FloatImage, FloatStack
from lithoscope_pipeline.phantom.beam import OpenBeam, ScanBeam, beam_during
from lithoscope_pipeline.phantom.faults import FaultRecord, arrivals, draw_faults
from lithoscope_pipeline.phantom.parameters import DetectorParameters
from lithoscope_pipeline.phantom.response import Frame, PixelResponse, Zingers, draw_zingers
from lithoscope_pipeline.phantom.texture import seeded

FrameKind = Literal["dark", "flat", "projection"]

_FRAME_STREAM: Final = 31
_ZINGER_STREAM: Final = 35
_FLICKER_STREAM: Final = 36
_KINDS: Final[tuple[FrameKind, ...]] = ("dark", "flat", "projection")


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenFrame:
    """A frame as it arrives.

    Parameters
    ----------
    kind
        What it shows.
    set
        0 for frames before the projections and for these, 1 for flats after them.
    index
        Number in its set, in the order of acquisition.
    theta_deg
        Angle of a projection.
    pixels
        Shape (n_rows, n_columns).
    """

    kind: FrameKind
    set: int
    index: int
    theta_deg: float | None
    pixels: Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFrames:
    """The frames of one tile of a scan, each made when it is asked for and always the same.

    Parameters
    ----------
    scan, tile
        Numbers of the scan and of its tile.
    seed
        Seed of the cell; with scan, tile, kind and index it makes the noise of a frame.
    has_noise
        Whether photons and read-out are noisy.
    detector
        The detector.
    beam
        The open beam during the scan.
    response
        The pixels.
    thetas_deg
        Angle of each projection in the order of acquisition, shape (n_angles,).
    attenuation
        Line integrals, shape (n_angles, n_rows, n_columns), float32.
    faults
        What went wrong: the truth for an account of the scan.
    """

    scan: int
    tile: int
    seed: int
    has_noise: bool
    detector: DetectorParameters
    beam: ScanBeam
    response: PixelResponse
    thetas_deg: NDArray[np.floating]
    attenuation: FloatStack
    faults: FaultRecord

    def count(self, kind: FrameKind) -> int:
        """Return how many frames of a kind are to be taken; flats after count as flats."""
        detector = self.detector
        counts = {
            "dark": detector.n_darks,
            "flat": detector.n_flats + detector.acquisition.n_flats_after,
        }
        return counts.get(kind, detector.n_angles)

    def frame(self, kind: FrameKind, index: int) -> Frame:
        """Return one frame, shape (n_rows, n_columns), uint16; flats after follow the others.

        Raises
        ------
        ParameterError
            If the scan has no such frame.
        """
        is_projection = kind == "projection"
        return self.response.read_out(
            self.response.blurred(self.mean_photons(kind, index)),
            seeded(*self._words(_FRAME_STREAM, kind, index)) if self.has_noise else None,
            is_behind_sample=is_projection,
            zingers=self.zingers(kind, index),
        )

    def mean_photons(self, kind: FrameKind, index: int) -> FloatImage:
        """Return the mean photons that reach the scintillator, shape (n_rows, n_columns).

        Raises
        ------
        ParameterError
            If the scan has no such frame.
        """
        self._check(kind, index)
        detector, is_projection = self.detector, kind == "projection"
        if kind == "dark" or (is_projection and index in self.faults.shutter_closed):
            return np.zeros((detector.n_rows, detector.n_columns), np.float32)
        level = 1.0
        if self.has_noise:
            draw = seeded(*self._words(_FLICKER_STREAM, kind, index)).standard_normal()
            level += detector.beam.flicker * float(draw)
        if is_projection and index in self.faults.beam_down:
            level *= 1.0 - detector.faults.beam_down_depth
        photons = self.beam.photons(self._moment(kind, index)) * np.float32(max(level, 0.0))
        if is_projection:
            photons *= np.exp(-self.attenuation[index])
        return photons

    def zingers(self, kind: FrameKind, index: int) -> Zingers | None:
        """Return the direct hits of a frame; None if they are switched off."""
        self._check(kind, index)
        return draw_zingers(self.detector, seeded(*self._words(_ZINGER_STREAM, kind, index)))

    @property
    def darks(self) -> Frame:
        """All darks, shape (n_darks, n_rows, n_columns)."""
        return np.stack([self.frame("dark", i) for i in range(self.detector.n_darks)])

    @property
    def flats(self) -> Frame:
        """All flats, those after the projections last, shape (n_flats, n_rows, n_columns)."""
        return np.stack([self.frame("flat", i) for i in range(self.count("flat"))])

    @property
    def projections(self) -> Iterator[Frame]:
        """The projections one at a time in the order of acquisition, as if none were lost."""
        return (self.frame("projection", i) for i in range(self.detector.n_angles))

    @property
    def arrivals(self) -> list[int]:
        """Numbers of the projections in the order in which they arrive, faults applied."""
        late_by = self.detector.faults.late_by_frames
        return arrivals(self.faults, self.detector.n_angles, late_by_frames=late_by)

    def taken(self) -> Iterator[TakenFrame]:
        """Yield the frames as they arrive: darks, flats, projections with their faults, flats."""
        n_before = self.detector.n_flats
        for kind, index, pixels in self:
            is_after = kind == "flat" and index >= n_before
            yield TakenFrame(
                kind=kind,
                set=int(is_after),
                index=index - n_before if is_after else index,
                theta_deg=float(self.thetas_deg[index]) if kind == "projection" else None,
                pixels=pixels,
            )

    def __iter__(self) -> Iterator[tuple[FrameKind, int, Frame]]:
        """Yield (kind, index, frame) as they arrive; flats after go on counting as flats."""
        for index in range(self.count("dark")):
            yield "dark", index, self.frame("dark", index)
        for index in range(self.detector.n_flats):
            yield "flat", index, self.frame("flat", index)
        for index in self.arrivals:
            yield "projection", index, self.frame("projection", index)
        for index in range(self.detector.n_flats, self.count("flat")):
            yield "flat", index, self.frame("flat", index)

    def _moment(self, kind: FrameKind, index: int) -> float:
        """Return when in the scan a frame is taken: 0 for flats before, 1 for flats after."""
        if kind == "projection":
            return (index + 1) / self.detector.n_angles
        return float(index >= self.detector.n_flats)

    def _words(self, stream: int, kind: FrameKind, index: int) -> tuple[int, ...]:
        return self.seed, stream, self.scan, self.tile, _KINDS.index(kind), index

    def _check(self, kind: FrameKind, index: int) -> None:
        if not 0 <= index < self.count(kind):
            msg = f"{kind} {index} was asked for, the scan has 0 to {self.count(kind) - 1}"
            raise ParameterError(msg)


def make_frames(
    detector: DetectorParameters,
    attenuation: FloatStack,
    thetas_deg: NDArray[np.floating],
    *,
    seed: int,
    scan: int,
    tile: int = 0,
    has_noise: bool = True,
) -> ScanFrames:
    """Put a detector behind projections.

    Parameters
    ----------
    detector
        The detector, its beam, and what goes wrong.
    attenuation
        Line integrals, shape (n_angles, n_rows, n_columns), float32.
    thetas_deg
        Angle of each projection in the order of acquisition, shape (n_angles,).
    seed
        Of the cell.
    scan, tile
        Which scan it is.
    has_noise
        Whether photons and read-out are noisy.
    """
    return ScanFrames(
        scan=scan,
        tile=tile,
        seed=seed,
        has_noise=has_noise,
        detector=detector,
        beam=beam_during(
            OpenBeam.make(detector, seed), detector.beam, seed=seed, scan=scan, tile=tile
        ),
        response=PixelResponse.make(detector, seed),
        thetas_deg=thetas_deg,
        attenuation=attenuation,
        faults=draw_faults(detector.faults, thetas_deg, seed=seed, scan=scan, tile=tile),
    )
