"""The simulated beamline: devices around a simulated cell, and the experiment they carry out."""

import bisect
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np
from ophyd_async.core import Device, InOut

from lithoscope_messages import FrameKind
from lithoscope_pipeline.phantom import ScanFrames, SimulatedCell
from lithoscope_services.beamline.cycler import Cycler
from lithoscope_services.beamline.cycler_backend import CyclerLimits, CyclerStep
from lithoscope_services.beamline.cycler_simulator import SimulatedCycler, steps_between
from lithoscope_services.beamline.destinations import FrameDestination
from lithoscope_services.beamline.detector import Exposure, SimulatedDetector
from lithoscope_services.beamline.errors import BeamlineError
from lithoscope_services.beamline.height import SampleHeight
from lithoscope_services.beamline.requests import ExperimentStep, Optics, Pulse, ScanRequest
from lithoscope_services.beamline.rotation import RotationStage
from lithoscope_services.beamline.shutter import SamplePlace, Shutter, ShutterState
from lithoscope_services.beamline.status import in_thread
from lithoscope_services.beamline.tomograph import Tomograph
from lithoscope_services.sources.simulation import phase_of

#: A channel that is made for this cell passes no more than this times its current.
_CURRENT_MARGIN = 1.2


class SimulatedHutch:
    """What the detector sees: it follows from shutter, sample, stage and cycler.

    With the shutter closed frames are darks, with the sample out flats, else projections at the
    angles that the stage is flown through. The cell is that of the last scan whose time the cycler
    has reached. Flats taken after projections differ from those before, as in life.

    Parameters
    ----------
    cell
        What is looked at.
    cycler
        Tells how far the cell is.
    stage, shutter, sample, height
        What stands in the beam.
    """

    def __init__(
        self,
        cell: SimulatedCell,
        cycler: SimulatedCycler,
        stage: RotationStage,
        shutter: Shutter,
        sample: SamplePlace,
        height: SampleHeight,
    ) -> None:
        self._cell = cell
        self._cycler = cycler
        self._stage = stage
        self._shutter = shutter
        self._sample = sample
        self._height = height
        self._tile = 0
        self._ready: dict[tuple[int, int, int], Future[ScanFrames]] = {}
        self._staging = -1
        self._n_flats_taken = 0
        self._has_projections = False
        self._kind: FrameKind = "dark"
        self._theta_deg = 0.0
        self._thetas_deg: tuple[float, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._cell.detector.n_rows, self._cell.detector.n_columns

    @property
    def dtype(self) -> str:
        """Sixteen bits, little-endian."""
        return "<u2"

    @property
    def scan(self) -> int:
        """Number of the scan whose cell stands in the beam."""
        times_s = [math.ceil(point.time_s) for point in self._cell.schedule]
        return max(0, bisect.bisect_right(times_s, self._cycler.cell_time_s) - 1)

    def expose_ahead(self, scan: int) -> None:
        """Compute the frames of a scan while something else is waited for."""
        self._prepare(scan, 0)

    async def aim(self) -> None:
        """Look at what stands in the beam."""
        shutter = await self._shutter.state.get_value()
        place = await self._sample.place.get_value()
        self._theta_deg = await self._stage.readback.get_value()
        self._tile = await self._height.tile.get_value()
        if self._staging != self._stage.n_stagings:
            self._staging = self._stage.n_stagings
            self._n_flats_taken = 0
            self._has_projections = False
        self._thetas_deg = self._stage.encoder_deg
        if shutter == ShutterState.CLOSED:
            self._kind = "dark"
        elif place == InOut.OUT:
            self._kind = "flat"
        else:
            self._kind = "projection"
            self._has_projections = True

    def expose(self, first: int, count: int, *, is_network: bool) -> Iterator[Exposure]:
        """Give the exposures of a number of triggers."""
        scan = self.scan
        if self._kind == "projection":
            yield from self._projections(scan, first, count, is_network=is_network)
            is_last = self._tile + 1 == self._cell.detector.acquisition.n_tiles
            self._prepare(*((scan + 1, 0) if is_last else (scan, self._tile + 1)))
            return
        frames, begin = self._frames_of(scan, self._tile, self._cell), first
        if self._kind == "flat" and self._has_projections:
            # Flats after the projections follow the others in the numbering of the simulation.
            begin += max(self._n_flats_taken, self._cell.detector.n_flats)
        for number in range(count):
            pixels = _enough(frames.result(), begin + number + 1).frame(self._kind, begin + number)
            yield Exposure(index=first + number, pixels=pixels, theta_deg=self._theta_deg)
        if self._kind == "flat":
            self._n_flats_taken = max(self._n_flats_taken, begin + count)

    def _projections(
        self, scan: int, first: int, count: int, *, is_network: bool
    ) -> Iterator[Exposure]:
        thetas_deg = self._thetas_deg
        if not thetas_deg or first + count > len(thetas_deg):
            raise BeamlineError(
                f"{self._stage.name}: {count} projections were triggered, the flight has "
                f"{len(thetas_deg)} angles; prepare the stage with a Flight of as many"
            )
        cell = self._cell_at(scan, thetas_deg)
        frames = self._frames_of(scan, self._tile, cell).result()
        is_whole = first == 0 and count == len(thetas_deg)
        order: Sequence[int] = (
            frames.arrivals if is_network and is_whole else range(first, first + count)
        )
        for index in order:
            pixels = frames.frame("projection", index)
            yield Exposure(index=index, pixels=pixels, theta_deg=thetas_deg[index])

    def _prepare(self, scan: int, tile: int) -> None:
        if scan < len(self._cell.schedule):
            self._frames_of(scan, tile, self._cell)

    def _frames_of(self, scan: int, tile: int, cell: SimulatedCell) -> Future[ScanFrames]:
        key = scan, tile, cell.detector.n_angles
        if key not in self._ready:
            for old in [each for each in self._ready if each[:2] < (self.scan, self._tile)]:
                del self._ready[old]
            self._ready[key] = in_thread(lambda: cell.frames(scan, tile=tile))
        return self._ready[key]

    def _cell_at(self, scan: int, thetas_deg: tuple[float, ...]) -> SimulatedCell:
        if np.array_equal(self._cell.scan_thetas_deg(scan), thetas_deg):
            return self._cell
        detector = replace(
            self._cell.detector,
            n_angles=len(thetas_deg),
            acquisition=replace(
                self._cell.detector.acquisition, order="linear", is_back_and_forth=False
            ),
        )
        cell = replace(self._cell, detector=detector)
        if not np.allclose(cell.scan_thetas_deg(scan), thetas_deg, atol=1e-6):
            raise BeamlineError(
                f"{self._stage.name}: the simulated cell can be seen at the angles of its "
                f"schedule, or at even steps over half a turn; these {len(thetas_deg)} are neither"
            )
        return cell


def _enough(frames: ScanFrames, count: int) -> ScanFrames:
    """Let a scan have as many flats as are asked for."""
    if count <= frames.count("flat"):
        return frames
    detector = frames.detector
    acquisition = replace(detector.acquisition, n_flats_after=count - detector.n_flats)
    return replace(frames, detector=replace(detector, acquisition=acquisition))


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedBeamline:
    """All devices around a simulated cell.

    Parameters
    ----------
    hutch
        What the detector sees.
    tomograph
        Detector, stage, shutter and sample, as plans take them.
    cycler
        The channel that the cell hangs on.
    """

    hutch: SimulatedHutch
    tomograph: Tomograph
    cycler: Cycler

    @property
    def devices(self) -> tuple[Device, ...]:
        """What must be connected before it is used."""
        tomograph = self.tomograph
        return (
            *(tomograph.detector, tomograph.stage, tomograph.shutter, tomograph.sample),
            *((tomograph.height,) if tomograph.height is not None else ()),
            self.cycler,
        )


def make_simulated_beamline(
    cell: SimulatedCell,
    destination: FrameDestination,
    *,
    first_scan: int = 0,
    check: Callable[[], None] = lambda: None,
    exposure_timeout_s: float = 600.0,
    seconds_per_s: float | None = None,
) -> SimulatedBeamline:
    """Set up the devices of a simulated beamline; connect them before use.

    Parameters
    ----------
    cell
        What is looked at.
    destination
        Where frames go.
    first_scan
        The first that will be taken, for an experiment that goes on.
    check
        Called before each frame; may raise to give up.
    exposure_timeout_s
        Longest silence of the detector.
    seconds_per_s
        Seconds of cycling in a second; None goes as fast as this machine can.
    """
    parameters, schedule = cell.cell, cell.schedule
    channel = SimulatedCycler(
        parameters,
        start_s=schedule[first_scan - 1].time_s if first_scan else 0.0,
        stop_s=schedule[-1].time_s,
        seconds_per_s=seconds_per_s,
    )
    stage, shutter, sample = RotationStage(), Shutter(), SamplePlace()
    height = SampleHeight()
    hutch = SimulatedHutch(cell, channel, stage, shutter, sample, height)
    tomograph = Tomograph(
        detector=SimulatedDetector(hutch, destination, check=check),
        stage=stage,
        shutter=shutter,
        sample=sample,
        height=height,
        tile_heights=tuple(range(cell.detector.acquisition.n_tiles)),
        exposure_timeout_s=exposure_timeout_s,
    )
    current_mA = parameters.current_mA_cm2 * parameters.active_area_cm2  # noqa: N806 - unit mA
    limits = CyclerLimits(max_current_mA=_CURRENT_MARGIN * current_mA)
    return SimulatedBeamline(hutch=hutch, tomograph=tomograph, cycler=Cycler(channel, limits))


def experiment_steps(cell: SimulatedCell, *, scan_s: float = 0.0) -> tuple[ExperimentStep, ...]:
    """Plan the whole experiment of a simulated cell.

    Parameters
    ----------
    cell
        What is cycled and scanned.
    scan_s
        How long the projections of a scan take; 0 is as fast as the frames are taken.
    """
    start_s = [0.0, *(point.time_s for point in cell.schedule)]
    steps = [
        steps_between(cell.cell, begin_s, end_s) for begin_s, end_s in itertools.pairwise(start_s)
    ]
    # The current that follows a scan is the first one of what is passed before the next.
    following = [_first_current_mA(each) for each in steps[1:]] + [None]
    return tuple(
        ExperimentStep(
            pulses=_pulses(cell, point.scan, passed),
            request=_request(cell, point.scan, next_mA, scan_s=scan_s),
        )
        for point, passed, next_mA in zip(cell.schedule, steps, following, strict=True)
    )


def _first_current_mA(steps: Sequence[CyclerStep]) -> float | None:  # noqa: N802 - the unit is mA
    return next((step.current_mA for step in steps if step.current_mA), None)


def _request(
    cell: SimulatedCell,
    scan: int,
    next_mA: float | None,  # noqa: N803 - the unit is mA
    *,
    scan_s: float,
) -> ScanRequest:
    detector = cell.detector
    return ScanRequest(
        scan=scan,
        thetas_deg=tuple(cell.scan_thetas_deg(scan).tolist()),
        n_darks=detector.n_darks,
        n_flats=detector.n_flats,
        n_flats_after=detector.acquisition.n_flats_after,
        exposure_s=scan_s / detector.n_angles,
        optics=Optics(
            voxel_size_um=detector.voxel_um,
            energy_keV=cell.cell.optics.energy_keV,
            distance_mm=cell.cell.optics.distance_mm or None,
        ),
        phase=phase_of(cell, scan, next_current_mA=next_mA),
        n_tiles=detector.acquisition.n_tiles,
    )


def _pulses(cell: SimulatedCell, scan: int, steps: Sequence[CyclerStep]) -> tuple[Pulse, ...]:
    """Part what is passed before a scan into pulses, each with the rests around it."""
    groups: list[list[CyclerStep]] = []
    for step in steps:
        if not groups or (step.current_mA and any(each.current_mA for each in groups[-1])):
            groups.append([])
        groups[-1].append(step)
    point, before = cell.schedule[scan], cell.schedule[scan - 1] if scan else None
    start_s = float(math.ceil(before.time_s if before else 0.0))
    number = before.pulse if before else 0
    found = []
    for group in groups:
        is_pulse = any(step.current_mA for step in group)
        half_cycle = number // cell.cell.n_charge_pulses if is_pulse else point.half_cycle
        found.append(
            Pulse(
                pulse=number,
                cycle=half_cycle // 2,
                half_cycle=half_cycle,
                start_s=start_s,
                steps=tuple(group),
            )
        )
        start_s += sum(step.duration_s for step in group)
        number += is_pulse
    return tuple(found)
