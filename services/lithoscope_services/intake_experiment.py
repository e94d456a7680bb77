"""One experiment as it comes in: its life cycle from the first message to the last decision."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Literal

import structlog

from lithoscope_messages import (
    Abandoned,
    BlueskyDocument,
    ElectrochemistryAppended,
    ElectrochemistrySamples,
    ExperimentBegin,
    ExperimentEnd,
    ExperimentEnded,
    ExperimentStarted,
    FrameHeader,
    FramesStored,
    JournalMessage,
    MessageError,
    ScanBegin,
    ScanCompleted,
    ScanEnd,
    ScanStarted,
    SourceMessage,
    StageFailed,
    VerdictLate,
    VerdictMissed,
)
from lithoscope_services.descriptions import complete_experiment, complete_scan
from lithoscope_services.documents import DocumentLog
from lithoscope_services.errors import JournalRefusedError
from lithoscope_services.history import History
from lithoscope_services.intake import FinishedFrames, Pixels, ScanIntake, check_conflict
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.settings.tree import Settings
from lithoscope_services.stages.inputs import edge_on_deg
from lithoscope_store import (
    FORMAT_VERSION,
    ElectrochemistryWriter,
    Store,
    experiment_lock,
    read_electrochemistry,
)

log = structlog.get_logger()


class NotYet(Exception):  # noqa: N818 - no error: the sender asks again
    """What was asked for has not come about; nothing is acknowledged and nothing refused."""


class ExperimentIntake:
    """The intake of one experiment; holds its lock while it lives.

    Parameters
    ----------
    name
        Of the experiment.
    store
        Where it goes.
    settings
        Of the instance.
    journal
        To append to.
    """

    def __init__(
        self, name: str, store: Store, settings: Settings, journal: JournalClient
    ) -> None:
        self.name = name
        self._paths = store.experiment(name)
        self._settings = settings
        self._journal = journal
        self._history = History(name)
        self._announced: list[FramesStored] = []
        self._finished = FinishedFrames(self._paths)
        self.running: ScanIntake | None = None
        self._heard_s = time.monotonic()
        self._run_tiles: dict[str, tuple[int, int]] = {}
        self._tiles_done: set[tuple[int, int]] = set()
        self._documents = DocumentLog(self._paths.documents)
        self.follow()
        self._lock = ExitStack()
        if self._history.started is not None and self._history.ended is None:
            self._prepare()
            for scan in self._history.in_order():
                if scan.started is not None and scan.completed is None:
                    self._open(scan.started)

    @property
    def is_over(self) -> bool:
        """Whether its end stands in the journal."""
        return self._history.ended is not None

    def close(self) -> None:
        """Close all files and give up the lock."""
        if self.running is not None:
            self.running.close()
            self.running = None
        self._lock.close()

    def follow(self, head: int | None = None) -> None:
        """Read what the journal has, up to ``head`` if that is known, and is not known here."""
        while head is None or head > self._history.number:
            page = self._journal.read_since(self.name, self._history.number)
            for entry in page.entries:
                if isinstance(entry.message, FramesStored):
                    self._note(entry.message)
            self._history.extend(page.entries)
            if self._history.number >= page.head or not page.entries:
                return

    def take(self, message: SourceMessage) -> None:
        """Take a message that is no frame.

        Raises
        ------
        MessageError
            If it makes no sense now; the text says why.
        NotYet
            If it can only be answered later.
        """
        self.hear()
        if self.is_over and not isinstance(message, ExperimentEnd):
            raise MessageError(
                f"experiment: {self.name} has ended; give the new one another name (--as NAME)"
            )
        if not isinstance(message, ExperimentBegin) and self._history.started is None:
            raise MessageError(f"experiment: {self.name} has not begun; send ExperimentBegin")
        match message:
            case ExperimentBegin():
                self._begin(message)
            case ExperimentEnd():
                self._end()
            case ScanBegin():
                self._begin_scan(message)
            case ScanEnd():
                self._complete(message.scan, "scan_end", message)
            case ElectrochemistrySamples():
                self._append_samples(message)
            case BlueskyDocument():
                self._keep_document(message)
            case VerdictMissed():
                self._verdict_missed(message)
            case Abandoned():
                if self.running is not None:
                    self.running.tally.abandoned += 1
            case FrameHeader():
                pass

    def write(self, header: FrameHeader, payload: Pixels, *, is_again: bool = False) -> None:
        """Write a frame of the running scan; a double of any scan is no news.

        Parameters
        ----------
        header, payload
            The frame.
        is_again
            The source repeats a message that was dealt with: nothing is counted.

        Raises
        ------
        MessageError
            If it belongs to no running scan or does not fit it.
        """
        self.hear()
        if self.running is not None and self.running.scan == header.scan:
            self.running.write(header, payload, is_again=is_again)
        else:
            self._check_finished(header)

    def reject(self, reason: str) -> None:
        """Count a frame that was not taken in the account of the running scan, if there is one."""
        if self.running is not None:
            self.running.tally.reject(reason)

    def hear(self) -> None:
        """Note that the source lives, even if nothing can be taken from it now."""
        self._heard_s = time.monotonic()

    def commit(self) -> None:
        """Make frames durable and announce full blocks."""
        if self.running is not None:
            self.running.commit()
            self._announce_blocks(close=False)

    def complain(self, error: str) -> None:
        """Let the journal know that frames cannot be stored; saying it twice does no harm."""
        if self.running is None:
            return
        scan = self.running.scan
        if "ingest" in self._history.scans[scan].failures:
            return
        self._append(
            [
                StageFailed(
                    **self._common(f"{scan}:store_full"),
                    scan=scan,
                    stage="ingest",
                    attempts=1,
                    error=error[:2000],
                )
            ]
        )

    def tick(self) -> None:
        """Close a scan that has fallen silent."""
        silent_s = time.monotonic() - self._heard_s
        if self.running is not None and silent_s > self._settings.ingest.scan_timeout_s:
            self._complete(self.running.scan, "timeout")

    def _note(self, fact: FramesStored) -> None:
        self._announced.append(fact)
        if self.running is not None and fact.scan == self.running.scan:
            self.running.announced(fact)

    def _check_finished(self, header: FrameHeader) -> None:
        known = self._history.scans.get(header.scan)
        if known is None or known.completed is None:
            raise MessageError(
                f"scan: {header.kind} {header.index} is of scan {header.scan}, which is not "
                "running; send ScanBegin first"
            )
        # A source that was restarted sends a finished scan again; what is on disk is no news.
        stored = self._finished.find(header.frame_key)
        if stored is None:
            raise MessageError(
                f"closed: {header.kind} {header.index} came after scan {header.scan} was closed "
                f"({known.completed.reason}); its account stands without this frame"
            )
        check_conflict(header, stored)

    def _begin(self, message: ExperimentBegin) -> None:
        if self._history.started is not None:
            return
        self._prepare()
        self._append(
            [
                ExperimentStarted(
                    **self._common(self.name),
                    description=complete_experiment(message.description, self._settings),
                    settings=self._settings.model_dump(mode="json"),
                    format_version=FORMAT_VERSION,
                )
            ]
        )

    def _prepare(self) -> None:
        self._paths.create()
        self._lock.enter_context(experiment_lock(self._paths))

    def _end(self) -> None:
        if self.running is not None:
            # As when the next scan begins: nothing more can come of this one.
            self._complete(self.running.scan, "timeout")
        scans = list(self._history.in_order())
        if not all(scan.is_settled and not scan.awaits_surfaces for scan in scans):
            raise NotYet
        if self.is_over:
            return
        fact = ExperimentEnded(**self._common(self.name), n_scans=len(self._history.scans))
        try:
            self._append([fact])
        except JournalRefusedError:
            # The journal may have been killed between sealing and answering.
            self.follow()
            if not self.is_over:
                raise

    def _begin_scan(self, message: ScanBegin) -> None:
        known = self._history.scans.get(message.scan)
        if known is not None and known.completed is not None:
            return
        if self.running is not None and self.running.scan == message.scan:
            return
        if self.running is not None:
            self._complete(self.running.scan, "timeout")
        parts = complete_scan(message, self._settings)
        started = ScanStarted(**self._common(str(message.scan)), **parts)
        self._append([started])
        self._open(started)

    def _open(self, started: ScanStarted) -> None:
        self.running = ScanIntake(self._paths, started, edge_on_deg(self._history))
        for fact in self._announced:
            if fact.scan == started.scan:
                self.running.announced(fact)

    def _announce_blocks(self, *, close: bool) -> None:
        if self.running is None:
            return
        facts = [
            FramesStored(
                **self._common(f"{self.running.scan}/{tile}/{kind}/{set_}/{first}"),
                scan=self.running.scan,
                tile=tile,
                kind=kind,
                set=set_,
                first=first,
                count=count,
            )
            for (tile, kind, set_), first, count in self.running.blocks(close=close)
        ]
        if facts:
            self._append(facts)

    def _complete(
        self,
        scan: int,
        reason: Literal["scan_end", "run_stop", "timeout"],
        said: ScanEnd | None = None,
    ) -> None:
        if self.running is None or self.running.scan != scan:
            return
        self.running.commit()
        self._announce_blocks(close=True)
        fact = ScanCompleted(
            **self._common(str(scan)),
            scan=scan,
            reason=reason,
            account=self.running.account(said),
            frames_sha256=self.running.frames_sha256(),
        )
        self._append([fact])
        done, self.running = self.running, None
        log.info(
            "scan_completed",
            experiment=self.name,
            scan=scan,
            reason=reason,
            stored=done.n_stored,
            **fact.account.anomalies,
        )
        done.close()
        done.tally.remove()

    def _append_samples(self, message: ElectrochemistrySamples) -> None:
        if not message.time_s:
            raise MessageError("time_s: no samples; send at least one")
        ElectrochemistryWriter(self._paths).append(
            message.first, message.time_s, message.potential_V, message.current_mA
        )
        # Read back, for samples sent twice must be announced just as they were the first time.
        stored = read_electrochemistry(self._paths)
        last = message.first + len(message.time_s) - 1
        self._append(
            [
                ElectrochemistryAppended(
                    **self._common(str(message.first)),
                    first=message.first,
                    count=len(message.time_s),
                    time_s=message.time_s[-1],
                    charge_mAh=float(stored.charge_mAh[last]),
                )
            ]
        )

    def _keep_document(self, message: BlueskyDocument) -> None:
        document = self._documents.keep(message)
        if message.name == "start" and isinstance(document.get("lithoscope_scan"), int):
            tile = document.get("lithoscope_tile", 0)
            self._run_tiles[str(document["uid"])] = document["lithoscope_scan"], tile
        elif message.name == "stop" and document.get("exit_status") == "success":
            # The second witness: a source that forgot to end its scan has ended its run.
            run = self._run_tiles.pop(str(document.get("run_start")), None)
            if run is not None and self.running is not None:
                self._tiles_done.add(run)
                tiles = {each.tile for each in self.running.started.expected}
                if all((run[0], tile) in self._tiles_done for tile in tiles):
                    self._complete(run[0], "run_stop")

    def _verdict_missed(self, message: VerdictMissed) -> None:
        self._append(
            [
                VerdictLate(
                    **self._common(str(message.scan)),
                    scan=message.scan,
                    waited_s=message.waited_s,
                    plan_did=message.plan_did,
                )
            ]
        )

    def _common(self, key: str) -> dict[str, Any]:
        return {
            "experiment": self.name,
            "key": key,
            "time_ns": time.time_ns(),
            "producer": "ingest",
        }

    def _append(self, messages: Sequence[JournalMessage]) -> None:
        self._journal.append(messages)
        self.follow()
