"""Following the journal: the right experiment, nothing lost, nothing twice."""

import uuid
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from lithoscope_dashboard.board import Board
from lithoscope_dashboard.errors import JournalRefusedError, JournalUnreachableError
from lithoscope_dashboard.requests import PATIENCE_S, RESEND_S, Requests
from lithoscope_dashboard.subscriber import Subscriber
from lithoscope_dashboard.wishes import Answer, message_of
from lithoscope_messages import (
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
    ReadSince,
    RequestMessage,
    adapter_of,
    decode,
)

_REQUESTS = adapter_of(JournalRequest)
MakeEntries = Callable[..., list[Entry]]


class Line:
    """A subscriber on a clock of its own, beside a journal that is a list of entries."""

    def __init__(self, entries: list[Entry], experiment: str | None = "first") -> None:
        self.now_s = 100.0
        self.entries = entries
        self.board, self.requests = Board(), Requests()
        self.subscriber = Subscriber(
            self.board, self.requests, experiment=experiment, clock=lambda: self.now_s
        )

    def asked(self) -> list[AppendRequested | ReadSince | ListExperiments]:
        """Let a second go by and see what is asked."""
        self.now_s += RESEND_S
        self.subscriber.turn()
        return [decode(data, _REQUESTS) for data in self.requests.due(self.now_s)]

    def answer(self, limit: int = 1000) -> None:
        """Answer one reading."""
        request = self.asked()[0]
        assert isinstance(request, ReadSince)
        part = self.entries[request.after : request.after + limit]
        self.subscriber.on_reply(
            Entries(
                request=request.request,
                experiment=request.experiment,
                head=len(self.entries),
                entries=tuple(part),
            )
        )

    @property
    def head(self) -> int:
        state = self.board.snapshot.experiment
        assert state is not None
        return state.head


def approval(proposal: str, person: str) -> RequestMessage:
    """What a click becomes; each click has another nonce."""
    nonce = uuid.uuid4().hex
    wish = Answer(ask="approve", experiment="first", nonce=nonce, proposal=proposal)
    return message_of(wish, person, 0)


@pytest.fixture
def entries(make_entries: MakeEntries) -> list[Entry]:
    counts = [("FramesStored", {"scan": 0, "count": 1}) for _ in range(9)]
    return make_entries(("ScanStarted", {"scan": 0}), *counts)


def test_a_late_reader_reads_page_after_page_to_the_head(entries: list[Entry]) -> None:
    line = Line(entries)

    for _ in range(3):
        line.answer(limit=4)

    assert line.head == 10
    assert line.asked() == []


def test_the_feed_is_followed_without_asking(entries: list[Entry]) -> None:
    line = Line(entries[:3])
    line.answer()

    for entry in entries[3:]:
        line.subscriber.on_feed(FeedEntry(experiment="first", entry=entry))

    assert line.head == 10
    assert line.asked() == []


def test_a_gap_in_the_feed_is_read_again_and_nothing_counts_twice(entries: list[Entry]) -> None:
    line = Line(entries[:3])
    line.answer()
    line.entries = entries

    line.subscriber.on_feed(FeedEntry(experiment="first", entry=entries[6]))
    line.answer()
    line.subscriber.on_feed(FeedEntry(experiment="first", entry=entries[6]))

    state = line.board.snapshot.experiment
    assert state is not None
    assert (state.head, state.scans[0].stored) == (10, 9)


def test_a_lost_last_entry_shows_by_the_head(entries: list[Entry]) -> None:
    line = Line(entries[:9])
    line.answer()
    line.entries = entries

    line.subscriber.on_feed(FeedHead(experiment="first", head=10))
    line.answer()

    assert line.head == 10


def test_an_answer_that_does_not_come_is_asked_for_again(entries: list[Entry]) -> None:
    line = Line(entries)

    first, second = line.asked(), line.asked()

    assert first == second
    assert len(first) == 1


def test_the_experiment_that_began_last_is_followed(entries: list[Entry]) -> None:
    line = Line(entries, experiment=None)
    listing = line.asked()[0]
    heads = [
        ExperimentHead(experiment=name, head=10, sealed=name == "zzz")
        for name in ("old", "new", "zzz", "system")
    ]
    line.subscriber.on_reply(Experiments(request=listing.request, experiments=tuple(heads)))

    for began_ns in (1, 2):
        request = line.asked()[0]
        assert isinstance(request, ReadSince)
        began = entries[0].model_copy(update={"appended_ns": began_ns})
        line.subscriber.on_reply(
            Entries(
                request=request.request, experiment=request.experiment, head=10, entries=(began,)
            )
        )

    state = line.board.snapshot.experiment
    assert state is not None
    assert state.name == "new"


def test_an_experiment_that_begins_later_is_noticed(entries: list[Entry]) -> None:
    line = Line(entries, experiment=None)
    line.subscriber.on_reply(Experiments(request=line.asked()[0].request, experiments=()))

    line.subscriber.on_feed(FeedHead(experiment="fresh", head=1))

    assert isinstance(line.asked()[0], ListExperiments)


def test_who_approves_hears_that_it_is_written() -> None:
    requests, waiter = Requests(), Future[tuple[int, ...]]()
    requests.append(approval("gap:1", "Ada"), waiter, 0.0)
    request = decode(next(requests.due(0.0)), _REQUESTS)

    requests.settle_append(AppendDone(request=request.request, numbers=(7,)))

    assert waiter.result(0) == (7,)


def test_who_approves_hears_why_it_is_not_written() -> None:
    requests, waiter = Requests(), Future[tuple[int, ...]]()
    requests.append(approval("gap:1", "Ada"), waiter, 0.0)
    request = decode(next(requests.due(0.0)), _REQUESTS)

    requests.settle_append(AppendRefused(request=request.request, reason="sealed"))

    with pytest.raises(JournalRefusedError, match="sealed"):
        waiter.result(0)


def test_who_approves_is_told_when_the_journal_is_away() -> None:
    requests, waiter = Requests(), Future[tuple[int, ...]]()
    requests.append(approval("gap:1", "Ada"), waiter, 0.0)

    list(requests.due(PATIENCE_S + 1.0))

    with pytest.raises(JournalUnreachableError):
        waiter.result(0)


def test_two_clicks_of_one_person_are_one_request_and_two_persons_are_two() -> None:
    keys = [
        approval(proposal, person).key
        for proposal, person in (("a", "Ada"), ("a", "Ada"), ("a", "Bob"), ("b", "Ada"))
    ]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
