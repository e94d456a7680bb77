"""Documents in, scans out: what the runs of an experiment say goes to ingest.

Ingest has one scan open at a time. Runs that interleave are dealt with one after another, in the
order in which they began: their frames wait in the files of the detector. A scan is closed when
all of it is there; when its run has stopped and the files have nothing more; or after a silence.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import structlog

from lithoscope_messages import ExpectedCount
from lithoscope_services.errors import SourceError
from lithoscope_services.frame_link import FrameLink, ScanDescription
from lithoscope_services.settings.tree import Settings
from lithoscope_services.sources.bluesky.decoder import Document
from lithoscope_services.sources.bluesky.known import Known
from lithoscope_services.sources.bluesky.run import Run
from lithoscope_services.sources.bluesky.run_frames import RunFrames
from lithoscope_services.sources.bluesky.runs import Placed, Runs
from lithoscope_services.sources.bluesky.samples import Samples
from lithoscope_services.sources.bluesky.scan_part import OpenScan, Part
from lithoscope_services.sources.stream.places import Layout
from lithoscope_services.sources.stream.source import read_angles
from lithoscope_store.durable import write_atomic

#: Documents of a run that has stopped may still be on their way.
GRACE_S = 0.5
#: Of one scan; what is refused beyond is only counted.
MAX_LOGGED = 20
#: Runs whose scan is closed and whose RunStop has not come.
MAX_ENDED = 100
log = structlog.get_logger()


class DocumentFeed:
    """Feeds ingest with the scans of Bluesky runs.

    Parameters
    ----------
    settings
        Of the instance.
    link
        To ingest; the experiment has begun on it.
    known
        What the journal and the store know already.
    state
        File in which it stands which scan a run is, where the run does not say so; None keeps
        nothing.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        settings: Settings,
        link: FrameLink,
        known: Known,
        *,
        state: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        source = settings.source
        self._settings = settings
        self._link = link
        self._known = known
        self._state = state
        self._clock = clock
        self._layout = Layout(source) if source.n_projections else None
        self._table_deg = () if source.theta_file is None else read_angles(Path(source.theta_file))
        self._runs = Runs(experiment=settings.experiment.name, settings=source)
        self._samples = Samples(
            link=link,
            n_sent=known.n_samples,
            last_s=known.last_sample_s,
            clock_offset_s=settings.experiment.clock_offset_s,
        )
        self._scans: dict[str, int] = _load(state)
        self._next_scan = max(known.next_scan, 1 + max(self._scans.values(), default=-1))
        self._open: OpenScan | None = None
        self._waiting: list[Run] = []
        self._ended: list[Run] = []
        self._not_scans: set[str] = set()
        self._closed: set[int] = set(known.completed)
        self._n_logged = 0
        self.n_handled = 0
        self.n_refused = 0

    @property
    def open_scan(self) -> int | None:
        """Number of the scan that is open."""
        return None if self._open is None else self._open.scan

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be done until another document comes."""
        return self._open is None and not any(run.stop for run in self._waiting)

    @property
    def awaits_stop(self) -> bool:
        """Whether the RunStop of a scan that is closed has not come."""
        return bool(self._ended)

    @property
    def n_closed(self) -> int:
        """How many scans are over."""
        return len(self._closed)

    def restore(self, documents: Iterable[Document]) -> None:
        """Take the documents that were passed on before a restart, without passing them on."""
        for document in documents:
            try:
                placed = self._runs.take(document, self._clock())
            except SourceError:
                continue  # it was refused then, too
            for each in placed:
                self._follow(each, is_new=False)
        for run in list(self._waiting):
            # A RunStop is passed on when the scan is closed.
            if run.stop is not None or self._number(run) in self._closed:
                self._waiting.remove(run)
                self._end(run)

    def take(self, document: Document) -> None:
        """Take a document that has come; one that is refused is counted."""
        try:
            placed = self._runs.take(document, self._clock())
        except SourceError as error:
            self.refuse(error)
            return
        self.n_handled += 1
        for each in placed:
            self._follow(each, is_new=True)

    def refuse(self, error: SourceError) -> None:
        """Count a document that is none, or that belongs nowhere."""
        self._runs.refuse(error)

    def turn(self) -> bool:
        """Do what can be done now, some frames at a time; whether there was anything."""
        now_s = self._clock()
        self._runs.expire(now_s)
        self._log_refused()
        self._samples.send_if_due(now_s)
        self._end_others(now_s)
        if self._open is None:
            self._open_next(now_s)
        if self._open is None:
            return False
        self._join(self._open, now_s)
        is_busy = self._pump(self._open, now_s)
        if self._open.is_over(self._has_next()):
            self._close(self._open)
            return True
        return is_busy

    def _follow(self, placed: Placed, *, is_new: bool) -> None:
        run, document = placed.run, placed.document
        if document.name == "start":
            self._waiting.append(run)
            if self._samples.zero_unix_s is None:
                self._samples.zero_unix_s = run.start.unix_s
        if document.name == "stop":
            if run in self._ended:
                self._end(run)
        elif is_new:
            self._link.send_document(document.name, document.text)
        stream = run.streams.get(str(document.body.get("descriptor")))
        if placed.readings and stream is not None and stream.sample_keys:
            readings = placed.readings
            self._samples.take(run, stream, readings, self._clock(), is_new=is_new)

    def _end(self, run: Run) -> None:
        """Pass on the RunStop of a run that is dealt with, or wait for it."""
        if run.stop is not None:
            self._link.send_document(run.stop.name, run.stop.text)
            self._runs.forget(run)
            if run in self._ended:
                self._ended.remove(run)
            return
        self._ended.append(run)
        if len(self._ended) > MAX_ENDED:
            self._runs.forget(self._ended.pop(0))

    def _end_others(self, now_s: float) -> None:
        """Let go of runs that have stopped and are no scans, such as pulses."""
        for run in [run for run in self._waiting if run.stop is not None]:
            if not self._is_scan(run, now_s) and now_s - run.heard_s > GRACE_S:
                self._waiting.remove(run)
                self._samples.send()
                self._end(run)

    def _is_scan(self, run: Run, now_s: float) -> bool:
        if run.uid in self._not_scans:
            return False
        # Without any descriptor the files may still tell, once nothing more comes.
        is_quiet = run.stop is not None and now_s - run.heard_s > GRACE_S
        return run.has_images or (is_quiet and bool(run.start.expected) and bool(run.resources))

    def _has_next(self) -> bool:
        now_s = self._clock()
        return any(self._is_scan(run, now_s) for run in self._waiting)

    def _open_next(self, now_s: float) -> None:
        for run in list(self._waiting):
            if not self._is_scan(run, now_s):
                continue
            try:
                expected = self._expected(run)
                self._voxel_size_um(run)
                scan = self._number(run)
                if scan is None:
                    scan = self._new_number(run)
                if scan in self._closed:
                    raise SourceError(
                        f"start.lithoscope_scan: scan {scan} is closed; give a new number"
                    )
            except SourceError as error:
                self._not_scans.add(run.uid)
                self.refuse(error)
                continue
            self._open = OpenScan(scan=scan, expected=expected)
            self._add(self._open, run, now_s)
            return

    def _join(self, opened: OpenScan, now_s: float) -> None:
        """Add the runs of other tiles of the open scan."""
        for run in list(self._waiting):
            is_tile = run.start.scan == opened.scan and run.start.tile in opened.open_tiles
            if is_tile and self._is_scan(run, now_s):
                self._add(opened, run, now_s)

    def _add(self, opened: OpenScan, run: Run, now_s: float) -> None:
        self._waiting.remove(run)
        tile = run.start.tile
        frames = RunFrames(
            run,
            opened.scan,
            tuple(each for each in opened.expected if each.tile == tile),
            self._settings.source,
            table_deg=self._table_deg,
            stored=self._known.stored(opened.scan, tile),
        )
        opened.parts[tile] = Part(frames=frames, progress_s=now_s)

    def _expected(self, run: Run) -> tuple[ExpectedCount, ...]:
        if run.start.expected:
            return run.start.expected
        if self._layout is None:
            raise SourceError(
                "start.lithoscope_expected: the run does not say how many frames it has; add it "
                "to the metadata of the plan, or give n_projections and its like in [source]"
            )
        return self._layout.expected

    def _voxel_size_um(self, run: Run) -> float:
        voxel_size_um = self._settings.scan.voxel_size_um or run.start.voxel_size_um
        if voxel_size_um is None:
            raise SourceError(
                "start.lithoscope_voxel_size_um: neither the run nor voxel_size_um in [scan] says "
                "how large a pixel is; give one of them"
            )
        return voxel_size_um

    def _number(self, run: Run) -> int | None:
        return self._scans.get(run.uid) if run.start.scan is None else run.start.scan

    def _new_number(self, run: Run) -> int:
        """Give a number to a scan that has none; one that the journal has open is this one."""
        left = self._known.running - set(self._scans.values()) - self._closed
        scan = min(left) if left else max(self._next_scan, 1 + max(self._closed, default=-1))
        self._scans[run.uid] = scan
        self._next_scan = scan + 1
        if self._state is not None:
            write_atomic(self._state, json.dumps(self._scans).encode())
        return scan

    def _pump(self, opened: OpenScan, now_s: float) -> bool:
        is_busy = False
        for part in opened.parts.values():
            if part.is_over:
                continue
            part.frames.look()
            if not opened.is_begun:
                self._begin(opened, part)
            n_sent = self._send(opened, part) if opened.is_begun else 0
            if n_sent:
                part.progress_s = self._clock()
            silence_s = self._settings.source.silence_s
            is_over = part.advance(now_s, n_sent=n_sent, silence_s=silence_s)
            if is_over and not opened.is_begun:
                # Nothing could be read: the account has to say so.
                self._begin(opened, part)
            is_busy = is_busy or n_sent > 0 or is_over
        return is_busy

    def _send(self, opened: OpenScan, part: Part) -> int:
        n_sent = 0
        for ready in part.frames.ready(opened.frame_shape, opened.dtype, is_over=part.is_last):
            self._link.send_frame(
                ready.key,
                ready.pixels,
                theta_deg=ready.theta_deg,
                theta_source=ready.theta_source,
            )
            opened.n_fetched += ready.is_fetched
            n_sent += 1
        return n_sent

    def _begin(self, opened: OpenScan, part: Part) -> None:
        found = part.frames.shape_and_dtype
        if found is None and part.is_over:
            found = part.frames.described
        if found is None:
            return
        opened.is_begun, (opened.frame_shape, opened.dtype) = True, found
        run, scan = part.frames.run, self._settings.scan
        self._samples.send()
        self._link.begin_scan(
            opened.scan,
            ScanDescription(
                expected=opened.expected,
                frame_shape=opened.frame_shape,
                dtype=opened.dtype,
                voxel_size_um=self._voxel_size_um(run),
                energy_keV=scan.energy_keV or run.start.energy_keV,
                distance_mm=run.start.distance_mm,
                rotation_axis_px=None if scan.rotation_axis == "auto" else scan.rotation_axis,
                phase=run.start.phase(self._samples.time_s(run, run.start.unix_s)),
            ),
        )

    def _close(self, opened: OpenScan) -> None:
        rejected: Counter[str] = Counter()
        for part in opened.parts.values():
            rejected += part.frames.refused
        for reasons in (self._runs.refused, self._samples.refused):
            rejected += Counter({f"document {name}": count for name, count in reasons.items()})
            reasons.clear()
        self._samples.send()
        self._link.end_scan(opened.scan, rejected=rejected, fetched=opened.n_fetched)
        log.info("scan_sent", scan=opened.scan, fetched=opened.n_fetched, refused=dict(rejected))
        self._link.refusals.clear()
        self._closed.add(opened.scan)
        self._open, self._n_logged = None, 0
        for part in opened.parts.values():
            self._end(part.frames.run)

    def _log_refused(self) -> None:
        errors, self._runs.errors = self._runs.errors, []
        self.n_refused += len(errors)
        if self._open is not None:
            for part in self._open.parts.values():
                errors += part.frames.errors
                part.frames.errors = []
        for error in errors[: max(0, MAX_LOGGED - self._n_logged)]:
            log.warning("document_refused", error=error)
        self._n_logged += len(errors)


def _load(state: Path | None) -> dict[str, int]:
    if state is None or not state.exists():
        return {}
    found: Mapping[str, int] = json.loads(state.read_bytes())
    return dict(found)
