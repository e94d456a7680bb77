"""Plans of the experiment: pulse, scan, finer scan, flats again, the whole.

They know nothing of simulation: any devices with the same faces will do. Each pulse and each scan
is a Bluesky run of its own, and what the run starts say stands in
:mod:`lithoscope_services.beamline.metadata`.

Pausing: a deferred pause takes effect before the next set of frames, between two collections of
data, or between two looks for a verdict. The current rests while the engine is paused; a flight
that has begun is flown to its end, and what it gave is collected after the resume. After an abort
the shutter is closed, the current is off, and the same plan goes on with ``done``.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.utils import Msg, short_uid
from ophyd_async.core import TriggerInfo

from lithoscope_messages import FrameKind
from lithoscope_services.beamline import metadata as md
from lithoscope_services.beamline.cycler import Cycler
from lithoscope_services.beamline.errors import PlanError
from lithoscope_services.beamline.requests import (
    ExperimentStep,
    Flight,
    OnTimeout,
    Pulse,
    ScanBounds,
    ScanRequest,
    finer,
    with_flats_repeated,
)
from lithoscope_services.beamline.tomograph import Tomograph
from lithoscope_services.beamline.verdict import Verdict

# ``Any`` by Bluesky: what a message gives back depends on the message.
Plan = Generator[Msg, Any, None]
Metadata = Mapping[str, Any]

COLLECT_S = 0.5
NOTHING: Metadata = {}


def pulse_plan(
    cycler: Cycler, pulse: Pulse, metadata: Metadata = NOTHING, *, collect_s: float = 10.0
) -> Plan:
    """Pass one pulse and record the cell once a second; one run.

    Parameters
    ----------
    cycler
        The channel.
    pulse
        Its steps, rests included.
    metadata
        Goes into the run start, beside what the pulse says of itself.
    collect_s
        Seconds between two pages of readings.
    """

    def passed() -> Plan:
        yield from bps.checkpoint()
        yield from bps.prepare(cycler, pulse.steps, wait=True)
        yield from _fly((cycler,), cycler, md.ELECTROCHEMISTRY, every_s=collect_s)

    def switched_off(_error: Exception) -> Plan:
        yield from bps.wait_for([cycler.finish])

    start = {**metadata, "plan_name": "pulse", **pulse.start}
    run = bpp.run_wrapper(passed(), md=start)
    yield from bpp.contingency_wrapper(run, except_plan=switched_off)


def scan_plan(tomograph: Tomograph, request: ScanRequest, metadata: Metadata = NOTHING) -> Plan:
    """Take one scan: darks, flats, projections, and flats after them if asked for; one run.

    Of a scan of several tiles it takes the one that the request names.

    Parameters
    ----------
    tomograph
        The devices.
    request
        The scan.
    metadata
        Goes into the run start, beside what the request says of itself.
    """

    def taken() -> Plan:
        yield from _go_to_tile(tomograph, request)
        for kind, set_, count in request.sets:
            yield from bps.checkpoint()
            yield from take_frames(tomograph, request, kind, set_, count)

    def left_safe() -> Plan:
        yield from bps.abs_set(tomograph.shutter, tomograph.closed, wait=True)
        yield from bps.abs_set(tomograph.sample, tomograph.sample_in, wait=True)
        yield from bps.unstage(tomograph.detector, wait=True)
        yield from bps.unstage(tomograph.stage, wait=True)

    start = {**metadata, "plan_name": "tomography", **request.start}
    yield from bps.stage(tomograph.stage, wait=True)
    yield from bpp.finalize_wrapper(bpp.run_wrapper(taken(), md=start), left_safe)


def finer_scan_plan(
    tomograph: Tomograph,
    request: ScanRequest,
    bounds: ScanBounds,
    metadata: Metadata = NOTHING,
    *,
    n_projections: int | None = None,
    step_deg: float | None = None,
) -> Plan:
    """Take a scan with more angles, within bounds; one run.

    Parameters
    ----------
    tomograph, request, metadata
        As for :func:`scan_plan`.
    bounds
        What may be asked for.
    n_projections, step_deg
        One of them.

    Raises
    ------
    PlanError
        If it is outside the bounds; nothing has moved then.
    """
    wanted = finer(request, bounds, n_projections=n_projections, step_deg=step_deg)
    yield from scan_plan(tomograph, wanted, metadata)


def repeat_flats_plan(
    tomograph: Tomograph,
    request: ScanRequest,
    metadata: Metadata = NOTHING,
    *,
    n_flats: int | None = None,
) -> Plan:
    """Take a scan whose flats are taken again after the projections; one run.

    For a beam that drifts: the second flats become set 1 of the same scan.

    Parameters
    ----------
    tomograph, request, metadata
        As for :func:`scan_plan`.
    n_flats
        How many; as many as before if left out.

    Raises
    ------
    PlanError
        If it is none; nothing has moved then.
    """
    yield from scan_plan(tomograph, with_flats_repeated(request, n_flats), metadata)


def _go_to_tile(tomograph: Tomograph, request: ScanRequest) -> Plan:
    """Take the sample to the height of a tile, if there are several."""
    if request.n_tiles == 1:
        return
    if tomograph.height is None or len(tomograph.tile_heights) < request.n_tiles:
        raise PlanError(
            f"scan {request.scan}: {request.n_tiles} tiles were asked for, the tomograph has "
            f"{len(tomograph.tile_heights)} tile_heights; give it a height and one value a tile"
        )
    height = tomograph.tile_heights[request.tile]
    yield from bps.abs_set(tomograph.height, height, wait=True)


def take_frames(
    tomograph: Tomograph, request: ScanRequest, kind: FrameKind, set_: int, count: int
) -> Plan:
    """Take one set of frames in the run that is open, as a stream of its own.

    Parameters
    ----------
    tomograph
        The devices.
    request
        Angles and exposure.
    kind, set_, count
        What is taken, and how much of it.
    """
    detector, stage = tomograph.detector, tomograph.stage
    name, is_projection = md.stream_name(kind, set_), kind == "projection"
    shutter = tomograph.closed if kind == "dark" else tomograph.open
    place = tomograph.sample_out if kind == "flat" else tomograph.sample_in
    yield from bps.abs_set(tomograph.sample, place, wait=True)
    yield from bps.abs_set(tomograph.shutter, shutter, wait=True)
    if is_projection:
        flight = Flight.through(request.thetas_deg, exposure_s=request.exposure_s)
        yield from bps.prepare(stage, flight, wait=True)
    # Staged for each stream, so that each has a resource of its own.
    yield from bps.stage(detector, wait=True)
    info = TriggerInfo(
        number_of_events=count,
        livetime=request.exposure_s,
        exposure_timeout=tomograph.exposure_timeout_s,
    )
    yield from bps.prepare(detector, info, wait=True)
    flyers = (stage, detector) if is_projection else (detector,)
    yield from _fly(flyers, detector, name, every_s=COLLECT_S)
    yield from bps.unstage(detector, wait=True)


def _fly(flyers: Sequence[Any], collected: Any, stream: str, *, every_s: float) -> Plan:
    """Start flyers that are prepared, and collect what comes until they are done."""
    group = short_uid(label="complete")

    def launched() -> Plan:
        yield from bps.declare_stream(collected, name=stream, collect=True)
        yield from bps.kickoff_all(*flyers, wait=True)
        yield from bps.complete_all(*flyers, group=group, wait=False)

    # A pause goes back to the last checkpoint, but nothing that flies must be started again.
    yield from bpp.rewindable_wrapper(launched(), rewindable=False)
    is_done = False
    while not is_done:
        yield from bps.checkpoint()
        is_done = yield from bps.wait(group=group, timeout=every_s, error_on_timeout=False)
        yield from bps.collect(collected, name=stream)


@dataclass(slots=True)
class Waited:
    """How long a plan waited for a verdict; filled while it waits.

    Parameters
    ----------
    waited_s
        So far.
    extended_s
        Of it, after the time-out.
    plan_did
        What the plan did when there was none in time, None if there was.
    """

    waited_s: float = 0.0
    extended_s: float = 0.0
    plan_did: OnTimeout | None = None

    @property
    def metadata(self) -> dict[str, Any]:
        """What the next run start says of it."""
        found: dict[str, Any] = {md.WAITED_S: round(self.waited_s, 3)}
        if self.plan_did is not None:
            found |= {
                md.EXTENDED_REST_S: round(self.extended_s, 3),
                md.ON_TIMEOUT: self.plan_did,
            }
        return found


def await_verdict(
    verdict: Verdict,
    scan: int,
    *,
    timeout_s: float,
    on_timeout: OnTimeout,
    waited: Waited | None = None,
) -> Plan:
    """Wait for the answer to a scan; the cell rests.

    An answer that holds, or a hold that a person has approved, is waited out until a person
    releases it, however long that takes.

    Parameters
    ----------
    verdict
        To look at.
    scan
        Whose answer it is.
    timeout_s
        After this time it is written down that none came.
    on_timeout
        ``continue`` ends the waiting then; ``hold`` goes on, and what the rest became longer by
        is counted.
    waited
        Filled with what happened.
    """
    waited = Waited() if waited is None else waited
    begin_s = time.monotonic()
    while True:
        yield from bps.checkpoint()
        yield from bps.abs_set(verdict, scan, wait=True)
        waited.waited_s = time.monotonic() - begin_s
        waited.extended_s = max(0.0, waited.waited_s - timeout_s)
        if verdict.answer is not None:
            if not verdict.why_held:
                return
            continue
        if waited.extended_s and waited.plan_did is None:
            waited.plan_did = on_timeout
            verdict.say_missed(scan, waited.waited_s, on_timeout)
        if waited.plan_did == "continue":
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentOptions:
    """How the whole experiment is run.

    Parameters
    ----------
    experiment
        Name in the metadata of every run.
    verdict_timeout_s, on_timeout
        How long the plan waits for the answer to a scan, and what it does when none came.
    done
        Scans that were completed before the plan was interrupted; they are not taken again.
    metadata
        Goes into every run start.
    """

    experiment: str
    verdict_timeout_s: float = 600.0
    on_timeout: OnTimeout = "continue"
    done: frozenset[int] = frozenset()
    metadata: Metadata = field(default_factory=dict)


def experiment_plan(
    steps: Sequence[ExperimentStep],
    cycler: Cycler,
    tomograph: Tomograph,
    verdict: Verdict | None,
    options: ExperimentOptions,
    *,
    on_decided: Callable[[int], None] = lambda _scan: None,
) -> Plan:
    """Run all pulses and scans; wait for the verdict on each scan before the next pulse.

    Parameters
    ----------
    steps
        The scans, each with the pulses before it.
    cycler, tomograph
        Devices.
    verdict
        Answers to scans; None asks for none.
    options
        Name, time-out, what is done already.
    on_decided
        Called with the number of each scan whose verdict was waited for.
    """
    common = {**options.metadata, md.EXPERIMENT: options.experiment}
    extra: dict[str, Any] = {}  # of the next run alone
    for step in steps:
        scan = step.request.scan
        if scan not in options.done:
            for pulse in step.pulses:
                yield from pulse_plan(cycler, pulse, {**common, **extra})
                extra = {}
            for tile in step.request.tiles:
                yield from scan_plan(tomograph, tile, {**common, **extra})
                extra = {}
        if verdict is not None:
            waited = Waited()
            yield from await_verdict(
                verdict,
                scan,
                timeout_s=options.verdict_timeout_s,
                on_timeout=options.on_timeout,
                waited=waited,
            )
            extra = waited.metadata
        on_decided(scan)
