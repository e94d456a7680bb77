"""What people may ask for, of whom, and when."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.requests_api import refusal
from lithoscope_dashboard.wishes import NEEDS, Wish, message_of
from lithoscope_messages import (
    ArmRequested,
    PaintRequested,
    RejectionRequested,
    RetryRequested,
)

MakeState = Callable[..., ExperimentState]
_WISHES: TypeAdapter[Wish] = TypeAdapter(Wish)
NONCE = "0" * 32
PAINT = {
    **{"scan": 0, "token": "b" * 16, "axis": "y", "index": 4, "round": 1},
    "runs": [(0, 24, 3), (3, 1, 255)],
}


def wish(ask: str, **fields: Any) -> Wish:
    return _WISHES.validate_python({"ask": ask, "experiment": "first", "nonce": NONCE, **fields})


def test_a_wish_becomes_the_request_with_who_asks() -> None:
    armed = message_of(wish("arm", reason=" night ", duration_s=60.0), "ada", 5)
    rejected = message_of(wish("reject", proposal="gap:2", reason="noise"), "ada", 5)
    again = message_of(wish("retry", scan=3, stage="segment"), "ada", 5)

    assert isinstance(armed, ArmRequested)
    assert (armed.person, armed.reason, armed.duration_s, armed.time_ns) == ("ada", "night", 60, 5)
    assert isinstance(rejected, RejectionRequested)
    assert rejected.proposal == "gap:2"
    assert isinstance(again, RetryRequested)
    assert (again.scan, again.stage) == (3, "segment")


@pytest.mark.parametrize(
    ("ask", "fields"),
    [
        ("arm", {"reason": "x", "duration_s": 1e9}),
        ("arm", {"reason": "", "duration_s": 60}),
        ("approve", {}),
        ("approve", {"proposal": "p" * 300}),
        ("retry", {"scan": -1, "stage": "segment"}),
        ("retry", {"scan": 1, "stage": "shell"}),
        ("replay", {"action": "rewind"}),
        ("replay", {"action": "speed", "value": float("inf")}),
        ("paint", {**PAINT, "runs": []}),
        ("paint", {**PAINT, "runs": [(0, 1, 7)]}),
        ("paint", {**PAINT, "runs": [(-1, 1, 3)]}),
        ("paint", {**PAINT, "runs": [(0, 1, 3)] * 20_001}),
        ("paint", {**PAINT, "round": 0}),
        ("paint", {**PAINT, "axis": "w"}),
        ("paint", {**PAINT, "path": "volumes/a.zarr"}),
        ("disarm", {"person": "somebody else"}),
        ("raise_current", {}),
    ],
)
def test_what_is_not_on_the_list_is_refused(ask: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        wish(ask, **fields)


def test_ending_a_lease_needs_no_rights_and_giving_one_the_most() -> None:
    assert (NEEDS["disarm"], NEEDS["arm"]) == ("viewer", "admin")
    assert {NEEDS[ask] for ask in NEEDS.keys() - {"disarm", "arm"}} == {"operator"}


@pytest.fixture
def running(make_state: MakeState) -> Snapshot:
    state = make_state(
        ("ScanStarted", {"scan": 1}),
        ("ProposalMade", {"scan": 1, "proposal": "gap:1"}),
        ("BlindAlarm", {"scan": 1, "key": "blind:1", "reason": "no gap"}),
        ("StageFailed", {"scan": 1, "stage": "segment", "error": "no memory"}),
    )
    return Snapshot(experiment=state)


@pytest.mark.parametrize(
    ("ask", "fields"),
    [
        ("approve", {"proposal": "gap:1"}),
        ("acknowledge", {"alarm": "blind:1"}),
        ("retry", {"scan": 1, "stage": "segment"}),
        ("arm", {"reason": "night", "duration_s": 60.0}),
        ("disarm", {}),
        ("release", {"reason": "looked at"}),
    ],
)
def test_a_running_experiment_may_be_asked_and_a_stored_one_or_an_ended_one_never(
    running: Snapshot, ask: str, fields: dict[str, Any]
) -> None:
    assert running.experiment is not None
    ended = replace(running, experiment=replace(running.experiment, is_ended=True))
    asked = wish(ask, **fields)

    assert refusal(asked, running) == ""
    assert "is over" in refusal(asked, ended)
    assert refusal(asked, replace(running, experiment=None))


@pytest.mark.parametrize("ask", ["approve", "arm", "disarm", "acknowledge", "release"])
def test_nothing_is_asked_of_a_replay_but_how_it_runs(running: Snapshot, ask: str) -> None:
    fields: dict[str, dict[str, Any]] = {
        "approve": {"proposal": "gap:1"},
        "arm": {"reason": "night", "duration_s": 60.0},
        "acknowledge": {"alarm": "blind:1"},
        "release": {"reason": "x"},
    }
    replayed = replace(running, is_facts=True)

    assert "is a replay" in refusal(wish(ask, **fields.get(ask, {})), replayed)
    assert refusal(wish("replay", action="pause"), replayed) == ""
    assert refusal(wish("replay", action="pause"), running) == "no replay runs"


@pytest.mark.parametrize(
    ("ask", "fields"),
    [
        ("approve", {"proposal": "gap:9"}),
        ("acknowledge", {"alarm": "blind:9"}),
        ("retry", {"scan": 1, "stage": "measure"}),
    ],
)
def test_what_no_longer_waits_cannot_be_answered(
    running: Snapshot, ask: str, fields: dict[str, Any]
) -> None:
    assert refusal(wish(ask, **fields), running)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"scan": 1}, "has no labels yet"),
        ({"token": "c" * 16}, "another by now"),
        ({"index": 5}, "has 5 planes of 4 x 6"),
        ({"runs": [(20, 5, 3)]}, "has 5 planes of 4 x 6"),
    ],
)
def test_paint_must_fit_the_volume_that_was_looked_at(
    changes: dict[str, Any], why: str, make_state: MakeState
) -> None:
    state = make_state(("ExperimentStarted", {}), ("LabelsReady", {"scan": 0}))

    said = refusal(wish("paint", **{**PAINT, **changes}), Snapshot(experiment=state))

    assert why in said
    assert bool(said) == bool(why)


def test_paint_goes_to_the_volume_of_the_scan() -> None:
    painted = message_of(wish("paint", **PAINT), "ada", 5, path="volumes/a.zarr")

    assert isinstance(painted, PaintRequested)
    assert (painted.path, painted.axis, painted.index) == ("volumes/a.zarr", "y", 4)
    assert painted.runs == ((0, 24, 3), (3, 1, 255))
