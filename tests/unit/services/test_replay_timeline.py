"""What was recorded comes again in its order and at its pace."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from actuator_driver import proposal
from small_experiment import BEGIN_NS, LOST, N_VIEWS, make_experiment

from lithoscope_messages import (
    ApprovalRequested,
    ArmRequested,
    ElectrochemistryAppended,
    Entry,
    Evidence,
    JournalMessage,
    ReplayControlRequested,
    ScanDecided,
)
from lithoscope_services.replay.outcome import compare_outcomes
from lithoscope_services.replay.pace import Pace
from lithoscope_services.replay.recorded import ReplayError, open_recorded
from lithoscope_services.replay.timeline import Document, Event, timeline
from lithoscope_store import (
    ExperimentPaths,
    FrameRecord,
    JournalDatabase,
    Store,
    read_journal,
)

SECOND_NS = 10**9


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> ExperimentPaths:
    return make_experiment(Store(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def entries(paths: ExperimentPaths) -> list[Entry]:
    return read_journal(paths.journal)


def names(events: Iterator[Event] | list[Event]) -> list[str]:
    """Tell events in words; frames by the first letter of their kind."""
    found = []
    for event in events:
        match event.said:
            case FrameRecord() as record:
                found.append(f"{record.key.kind[0]}{record.key.scan}.{record.key.index}")
            case Document() as document:
                found.append(f"{document.name} {document.content.get('uid')}")
            case said:
                found.append(f"{said.type} {getattr(said, 'scan', '')}".strip())
    return found


def test_all_that_was_said_comes_in_its_order_and_what_was_lost_stays_lost(
    paths: ExperimentPaths, entries: list[Entry]
) -> None:
    events = list(timeline(open_recorded(paths, entries)))

    found = names(events)
    views = [f"p0.{index}" for index in range(N_VIEWS) if index != LOST]
    assert found[: found.index("ElectrochemistryAppended", 2)] == [
        "ElectrochemistryAppended",
        "start run-0",
        "ScanStarted 0",
        "d0.0",
        "d0.1",
        "f0.0",
        "f0.1",
        *views,
        "ScanCompleted 0",
        "stop stop-0",
    ]
    times_ns = [event.time_ns for event in events]
    assert times_ns == sorted(times_ns)
    frames = [event for event in events if isinstance(event.said, FrameRecord)]
    assert frames[1].time_ns - frames[0].time_ns == SECOND_NS


def test_some_scans_bring_the_samples_before_them_and_no_other_frames(
    paths: ExperimentPaths, entries: list[Entry]
) -> None:
    last = names(timeline(open_recorded(paths, entries, first=1)))
    first = names(timeline(open_recorded(paths, entries, last=0)))

    assert last.count("ElectrochemistryAppended") == 2
    assert not any(".".join((f"{kind}0", "")) in name for name in last for kind in "dfp")
    assert "start run-0" not in last
    assert first.count("ElectrochemistryAppended") == 1
    assert "ScanStarted 1" not in first


def test_a_scan_that_is_not_there_is_refused(paths: ExperimentPaths, entries: list[Entry]) -> None:
    with pytest.raises(ReplayError, match="has scans 0 to 1"):
        open_recorded(paths, entries, first=7)


def request(kind: type[ApprovalRequested] | type[ArmRequested], key: str) -> JournalMessage:
    parts = {"proposal": "p"} if kind is ApprovalRequested else {"duration_s": 60.0}
    return kind.model_validate(
        {
            "experiment": "cell-1",
            "key": key,
            "time_ns": BEGIN_NS + 500 * SECOND_NS,
            "producer": "dashboard",
            "person": "me",
            **parts,
        }
    )


def test_a_request_comes_before_the_end_of_the_scan_that_was_decided_after_it(
    tmp_path: Path,
) -> None:
    paths = make_experiment(Store(tmp_path), is_sealed=False)
    messages = [entry.message for entry in read_journal(paths.journal)]
    place = next(
        number
        for number, message in enumerate(messages)
        if isinstance(message, ScanDecided) and message.scan == 1
    )
    asked = [request(ApprovalRequested, "yes"), request(ArmRequested, "arm")]
    paths.journal.unlink()
    with JournalDatabase(paths.journal, paths.name) as journal:
        journal.append([*messages[:place], *asked, *messages[place:]])

    events = list(timeline(open_recorded(paths, read_journal(paths.journal))))

    found = names(events)
    assert found.index("ApprovalRequested") == found.index("ScanCompleted 1") - 1
    assert events[found.index("ApprovalRequested")].after == {0}
    # Nothing is ever armed in a replay.
    assert "ArmRequested" not in found


def test_samples_that_came_late_wait_for_what_was_measured_without_them(
    tmp_path: Path,
) -> None:
    paths = make_experiment(Store(tmp_path), is_sealed=False)
    messages = [entry.message for entry in read_journal(paths.journal)]
    late = next(m for m in messages if isinstance(m, ElectrochemistryAppended) and m.first == 0)
    paths.journal.unlink()
    with JournalDatabase(paths.journal, paths.name) as journal:
        journal.append([m for m in messages if m is not late] + [late])

    events = list(timeline(open_recorded(paths, read_journal(paths.journal))))

    samples = [e for e in events if isinstance(e.said, ElectrochemistryAppended)]
    assert [event.after for event in samples] == [frozenset(), {0, 1}]


class Clock:
    """A clock that is set by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def control(action: str, value: float | None = None) -> ReplayControlRequested:
    return ReplayControlRequested.model_validate(
        {
            "experiment": "cell-1",
            "key": action,
            "time_ns": 1,
            "producer": "dashboard",
            "person": "me",
            "action": action,
            "value": value,
        }
    )


@pytest.mark.parametrize(("speed", "wait_s"), [(1.0, 40.0), (20.0, 2.0), (None, 0.0)])
def test_what_was_recorded_later_is_due_later_by_the_speed(
    speed: float | None, wait_s: float
) -> None:
    pace = Pace(speed, clock=Clock())

    assert pace.due_in_s(BEGIN_NS) == 0
    assert pace.due_in_s(BEGIN_NS + 40 * SECOND_NS) == pytest.approx(wait_s)


def test_a_pause_holds_all_back_and_is_not_made_up_for() -> None:
    clock = Clock()
    pace = Pace(2.0, clock=clock)
    pace.due_in_s(BEGIN_NS)
    pace.control(control("pause"), BEGIN_NS)
    clock.now_s += 1000

    assert pace.due_in_s(BEGIN_NS + SECOND_NS) == math.inf
    pace.control(control("resume"), BEGIN_NS)
    assert pace.due_in_s(BEGIN_NS + 4 * SECOND_NS) == pytest.approx(2.0)


def test_the_speed_changes_from_here_on() -> None:
    pace = Pace(1.0, clock=Clock())
    pace.due_in_s(BEGIN_NS)

    pace.control(control("speed", 10.0), BEGIN_NS)
    assert pace.due_in_s(BEGIN_NS + 40 * SECOND_NS) == pytest.approx(4.0)
    pace.control(control("speed"), BEGIN_NS)
    assert pace.due_in_s(BEGIN_NS + 40 * SECOND_NS) == 0


def test_a_seek_brings_all_before_it_at_once_and_goes_on_at_its_pace() -> None:
    pace = Pace(1.0, clock=Clock())
    pace.due_in_s(BEGIN_NS)
    target_ns = BEGIN_NS + 3600 * SECOND_NS

    pace.control(control("seek", 3.0), BEGIN_NS, target_ns)

    assert pace.due_in_s(target_ns - SECOND_NS) == 0
    assert pace.due_in_s(target_ns) == 0
    assert pace.due_in_s(target_ns + 5 * SECOND_NS) == pytest.approx(5.0)


def test_a_seek_backwards_is_ignored() -> None:
    pace = Pace(1.0, clock=Clock())
    pace.due_in_s(BEGIN_NS)

    pace.control(control("seek", 0.0), BEGIN_NS + SECOND_NS, BEGIN_NS)

    assert pace.due_in_s(BEGIN_NS + 7 * SECOND_NS) == pytest.approx(7.0)


def test_outcomes_are_equal_to_themselves_and_a_changed_metric_is_named(
    entries: list[Entry],
) -> None:
    def changed(entry: Entry) -> Entry:
        message = entry.message
        if message.type != "MetricsReady" or message.scan != 1:
            return entry
        metric = message.metrics["remaining_gap_um"].model_copy(update={"value": 1.0})
        message = message.model_copy(update={"metrics": {"remaining_gap_um": metric}})
        return entry.model_copy(update={"message": message})

    same = compare_outcomes(entries, entries, (0, 1))
    other = compare_outcomes(entries, [changed(entry) for entry in entries], (0, 1))

    assert same.is_equal
    assert (same.n_scans, same.n_labels, same.n_metrics, same.n_decisions) == (2, 2, 2, 2)
    assert len(other.differences) == 1
    assert other.differences[0].startswith("scan 1: metric remaining_gap_um")


def test_a_disk_that_is_fuller_than_it_was_is_no_difference(entries: list[Entry]) -> None:
    def with_disk_rule(entry: Entry) -> list[Entry]:
        message = entry.message
        if not isinstance(message, ScanDecided) or message.scan != 1:
            return [entry]
        fired = (*message.rules_fired, "disk")
        decided = message.model_copy(update={"rules_fired": fired})
        share = Evidence(metric="free_disk_fraction", value=0.05, bound_used="value")
        noted = proposal("disk-note", "note", scan=1, rule="disk", evidence=(share,))
        return [
            entry.model_copy(update={"message": noted}),
            entry.model_copy(update={"message": decided}),
        ]

    fuller = [each for entry in entries for each in with_disk_rule(entry)]

    assert len(fuller) == len(entries) + 1
    assert compare_outcomes(entries, fuller, (0, 1)).is_equal
