"""What the page knows of an experiment: frozen values, made by :mod:`read_model` alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from lithoscope_messages import (
    AxisFinding,
    ConfidenceFinding,
    CoverageFinding,
    Evidence,
    ExperimentDescription,
    MetricValue,
    ScanPhase,
    StageName,
)

STAGES: tuple[StageName, ...] = ("reconstruct", "register", "segment", "measure", "decide")
StageStatus = Literal["waiting", "running", "done", "failed"]
ProposalStatus = Literal[
    "open",
    "approval asked",
    "rejection asked",
    "approved",
    "rejected",
    "expired",
    "sent",
    "confirmed",
    "not sent",
    "failed",
    "unknown",
]
#: Answers to a proposal in these states still count.
OPEN: frozenset[ProposalStatus] = frozenset(
    {"open", "approval asked", "rejection asked", "not sent"}
)
K = TypeVar("K")
V = TypeVar("V")


def _nothing() -> Mapping[Any, Any]:  # what it maps is said by the field
    return MappingProxyType({})


def with_item(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    """Copy a mapping with one item changed."""
    return MappingProxyType({**mapping, key: value})


@dataclass(frozen=True, slots=True, kw_only=True)
class StageState:
    """Where one stage stands with one scan."""

    status: StageStatus = "waiting"
    attempt: int = 0
    duration_s: float | None = None
    error: str = ""
    started_ns: int | None = None
    finished_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A volume that may be looked at, and the labels in it.

    ``token`` changes with the voxels: it makes an address of a slice immutable.
    """

    path: str
    shape: tuple[int, int, int]
    voxel_um: float
    label_name: str | None
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanState:
    """All that is known of one scan."""

    scan: int
    phase: ScanPhase = field(default_factory=ScanPhase)
    voxel_size_um: float | None = None
    expected: int = 0
    stored: int = 0
    started_ns: int | None = None
    completed_ns: int | None = None
    completeness: float | None = None
    anomalies: Mapping[str, int] = field(default_factory=_nothing)
    stages: Mapping[StageName, StageState] = field(
        default_factory=lambda: MappingProxyType(dict.fromkeys(STAGES, StageState()))
    )
    slabs: Mapping[StageName, int] = field(default_factory=_nothing)
    axis: AxisFinding | None = None
    coverage: CoverageFinding | None = None
    backend: str = ""
    batch_reason: str = ""
    model: str = ""
    confidence: ConfidenceFinding | None = None
    flags: tuple[str, ...] = ()
    registration: str = ""
    residual_px: float | None = None
    picture: Picture | None = None
    maps_path: str | None = None
    surfaces_path: str | None = None
    metrics: Mapping[str, MetricValue] = field(default_factory=_nothing)
    time_s: float | None = None
    charge_mAh: float | None = None  # noqa: N815 - the unit is mAh
    half_cycle: int = 0
    numbers: Mapping[str, MetricValue] = field(default_factory=_nothing)
    verdict: str = ""
    verdict_reason: str = ""
    latency_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    """A rule: its line on a curve, and what it has done so far."""

    rule: str
    metric: str
    comparison: str
    set_value: float
    reset_value: float | None
    mode: str = "propose"
    action: str = "note"
    severity: str = ""
    guidance: str = ""
    n_fired: int = 0
    last_scan: int | None = None
    last_reason: str = ""
    is_blind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Leave to act without asking, given by a person until an end."""

    person: str
    reason: str
    ends_ns: int
    time_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the history of decisions; ``number`` is that of its entry in the journal."""

    number: int
    time_ns: int
    kind: str
    scan: int | None
    what: str
    person: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One step in the life of a proposal."""

    status: ProposalStatus
    person: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalState:
    """A proposal and what became of it; ``number`` counts from 0 in the order they were made."""

    number: int
    proposal: str
    scan: int
    rule: str
    action: str
    mode: str
    rule_class: str
    reason: str
    guidance: str
    evidence: tuple[Evidence, ...]
    expires_s: float | None
    answer: Answer = field(default_factory=lambda: Answer(status="open"))
    n_not_sent: int = 0

    @property
    def is_open(self) -> bool:
        """Whether a person may still answer."""
        return self.answer.status in OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Something a person should look at."""

    key: str
    scan: int
    what: str
    text: str
    time_ns: int
    is_alarm: bool = False
    is_settled: bool = False
    is_asked: bool = False
    stage: str = ""
    guidance: str = ""
    person: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentState:
    """An experiment, folded up to entry number ``head`` of its journal."""

    name: str
    head: int = 0
    description: ExperimentDescription = field(default_factory=ExperimentDescription)
    rules: tuple[RuleLine, ...] = ()
    verdict_timeout_s: float | None = None
    started_ns: int | None = None
    newest_ns: int | None = None
    is_ended: bool = False
    scans: Mapping[int, ScanState] = field(default_factory=_nothing)
    charges: tuple[tuple[float, float], ...] = ()
    proposals: tuple[ProposalState, ...] = ()
    failures: tuple[Failure, ...] = ()
    lease: Lease | None = None
    lease_note: str = ""
    holding: Mapping[str, str] = field(default_factory=_nothing)
    events: tuple[Event, ...] = ()

    @property
    def source(self) -> str:
        """Where the frames came from: ``live``, ``simulated``, ``replay`` or ``files``."""
        return self.description.source

    @property
    def open_proposals(self) -> tuple["ProposalState", ...]:
        """Those that wait for a person."""
        return tuple(each for each in self.proposals if each.is_open)

    @property
    def open_alarms(self) -> tuple["Failure", ...]:
        """Those that nobody has acknowledged."""
        return tuple(each for each in self.failures if each.is_alarm and not each.is_settled)

    @property
    def in_order(self) -> tuple[ScanState, ...]:
        """The scans, by number."""
        return tuple(self.scans[scan] for scan in sorted(self.scans))

    @property
    def newest(self) -> ScanState | None:
        """The scan that began last."""
        return self.scans[max(self.scans)] if self.scans else None

    @property
    def measured(self) -> tuple[ScanState, ...]:
        """The scans that have metrics, by number."""
        return tuple(scan for scan in self.in_order if scan.metrics)
