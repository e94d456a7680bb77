"""Send a stored experiment to ingest again, through the same sockets as a beamline does."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import structlog

from lithoscope_messages import (
    ElectrochemistryAppended,
    ReplayControlRequested,
    RequestMessage,
    RetryRequested,
    ScanCompleted,
    ScanStarted,
    VerdictLate,
)
from lithoscope_services.account import DOUBLED
from lithoscope_services.beside import Stopper
from lithoscope_services.frame_link import FrameLink, ScanDescription
from lithoscope_services.history import History
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.replay.pace import Pace
from lithoscope_services.replay.recorded import Recorded, ReplayError, open_recorded
from lithoscope_services.replay.timeline import Document, Event, timeline
from lithoscope_store import (
    Electrochemistry,
    FrameReader,
    FrameRecord,
    Store,
    read_electrochemistry,
    read_journal,
)

LOOK_S = 0.2
PRODUCER = "replay"
log = structlog.get_logger()


def feed_replay(
    source: dict[str, Any],  # JSON, as run_replay writes it
    store: Store,
    link: FrameLink,
    journal: JournalClient,
    history: History,
    stopper: Stopper,
    *,
    keep_alive_s: float,
) -> None:
    """Send a stored experiment; scans that are complete in the replay are left out.

    Parameters
    ----------
    source
        ``{"experiment", "first", "last", "speed"}``.
    store
        Where the experiment lies.
    link, journal
        To ingest, and to the journal of the replay.
    history
        Of the replay.
    stopper
        Ends it early.
    keep_alive_s
        Ingest hears something at least so often while a scan is open.
    """
    paths = store.experiment(source["experiment"])
    recorded = open_recorded(
        paths, read_journal(paths.journal), first=source["first"], last=source["last"]
    )
    replay = _Replay(
        recorded=recorded,
        samples=read_electrochemistry(paths),
        link=link,
        journal=journal,
        history=history,
        stopper=stopper,
        pace=Pace(source["speed"]),
        keep_alive_s=keep_alive_s,
    )
    link.begin_experiment(
        recorded.started.description.model_copy(
            update={
                "source": "replay",
                "made_from": paths.name,
                "n_scans": len(recorded.scans),
            }
        )
    )
    replay.run()


@dataclass(slots=True, kw_only=True)
class _Replay:
    recorded: Recorded
    samples: Electrochemistry
    link: FrameLink
    journal: JournalClient
    history: History
    stopper: Stopper
    pace: Pace
    keep_alive_s: float
    _open: ScanStarted | None = None
    _readers: dict[int, FrameReader] = field(default_factory=dict)
    _now_ns: int = 0
    _looked_s: float = 0.0
    _alive_s: float = 0.0

    def run(self) -> None:
        done = {s.scan for s in self.history.in_order() if s.completed is not None}
        begins = self._begins()
        waiting = [scan for scan in self.recorded.scans if scan not in done]
        if waiting:
            # An idle night before the first scan that is wanted is not waited for.
            self.pace.forward_to(begins[waiting[0]])
        self._control(self.history_controls())
        for event in timeline(self.recorded):
            if _scan_of(event) not in done:
                self._wait(event)
                self._send(event)
            self._now_ns = event.time_ns

    def history_controls(self) -> list[ReplayControlRequested]:
        """Give what was asked for before this process was started again."""
        return [
            entry.message
            for entry in self.history.requests
            if isinstance(entry.message, ReplayControlRequested)
        ]

    def _begins(self) -> dict[int, int]:
        return {
            entry.message.scan: entry.message.time_ns
            for entry in self.recorded.entries
            if isinstance(entry.message, ScanStarted)
        }

    def _wait(self, event: Event) -> None:
        """Wait until an event is due, and until what it depends on has come about."""
        while True:
            self.stopper.check()
            if time.monotonic() - self._looked_s > LOOK_S:
                self._look()
            due_s = self.pace.due_in_s(event.time_ns)
            if due_s == 0 and self._may_come(event):
                return
            self._keep_alive()
            self.stopper.wait(min(due_s or LOOK_S / 4, LOOK_S))

    def _may_come(self, event: Event) -> bool:
        if not event.after:
            return True
        self._look()
        scans = self.history.scans
        return all(scan in scans and scans[scan].is_settled for scan in event.after)

    def _look(self) -> None:
        self._looked_s = time.monotonic()
        page = self.journal.read_since(self.history.experiment, self.history.number)
        self.history.extend(page.entries)
        messages = [entry.message for entry in page.entries]
        self._control([m for m in messages if isinstance(m, ReplayControlRequested)])

    def _control(self, requests: list[ReplayControlRequested]) -> None:
        for request in requests:
            seek_ns = None if request.value is None else self._begins().get(int(request.value))
            self.pace.control(request, self._now_ns, seek_ns)
            log.info("replay_control", action=request.action, value=request.value)

    def _keep_alive(self) -> None:
        """Let ingest hear that the scan goes on: its silence was recorded, or a person's wish."""
        if self._open is not None and time.monotonic() - self._alive_s > self.keep_alive_s:
            self._begin(self._open)

    def _send(self, event: Event) -> None:
        match event.said:
            case ScanStarted():
                self._readers = self.recorded.readers(event.said.scan)
                self._begin(event.said)
            case FrameRecord():
                self._send_frame(event.said)
            case ScanCompleted():
                self._end(event.said)
            case ElectrochemistryAppended():
                self._send_samples(event.said)
            case Document():
                self.link.send_document(event.said.name, json.dumps(event.said.content))
            case VerdictLate():
                missed = event.said
                self.link.send_verdict_missed(
                    {
                        "scan": missed.scan,
                        "waited_s": missed.waited_s,
                        "plan_did": missed.plan_did,
                    }
                )
            case _:
                self._request(event.said)

    def _begin(self, started: ScanStarted) -> None:
        parts = {name: getattr(started, name) for name in ScanDescription.__dataclass_fields__}
        self.link.begin_scan(started.scan, ScanDescription(**parts))
        self._open, self._alive_s = started, time.monotonic()

    def _send_frame(self, record: FrameRecord) -> None:
        image = self._readers[record.key.tile].read_frame(record.key)
        image.setflags(write=False)
        self.link.send_frame(
            record.key,
            image,
            theta_deg=record.theta_deg,
            theta_source=record.theta_source,
            time_ns=record.time_ns,
        )
        self._alive_s = time.monotonic()

    def _end(self, completed: ScanCompleted) -> None:
        """Close a scan as it was closed; one that fell silent is closed by the next."""
        account = completed.account
        for _ in range(account.abandoned or 0):
            self.link.abandon(0)
        if completed.reason == "scan_end":
            rejected = dict(account.rejected or {})
            if account.doubled:
                rejected[DOUBLED] = account.doubled
            self.link.end_scan(completed.scan, rejected=rejected, fetched=account.fetched or 0)
        self._open = None
        log.info("scan_replayed", scan=completed.scan, reason=completed.reason)

    def _send_samples(self, fact: ElectrochemistryAppended) -> None:
        part = slice(fact.first, fact.first + fact.count)
        if self.samples.n_samples < fact.first + fact.count:
            raise ReplayError(
                f"{self.recorded.paths.electrochemistry} has {self.samples.n_samples} samples, "
                f"the journal knows {fact.first + fact.count}; run `lithoscope verify "
                f"{self.recorded.paths.name}`"
            )
        self.link.send_electrochemistry(
            fact.first,
            tuple(self.samples.time_s[part].tolist()),
            tuple(self.samples.potential_V[part].tolist()),
            tuple(self.samples.current_mA[part].tolist()),
        )
        # A decision about a scan may rest on them.
        self.link.flush()

    def _request(self, request: RequestMessage) -> None:
        """Ask again for what a person asked for."""
        if isinstance(request, RetryRequested):
            scan = self.history.scans.get(request.scan)
            if scan is None or request.stage not in scan.failures:
                log.info("retry_not_needed", scan=request.scan, stage=request.stage)
                return
        changed = {
            "experiment": self.history.experiment,
            "time_ns": time.time_ns(),
            "producer": PRODUCER,
        }
        self.journal.append([request.model_copy(update=changed)])


def _scan_of(event: Event) -> int | None:
    said = event.said
    if isinstance(said, FrameRecord):
        return said.key.scan
    return said.scan if isinstance(said, ScanStarted | ScanCompleted) else None
