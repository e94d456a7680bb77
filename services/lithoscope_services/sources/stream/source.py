"""The process that receives a foreign stream and feeds ingest with its scans."""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import structlog
import zmq

from lithoscope_messages import ExperimentDescription, ScanPhase
from lithoscope_services.beside import Stopper, run_beside
from lithoscope_services.errors import SourceError
from lithoscope_services.frame_link import FrameLink, ScanDescription
from lithoscope_services.history import History
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.loop import Loop, endpoint
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.settings.tree import Settings
from lithoscope_services.sources.stream.ahead import Ahead
from lithoscope_services.sources.stream.detector_file import DetectorFile
from lithoscope_services.sources.stream.events import (
    Counters,
    Event,
    Resumed,
    ScanBegun,
    ScanEnded,
    ScanFrame,
)
from lithoscope_services.sources.stream.frame import Receiver, SeriesEnd
from lithoscope_services.sources.stream.joiner import Joiner
from lithoscope_services.sources.stream.places import Angles, Layout, Slot
from lithoscope_store import FrameReader, Store
from lithoscope_store.durable import write_atomic

#: In the runtime directory: where the sender's counter stood when the open scan began.
STATE = "source.state"
WAIT_S = 0.2
#: Of one scan; what is refused beyond is only counted.
MAX_LOGGED = 20
log = structlog.get_logger()


def run_stream_source(
    loop: Loop,
    settings: Settings,
    store: Store,
    open_receiver: Callable[[SourceSettings], Receiver],
) -> None:
    """Feed ingest from the stream of the settings, beside the loop, which goes on beating.

    Parameters
    ----------
    loop
        Of this process.
    settings
        Of the instance.
    store
        Where frames of a scan that was open before lie.
    open_receiver
        Makes the end of the stream.

    Raises
    ------
    ServiceError
        If it cannot go on.
    """

    def work(stopper: Stopper) -> None:
        _StreamSource(loop, settings, store, stopper).run(open_receiver)

    run_beside(loop, settings.source.kind, work)


class _StreamSource:
    """One stream, one experiment."""

    def __init__(self, loop: Loop, settings: Settings, store: Store, stopper: Stopper) -> None:
        self._loop = loop
        self._settings = settings
        self._paths = store.experiment(settings.experiment.name)
        self._stopper = stopper
        self._state = loop.runtime_dir / STATE
        self._saved: Counters | None = None
        self._n_logged = 0
        self._ahead = Ahead()
        self._angles = Angles(settings.source, table_of(settings.source))

    def run(self, open_receiver: Callable[[SourceSettings], Receiver]) -> None:
        """Feed until all scans are there or until told to stop."""
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        name, runtime_dir = self._settings.experiment.name, self._loop.runtime_dir
        journal_address = endpoint(runtime_dir, "journal")
        frames = self._settings.instance.frames_endpoint or endpoint(runtime_dir, "frames")
        try:
            with (
                JournalClient(
                    context, journal_address, "command_line", idle=self._stopper.check
                ) as journal,
                FrameLink(frames, name, idle=self._stopper.check) as link,
            ):
                history = History(name)
                history.extend(journal.read_all(name))
                if history.ended is not None:
                    return
                self._begin_experiment(link)
                joiner = self._joiner(history, link)
                with open_receiver(self._settings.source) as receiver:
                    self._follow(self._ahead.of(receiver), link, joiner)
                link.end_experiment()
        finally:
            context.term()

    def _begin_experiment(self, link: FrameLink) -> None:
        experiment = self._settings.experiment
        link.begin_experiment(
            ExperimentDescription(
                source="live",
                n_scans=experiment.n_scans,
                sample=experiment.sample,
                active_area_cm2=experiment.active_area_cm2,
                first_current_sign=experiment.first_current_sign,
                edge_on_deg=experiment.edge_on_deg,
            )
        )

    def _joiner(self, history: History, link: FrameLink) -> Joiner:
        """Go on where the journal says that the last process ended."""
        source = self._settings.source
        resumed = None
        for scan in history.in_order():
            if scan.started is None or scan.completed is not None:
                continue
            seen = self._stored(scan.scan)
            layout = Layout(source)
            if scan.started.expected != layout.expected or len(seen) == layout.n_frames:
                link.end_scan(scan.scan)
                continue
            resumed = Resumed(
                scan=scan.scan,
                frame_shape=scan.started.frame_shape,
                dtype=scan.started.dtype,
                seen=seen,
            )
            log.info("scan_resumed", scan=scan.scan, stored=len(seen))
        return Joiner(
            source,
            next_scan=max(history.scans, default=-1) + 1,
            table_deg=table_of(source),
            resumed=resumed,
            counters=self._load_counters(),
        )

    def _stored(self, scan: int) -> dict[Slot, int]:
        """Give the checksum of each frame of a scan that is on disk."""
        if not self._paths.index(scan, 0).exists():
            return {}
        reader = FrameReader(self._paths, scan, 0)
        return {(key.kind, key.set, key.index): reader.record(key).crc32c for key in reader.keys}

    def _follow(self, receiver: Ahead, link: FrameLink, joiner: Joiner) -> None:
        source = self._settings.source
        log.info("stream_followed", kind=source.kind, address=source.address or source.channel)
        taken_s = time.monotonic()
        while not self._has_all(joiner):
            self._stopper.check()
            if self._take(receiver, link, joiner):
                taken_s = time.monotonic()
            is_silent = time.monotonic() - taken_s > source.silence_s
            if is_silent and joiner.open_scan is not None:
                log.warning("stream_silent", scan=joiner.open_scan, for_s=source.silence_s)
                self._tell(joiner.close(is_silent=True), link)
                taken_s = time.monotonic()

    def _has_all(self, joiner: Joiner) -> bool:
        n_scans = self._settings.experiment.n_scans
        return n_scans is not None and joiner.open_scan is None and joiner.next_scan >= n_scans

    def _take(self, receiver: Ahead, link: FrameLink, joiner: Joiner) -> bool:
        """Take a message; one that is no frame of a scan is counted, logged and left."""
        try:
            message = receiver.receive(WAIT_S)
            if message is None:
                link.flush()
                return False
            if isinstance(message, SeriesEnd):
                events = joiner.end(message)
            else:
                events = joiner.offer(message)
        except SourceError as error:
            self._refuse(error, joiner)
            return False
        self._tell(events, link)
        self._save_counters(joiner.counters)
        self._loop.pulse.handled += 1
        return True

    def _refuse(self, error: SourceError, joiner: Joiner) -> None:
        reason = joiner.refuse(error)
        self._loop.pulse.rejected += 1
        self._n_logged += 1
        if self._n_logged <= MAX_LOGGED:
            log.warning("frame_refused", reason=reason, error=str(error))

    def _tell(self, events: Sequence[Event], link: FrameLink) -> None:
        for event in events:
            match event:
                case ScanBegun():
                    self._begin_scan(event, link)
                case ScanFrame():
                    self._send(event, link)
                case ScanEnded():
                    self._end_scan(event, link)

    def _end_scan(self, ended: ScanEnded, link: FrameLink) -> None:
        fetched = self._fetch(ended, link) if ended.absent else 0
        link.end_scan(ended.scan, rejected=ended.refused, fetched=fetched)
        log.info(
            "scan_sent",
            scan=ended.scan,
            missing=ended.missing - fetched,
            fetched=fetched,
            refused=dict(ended.refused),
            refused_by_ingest=len(link.refusals),
        )
        link.refusals.clear()
        self._n_logged = 0

    def _fetch(self, ended: ScanEnded, link: FrameLink) -> int:
        """Send what a scan was closed without from the detector's own file, if there is one."""
        source = self._settings.source
        if source.detector_file is None:
            return 0
        name = self._settings.experiment.name
        path = Path(source.detector_file.format(experiment=name, scan=ended.scan))
        fetched = 0
        try:
            for frame in DetectorFile(path, source, self._angles).fetch(ended, self._wait):
                self._send(frame, link)
                fetched += 1
        except SourceError as error:
            log.warning("frames_not_fetched", scan=ended.scan, fetched=fetched, error=str(error))
        return fetched

    def _wait(self) -> None:
        """Take in what the stream sends while the detector finishes its file."""
        self._stopper.check()
        self._ahead.fill(WAIT_S)

    def _send(self, frame: ScanFrame, link: FrameLink) -> None:
        link.send_frame(
            frame.key,
            frame.pixels,
            theta_deg=frame.theta_deg,
            theta_source=frame.theta_source,
            time_ns=frame.time_ns,
        )

    def _begin_scan(self, begun: ScanBegun, link: FrameLink) -> None:
        scan = self._settings.scan
        axis = scan.rotation_axis
        link.begin_scan(
            begun.scan,
            ScanDescription(
                expected=Layout(self._settings.source).expected,
                frame_shape=begun.frame_shape,
                dtype=begun.dtype,
                voxel_size_um=scan.voxel_size_um or 1.0,
                energy_keV=scan.energy_keV,
                rotation_axis_px=None if axis == "auto" else axis,
                # The stream knows nothing of the cycler: scans are spaced by one second.
                phase=ScanPhase(experiment_time_s=float(begun.scan)),
            ),
        )
        self._loop.pulse.doing = f"scan {begun.scan}: {begun.dtype} {begun.frame_shape}"

    def _load_counters(self) -> Counters | None:
        if not self._state.exists():
            return None
        return Counters(**json.loads(self._state.read_bytes()))

    def _save_counters(self, counters: Counters | None) -> None:
        """Keep what a restart must know; the last number itself changes with each frame."""
        if counters is None or (
            self._saved is not None
            and (counters.scan, counters.series, counters.turns)
            == (self._saved.scan, self._saved.series, self._saved.turns)
        ):
            return
        self._saved = counters
        write_atomic(self._state, json.dumps(asdict(counters)).encode())


def table_of(source: SourceSettings) -> list[float]:
    """Give the angles of the settings' file, degrees; none if there is none.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    return [] if source.theta_file is None else read_angles(Path(source.theta_file))


def read_angles(path: Path) -> list[float]:
    """Read a table of angles, one a line, in degrees.

    Raises
    ------
    SourceError
        If it cannot be read or has something else in it.
    """
    try:
        thetas_deg = [float(line) for line in path.read_text().split()]
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{path}: no table of angles ({error}); write one a line, in degrees"
        ) from error
    if not all(map(math.isfinite, thetas_deg)):
        raise SourceError(f"{path}: an angle is not finite; write one a line, in degrees")
    return thetas_deg
