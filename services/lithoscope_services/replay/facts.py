"""The journal of a stored experiment again on the feed, and nothing else: for the dashboard.

It stands where the journal service stands in a live instance, and speaks as it does. Entries are
those of the file, with their numbers and hashes; nothing is written.
"""

from typing import Any

import structlog

from lithoscope_messages import (
    SYSTEM_JOURNAL,
    AppendDone,
    AppendRefused,
    AppendRequested,
    Entries,
    Entry,
    ExperimentHead,
    Experiments,
    FeedEntry,
    FeedHead,
    JournalRequest,
    ListExperiments,
    Message,
    ReadSince,
    ReplayControlRequested,
    ScanStarted,
    ServiceStarted,
)
from lithoscope_services.journal_door import FEED_HEAD_S, FEW, JournalDoor, fitting_page
from lithoscope_services.loop import Loop
from lithoscope_services.replay.pace import Pace
from lithoscope_services.replay.recorded import Recorded, open_recorded
from lithoscope_store import Store, read_journal

STEP_S = 0.05
log = structlog.get_logger()


def wanted_entries(recorded: Recorded) -> list[Entry]:
    """Give the entries up to the last scan that is wanted; a chain has no holes."""
    stop = next(
        (
            number
            for number, entry in enumerate(recorded.entries)
            if isinstance(entry.message, ScanStarted) and entry.message.scan > recorded.scans[-1]
        ),
        len(recorded.entries),
    )
    return list(recorded.entries[:stop])


class FactsService:
    """Serves the journal of one experiment as far as it has come.

    Parameters
    ----------
    loop
        Of this process.
    store
        Where the experiment lies.
    source
        ``{"experiment", "first", "last", "speed"}``.
    """

    def __init__(self, loop: Loop, store: Store, source: dict[str, Any]) -> None:
        self._loop = loop
        self._name: str = source["experiment"]
        paths = store.experiment(self._name)
        recorded = open_recorded(
            paths,
            read_journal(paths.journal),
            first=source["first"],
            last=source["last"],
            needs_frames=False,
        )
        self._entries = wanted_entries(recorded)
        self._begins = {
            each.message.scan: each.appended_ns
            for each in self._entries
            if isinstance(each.message, ScanStarted)
        }
        self._head = 0
        self._pace = Pace(source["speed"])
        if source["first"] is not None:
            self._pace.forward_to(self._begins[recorded.scans[0]])
        self._door = JournalDoor(loop, self._answer)
        loop.every(STEP_S, self._advance)
        loop.every(FEED_HEAD_S, self._say_head)

    def _advance(self) -> None:
        """Publish what is due; a few at a time, so that readers are answered meanwhile."""
        for _ in range(FEW):
            if self._head == len(self._entries):
                self._loop.pulse.doing = f"{self._name}: all facts replayed"
                return
            entry = self._entries[self._head]
            if self._pace.due_in_s(entry.appended_ns) > 0:
                return
            self._head += 1
            self._loop.pulse.doing = f"{self._name}: fact {self._head} of {len(self._entries)}"
            self._door.publish(self._name, FeedEntry(experiment=self._name, entry=entry))

    def _say_head(self) -> None:
        self._door.publish(self._name, FeedHead(experiment=self._name, head=self._head))

    def _answer(self, request: JournalRequest) -> Message:
        match request:
            case AppendRequested():
                return self._take(request)
            case ReadSince():
                return self._read(request)
            case ListExperiments():
                head = ExperimentHead(experiment=self._name, head=self._head, sealed=False)
                return Experiments(request=request.request, experiments=(head,))

    def _read(self, request: ReadSince) -> Entries:
        head = self._head if request.experiment == self._name else 0
        return fitting_page(
            request,
            lambda limit: (head, self._entries[request.after : min(head, request.after + limit)]),
        )

    def _take(self, request: AppendRequested) -> AppendDone | AppendRefused:
        for message in request.messages:
            is_control = isinstance(message, ReplayControlRequested)
            is_greeting = isinstance(message, ServiceStarted)
            if not is_control and not (is_greeting and message.experiment == SYSTEM_JOURNAL):
                return AppendRefused(
                    request=request.request,
                    reason=f"{message.type}: facts of {self._name} are only shown again; nothing "
                    "can be asked of a replay but to pause, to go on, to seek and its speed",
                )
        for message in request.messages:
            if isinstance(message, ReplayControlRequested):
                self._control(message)
        return AppendDone(
            request=request.request, numbers=(max(1, self._head),) * len(request.messages)
        )

    def _control(self, request: ReplayControlRequested) -> None:
        now_ns = self._entries[self._head - 1].appended_ns if self._head else 0
        seek_ns = None if request.value is None else self._begins.get(int(request.value))
        self._pace.control(request, now_ns, seek_ns)
        log.info("replay_control", action=request.action, value=request.value)
