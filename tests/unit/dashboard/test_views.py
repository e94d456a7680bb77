"""What the parts of the page say."""

from collections.abc import Callable
from typing import Any

import pytest

from lithoscope_dashboard.board import Beat, Snapshot
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.quantities import CORE, change_text, duration_text
from lithoscope_dashboard.service_health import health_of
from lithoscope_dashboard.views import progress
from lithoscope_messages import Heartbeat, Life, ScanProgress

MakeState = Callable[..., ExperimentState]
GAP = CORE[0]


def _beat(state: Life, seen_s: float) -> Beat:
    heartbeat = Heartbeat(service="segment", pid=1, time_ns=0, state=state)
    return Beat(heartbeat=heartbeat, seen_s=seen_s)


def _texts(component: Any) -> str:
    """All that can be read in a component."""
    if isinstance(component, list | tuple):
        return " ".join(_texts(each) for each in component)
    if component is None or isinstance(component, str):
        return component or ""
    return _texts(getattr(component, "children", None))


@pytest.mark.parametrize(
    ("state", "seen_s", "health"),
    [
        (Life.READY, 99.0, "well"),
        (Life.RUNNING, 98.0, "busy"),
        (Life.RUNNING, 96.5, "stale"),
        (Life.FAILED, 100.0, "stale"),
    ],
)
def test_a_service_is_stale_after_three_missed_beats(
    state: Life, seen_s: float, health: str
) -> None:
    assert health_of(_beat(state, seen_s), now_s=100.0)[0] == health


def test_a_service_that_was_never_heard_is_not_called_well() -> None:
    assert health_of(None, now_s=1.0)[0] == "unknown"


@pytest.mark.parametrize(
    ("facts", "seen_s", "expected"),
    [
        ([("ScanStarted", {"scan": 0})], 99.0, "LIVE"),
        ([("ScanStarted", {"scan": 0})], 90.0, "OFFLINE"),
        ([("ScanStarted", {"scan": 0}), ("ExperimentEnded", {})], 99.0, "ENDED"),
        ([], 99.0, "WAITING"),
    ],
)
def test_the_page_says_whether_it_is_live(
    facts: list[Any], seen_s: float, expected: str, make_state: MakeState
) -> None:
    snapshot = Snapshot(experiment=make_state(*facts), journal_seen_s=seen_s)

    assert snapshot.live_state(now_s=100.0) == expected


def test_telemetry_of_the_running_scan_is_newer_than_the_journal(make_state: MakeState) -> None:
    state = make_state(("ScanStarted", {"scan": 2}), ("FramesStored", {"scan": 2, "count": 10}))
    newer = ScanProgress(
        experiment="first", scan=2, time_ns=0, stored=40, expected=100, credit_bytes=0
    )
    other = newer.model_copy(update={"scan": 1})

    assert "40 of 100 frames" in _texts(progress(state, newer))
    assert "10 of 100 frames" in _texts(progress(state, other))


def test_the_page_says_where_a_scan_is_not_whole(make_state: MakeState) -> None:
    whole = {"sets": [], "missing": 0, "completeness": 1.0}
    holed = {**whole, "missing": 7, "doubled": 2, "rejected": {"shape": 3}}
    one = make_state(
        ("ScanStarted", {"scan": 0}), ("ScanCompleted", {"scan": 0, "account": holed})
    )
    two = make_state(
        ("ScanStarted", {"scan": 0}),
        ("ScanCompleted", {"scan": 0, "account": holed}),
        ("ScanStarted", {"scan": 1}),
        ("ScanCompleted", {"scan": 1, "account": whole}),
    )

    assert "7 missing · 2 doubled · 3 rejected" in _texts(progress(one, None))
    assert "missing in scans" not in _texts(progress(one, None))
    assert "Frames missing in scans 0 (7)" in _texts(progress(two, None))
    assert "complete" in _texts(progress(two, None))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.02, "20 ms"),
        (4.82, "4.8 s"),
        (125.0, "2 min 05 s"),
        (7260.0, "2 h 01 min"),
    ],
)
def test_durations_are_read_at_a_glance(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("first", "now", "text"),
    [(1.0, 3.5, "+2.5 µm"), (3.5, 1.0, "−2.5 µm"), (1.0, 1.01, "±0 µm")],
)
def test_a_change_has_its_sign(first: float, now: float, text: str) -> None:
    assert change_text(GAP, first, now) == text
