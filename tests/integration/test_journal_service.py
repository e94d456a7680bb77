"""The journal as other services see it: over its sockets, in a process of its own."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from spine import Spine, spine
from waiting import until

from lithoscope_messages import (
    ExperimentDescription,
    ExperimentEnded,
    ExperimentStarted,
    FeedEntry,
    FramesStored,
    JournalMessage,
    ListExperiments,
    encode,
)
from lithoscope_services.errors import JournalRefusedError, ServiceError
from lithoscope_services.journal_client import FeedReader, JournalClient
from lithoscope_services.loop import endpoint
from lithoscope_services.sockets import JOURNAL, open_socket
from lithoscope_store import read_journal, verify_chain, verify_manifest


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    with spine(tmp_path_factory.mktemp("store")) as made:
        made.start("journal")
        yield made


@pytest.fixture
def ingest(services: Spine) -> Iterator[JournalClient]:
    with services.journal("ingest") as client:
        yield client


def started(experiment: str) -> ExperimentStarted:
    return ExperimentStarted(
        experiment=experiment,
        key=experiment,
        time_ns=1,
        producer="test",
        description=ExperimentDescription(),
        settings={},
        format_version=1,
    )


def stored(experiment: str, first: int) -> FramesStored:
    return FramesStored(
        experiment=experiment,
        key=str(first),
        time_ns=1,
        producer="test",
        scan=0,
        tile=0,
        kind="projection",
        set=0,
        first=first,
        count=1,
    )


def test_facts_are_numbered_chained_and_read_back(ingest: JournalClient) -> None:
    facts: list[JournalMessage] = [started("order"), *(stored("order", i) for i in range(4))]

    numbers = ingest.append(facts)

    page = ingest.read_since("order", 2)
    assert numbers == (1, 2, 3, 4, 5)
    assert (page.head, [entry.number for entry in page.entries]) == (5, [3, 4, 5])
    assert [entry.message for entry in ingest.read_all("order")] == facts


def test_a_fact_sent_twice_stands_once(ingest: JournalClient) -> None:
    first = ingest.append([stored("doubles", 0), stored("doubles", 1)])

    again = ingest.append([stored("doubles", 1), stored("doubles", 2), stored("doubles", 0)])

    assert (first, again) == ((1, 2), (2, 3, 1))
    assert ingest.read_since("doubles", 0).head == 3


def test_long_journals_are_read_page_by_page(ingest: JournalClient) -> None:
    ingest.append([stored("pages", index) for index in range(250)])

    page = ingest.read_since("pages", 100, limit=60)

    assert [entry.number for entry in page.entries] == list(range(101, 161))
    assert page.head == 250
    assert len(ingest.read_all("pages")) == 250


def test_a_page_too_long_for_one_message_is_cut(ingest: JournalClient) -> None:
    notes = {"note": "x" * 60_000}
    facts = [
        started("long").model_copy(update={"key": str(index), "settings": notes})
        for index in range(400)
    ]
    for begin in range(0, 400, 100):
        ingest.append(facts[begin : begin + 100])

    page = ingest.read_since("long", 0)

    assert page.head == 400
    assert 0 < len(page.entries) < 400
    assert len(ingest.read_all("long")) == 400


def test_the_feed_brings_what_was_appended(services: Spine, ingest: JournalClient) -> None:
    ingest.append([stored("feed", 0)])
    feed = FeedReader(services.context, endpoint(services.runtime_dir, "feed"), "feed")
    try:
        # The head is said every second: with it the subscription is known to stand.
        assert feed.socket.poll(10_000)
        ingest.append([stored("feed", 1)])
        found: list[FeedEntry] = []

        def look() -> bool:
            message = feed.receive()
            if isinstance(message, FeedEntry):
                found.append(message)
            return bool(found)

        until(look, timeout_s=10, what="the entry on the feed")
        assert found[0].entry.message == stored("feed", 1)
        assert found[0].entry.number == 2
    finally:
        feed.close()


def test_each_role_appends_its_own_facts_only(services: Spine) -> None:
    with (
        services.journal("command_line") as client,
        pytest.raises(JournalRefusedError, match="command_line may not append"),
    ):
        client.append([started("roles")])

    with services.journal() as client:
        assert client.read_since("roles", 0).head == 0


def test_one_wrong_fact_keeps_all_of_its_append_out(ingest: JournalClient) -> None:
    with pytest.raises(JournalRefusedError, match="about one experiment"):
        ingest.append([stored("one", 0), stored("other", 0)])

    assert ingest.read_since("one", 0).head == 0


@pytest.mark.parametrize(
    "parts",
    [
        [b""],
        [b"\xff\xfe\x00garbage"],
        [b"{}"],
        [b'{"type": "AppendRequested", "version": 99}'],
        [b"[" * 100_000],
        [b"one", b"part", b"too", b"many"],
        [encode(ListExperiments(request="x")).replace(b'"x"', b"12")],
    ],
    ids=["empty", "noise", "no type", "version", "deep", "parts", "field"],
)
def test_garbage_is_counted_and_nothing_else(
    services: Spine, ingest: JournalClient, parts: list[bytes]
) -> None:
    with open_socket(services.context, zmq.DEALER, JOURNAL) as socket:
        socket.connect(endpoint(services.runtime_dir, "journal"))
        assert socket.poll(5000, zmq.POLLOUT)
        socket.send_multipart(parts)

        assert ingest.append([stored("garbage", 0)]) == (1,)
        assert not socket.poll(0)


def test_a_journal_killed_between_two_appends_goes_on_where_it_was(tmp_path: Path) -> None:
    with spine(tmp_path) as services, services.journal("ingest") as client:
        services.start("journal")
        client.append([stored("killed", 0)])
        services.kill("journal")
        services.start("journal")

        assert client.append([stored("killed", 0), stored("killed", 1)]) == (1, 2)

        entries = client.read_all("killed")
        verify_chain(entries)
        assert [entry.number for entry in entries] == [1, 2]


def test_the_end_of_an_experiment_seals_its_journal(
    services: Spine, ingest: JournalClient
) -> None:
    paths = services.store.experiment("sealed")
    paths.create()
    ingest.append([started("sealed")])
    ended = ExperimentEnded(
        experiment="sealed", key="sealed", time_ns=2, producer="test", n_scans=0
    )

    ingest.append([ended])

    until(paths.manifest.exists, timeout_s=20, what="the manifest")
    assert verify_manifest(paths) == []
    assert [entry.message for entry in read_journal(paths.journal)][-1] == ended
    with pytest.raises(JournalRefusedError, match="sealed"):
        ingest.append([stored("sealed", 0)])
    assert ingest.read_since("sealed", 0).head == 2
    heads = {head.experiment: head.sealed for head in ingest.experiments()}
    assert heads["sealed"]


def test_a_client_gives_up_when_nobody_answers(services: Spine, tmp_path: Path) -> None:
    nobody = f"ipc://{services.runtime_dir}/nobody"
    begin_s = time.monotonic()

    with (
        JournalClient(services.context, nobody, "ingest", patience_s=0.5) as client,
        pytest.raises(ServiceError, match="did not answer"),
    ):
        client.read_since("any", 0)

    assert time.monotonic() - begin_s < 5
