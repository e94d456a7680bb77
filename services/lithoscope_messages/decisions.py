"""Facts about decisions, and the requests that lead to some of them."""

from typing import Annotated, Any, Literal

from pydantic import Field

from lithoscope_messages._base import (
    Fact,
    Key,
    Lifted,
    Request,
    ScanFact,
    Sha256,
    TimeNs,
    Value,
)
from lithoscope_messages.metrics import MetricValue

Mode = Literal["off", "dry_run", "propose", "auto"]
Severity = Literal["info", "minor", "major", "critical"]
RuleClass = Literal["reduces_risk", "neutral", "raises_risk"]
Basis = Literal["measured", "blind", "late", "machine"]
ActionName = Literal[
    "hold",
    "pause",
    "lower_current",
    "finer_scan",
    "repeat_flats",
    "scan_more",
    "scan_less",
    "note",
]


FailedGates = Annotated[
    tuple[Annotated[str, Field(max_length=64)], ...],
    Field(description="Preconditions that did not hold"),
]
DecisionSha256 = Annotated[
    Sha256 | None,
    Field(description="Of the canonical form: rule, evidence, scan, action; no names, no times"),
]


class Evidence(Value):
    """One number that a decision rests on."""

    metric: str
    value: float | None
    low95: float | None = None
    high95: float | None = None
    bound_used: Literal["value", "low95", "high95"]
    flags: tuple[str, ...] = ()


class ScanDecided(Lifted, ScanFact):
    """All rules have been looked at for this scan: the answer the plan waits for.

    Version 1 did not say by which rules, model and mode.
    """

    type: Literal["ScanDecided"] = "ScanDecided"
    version: Literal[2] = 2
    verdict: Literal["continue", "hold"]
    rules_evaluated: tuple[str, ...]
    rules_fired: tuple[str, ...] = ()
    proposals: tuple[str, ...] = ()
    reason: Annotated[str, Field(max_length=1000)] = ""
    rules_sha256: Annotated[Sha256 | None, Field(description="Of all rules together")] = None
    model: Annotated[str, Field(max_length=128, description="Whose labels were measured")] = ""
    mode: Annotated[Mode, Field(description="Highest mode that was in force")] = "propose"
    numbers: Annotated[
        dict[str, MetricValue],
        Field(
            description="What was measured for the rules alone, by name: potential of the last "
            "pulse, drift of flats and axis, disk and budgets"
        ),
    ] = Field(default_factory=dict)


class VerdictLate(ScanFact):
    """The plan waited for an answer and none came in time."""

    type: Literal["VerdictLate"] = "VerdictLate"
    version: Literal[1] = 1
    waited_s: Annotated[float, Field(ge=0)]
    plan_did: Literal["continue", "hold"]


class RuleFired(Lifted, ScanFact):
    """A rule crossed its set value; version 1 did not say what follows from it."""

    type: Literal["RuleFired"] = "RuleFired"
    version: Literal[2] = 2
    rule: Annotated[str, Field(max_length=64)]
    rule_sha256: Sha256
    evidence: tuple[Evidence, ...]
    severity: Severity
    reason: Annotated[str, Field(max_length=1000)]
    mode: Mode = "propose"
    action: ActionName = "note"
    held_back: Annotated[
        str, Field(max_length=300, description="Why nothing is proposed; empty: it is")
    ] = ""
    decision_sha256: DecisionSha256 = None


class ProposalMade(Lifted, ScanFact):
    """What the policy proposes to do; version 1 did not say what it rests on.

    ``mode`` is the one in force after gates and lease: ``auto`` is sent without a person's yes.
    """

    type: Literal["ProposalMade"] = "ProposalMade"
    version: Literal[2] = 2
    proposal: Key
    rule: str
    rule_sha256: Sha256
    action: ActionName
    parameters: Annotated[dict[str, Any], Field(default_factory=dict)]
    rule_class: RuleClass
    mode: Mode
    evidence: tuple[Evidence, ...]
    reason: Annotated[str, Field(max_length=1000)]
    guidance: Annotated[str, Field(max_length=1000)] = ""
    experiment_time_s: float
    expires_s: Annotated[float | None, Field(description="Experiment time of its end, s")] = None
    failed_gates: FailedGates = ()
    basis: Annotated[Basis, Field(description="What the proposal rests on")] = "measured"
    follows: Annotated[
        Key | None, Field(description="Proposal that must have been sent before this one")
    ] = None
    decision_sha256: DecisionSha256 = None


class _AboutProposal(ScanFact):
    proposal: Key


class ActionApproved(_AboutProposal):
    """A person said yes in time."""

    type: Literal["ActionApproved"] = "ActionApproved"
    version: Literal[1] = 1
    person: str
    reason: str = ""


class ActionRejected(_AboutProposal):
    """A person said no."""

    type: Literal["ActionRejected"] = "ActionRejected"
    version: Literal[1] = 1
    person: str
    reason: str = ""


class ActionExpired(_AboutProposal):
    """Nobody answered in time."""

    type: Literal["ActionExpired"] = "ActionExpired"
    version: Literal[1] = 1


class ActionSent(Lifted, _AboutProposal):
    """The intent is durable and the action is being sent; version 1 did not say what is sent."""

    type: Literal["ActionSent"] = "ActionSent"
    version: Literal[2] = 2
    actuator: str
    correlation_id: str
    request: Annotated[
        dict[str, Any], Field(description="What is sent, without keys and passwords")
    ] = Field(default_factory=dict)


class ActionConfirmed(_AboutProposal):
    """The effect of an action was observed."""

    type: Literal["ActionConfirmed"] = "ActionConfirmed"
    version: Literal[1] = 1
    correlation_id: str
    observed: str


class ActionFailed(_AboutProposal):
    """It was observed that an action had no effect."""

    type: Literal["ActionFailed"] = "ActionFailed"
    version: Literal[1] = 1
    correlation_id: str
    error: str


class ActionUnknown(_AboutProposal):
    """Whether an action had its effect cannot be told; an alarm stands."""

    type: Literal["ActionUnknown"] = "ActionUnknown"
    version: Literal[1] = 1
    correlation_id: str
    error: str


class Armed(Lifted, Fact):
    """A lease to act, with a name, a reason and an end.

    Version 1 gave the end in experiment time, which stands still between scans; nobody wrote it.
    """

    type: Literal["Armed"] = "Armed"
    version: Literal[2] = 2
    person: str
    reason: str
    request: Annotated[Key, Field(description="What it answers")]
    ends_ns: Annotated[TimeNs, Field(description="Unix time of its end, ns")]
    rules_sha256: Annotated[Sha256 | None, Field(description="Rules it is given for")] = None
    model: Annotated[str, Field(max_length=128, description="Model it is given for")] = ""

    @classmethod
    def lift(cls, older: dict[str, Any]) -> dict[str, Any]:
        """Read version 1 as a lease that is over."""
        newer = {name: value for name, value in older.items() if name != "ends_s"}
        return {**newer, "request": older.get("key"), "ends_ns": older.get("time_ns")}


class ArmRefused(Fact):
    """A lease was asked for and not given."""

    type: Literal["ArmRefused"] = "ArmRefused"
    version: Literal[1] = 1
    person: str
    request: Annotated[Key, Field(description="What it answers")]
    reason: Annotated[str, Field(max_length=1000, description="Why not, and what to do")]


class Disarmed(Fact):
    """The lease has ended."""

    type: Literal["Disarmed"] = "Disarmed"
    version: Literal[1] = 1
    person: str
    reason: str


class AlarmAcknowledged(Fact):
    """A person has seen an alarm: a ``BlindAlarm``, or an ``ActionUnknown``."""

    type: Literal["AlarmAcknowledged"] = "AlarmAcknowledged"
    version: Literal[1] = 1
    alarm: Annotated[Key, Field(description="Key of the fact that raised it")]
    person: str
    reason: str = ""


class HoldReleased(Fact):
    """A person lets the plan go on after a hold."""

    type: Literal["HoldReleased"] = "HoldReleased"
    version: Literal[1] = 1
    person: str
    reason: str = ""


class BlindAlarm(Lifted, ScanFact):
    """A protective rule could not see; latched until acknowledged.

    Version 1 named neither the gates nor the proposal.
    """

    type: Literal["BlindAlarm"] = "BlindAlarm"
    version: Literal[2] = 2
    rule: str
    reason: Annotated[str, Field(max_length=1000)]
    guidance: Annotated[str, Field(max_length=1000)] = ""
    failed_gates: FailedGates = ()
    proposal: Annotated[Key | None, Field(description="What is proposed because of it")] = None
    severity: Severity = "critical"


class ApprovalRequested(Request):
    """Somebody approves a proposal."""

    type: Literal["ApprovalRequested"] = "ApprovalRequested"
    version: Literal[1] = 1
    proposal: Key


class RejectionRequested(Request):
    """Somebody rejects a proposal."""

    type: Literal["RejectionRequested"] = "RejectionRequested"
    version: Literal[1] = 1
    proposal: Key


class ArmRequested(Request):
    """Somebody asks for a lease to act."""

    type: Literal["ArmRequested"] = "ArmRequested"
    version: Literal[1] = 1
    duration_s: Annotated[float, Field(gt=0, le=43200, description="At most 12 h")]


class DisarmRequested(Request):
    """Somebody ends the lease."""

    type: Literal["DisarmRequested"] = "DisarmRequested"
    version: Literal[1] = 1


class HoldReleaseRequested(Request):
    """Somebody wants the plan to go on after a hold."""

    type: Literal["HoldReleaseRequested"] = "HoldReleaseRequested"
    version: Literal[1] = 1


class AcknowledgeRequested(Request):
    """Somebody has seen an alarm."""

    type: Literal["AcknowledgeRequested"] = "AcknowledgeRequested"
    version: Literal[1] = 1
    alarm: Key


class RetryRequested(Request):
    """Somebody asks for a failed scan to be tried again."""

    type: Literal["RetryRequested"] = "RetryRequested"
    version: Literal[1] = 1
    scan: int
    stage: str


class ReplayControlRequested(Request):
    """Pause, seek or speed of a replay."""

    type: Literal["ReplayControlRequested"] = "ReplayControlRequested"
    version: Literal[1] = 1
    action: Literal["pause", "resume", "seek", "speed"]
    value: float | None = None
