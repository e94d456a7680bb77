"""Rules, leases, holds, alarms and the history, folded from the journal."""

import time
from collections.abc import Callable

from lithoscope_dashboard.alarm_view import clock_text
from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.shell import lease_text

MakeState = Callable[..., ExperimentState]
RULE = {"id": "remaining_gap", "metric": "remaining_gap_um", "set_value": 100.0, "action": "hold"}
STARTED = ("ExperimentStarted", {"settings": {"rules": [RULE]}})
FIRED = {
    **{"scan": 2, "rule": "remaining_gap", "rule_sha256": "0" * 64, "evidence": []},
    **{"severity": "critical", "reason": "the gap is small"},
}
MADE = ("ProposalMade", {"scan": 2, "proposal": "gap:2"})


def test_a_rule_counts_how_often_it_fired_and_where_last(make_state: MakeState) -> None:
    again = {**FIRED, "scan": 5, "key": "again"}

    (rule,) = make_state(STARTED, ("RuleFired", FIRED), ("RuleFired", again)).rules

    assert (rule.n_fired, rule.last_scan, rule.last_reason) == (2, 5, "the gap is small")


def test_a_rule_is_blind_until_a_scan_is_decided_without_that_alarm(make_state: MakeState) -> None:
    blind = ("BlindAlarm", {"scan": 2, "reason": "no gap"})
    decided = [("ScanDecided", {"scan": scan}) for scan in (2, 3)]

    during = make_state(STARTED, blind, decided[0])
    after = make_state(STARTED, blind, *decided)

    assert [state.rules[0].is_blind for state in (during, after)] == [True, False]
    assert len(after.open_alarms) == 1


def test_a_lease_stands_until_it_is_ended(make_state: MakeState) -> None:
    ends_ns = time.time_ns() + 3600 * 10**9
    armed = ("Armed", {"person": "ada", "reason": "night", "request": "r", "ends_ns": ends_ns})
    disarmed = ("Disarmed", {"person": "bob", "reason": "act was restarted"})

    before, after = make_state(armed), make_state(armed, disarmed)

    assert lease_text(Snapshot(experiment=before))[0] == "ARMED by ada, 60 min"
    assert lease_text(Snapshot(experiment=after))[0] == "disarmed"
    assert after.lease_note == "disarmed: act was restarted"


def test_a_lease_that_was_not_given_says_why(make_state: MakeState) -> None:
    refused = ("ArmRefused", {"person": "ada", "request": "r", "reason": "an alarm stands"})

    assert make_state(refused).lease_note == "not armed: an alarm stands"


def test_a_hold_stands_until_a_person_releases_it(make_state: MakeState) -> None:
    approved = ("ActionApproved", {"scan": 2, "proposal": "gap:2"})
    released = ("HoldReleased", {"person": "ada"})

    held, free = make_state(MADE, approved), make_state(MADE, approved, released)

    assert list(held.holding.values()) == ["rule remaining_gap, scan 2: the gap is small"]
    assert free.holding == {}


def test_an_action_with_an_unknown_end_is_an_alarm(make_state: MakeState) -> None:
    unknown = {"scan": 2, "proposal": "gap:2", "correlation_id": "c", "error": "no answer"}

    (alarm,) = make_state(MADE, ("ActionUnknown", {**unknown, "key": "u"})).open_alarms

    assert (alarm.key, alarm.text) == ("u", "no answer")
    assert "acknowledge" in alarm.guidance


def test_the_history_says_who_did_what_to_which_rule(make_state: MakeState) -> None:
    approved = (
        "ActionApproved",
        {"scan": 2, "proposal": "gap:2", "person": "ada", "reason": "yes"},
    )

    events = make_state(STARTED, MADE, approved).events

    assert [(e.number, e.kind, e.scan, e.what, e.person, e.text) for e in events] == [
        (2, "proposed", 2, "remaining_gap · hold", "", "the gap is small"),
        (3, "approved", 2, "remaining_gap · hold", "ada", "yes"),
    ]


def test_a_failure_remembers_that_a_retry_was_asked_for(make_state: MakeState) -> None:
    failed = ("StageFailed", {"scan": 1, "stage": "segment", "error": "no memory"})
    asked = ("RetryRequested", {"scan": 1, "stage": "segment", "person": "ada"})

    (failure,) = make_state(failed, asked).failures

    assert (failure.is_asked, failure.is_settled, failure.person) == (True, False, "ada")


def test_a_time_of_another_day_is_written_with_its_day() -> None:
    assert len(clock_text(time.time_ns())) == len("12:00:00")
    assert clock_text(0).startswith("19")
