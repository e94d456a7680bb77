"""A watched folder as a source: each finished DXchange or NXtomo file in it becomes a scan.

Which files were taken stands in the journal, as the ``origin`` of ``ScanStarted``: a file of a
name that is there is never taken again, whoever restarts what.
"""

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import structlog
import zmq

from lithoscope_messages import ExperimentDescription, FrameKey, ScanStarted
from lithoscope_services.beside import Stopper, run_beside
from lithoscope_services.errors import FileBusyError, SourceError
from lithoscope_services.frame_link import FrameLink
from lithoscope_services.history import History
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.loop import Loop, endpoint
from lithoscope_services.settings.tree import Settings
from lithoscope_services.sources.feed import describe_file_scan
from lithoscope_services.sources.file_scan import FileFrame, FileScan
from lithoscope_services.sources.files import open_scan
from lithoscope_services.sources.folder_watch import FolderWatch, Stamp
from lithoscope_store import FrameReader, Store

#: Between two looks at the folder.
LOOK_S = 0.5
#: Of one file; what cannot be read beyond is only counted.
MAX_LOGGED = 5
#: Why frames of a file are left out.
DAMAGED, EMPTY, GONE = "damaged", "empty", "file_gone"
log = structlog.get_logger()


def run_folder_source(loop: Loop, settings: Settings, store: Store) -> None:
    """Feed ingest from the folder of the settings, beside the loop, which goes on beating.

    Parameters
    ----------
    loop
        Of this process.
    settings
        Of the instance.
    store
        Where frames of a scan that was open before lie.

    Raises
    ------
    ServiceError
        If it cannot go on.
    """

    def work(stopper: Stopper) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        frames = settings.instance.frames_endpoint or endpoint(loop.runtime_dir, "frames")
        journal = endpoint(loop.runtime_dir, "journal")
        name = settings.experiment.name
        try:
            with (
                JournalClient(context, journal, "command_line", idle=stopper.check) as client,
                FrameLink(frames, name, idle=stopper.check) as link,
            ):
                history = History(name)
                history.extend(client.read_all(name))
                if history.ended is None:
                    FolderSource(loop, settings, store, link, stopper).run(history)
        finally:
            context.term()

    run_beside(loop, settings.source.kind, work)


class FolderSource:
    """Sends the files of one folder as the scans of one experiment.

    Parameters
    ----------
    loop
        Whose heartbeat says what is done.
    settings
        Of the instance.
    store
        Where frames of a scan that was open before lie.
    link
        To ingest.
    stopper
        Says when to stop.
    """

    def __init__(
        self, loop: Loop, settings: Settings, store: Store, link: FrameLink, stopper: Stopper
    ) -> None:
        self._loop = loop
        self._settings = settings
        self._link = link
        self._stopper = stopper
        self._paths = store.experiment(settings.experiment.name)
        self._folder = Path(str(settings.source.folder)).resolve()
        self._watch = FolderWatch(self._folder, settled_s=settings.source.settled_s)
        self._taken: dict[str, Stamp | None] = {}
        self._refused: dict[str, Stamp] = {}
        self._busy: dict[str, Stamp] = {}
        self._next_scan = 0

    def run(self, history: History) -> None:
        """Feed until all scans are there or until told to stop."""
        self._begin_experiment()
        self._taken = {
            scan.started.origin: None
            for scan in history.in_order()
            if scan.started is not None and scan.started.origin
        }
        self._next_scan = max(history.scans, default=-1) + 1
        for scan in history.in_order():
            if scan.started is not None and scan.completed is None:
                self._resume(scan.started)
        n_scans = self._settings.experiment.n_scans
        while n_scans is None or self._next_scan < n_scans:
            self._look()
            self._stopper.wait(LOOK_S)
        self._link.end_experiment()

    def _begin_experiment(self) -> None:
        experiment = self._settings.experiment
        self._link.begin_experiment(
            ExperimentDescription(
                source="live",
                n_scans=experiment.n_scans,
                sample=experiment.sample,
                active_area_cm2=experiment.active_area_cm2,
                first_current_sign=experiment.first_current_sign,
                edge_on_deg=experiment.edge_on_deg,
            )
        )

    def _resume(self, started: ScanStarted) -> None:
        """Go on with the scan that was open when the last process ended.

        Its file was finished; if it cannot be read for ``silence_s``, the scan ends without it.
        """
        path = self._folder / Path(started.origin).name
        log.info("scan_resumed", scan=started.scan, path=str(path))
        deadline_s = time.monotonic() + self._settings.source.silence_s
        while started.origin and time.monotonic() < deadline_s:
            stamp = Stamp.of(path)
            if stamp is not None and self._take(path, stamp, started.scan):
                return
            if path.name in self._refused:
                break
            self._say(f"scan {started.scan}: waiting for {path} again")
            self._stopper.wait(LOOK_S)
        n_left = sum(each.count for each in started.expected) - self._n_stored(started.scan)
        log.error("scan_cut_short", scan=started.scan, path=str(path), frames=n_left)
        self._link.end_scan(started.scan, rejected={GONE: n_left})

    def _n_stored(self, scan: int) -> int:
        tiles = self._paths.tiles(scan)
        return sum(len(FrameReader(self._paths, scan, tile).keys) for tile in tiles)

    def _look(self) -> None:
        """Take what is finished, one file at a time: meanwhile others may have changed."""
        try:
            found = self._watch.finished()
        except OSError as error:
            self._say(f"folder {self._folder} cannot be read: {error.strerror}; mount or make it")
            return
        self._say(f"waiting for files in {self._folder}")
        for path, stamp in found:
            self._stopper.check()
            if path.name in self._taken:
                self._note_change(path, stamp)
            elif self._refused.get(path.name) != stamp and self._is_due():
                self._take(path, stamp, self._next_scan)

    def _is_due(self) -> bool:
        n_scans = self._settings.experiment.n_scans
        return n_scans is None or self._next_scan < n_scans

    def _take(self, path: Path, stamp: Stamp, scan: int) -> bool:
        """Send a file as a scan; one that is none is refused once, until it changes."""
        try:
            stored = self._open(path, stamp)
            try:
                description = describe_file_scan(scan, stored, self._settings)
            except SourceError:
                stored.close()
                raise
        except FileBusyError as error:
            if self._busy.get(path.name) != stamp:
                self._busy[path.name] = stamp
                log.warning("file_busy", path=str(path), reason=str(error))
            return False
        except SourceError as error:
            self._loop.pulse.rejected += 1
            self._refused[path.name] = stamp
            log.error("file_refused", path=str(path), reason=str(error))
            return False
        self._taken[path.name] = stamp
        self._next_scan = max(self._next_scan, scan + 1)
        with stored:
            self._link.begin_scan(scan, description)
            rejected = self._send(scan, stored, description.dtype)
        self._link.end_scan(scan, rejected=rejected)
        log.info(
            "scan_sent",
            path=str(path),
            scan=scan,
            left_out=dict(rejected),
            refused_by_ingest=len(self._link.refusals),
        )
        self._link.refusals.clear()
        self._note_change(path, stamp)
        return True

    def _open(self, path: Path, stamp: Stamp) -> FileScan:
        try:
            os.fsencode(path).decode()
        except UnicodeDecodeError as error:
            raise SourceError(f"{path!r}: the name is not UTF-8; rename the file") from error
        stored = open_scan(path, takes_lock=False)
        if Stamp.of(path) != stamp:
            stored.close()
            raise FileBusyError(f"{path}: it changed while it was opened; it is looked at again")
        return stored

    def _send(self, scan: int, stored: FileScan, dtype: str) -> Counter[str]:
        """Send what can be read, and count what cannot."""
        rejected: Counter[str] = Counter()
        for number, read in enumerate(stored.frame_readers()):
            self._stopper.check()
            frame = self._read(read, stored, rejected)
            if frame is None:
                continue
            self._link.send_frame(
                FrameKey(scan=scan, kind=frame.kind, set=frame.set, index=frame.index),
                frame.pixels.astype(dtype, copy=False),
                theta_deg=frame.theta_deg,
                theta_source=stored.theta_source,
            )
            self._loop.pulse.handled += 1
            self._say(f"scan {scan}: {number + 1} frames of {stored.path.name}")
        return rejected

    def _read(
        self, read: Callable[[], FileFrame], stored: FileScan, rejected: Counter[str]
    ) -> FileFrame | None:
        try:
            frame = read()
        except SourceError as error:
            rejected[DAMAGED] += 1
            reason = str(error)
        else:
            # HDF5 gives what was never written as zeros.
            if frame.kind != "projection" or frame.pixels.any():
                return frame
            rejected[EMPTY] += 1
            reason = f"projection {frame.index} is all zeros; was it written?"
        self._loop.pulse.rejected += 1
        if rejected.total() <= MAX_LOGGED:
            log.warning("frame_refused", path=str(stored.path), reason=reason)
        return None

    def _note_change(self, path: Path, stamp: Stamp) -> None:
        """Say once that a file changed after it was taken: its scan has what it had before."""
        known = self._taken[path.name]
        now = Stamp.of(path)
        if known is not None and now is not None and now != known:
            log.warning(
                "file_changed",
                path=str(path),
                reason="it was taken already; write it under another name to have it taken anew",
            )
            self._taken[path.name] = now
        elif known is None:
            self._taken[path.name] = stamp

    def _say(self, doing: str) -> None:
        self._loop.pulse.doing = doing
