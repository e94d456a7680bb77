"""Follow the journal: listen first, then read what there is, then follow, read again on a gap."""

import time
from collections.abc import Callable
from dataclasses import replace

from lithoscope_dashboard.board import Board
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.read_model import fold, fold_all
from lithoscope_dashboard.requests import Requests
from lithoscope_messages import (
    SYSTEM_JOURNAL,
    AppendDone,
    AppendRefused,
    Entries,
    Experiments,
    FeedEntry,
    FeedHead,
)

LIST_S = 1.0


class Subscriber:
    """Keeps the snapshot of one experiment up to date.

    It has no sockets: messages go in, requests come out.

    Parameters
    ----------
    board
        Where new snapshots are put up.
    requests
        Where questions to the journal are left.
    experiment
        The experiment to follow; None for the one that began last.
    is_sealed
        Whether the store has an experiment whole: then what the journal says of it is said again.
    clock
        Monotonic, s.
    """

    def __init__(
        self,
        board: Board,
        requests: Requests,
        *,
        experiment: str | None = None,
        is_sealed: Callable[[str], bool] = lambda _name: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board = board
        self._requests = requests
        self._is_fixed = experiment is not None
        self._state = ExperimentState(name=experiment) if experiment else None
        self._clock = clock
        self._is_sealed = is_sealed
        self._is_facts = experiment is not None and is_sealed(experiment)
        self._began_ns: dict[str, int] = {}
        self._candidates: tuple[str, ...] = ()
        self._unsealed: frozenset[str] = frozenset()
        self._listed_s = -LIST_S
        self._wants_list = not self._is_fixed
        self._needs_reading = self._is_fixed
        self.n_folded = 0

    def turn(self) -> None:
        """Ask what is to be asked; called about five times a second."""
        now_s = self._clock()
        if self._requests.is_reading:
            return
        if self._needs_reading and self._state is not None:
            self._requests.read_since(self._state.name, self._state.head, now_s)
        elif (self._wants_list or self._state is None) and now_s - self._listed_s >= LIST_S:
            self._listed_s = now_s
            self._requests.list_experiments(now_s)

    def on_feed(self, message: FeedEntry | FeedHead) -> None:
        """Take what the feed says."""
        state = self._state
        if state is None or message.experiment != state.name:
            if message.experiment not in self._began_ns and message.experiment != SYSTEM_JOURNAL:
                self._wants_list = not self._is_fixed
            self._touch()
            return
        if isinstance(message, FeedHead):
            self._needs_reading = self._needs_reading or message.head > state.head
        elif message.entry.number == state.head + 1:
            state = fold(state, message.entry)
            self.n_folded += 1
        elif message.entry.number > state.head:
            self._needs_reading = True
        self._touch(state)

    def on_reply(self, reply: AppendDone | AppendRefused | Entries | Experiments) -> None:
        """Take an answer of the journal."""
        match reply:
            case AppendDone() | AppendRefused():
                self._requests.settle_append(reply)
            case Experiments():
                if self._requests.settle(reply.request):
                    self._on_experiments(reply)
            case Entries():
                if self._requests.settle(reply.request):
                    self._on_entries(reply)
        self._touch(self._state)

    def _on_experiments(self, reply: Experiments) -> None:
        self._wants_list = False
        heads = [
            head for head in reply.experiments if head.head and head.experiment != SYSTEM_JOURNAL
        ]
        running = [head.experiment for head in heads if not head.sealed]
        self._unsealed = frozenset(running)
        self._candidates = tuple(running or [head.experiment for head in heads])
        self._choose()

    def _choose(self) -> None:
        """Follow the candidate that began last; ask for the first entry where that is unknown."""
        for name in self._candidates:
            if name not in self._began_ns:
                self._requests.read_since(name, 0, self._clock(), limit=1)
                return
        if not self._candidates:
            return
        newest = max(self._candidates, key=self._began_ns.__getitem__)
        if self._state is None or self._state.name != newest:
            self._state = ExperimentState(name=newest)
            self._is_facts = newest in self._unsealed and self._is_sealed(newest)
            self._needs_reading = True

    def _on_entries(self, reply: Entries) -> None:
        if reply.entries and reply.entries[0].number == 1:
            self._began_ns[reply.experiment] = reply.entries[0].appended_ns
        state = self._state
        if state is None or reply.experiment != state.name:
            self._choose()
            return
        if reply.entries and reply.entries[0].number <= state.head + 1:
            before = state.head
            state = fold_all(state, reply.entries)
            self.n_folded += state.head - before
        self._needs_reading = state.head < reply.head
        self._state = state

    def _touch(self, state: ExperimentState | None = None) -> None:
        if state is not None:
            self._state = state
        snapshot = self._board.snapshot
        self._board.publish(
            replace(
                snapshot,
                experiment=self._state,
                is_facts=self._is_facts,
                journal_seen_s=self._clock(),
            )
        )
