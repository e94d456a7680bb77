"""Snapshots and numbered changes: nothing lost, nothing told twice."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lithoscope_dashboard.board import Board, Snapshot
from lithoscope_dashboard.library import Library
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.reach import Reach
from lithoscope_dashboard.transport import Transport
from lithoscope_messages import Entry
from lithoscope_store import JournalDatabase, Store

MakeState = Callable[..., ExperimentState]
MakeEntries = Callable[..., list[Entry]]


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def transport(board: Board, tmp_path: Path) -> Transport:
    return Transport(Reach(board, Library(Store(tmp_path))))


def named(name: str) -> Snapshot:
    return Snapshot(experiment=ExperimentState(name=name))


def test_a_new_tab_gets_everything_and_then_only_what_changes(
    board: Board, transport: Transport
) -> None:
    board.publish(named("first"))
    first = transport.message("/decisions")
    assert first is not None
    board.publish(named("second"))
    second = transport.message("/decisions", first["sequence"])

    assert second is not None
    assert {"proposals", "rules", "experiment-name"} <= set(first["parts"])
    assert (first["base"], second["base"]) == (0, first["sequence"])
    assert second["parts"]["experiment-name"] == {"a": {}, "c": ["second"]}
    assert "rules" not in second["parts"]


def test_nothing_is_said_twice(board: Board, transport: Transport) -> None:
    board.publish(named("first"))
    first = transport.message("/decisions")
    assert first is not None

    board.publish(named("first"))

    assert transport.message("/decisions", first["sequence"]) is None


def test_who_missed_one_message_finds_it_in_the_next(board: Board, transport: Transport) -> None:
    board.publish(named("first"))
    seen = transport.message("/decisions")
    assert seen is not None
    board.publish(named("second"))
    transport.message("/decisions", seen["sequence"])

    later = transport.message("/decisions", seen["sequence"])

    assert later is not None
    assert later["parts"]["experiment-name"]["c"] == ["second"]


def test_numbers_of_another_process_have_another_epoch(board: Board, tmp_path: Path) -> None:
    reach = Reach(board, Library(Store(tmp_path)))

    assert Transport(reach).epoch != Transport(reach).epoch


@pytest.mark.parametrize("address", ["/nowhere", "/?scan=x", "/?experiment=not-there"])
def test_an_address_that_means_nothing_is_answered_with_why(
    transport: Transport, address: str
) -> None:
    message = transport.message(address)

    assert message is not None
    assert message["error"]
    assert message["parts"] == {}


def test_a_stored_experiment_opens_in_the_same_pages(
    board: Board, transport: Transport, tmp_path: Path, make_entries: MakeEntries
) -> None:
    board.publish(named("live"))
    paths = Store(tmp_path).experiment("first")
    paths.create()
    database = JournalDatabase(paths.journal, "first")
    database.append([entry.message for entry in make_entries(("ScanStarted", {"scan": 0}))])
    database.close()

    message = transport.message("/?experiment=first")

    assert message is not None
    assert message["parts"]["experiment-name"]["c"] == ["first"]
    assert message["parts"]["live-state"]["c"] == ["STORED"]


def test_views_that_nobody_looks_at_are_forgotten(board: Board, transport: Transport) -> None:
    board.publish(named("first"))
    before = transport.message("/system")
    assert before is not None

    for number in range(100):
        transport.message(f"/metrics?scan={number}")

    again = transport.message("/system")
    assert again is not None
    assert again["base"] == 0
