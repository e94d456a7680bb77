"""The fold of the journal into the state of the page."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithoscope_dashboard.errors import FeedGapError
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.read_model import charge_passed_mAh, fold, fold_all
from lithoscope_messages import ElectrochemistryAppended, Entry

Facts = tuple[str, dict[str, Any]]
MakeEntries = Callable[..., list[Entry]]
MakeState = Callable[..., ExperimentState]
GAP_RULE = {
    "id": "remaining_gap",
    "metric": "remaining_gap_um",
    "comparison": "below",
    "set_value": 120.0,
    "reset_value": 160.0,
    "mode": "propose",
}


def _metric(value: float | None) -> dict[str, Any]:
    return {"remaining_gap_um": {"value": value, "unit": "µm"}}


def test_progress_counts_the_frames_of_all_blocks(make_state: MakeState) -> None:
    state = make_state(
        ("ScanStarted", {"scan": 0}),
        ("FramesStored", {"scan": 0, "count": 40}),
        ("FramesStored", {"scan": 0, "count": 25}),
    )

    assert (state.scans[0].stored, state.scans[0].expected) == (65, 100)


def test_an_entry_that_was_folded_changes_nothing(make_entries: MakeEntries) -> None:
    entries = make_entries(
        ("ScanStarted", {"scan": 0}), ("FramesStored", {"scan": 0, "count": 40})
    )
    state = fold_all(ExperimentState(name="first"), entries)

    assert fold(state, entries[1]) is state


def test_a_missing_entry_is_an_error(make_entries: MakeEntries) -> None:
    entries = make_entries(("ScanStarted", {"scan": 0}), ("FramesStored", {"scan": 0, "count": 1}))

    with pytest.raises(FeedGapError, match="entry 2 of first came after 0"):
        fold(ExperimentState(name="first"), entries[1])


@given(cut=st.integers(0, 6), back=st.integers(0, 6))
def test_reading_again_from_anywhere_before_gives_the_same_state(cut: int, back: int) -> None:
    sha = "0" * 64
    entries = [
        Entry(
            number=number,
            appended_ns=number,
            previous_hash=sha,
            hash=sha,
            message=ElectrochemistryAppended(
                experiment="first",
                key=f"{number}",
                time_ns=1,
                producer="test",
                first=number,
                count=1,
                time_s=float(number),
                charge_mAh=0.1 * number,
            ),
        )
        for number in range(1, 7)
    ]
    whole = fold_all(ExperimentState(name="first"), entries)

    part = fold_all(ExperimentState(name="first"), entries[:cut])
    again = fold_all(part, entries[max(0, cut - back) :])

    assert again == whole


def test_a_stage_is_running_then_done_with_its_duration(make_state: MakeState) -> None:
    hops = {"received_ns": 0, "started_ns": 0, "finished_ns": 0, "duration_s": 1.5}
    started = ("WorkStarted", {"scan": 3, "stage": "reconstruct"})

    running = make_state(started)
    done = make_state(started, ("VolumeReady", {"scan": 3, "hops": hops}))

    assert running.scans[3].stages["reconstruct"].status == "running"
    assert done.scans[3].stages["reconstruct"].status == "done"
    assert done.scans[3].stages["reconstruct"].duration_s == 1.5
    assert done.scans[3].stages["segment"].status == "waiting"


def test_labels_replace_the_reconstruction_and_stay(make_state: MakeState) -> None:
    state = make_state(
        ("VolumeReady", {"scan": 0}), ("LabelsReady", {"scan": 0}), ("VolumeReady", {"scan": 0})
    )

    picture = state.scans[0].picture

    assert picture is not None
    assert (picture.path, picture.label_name) == ("volumes/a.zarr", "cell")


def test_the_latency_runs_from_the_last_frame_to_the_verdict(make_state: MakeState) -> None:
    state = make_state(
        ("ScanCompleted", {"scan": 0, "time_ns": 10**9}),
        ("ScanDecided", {"scan": 0, "time_ns": 35 * 10**8}),
    )

    assert state.scans[0].latency_s == pytest.approx(2.5)


def test_a_failure_is_settled_when_its_stage_is_done_after_all(make_state: MakeState) -> None:
    failed = ("StageFailed", {"scan": 1, "stage": "measure", "error": "no labels"})
    measured = ("MetricsReady", {"scan": 1, "metrics": {}})

    before = make_state(failed)
    after = make_state(failed, measured)

    assert [each.is_settled for each in before.failures] == [False]
    assert before.scans[1].stages["measure"].status == "failed"
    assert [each.is_settled for each in after.failures] == [True]


def test_an_alarm_stays_until_its_acknowledgement_is_a_fact(make_state: MakeState) -> None:
    raised = ("BlindAlarm", {"scan": 1, "reason": "no gap", "key": "blind:1"})
    asked = ("AcknowledgeRequested", {"alarm": "blind:1"})
    seen = ("AlarmAcknowledged", {"alarm": "blind:1", "person": "Ada"})

    (before,) = make_state(raised, asked).failures
    (after,) = make_state(raised, asked, seen).failures

    assert (before.is_alarm, before.is_asked, before.is_settled) == (True, True, False)
    assert (after.is_settled, after.person) == (True, "Ada")


def test_a_proposal_is_open_until_it_is_answered(make_state: MakeState) -> None:
    made = ("ProposalMade", {"scan": 2, "proposal": "gap:2"})
    asked = ("ApprovalRequested", {"proposal": "gap:2"})
    approved = ("ActionApproved", {"scan": 2, "proposal": "gap:2"})

    states = [make_state(made), make_state(made, asked), make_state(made, asked, approved)]

    assert [state.proposals[0].answer.status for state in states] == [
        "open",
        "approval asked",
        "approved",
    ]
    assert [state.proposals[0].is_open for state in states] == [True, True, False]


def test_a_late_request_does_not_reopen_a_proposal(make_state: MakeState) -> None:
    state = make_state(
        ("ProposalMade", {"scan": 2, "proposal": "gap:2"}),
        ("ActionExpired", {"scan": 2, "proposal": "gap:2"}),
        ("ApprovalRequested", {"proposal": "gap:2"}),
    )

    assert state.proposals[0].answer.status == "expired"


def test_what_was_approved_and_not_sent_waits_for_a_person_again(make_state: MakeState) -> None:
    about = {"scan": 2, "proposal": "gap:2"}
    made = (("ProposalMade", about), ("ActionApproved", about))
    failed = ("ActionFailed", {**about, "correlation_id": "c", "error": "not sent: locked"})
    sent = ("ActionSent", {**about, "actuator": "queueserver", "correlation_id": "c"})

    vetoed = make_state(*made, failed).proposals[0]
    refused = make_state(*made, sent, failed).proposals[0]

    assert (vetoed.answer.status, vetoed.is_open, vetoed.n_not_sent) == ("not sent", True, 1)
    assert (refused.answer.status, refused.is_open, refused.n_not_sent) == ("failed", False, 0)


def test_rules_are_read_from_the_settings_of_the_experiment(make_state: MakeState) -> None:
    settings = {"rules": [GAP_RULE, {**GAP_RULE, "mode": "off"}, {"metric": 3}, "nonsense"]}

    state = make_state(("ExperimentStarted", {"settings": settings}))

    assert [(rule.metric, rule.set_value) for rule in state.rules] == [("remaining_gap_um", 120.0)]


def test_charge_passed_rises_when_the_current_turns(make_state: MakeState) -> None:
    charges = (0.0, 0.5, 1.0, 0.5, 0.0)
    state = make_state(
        *(
            ("MetricsReady", {"scan": scan, "charge_mAh": charge, "metrics": _metric(1.0)})
            for scan, charge in enumerate(charges)
        )
    )

    assert charge_passed_mAh(state.measured) == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0])


def test_the_end_of_the_experiment_is_known(make_state: MakeState) -> None:
    assert make_state(("ExperimentEnded", {})).is_ended
