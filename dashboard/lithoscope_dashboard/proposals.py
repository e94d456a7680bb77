"""Fold what is said about proposals: made, asked for, answered, sent, seen to work."""

from dataclasses import replace
from typing import assert_never

from lithoscope_dashboard.model import Answer, ExperimentState, ProposalState
from lithoscope_messages import (
    ActionApproved,
    ActionConfirmed,
    ActionExpired,
    ActionFailed,
    ActionRejected,
    ActionSent,
    ActionUnknown,
    ApprovalRequested,
    ProposalMade,
    RejectionRequested,
)

AnswerMessage = (
    ActionApproved
    | ActionRejected
    | ActionExpired
    | ActionSent
    | ActionConfirmed
    | ActionUnknown
    | ApprovalRequested
    | RejectionRequested
)


def new_proposal(state: ExperimentState, message: ProposalMade) -> ProposalState:
    """Take up a proposal that has just been made."""
    return ProposalState(
        number=len(state.proposals),
        proposal=message.proposal,
        scan=message.scan,
        rule=message.rule,
        action=message.action,
        mode=message.mode,
        rule_class=message.rule_class,
        reason=message.reason,
        guidance=message.guidance,
        evidence=message.evidence,
        expires_s=message.expires_s,
    )


def fold_answer(state: ExperimentState, message: AnswerMessage | ActionFailed) -> ExperimentState:
    """Take an answer to a proposal into account, or what became of its action."""
    if isinstance(message, ActionFailed):
        return _fold_failed(state, message)
    answer = _answer(message)
    is_request = isinstance(message, ApprovalRequested | RejectionRequested)
    proposals = tuple(
        # Who answered stays to be seen when the action has been sent and has worked.
        replace(proposal, answer=replace(answer, person=answer.person or proposal.answer.person))
        # A request is only a wish: it never takes back what has been decided.
        if proposal.proposal == message.proposal and (proposal.is_open or not is_request)
        else proposal
        for proposal in state.proposals
    )
    return replace(state, proposals=proposals)


def _fold_failed(state: ExperimentState, message: ActionFailed) -> ExperimentState:
    """Close what was sent and failed; what was never sent waits for a person again."""
    proposals = tuple(
        replace(
            each,
            answer=Answer(
                status="failed" if each.answer.status == "sent" else "not sent",
                detail=message.error,
            ),
            n_not_sent=each.n_not_sent + (each.answer.status != "sent"),
        )
        if each.proposal == message.proposal
        else each
        for each in state.proposals
    )
    return replace(state, proposals=proposals)


def _answer(message: AnswerMessage) -> Answer:
    match message:
        case ApprovalRequested():
            return Answer(status="approval asked", person=message.person, detail=message.reason)
        case RejectionRequested():
            return Answer(status="rejection asked", person=message.person, detail=message.reason)
        case ActionApproved():
            return Answer(status="approved", person=message.person, detail=message.reason)
        case ActionRejected():
            return Answer(status="rejected", person=message.person, detail=message.reason)
        case ActionExpired():
            return Answer(status="expired")
        case ActionSent():
            return Answer(status="sent", detail=message.actuator)
        case ActionConfirmed():
            return Answer(status="confirmed", detail=message.observed)
        case ActionUnknown():
            return Answer(status="unknown", detail=message.error)
        case _:
            assert_never(message)
