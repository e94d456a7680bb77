"""What people said: to a proposal, to an alarm, to a hold; each becomes a fact.

Leases are not answered here: they are in the memory of ``act``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lithoscope_messages import (
    AcknowledgeRequested,
    ActionApproved,
    ActionExpired,
    ActionRejected,
    AlarmAcknowledged,
    ApprovalRequested,
    Entry,
    Fact,
    HoldReleased,
    HoldReleaseRequested,
    ProposalMade,
    RejectionRequested,
)
from lithoscope_services.history import History
from lithoscope_services.stage import Stage, Task, make_task
from lithoscope_services.stages.inputs import fact_parts

Question = ApprovalRequested | RejectionRequested | AcknowledgeRequested | HoldReleaseRequested


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a request is answered with, of which scan, what it is about, and how often before."""

    fact: str
    scan: int
    subject: str
    attempt: int = 0


def plan_answers(stage: Stage, history: History) -> Sequence[Task]:
    """Give the oldest request that has no answer yet."""
    for entry in history.requests:
        message = entry.message
        if not isinstance(message, Question):
            continue
        answer = _answer(history, message, entry)
        if answer is None:
            continue
        task = make_task(
            stage,
            answer.scan,
            inputs=[answer.subject],
            parameters={"request": message.type, "person": message.person, "key": message.key},
            arguments={
                "experiment": history.experiment,
                "answer": answer.fact,
                "subject": answer.subject,
                "attempt": answer.attempt,
                "person": message.person,
                "reason": message.reason,
            },
        )
        return [task]
    return []


def _answer(history: History, message: Question, entry: Entry) -> _Answer | None:
    match message:
        case ApprovalRequested() | RejectionRequested():
            made = history.proposals.get(message.proposal)
            reopened_at, attempt = history.reopened.get(message.proposal, (0, 0))
            is_spent = message.proposal in history.answered or entry.number < reopened_at
            if made is None or is_spent:
                return None
            if isinstance(message, RejectionRequested):
                return _Answer("ActionRejected", made.scan, message.proposal, attempt)
            is_late = _is_late(history, made, entry)
            fact = "ActionExpired" if is_late else "ActionApproved"
            return _Answer(fact, made.scan, message.proposal, attempt)
        case AcknowledgeRequested():
            if message.alarm in history.acknowledged:
                return None
            return _Answer("AlarmAcknowledged", 0, message.alarm)
        case HoldReleaseRequested():
            if not history.holding or entry.number < history.held_at:
                return None
            return _Answer("HoldReleased", 0, message.key)


def _is_late(history: History, made: ProposalMade, entry: Entry) -> bool:
    """Whether a yes came after the end of a proposal, by the experiment's clock or the wall's."""
    if made.expires_s is None:
        return False
    times_s = [each.started.phase.experiment_time_s for each in history.in_order() if each.started]
    lives_s = made.expires_s - made.experiment_time_s
    return (
        max(times_s, default=0.0) > made.expires_s
        or (entry.appended_ns - made.time_ns) / 1e9 > lives_s
    )


def execute_answer(stage: Stage, task: Task) -> Iterator[Fact]:
    """Answer a person."""
    arguments = task.arguments
    subject, person, reason = arguments["subject"], arguments["person"], arguments["reason"]
    attempt = arguments["attempt"]
    # What was approved and not sent may be approved again, by a fact of its own.
    key = f"{subject}:{attempt}" if attempt else subject
    parts = fact_parts(task, stage.name, key)
    del parts["work_key"]
    parts["algorithm_version"] = stage.algorithm_version
    match arguments["answer"]:
        case "ActionApproved":
            yield ActionApproved(**parts, proposal=subject, person=person, reason=reason)
        case "ActionRejected":
            yield ActionRejected(**parts, proposal=subject, person=person, reason=reason)
        case "ActionExpired":
            yield ActionExpired(**parts, proposal=subject)
        case "AlarmAcknowledged":
            yield AlarmAcknowledged(
                **_of_experiment(parts), alarm=subject, person=person, reason=reason
            )
        case _:
            yield HoldReleased(**_of_experiment(parts), person=person, reason=reason)


def _of_experiment(parts: dict[str, Any]) -> dict[str, Any]:
    """Leave out the scan, for what is about the whole experiment."""
    return {name: value for name, value in parts.items() if name != "scan"}
