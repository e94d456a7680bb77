"""Whether the verdict is there before the next pulse."""

from collections.abc import Callable
from typing import Any

import pytest

from lithoscope_dashboard.deadline import next_deadline
from lithoscope_dashboard.model import ExperimentState

MakeState = Callable[..., ExperimentState]
S = 1_000_000_000
_STARTED = ("ExperimentStarted", {"settings": {"plan": {"verdict_timeout_s": 100.0}}})
_ACCOUNT = {"sets": [], "missing": 0, "completeness": 1.0}


def _scan(scan: int, *, done_s: float | None = None, decided_s: float | None = None) -> list[Any]:
    facts: list[Any] = [
        ("ScanStarted", {"scan": scan, "time_ns": 0, "phase": {"next_current_mA": 0.75}}),
        ("FramesStored", {"scan": scan, "count": 50}),
    ]
    if done_s is not None:
        done = {"scan": scan, "time_ns": int(done_s * S), "account": _ACCOUNT}
        facts.append(("ScanCompleted", done))
    if decided_s is not None:
        facts.append(("ScanDecided", {"scan": scan, "time_ns": int(decided_s * S)}))
    return facts


def test_a_verdict_that_is_there_tells_how_much_was_to_spare(make_state: MakeState) -> None:
    found = next_deadline(make_state(_STARTED, *_scan(0, done_s=10, decided_s=30)), 40 * S)

    # It took 20 s of the 100 s.
    assert (found.outlook, found.left_s) == ("made", 80.0)


@pytest.mark.parametrize(
    ("now_s", "outlook", "left_s"),
    [
        (205.0, "in time", 95.0),  # 15 s still needed of the usual 20
        (280.0, "late", 20.0),  # 80 s were not enough, 40 more are expected
        (301.0, "missed", 0.0),
    ],
)
def test_what_waits_is_held_against_what_scans_took(
    now_s: float, outlook: str, left_s: float, make_state: MakeState
) -> None:
    state = make_state(_STARTED, *_scan(0, done_s=10, decided_s=30), *_scan(1, done_s=200))

    found = next_deadline(state, int(now_s * S))

    assert found.outlook == outlook
    assert found.left_s == pytest.approx(left_s)


def test_a_running_scan_is_extended_by_the_pace_of_its_frames(make_state: MakeState) -> None:
    state = make_state(_STARTED, *_scan(0, done_s=10, decided_s=30), *_scan(1))

    found = next_deadline(state, 60 * S)

    # 50 of 100 frames in 60 s: 60 s more, then 100 s of waiting.
    assert (found.outlook, found.left_s, found.needed_s) == ("in time", 160.0, 80.0)


def test_nothing_is_foretold_before_the_first_verdict(make_state: MakeState) -> None:
    found = next_deadline(make_state(_STARTED, *_scan(0, done_s=10)), 20 * S)

    assert (found.outlook, found.left_s, found.needed_s) == ("in time", 90.0, None)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ([], "No scan has begun"),
        ([*_scan(0)], "no time by which"),
        ([_STARTED, *_scan(0), ("ExperimentEnded", {})], "is over"),
    ],
)
def test_without_a_deadline_it_says_why(
    facts: list[Any], words: str, make_state: MakeState
) -> None:
    found = next_deadline(make_state(*facts), 20 * S)

    assert found.outlook == "none"
    assert words in found.text
