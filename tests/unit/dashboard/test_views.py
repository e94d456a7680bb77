"""What the parts of the page say."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest

from lithoscope_dashboard.board import Beat, Snapshot
from lithoscope_dashboard.layout import page
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.quantities import CORE, change_text, duration_text
from lithoscope_dashboard.views import progress, sections, service_row, slice_source, tile
from lithoscope_messages import Heartbeat, Life, ScanProgress

MakeState = Callable[..., ExperimentState]
GAP = CORE[0]


def _beat(state: Life, seen_s: float) -> Snapshot:
    heartbeat = Heartbeat(service="segment", pid=1, time_ns=0, state=state)
    beats = {"segment": Beat(heartbeat=heartbeat, seen_s=seen_s)}
    return Snapshot(beats=MappingProxyType(beats))


def _texts(component: Any) -> str:
    """All that can be read in a component."""
    if isinstance(component, list | tuple):
        return " ".join(_texts(each) for each in component)
    if component is None or isinstance(component, str):
        return component or ""
    return _texts(getattr(component, "children", None))


def _ids(component: Any) -> set[str]:
    if isinstance(component, list | tuple):
        return {found for each in component for found in _ids(each)}
    if component is None or isinstance(component, str):
        return set()
    own = {component.id} if isinstance(getattr(component, "id", None), str) else set()
    return own | _ids(getattr(component, "children", None))


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
    row = service_row("segment", _beat(state, seen_s), now_s=100.0)

    assert getattr(row, "data-health") == health


def test_a_service_that_was_never_heard_is_not_called_well() -> None:
    assert getattr(service_row("measure", Snapshot(), now_s=1.0), "data-health") == "unknown"


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


def test_a_tile_has_the_newest_value_and_its_change(make_state: MakeState) -> None:
    values = [("MetricsReady", {"scan": scan, "metrics": {GAP.metric: {"value": value,
               "unit": "µm", "flags": ["interval_not_modelled"]}}})
              for scan, value in enumerate((240.0, 231.5))]  # fmt: skip

    parts = tile(GAP, make_state(*values))

    assert parts["metric-remaining_gap_um"]["children"] == "231.5"
    assert parts["note-remaining_gap_um"]["children"] == "−8.5 µm since scan 0"


def test_a_tile_says_why_there_is_no_value(make_state: MakeState) -> None:
    metric = {"value": None, "unit": "µm", "flags": ["no_path_through_electrolyte"]}

    parts = tile(GAP, make_state(("MetricsReady", {"scan": 0, "metrics": {GAP.metric: metric}})))

    assert parts["metric-remaining_gap_um"]["children"] == "–"
    assert parts["note-remaining_gap_um"]["children"] == "no path through electrolyte"


def test_the_viewer_stays_on_labels_while_the_next_scan_has_none(make_state: MakeState) -> None:
    state = make_state(("LabelsReady", {"scan": 0}), ("VolumeReady", {"scan": 1}))

    source = slice_source(state)

    assert (source["newest"], source["last"]) == (0, 1)
    assert [source["scans"][scan]["labels"] for scan in ("0", "1")] == [True, False]


def test_an_answered_proposal_has_no_buttons(make_state: MakeState) -> None:
    made = ("ProposalMade", {"scan": 2, "proposal": "gap:2"})
    rejected = ("ActionRejected", {"scan": 2, "proposal": "gap:2"})

    before = sections(Snapshot(experiment=make_state(made)), 0.0)["proposals"]["children"]
    after = sections(Snapshot(experiment=make_state(made, rejected)), 0.0)["proposals"]["children"]

    assert {"approve-0", "reject-0"} <= _ids(before)
    assert _ids(after) == {"proposal-0"}


def test_every_part_that_changes_has_its_place_on_the_page() -> None:
    places = _ids(page("Ada"))

    assert set(sections(Snapshot(), 0.0)) - places == set()


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
