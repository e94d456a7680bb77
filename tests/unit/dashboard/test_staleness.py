"""A screen that looks live and is not is the worst failure."""

from collections.abc import Callable
from typing import Any

from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.staleness import cadence_s, stale_text

MakeState = Callable[..., ExperimentState]
S = 10**9


def started(scan: int, at_s: int) -> tuple[str, dict[str, Any]]:
    return "ScanStarted", {"scan": scan, "time_ns": at_s * S}


def test_the_cadence_is_the_median_time_from_scan_to_scan(make_state: MakeState) -> None:
    state = make_state(started(0, 0), started(1, 100), started(2, 200), started(3, 900))

    assert cadence_s(state) == 100


def test_two_cadences_without_news_are_said_in_large_letters(make_state: MakeState) -> None:
    state = make_state(started(0, 0), started(1, 100))
    snapshot = Snapshot(experiment=state)

    assert stale_text(snapshot, (100 + 200) * S) == ""
    assert stale_text(snapshot, (100 + 211) * S).startswith("STALE SINCE")


def test_what_is_over_or_stored_is_not_stale(make_state: MakeState) -> None:
    scans = (started(0, 0), started(1, 100))
    ended = make_state(*scans, ("ExperimentEnded", {"time_ns": 110 * S}))

    assert stale_text(Snapshot(experiment=ended), 10**6 * S) == ""
    assert stale_text(Snapshot().of_stored(make_state(*scans)), 10**6 * S) == ""
