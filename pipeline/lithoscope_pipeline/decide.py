"""Rules on metrics: when they fire and what they propose, a pure function of the history.

The same history, rules, mode and recorded time give the same decision, so a replay decides as
the experiment did.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.measure.metric import Metric

Comparison = Literal["below", "above"]
Bound = Literal["value", "low95", "high95"]
Action = Literal[
    "hold",
    "pause",
    "lower_current",
    "finer_scan",
    "repeat_flats",
    "scan_more",
    "scan_less",
    "note",
]
Severity = Literal["info", "minor", "major", "critical"]
Mode = Literal["off", "dry_run", "propose", "auto"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a metric calls for an action.

    Parameters
    ----------
    id
        Name of the rule, unique among the rules in use.
    metric
        Name of the metric that it watches.
    comparison
        ``below`` fires when the metric falls under ``set_value``, ``above`` when it rises over.
    set_value, reset_value
        The rule fires when the set value is passed and is ready again only after the reset
        value was passed back, in the unit of the metric.
    k, n
        ``k`` of the last ``n`` scans must pass the set value.
    bound
        What is compared: an end of the 95 % interval, or the value; an interval that is not
        known yields the value, and the reason says so.
    action
        What it asks for.
    severity, guidance
        How urgent it is, and what a person should look at.
    time_to_live_s
        How long a proposal waits for an approval.
    """

    id: str
    metric: str
    comparison: Comparison
    set_value: float
    reset_value: float
    k: int = 1
    n: int = 1
    bound: Bound = "low95"
    action: Action = "hold"
    severity: Severity = "major"
    guidance: str = ""
    time_to_live_s: float = 1200.0

    def __post_init__(self) -> None:
        slack = self.reset_value - self.set_value
        if (slack if self.comparison == "below" else -slack) < 0:
            msg = (
                f"rule {self.id}: reset_value {self.reset_value} lies on the firing side of "
                f"set_value {self.set_value}; move it to the safe side"
            )
            raise ParameterError(msg)
        if not 1 <= self.k <= self.n:
            msg = f"rule {self.id}: k of n is {self.k} of {self.n}, 1 <= k <= n is needed"
            raise ParameterError(msg)

    @property
    def key(self) -> str:
        """Hash of everything that the rule says."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanMeasurement:
    """The metrics of one scan and when it was taken, in recorded experiment time."""

    scan: int
    time_s: float
    metrics: Mapping[str, Metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFiring:
    """A rule that fired at a scan, and the evidence.

    Parameters
    ----------
    rule_id, rule_key
        The rule and the hash of what it said.
    scan
        Scan whose metric made it fire.
    value
        Number that was compared with the set value.
    compared
        Which number that is: an end of the interval, or ``value`` when it has none.
    severity
        Severity of the rule.
    reason
        One sentence with all numbers.
    """

    rule_id: str
    rule_key: str
    scan: int
    value: float
    compared: Literal["low95", "high95", "value"]
    severity: Severity
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An action that a rule asks for.

    Parameters
    ----------
    firing
        The rule that fired and its evidence.
    action
        What is asked for.
    guidance
        What a person should look at before approving.
    made_time_s, expires_time_s
        Recorded experiment time; afterwards the proposal is void.
    """

    firing: RuleFiring
    action: Action
    guidance: str
    made_time_s: float
    expires_time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindAlarm:
    """A rule that could not see: its metric has no value in the newest scan."""

    rule_id: str
    scan: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the newest scan means: rules that fired at it, proposals, rules that are blind."""

    fired: tuple[RuleFiring, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    blind: tuple[BlindAlarm, ...] = ()


def default_rules() -> tuple[Rule, ...]:
    """Give the rules of a new experiment."""
    return (
        Rule(
            id="remaining_gap",
            metric="remaining_gap_um",
            comparison="below",
            # A fast tip of the reference cell grows about 20 um a pulse: five pulses of warning.
            set_value=120.0,
            reset_value=150.0,
            action="hold",
            severity="critical",
            guidance="Look at the tallest dendrite in the gap map before the next pulse.",
        ),
    )


def decide(
    history: Sequence[ScanMeasurement], rules: Sequence[Rule], *, mode: Mode, time_s: float
) -> Decision:
    """Decide what the newest scan of a history calls for.

    Each rule is followed through the whole history with its hysteresis: it fires at the scan
    where it passes its set value and not again before it has passed its reset value. Only what
    fires at the newest scan is in the decision.

    Parameters
    ----------
    history
        Measurements of all scans so far, in any order, each scan once.
    rules
        Rules in use.
    mode
        ``off`` follows no rule, ``dry_run`` proposes nothing; ``propose`` and ``auto`` do.
    time_s
        Recorded experiment time of the decision.

    Returns
    -------
    Decision
        Firings, proposals and blind rules, in the order of ``rules``.

    Raises
    ------
    ParameterError
        If a scan or a rule appears twice.
    """
    _check_unique([str(measurement.scan) for measurement in history], "scan")
    _check_unique([rule.id for rule in rules], "rule")
    if mode == "off" or not history:
        return Decision()
    scans = sorted(history, key=lambda measurement: measurement.scan)
    followed = [_follow(rule, scans) for rule in rules]

    fired = tuple(outcome for outcome in followed if isinstance(outcome, RuleFiring))
    blind = tuple(outcome for outcome in followed if isinstance(outcome, BlindAlarm))
    proposals = tuple(
        Proposal(
            firing=outcome,
            action=rule.action,
            guidance=rule.guidance,
            made_time_s=time_s,
            expires_time_s=time_s + rule.time_to_live_s,
        )
        for rule, outcome in zip(rules, followed, strict=True)
        if isinstance(outcome, RuleFiring)
    )
    return Decision(
        fired=fired, proposals=proposals if mode in ("propose", "auto") else (), blind=blind
    )


def _follow(rule: Rule, scans: Sequence[ScanMeasurement]) -> RuleFiring | BlindAlarm | None:
    """Give what a rule does at the last scan."""
    is_ready = True
    passed: list[bool] = []
    fires = False
    for scan in scans:
        reading = _read(rule, scan.metrics.get(rule.metric))
        # A scan without a value neither fires nor resets: the rule stays as it is.
        passed.append(reading is not None and _is_beyond(rule, reading[0]))
        fires = is_ready and passed[-1] and sum(passed[-rule.n :]) >= rule.k
        if fires:
            is_ready = False
        elif reading is not None and _is_reset(rule, reading[0]):
            is_ready = True

    newest = scans[-1]
    metric = newest.metrics.get(rule.metric)
    reading = _read(rule, metric)
    if reading is None:
        why = ", ".join(metric.flags) if metric else "not among the metrics"
        return BlindAlarm(rule_id=rule.id, scan=newest.scan, reason=f"{rule.metric}: {why}")
    return _firing(rule, newest, reading) if fires else None


def _read(
    rule: Rule, metric: Metric | None
) -> tuple[float, Literal["low95", "high95", "value"]] | None:
    if metric is None or metric.value is None:
        return None
    bound = {"low95": metric.low95, "high95": metric.high95}.get(rule.bound)
    return (metric.value, "value") if bound is None else (bound, rule.bound)


def _firing(
    rule: Rule,
    scan: ScanMeasurement,
    reading: tuple[float, Literal["low95", "high95", "value"]],
) -> RuleFiring:
    value, compared = reading
    unit = scan.metrics[rule.metric].unit
    which = compared if compared == "value" else f"{compared} bound"
    if compared != rule.bound:
        which = "value, whose interval is not modelled,"
    passed = "" if rule.n == 1 else f" in {rule.k} of {rule.n} scans"
    reason = (
        f"{rule.metric}: its {which} is {value:.4g} {unit}, {rule.comparison} the set value "
        f"{rule.set_value:.4g} {unit}{passed}"
    )
    return RuleFiring(
        rule_id=rule.id,
        rule_key=rule.key,
        scan=scan.scan,
        value=value,
        compared=compared,
        severity=rule.severity,
        reason=reason,
    )


def _is_beyond(rule: Rule, value: float) -> bool:
    return value < rule.set_value if rule.comparison == "below" else value > rule.set_value


def _is_reset(rule: Rule, value: float) -> bool:
    return value > rule.reset_value if rule.comparison == "below" else value < rule.reset_value


def _check_unique(names: Sequence[str], what: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"{what} {', '.join(twice)} appears twice, each may appear once"
        raise ParameterError(msg)
