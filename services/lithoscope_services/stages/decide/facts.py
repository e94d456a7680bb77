"""What the policy decides, as facts."""

from collections.abc import Iterator, Sequence
from typing import Any

from lithoscope_messages import (
    BlindAlarm,
    Evidence,
    Fact,
    ProposalMade,
    RuleFired,
)
from lithoscope_pipeline.decide import (
    NOT_COMPARED,
    Proposal,
    Verdict,
    canonical_firing,
    canonical_proposal,
    canonical_sha256,
)
from lithoscope_services.stage import json_sha256

Parts = dict[str, Any]  # what every fact of a task has, but its key


def proposal_key(verdict: Verdict, proposal: Proposal) -> str:
    """Name a proposal by what it is, so that a replay proposes the same."""
    what = [verdict.rule_key, verdict.scan, proposal.basis, proposal.action.name]
    return json_sha256([*what, proposal.action.as_dict])[:16]


def facts_of(verdicts: Sequence[Verdict], parts: Parts, *, attempt: str) -> Iterator[Fact]:
    """Give what rules have to say, firings first, then alarms, then proposals.

    Parameters
    ----------
    verdicts
        Of the policy.
    parts
        What every fact of the task has, but its key.
    attempt
        Tells the alarms of a scan that is decided on again from those before.
    """
    for verdict in verdicts:
        if verdict.has_fired:
            yield _fired(verdict, parts)
    for verdict in verdicts:
        if verdict.blindness:
            yield _alarm(verdict, parts, attempt)
    for verdict in verdicts:
        for proposal in verdict.proposals:
            yield _proposed(verdict, proposal, parts)


def _fired(verdict: Verdict, parts: Parts) -> RuleFired:
    held_back = verdict.held_back
    if not held_back and verdict.mode == "dry_run":
        held_back = "dry run: nothing is proposed"
    return RuleFired(
        **parts,
        key=f"{verdict.rule_id}:{verdict.scan}",
        rule=verdict.rule_id,
        rule_sha256=verdict.rule_key,
        evidence=(_evidence(verdict),),
        severity=verdict.severity,
        reason=verdict.reason[:1000],
        mode=verdict.mode,
        action=verdict.action.name,
        held_back=held_back[:300],
        decision_sha256=None
        if verdict.region in NOT_COMPARED
        else canonical_sha256(canonical_firing(verdict)),
    )


def alarm_key(rule_id: str, scan: int, attempt: str) -> str:
    """Name an alarm."""
    return f"{rule_id}:{scan}:{attempt}"


def _alarm(verdict: Verdict, parts: Parts, attempt: str) -> BlindAlarm:
    made = [proposal_key(verdict, each) for each in verdict.proposals if not each.is_companion]
    return BlindAlarm(
        **parts,
        key=alarm_key(verdict.rule_id, verdict.scan, attempt),
        rule=verdict.rule_id,
        reason=verdict.blindness[:1000],
        guidance=verdict.guidance,
        failed_gates=verdict.shut_gates,
        proposal=made[0] if made else None,
        severity=verdict.severity,
    )


def _proposed(verdict: Verdict, proposal: Proposal, parts: Parts) -> ProposalMade:
    key = proposal_key(verdict, proposal)
    first = verdict.proposals[0]
    return ProposalMade(
        **parts,
        key=key,
        proposal=key,
        rule=verdict.rule_id,
        rule_sha256=verdict.rule_key,
        action=proposal.action.name,
        parameters=proposal.action.as_dict,
        rule_class=proposal.action.rule_class,
        mode=proposal.mode,
        evidence=(_evidence(verdict),),
        reason=proposal.reason[:1000],
        guidance=verdict.guidance,
        experiment_time_s=proposal.made_time_s,
        expires_s=proposal.expires_time_s,
        failed_gates=proposal.shut_gates,
        basis=proposal.basis,
        follows=proposal_key(verdict, first) if proposal.is_companion else None,
        decision_sha256=None
        if proposal.basis in NOT_COMPARED
        else canonical_sha256(canonical_proposal(verdict, proposal)),
    )


def _evidence(verdict: Verdict) -> Evidence:
    seen = verdict.seen
    return Evidence(
        metric=seen.metric,
        value=seen.value,
        low95=seen.low95,
        high95=seen.high95,
        bound_used=seen.compared,
        flags=seen.flags,
    )
