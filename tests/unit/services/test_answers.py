"""What the requests of people become, planned from a history and nothing else."""

from typing import Any

import pytest
from actuator_driver import parts, proposal

from lithoscope_messages import (
    AcknowledgeRequested,
    ActionApproved,
    ActionExpired,
    ActionFailed,
    ActionRejected,
    ActionSent,
    AlarmAcknowledged,
    ApprovalRequested,
    Entry,
    ExperimentDescription,
    ExperimentStarted,
    HoldReleased,
    HoldReleaseRequested,
    JournalMessage,
    RejectionRequested,
    ScanStarted,
)
from lithoscope_messages.frames import ScanPhase
from lithoscope_services.history import History
from lithoscope_services.lease import hold_in_force
from lithoscope_services.stages.decide import STAGE
from lithoscope_services.stages.decide.answers import execute_answer, plan_answers

HASH = "ab" * 32


def history(*messages: JournalMessage, appended_s: float = 0.0) -> History:
    made = History("cell")
    started = ExperimentStarted(
        **parts("start"), description=ExperimentDescription(), settings={}, format_version=1
    )
    made.extend(
        Entry(
            number=number,
            appended_ns=int(appended_s * 1e9),
            previous_hash=HASH,
            hash=HASH,
            message=message,
        )
        for number, message in enumerate((started, *messages), start=1)
    )
    return made


def answers(known: History) -> list[Any]:
    return [fact for task in plan_answers(STAGE, known) for fact in execute_answer(STAGE, task)]


def approval(key: str = "yes") -> ApprovalRequested:
    return ApprovalRequested(**parts(key), person="Ada", reason="do it", proposal="p")


def at(time_s: float) -> ScanStarted:
    return ScanStarted(
        **parts("1"),
        scan=1,
        expected=(),
        frame_shape=(1, 1),
        dtype="uint16",
        voxel_size_um=1.0,
        phase=ScanPhase(experiment_time_s=time_s),
    )


def test_a_yes_in_time_approves_once() -> None:
    asked = proposal("p", mode="propose", expires_s=700.0)

    (fact,) = answers(history(asked, approval(), appended_s=599.0))

    assert isinstance(fact, ActionApproved)
    assert (fact.proposal, fact.person, fact.reason, fact.scan) == ("p", "Ada", "do it", 0)
    assert answers(history(asked, approval(), fact, approval("again"))) == []


@pytest.mark.parametrize(("appended_s", "time_s"), [(601.0, 0.0), (0.0, 701.0)])
def test_a_yes_that_comes_too_late_by_either_clock_expires(
    appended_s: float, time_s: float
) -> None:
    # It was made at 100 s of the experiment and lives for 600 s.
    asked = proposal("p", mode="propose", expires_s=700.0)

    (fact,) = answers(history(asked, at(time_s), approval(), appended_s=appended_s))

    assert isinstance(fact, ActionExpired)


def test_a_no_rejects_at_any_time() -> None:
    no = RejectionRequested(**parts("no"), person="Ada", proposal="p")

    (fact,) = answers(history(proposal("p", expires_s=101.0), no, appended_s=1e6))

    assert isinstance(fact, ActionRejected)


def test_what_was_sent_by_itself_can_neither_be_approved_nor_rejected() -> None:
    sent = ActionSent(
        **parts("p"), scan=0, proposal="p", actuator="queueserver", correlation_id="c"
    )

    assert answers(history(proposal("p"), sent, approval())) == []


def test_what_was_approved_and_not_sent_can_be_approved_again_but_not_by_the_old_click() -> None:
    asked = proposal("p", mode="propose", expires_s=700.0)
    (yes,) = answers(history(asked, approval()))
    vetoed = ActionFailed(
        **parts("c"), scan=0, proposal="p", correlation_id="c", error="not sent: locked"
    )
    before = (asked, approval(), yes, vetoed)

    assert answers(history(*before)) == []
    (again,) = answers(history(*before, approval("second")))
    assert isinstance(again, ActionApproved)
    assert again.key != yes.key


def test_an_alarm_is_acknowledged_once() -> None:
    asked = AcknowledgeRequested(**parts("seen"), person="Ada", alarm="gap:0")

    (fact,) = answers(history(asked))

    assert isinstance(fact, AlarmAcknowledged)
    assert (fact.alarm, fact.person) == ("gap:0", "Ada")
    assert answers(history(asked, fact)) == []


def test_a_hold_is_in_force_until_a_request_after_it_is_answered() -> None:
    release = HoldReleaseRequested(**parts("early"), person="Ada", reason="not yet")
    later = HoldReleaseRequested(**parts("later"), person="Ada", reason="looked at")
    (yes,) = answers(history(proposal("p", "hold"), approval()))
    held = (release, proposal("p", "hold"), yes)

    assert "remaining_gap" in hold_in_force(history(*held))
    assert answers(history(*held)) == []
    (fact,) = answers(history(*held, later))
    assert isinstance(fact, HoldReleased)
    assert hold_in_force(history(*held, later, fact)) == ""
    assert answers(history(*held, later, fact)) == []
