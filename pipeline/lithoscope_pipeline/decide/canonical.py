"""What two runs of one experiment must have decided alike: no ids, no names, no times of work."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lithoscope_pipeline.decide.policy import Proposal, Verdict

Canonical = Mapping[str, Any]  # a JSON object

#: Lateness and disks are properties of the machine, not of the cell: a replay has its own.
NOT_COMPARED = frozenset({"late", "machine"})


def canonical_proposal(verdict: Verdict, proposal: Proposal) -> Canonical:
    """Give a proposal in its canonical form: rule, evidence, scan, action."""
    return {
        **_said(verdict),
        "basis": proposal.basis,
        "action": proposal.action.name,
        "parameters": proposal.action.as_dict,
    }


def canonical_firing(verdict: Verdict) -> Canonical:
    """Give the firing of a rule in its canonical form."""
    return {**_said(verdict), "basis": "fired", "action": verdict.action.name}


def canonical_decisions(verdicts: Iterable[Verdict]) -> tuple[Canonical, ...]:
    """Give all that was decided, in an order that does not depend on that of the rules."""
    found: list[Canonical] = []
    for verdict in verdicts:
        if verdict.has_fired and verdict.region not in NOT_COMPARED:
            found.append(canonical_firing(verdict))
        found += [
            canonical_proposal(verdict, proposal)
            for proposal in verdict.proposals
            if proposal.basis not in NOT_COMPARED
        ]
    return tuple(sorted(found, key=_text))


def canonical_sha256(decisions: Canonical | Sequence[Canonical]) -> str:
    """Hash decisions in their canonical form."""
    return hashlib.sha256(_text(decisions).encode()).hexdigest()


def _said(verdict: Verdict) -> Canonical:
    seen = verdict.seen
    return {
        "rule_sha256": verdict.rule_key,
        "scan": verdict.scan,
        "metric": seen.metric,
        "value": seen.value,
        "low95": seen.low95,
        "high95": seen.high95,
        "used": seen.used,
        "flags": list(seen.flags),
    }


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
