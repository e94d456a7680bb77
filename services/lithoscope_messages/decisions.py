"""Facts about decisions, and the requests that lead to some of them."""

from typing import Annotated, Any, Literal

from pydantic import Field

from lithoscope_messages._base import Fact, Key, Request, ScanFact, Sha256, Value

Mode = Literal["off", "dry_run", "propose", "auto"]
Severity = Literal["info", "minor", "major", "critical"]
RuleClass = Literal["reduces_risk", "neutral", "raises_risk"]
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


class Evidence(Value):
    """One number that a decision rests on."""

    metric: str
    value: float | None
    low95: float | None = None
    high95: float | None = None
    bound_used: Literal["value", "low95", "high95"]
    flags: tuple[str, ...] = ()


class ScanDecided(ScanFact):
    """All rules have been looked at for this scan: the answer the plan waits for."""

    type: Literal["ScanDecided"] = "ScanDecided"
    version: Literal[1] = 1
    verdict: Literal["continue", "hold"]
    rules_evaluated: tuple[str, ...]
    rules_fired: tuple[str, ...] = ()
    proposals: tuple[str, ...] = ()
    reason: Annotated[str, Field(max_length=1000)] = ""


class VerdictLate(ScanFact):
    """The plan waited for an answer and none came in time."""

    type: Literal["VerdictLate"] = "VerdictLate"
    version: Literal[1] = 1
    waited_s: Annotated[float, Field(ge=0)]
    plan_did: Literal["continue", "hold"]


class RuleFired(ScanFact):
    """A rule crossed its set value."""

    type: Literal["RuleFired"] = "RuleFired"
    version: Literal[1] = 1
    rule: Annotated[str, Field(max_length=64)]
    rule_sha256: Sha256
    evidence: tuple[Evidence, ...]
    severity: Severity
    reason: Annotated[str, Field(max_length=1000)]


class ProposalMade(ScanFact):
    """What the policy proposes to do."""

    type: Literal["ProposalMade"] = "ProposalMade"
    version: Literal[1] = 1
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


class ActionSent(_AboutProposal):
    """The intent is durable and the action is being sent."""

    type: Literal["ActionSent"] = "ActionSent"
    version: Literal[1] = 1
    actuator: str
    correlation_id: str


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


class Armed(Fact):
    """A lease to act, with a name, a reason and an end."""

    type: Literal["Armed"] = "Armed"
    version: Literal[1] = 1
    person: str
    reason: str
    ends_s: Annotated[float, Field(description="Experiment time at which the lease ends, s")]


class Disarmed(Fact):
    """The lease has ended."""

    type: Literal["Disarmed"] = "Disarmed"
    version: Literal[1] = 1
    person: str
    reason: str


class BlindAlarm(ScanFact):
    """A protective rule could not see; latched until acknowledged."""

    type: Literal["BlindAlarm"] = "BlindAlarm"
    version: Literal[1] = 1
    rule: str
    reason: Annotated[str, Field(max_length=1000)]
    guidance: Annotated[str, Field(max_length=1000)] = ""


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
