"""Fold what is said about proposals: made, asked for, answered, sent, seen to work."""

from dataclasses import replace
from typing import assert_never

from lithoscope_dashboard.model import Answer, ExperimentState, ProposalState, ProposalStatus
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
    | ActionFailed
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


def fold_answer(state: ExperimentState, message: AnswerMessage) -> ExperimentState:
    """Take an answer to a proposal into account, or what became of its action."""
    answer = _answer(message)
    is_request = isinstance(message, ApprovalRequested | RejectionRequested)
    proposals = tuple(
        replace(proposal, answer=answer)
        # A request is only a wish: it never takes back what has been decided.
        if proposal.proposal == message.proposal and (proposal.is_open or not is_request)
        else proposal
        for proposal in state.proposals
    )
    return replace(state, proposals=proposals)


def _answer(message: AnswerMessage) -> Answer:
    status: ProposalStatus
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
        case ActionFailed() | ActionUnknown():
            status = "failed" if isinstance(message, ActionFailed) else "unknown"
            return Answer(status=status, detail=message.error)
        case _:
            assert_never(message)
