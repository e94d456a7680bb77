"""The recorded order of all that a source said, merged from journal, indices and documents.

Journal, frames and documents each have an order of their own, which is kept; between them the
recorded times decide. A scan is closed after its frames, and a Bluesky run that was the second
witness of an end after the first.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, get_args

from lithoscope_messages import (
    ArmRequested,
    DisarmRequested,
    ElectrochemistryAppended,
    Entry,
    MetricsReady,
    ReplayControlRequested,
    RequestMessage,
    ScanCompleted,
    ScanDecided,
    ScanFact,
    ScanStarted,
    VerdictLate,
)
from lithoscope_services.replay.recorded import Recorded
from lithoscope_store import FrameRecord

#: Requests that are not made again: a replay acts on nothing, and has controls of its own.
NOT_REPEATED = (ArmRequested, DisarmRequested, ReplayControlRequested)
_REQUESTS = get_args(RequestMessage)
# A clock this far from that of ingest is no clock of the same days: spacing is kept, not place.
_CLOCK_TOLERANCE_NS = 3600 * 10**9


@dataclass(frozen=True, slots=True)
class Document:
    """A Bluesky document."""

    name: str
    content: dict[str, Any]


Said = (
    ScanStarted
    | FrameRecord
    | ScanCompleted
    | ElectrochemistryAppended
    | Document
    | VerdictLate
    | RequestMessage
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that was said.

    Parameters
    ----------
    time_ns
        Recorded time, never falling.
    said
        What it was.
    after
        Scans that had been decided before, and on which it may depend.
    """

    time_ns: int
    said: Said
    after: frozenset[int] = frozenset()


def timeline(recorded: Recorded) -> Iterator[Event]:
    """Give all that was said in an experiment, in order.

    Parameters
    ----------
    recorded
        The experiment and the scans wanted. Of other scans nothing is given, but for the samples
        of the cycler before them, which the charge is summed from.
    """
    now_ns = 0
    for event in _Merge(recorded).events():
        now_ns = max(now_ns, event.time_ns)
        yield Event(time_ns=now_ns, said=event.said, after=event.after)


@dataclass(slots=True)
class _Merge:
    """Three queues that are emptied together."""

    recorded: Recorded
    _control: deque[Event] = field(default_factory=deque)
    _documents: deque[Event] = field(default_factory=deque)
    _frames: deque[Event] = field(default_factory=deque)
    _stops: Counter[int] = field(default_factory=Counter)
    _stop_of: dict[str, int] = field(default_factory=dict)
    _is_closed: set[int] = field(default_factory=set)
    _by_run_stop: set[int] = field(default_factory=set)

    def events(self) -> Iterator[Event]:
        self._control.extend(control_events(self.recorded))
        self._read_documents()
        self._by_run_stop = {
            event.said.scan
            for event in self._control
            if isinstance(event.said, ScanCompleted) and event.said.reason == "run_stop"
        }
        while queue := self._next():
            event = queue.popleft()
            self._note(event)
            yield event

    def _next(self) -> deque[Event] | None:
        free = [
            queue
            for queue, is_blocked in (
                (self._control, self._control_waits()),
                (self._documents, self._document_waits()),
                (self._frames, False),
            )
            if queue and not is_blocked
        ]
        if free:
            return min(free, key=lambda queue: queue[0].time_ns)
        # Documents that contradict the journal must not hold it up.
        return self._control or self._documents or None

    def _control_waits(self) -> bool:
        said = self._control[0].said if self._control else None
        if isinstance(said, ScanCompleted):
            waits_for_run = said.scan in self._by_run_stop and self._stops[said.scan] > 0
            return bool(self._frames) or waits_for_run
        return isinstance(said, ScanStarted) and bool(self._frames)

    def _document_waits(self) -> bool:
        said = self._documents[0].said if self._documents else None
        if not isinstance(said, Document) or said.name != "stop":
            return False
        scan = self._stop_of.get(str(said.content.get("run_start")))
        if scan is None:
            return False
        return bool(self._frames) if scan in self._by_run_stop else scan not in self._is_closed

    def _note(self, event: Event) -> None:
        said = event.said
        if isinstance(said, ScanStarted):
            self._frames.extend(_frame_events(self.recorded, said))
        elif isinstance(said, ScanCompleted):
            self._is_closed.add(said.scan)
        elif isinstance(said, Document) and said.name == "stop":
            scan = self._stop_of.get(str(said.content.get("run_start")))
            if scan is not None:
                self._stops[scan] -= 1

    def _read_documents(self) -> None:
        time_ns, left_out = 0, set()
        completed = {e.said.scan for e in self._control if isinstance(e.said, ScanCompleted)}
        for name, content in self.recorded.documents():
            scan = content.get("lithoscope_scan")
            if name == "start" and isinstance(scan, int):
                if scan not in self.recorded.scans:
                    left_out.add(str(content.get("uid")))
                elif scan in completed:
                    self._stop_of[str(content.get("uid"))] = scan
            if str(content.get("run_start")) in left_out or str(content.get("uid")) in left_out:
                continue
            if name == "stop" and str(content.get("run_start")) in self._stop_of:
                self._stops[self._stop_of[str(content["run_start"])]] += 1
            time_ns = _document_time_ns(content, time_ns)
            self._documents.append(Event(time_ns=time_ns, said=Document(name, content)))


def control_events(recorded: Recorded) -> list[Event]:
    """Give what was said beside frames and documents, in the order of the journal.

    A request of a person is placed before the end of the first scan that was decided after it, so
    that it counts for the same decisions however fast the replay is.
    """
    decided = _first_numbers(recorded.entries, ScanDecided)
    measured = _first_numbers(recorded.entries, MetricsReady)
    times_s = {
        e.message.scan: e.message.phase.experiment_time_s
        for e in recorded.entries
        if isinstance(e.message, ScanStarted)
    }
    scans = set(recorded.scans)
    placed: list[tuple[float, Event]] = []
    ends = {
        entry.message.scan: entry.number
        for entry in recorded.entries
        if isinstance(entry.message, ScanCompleted)
    }
    stop = _first_left_out(recorded)
    for entry in recorded.entries:
        said, place, after = entry.message, float(entry.number), frozenset[int]()
        if isinstance(said, ScanStarted | ScanCompleted | VerdictLate):
            if said.scan not in scans:
                continue
        elif isinstance(said, ElectrochemistryAppended):
            if stop is not None and entry.number > stop:
                continue
            after = frozenset(
                scan
                for scan, number in measured.items()
                if number < entry.number and times_s[scan] >= said.time_s and scan in scans
            )
        elif isinstance(said, _REQUESTS) and not isinstance(said, NOT_REPEATED):
            after = frozenset(s for s, n in decided.items() if n < entry.number) & scans
            later = [ends[s] for s, n in decided.items() if n > entry.number and s in ends]
            place = min([place, *(end - 0.5 for end in later)])
        else:
            continue
        placed.append((place, Event(time_ns=said.time_ns, said=said, after=after)))
    return [event for _, event in sorted(placed, key=lambda pair: pair[0])]


def _first_numbers(entries: tuple[Entry, ...], kind: type[ScanFact]) -> dict[int, int]:
    found: dict[int, int] = {}
    for entry in entries:
        if isinstance(entry.message, kind):
            found.setdefault(entry.message.scan, entry.number)
    return found


def _first_left_out(recorded: Recorded) -> int | None:
    """Give the entry after which nothing counts for the scans that are replayed.

    None if the last scan of all is among them.
    """
    last = recorded.scans[-1]
    begins = _first_numbers(recorded.entries, ScanStarted)
    later = [number for scan, number in begins.items() if scan > last]
    if not later:
        return None
    return _first_numbers(recorded.entries, ScanDecided).get(last, min(later))


def _frame_events(recorded: Recorded, started: ScanStarted) -> list[Event]:
    records = recorded.records(started.scan)
    if not records:
        return []
    # A detector may count from 1990, or from its own start.
    off_ns = started.time_ns - records[0].time_ns
    shift_ns = off_ns if abs(off_ns) > _CLOCK_TOLERANCE_NS else 0
    return [Event(time_ns=record.time_ns + shift_ns, said=record) for record in records]


def _document_time_ns(content: dict[str, Any], before_ns: int) -> int:
    time_s = content.get("time")
    if isinstance(time_s, list):  # of an event page
        time_s = time_s[0] if time_s else None
    return round(time_s * 1e9) if isinstance(time_s, int | float) else before_ns
