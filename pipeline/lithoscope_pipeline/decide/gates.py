"""Whether the numbers of a scan can be believed: gates, of which none mutes an alarm.

A gate that is shut keeps a neutral rule, or one that changes the scanning, from asking for
anything, and keeps everybody from acting without a person. A rule that protects the cell asks
all the same: a soft short makes the Faraday ratio fall and may break the registration, and that
is when it is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from lithoscope_pipeline.decide.rule import GateName, Rule
from lithoscope_pipeline.decide.scan_record import NOT_YET, ScanRecord
from lithoscope_pipeline.metric import SINGLE_SCAN_PREFIX

if TYPE_CHECKING:  # see scan_record.py
    from lithoscope_pipeline.metric import Metric

GateState = Literal["open", "shut", "not_known"]

#: An interval that is not modelled is taken to be this share of its value wide to either side.
_UNMODELLED_SHARE: Final = 0.3
#: Fewer pulses move less than a voxel or two; only an interval says what such a ratio is worth.
_LEAST_PULSES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLimits:
    """Where the gates stand.

    Parameters
    ----------
    min_completeness
        Least share of the projections that a scan must have.
    max_registration_px
        Largest residual of the registration, voxels.
    faraday_band
        Plausible lithium in the image over lithium of the charge.
    max_age_s
        Longest time from a scan to the decision on it, recorded time.
    """

    min_completeness: float = 0.8
    max_registration_px: float = 1.0
    faraday_band: tuple[float, float] = (0.7, 3.0)
    max_age_s: float = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFinding:
    """What a gate found; ``reason`` says why it is not open."""

    gate: GateName
    state: GateState
    reason: str = ""


def judge_gates(
    rule: Rule, scans: Sequence[ScanRecord], limits: GateLimits, *, time_s: float
) -> tuple[GateFinding, ...]:
    """Look at the gates of a rule for the last of some scans.

    Parameters
    ----------
    rule
        Whose gates.
    scans
        One scan and those before it, in order; at least one.
    limits
        Where the gates stand.
    time_s
        Recorded time of the decision.

    Returns
    -------
    tuple of GateFinding
        One for each gate of the rule.
    """
    newest = scans[-1]
    found: list[GateFinding] = []
    for gate in rule.gates:
        match gate:
            case "completeness":
                found.append(_completeness(newest, limits))
            case "registration":
                found.append(_registration(newest, rule, limits))
            case "model":
                found.append(_model(scans))
            case "distribution":
                found.append(_distribution(newest))
            case "faraday":
                found.append(_faraday(scans, limits))
            case "charge":
                found.append(_charge(newest))
            case "age":
                found.append(_age(newest, limits, time_s))
    return tuple(found)


def _completeness(scan: ScanRecord, limits: GateLimits) -> GateFinding:
    share = _value(scan.metrics.get("reconstruction_completeness"))
    if share is None:
        return _shut("completeness", "how complete the scan is was not measured")
    if share < limits.min_completeness:
        return _shut(
            "completeness",
            f"{share:.0%} of the projections are there, {limits.min_completeness:.0%} are needed",
        )
    return _open("completeness")


def _registration(scan: ScanRecord, rule: Rule, limits: GateLimits) -> GateFinding:
    alone = scan.metrics.get(SINGLE_SCAN_PREFIX + rule.metric)
    if rule.is_protective and _value(alone) is not None:
        return _open("registration")  # the rule reads the labels of this scan alone too
    if scan.is_unregistered:
        return _shut("registration", "the scan was not laid over the first")
    residual_px = _value(scan.metrics.get("registration_residual_px"))
    if residual_px is None:
        return _shut("registration", "the residual of the registration was not measured")
    if residual_px > limits.max_registration_px:
        return _shut(
            "registration",
            f"a residual of {residual_px:.2g} voxels, {limits.max_registration_px:g} at most",
        )
    return _open("registration")


def _model(scans: Sequence[ScanRecord]) -> GateFinding:
    newest = scans[-1]
    if not newest.model:
        return _shut("model", "what made the labels is not known")
    first = next(scan.model for scan in scans if scan.model)
    if newest.model != first:
        return _shut("model", f"labels by {newest.model}, those of the first scan by {first}")
    return _open("model")


def _distribution(scan: ScanRecord) -> GateFinding:
    """Judge by the distance from the training in units of its limit; only networks have one."""
    metric = scan.metrics.get("training_distance")
    if metric is None:
        return _open("distribution")
    if metric.value is None:
        return GateFinding(
            gate="distribution",
            state="not_known",
            reason="what the network was trained on was never described",
        )
    if metric.value > 1.0:
        return _shut(
            "distribution",
            f"the scan lies {metric.value:.2g} times as far from the training as a scan of it may",
        )
    return _open("distribution")


def _faraday(scans: Sequence[ScanRecord], limits: GateLimits) -> GateFinding:
    ratio = scans[-1].metrics.get("ct_faraday_ratio")
    if ratio is None or ratio.value is None:
        why = "not among the metrics" if ratio is None else ", ".join(ratio.flags)
        return GateFinding(gate="faraday", state="not_known", reason=f"no Faraday ratio: {why}")
    if ratio.low95 is None and pulses_since_the_turn(scans) < _LEAST_PULSES:
        return GateFinding(
            gate="faraday", state="not_known", reason="too little lithium has moved to be weighed"
        )
    spread = abs(ratio.value) * _UNMODELLED_SHARE
    low = ratio.value - spread if ratio.low95 is None else ratio.low95
    high = ratio.value + spread if ratio.high95 is None else ratio.high95
    least, most = limits.faraday_band
    if high < least or low > most:
        return _shut(
            "faraday",
            f"{ratio.value:.2g} times the lithium of the charge is seen, {least:g} to {most:g} "
            "are plausible",
        )
    return _open("faraday")


def pulses_since_the_turn(scans: Sequence[ScanRecord]) -> float:
    """Give the pulses that have passed since the current last changed its sign."""
    newest = scans[-1]
    sign = newest.last_current_mA or 0.0
    before = [scan for scan in scans if (scan.last_current_mA or 0.0) * sign < 0]
    return newest.pulse - (before[-1] if before else scans[0]).pulse


def _charge(scan: ScanRecord) -> GateFinding:
    flags = [
        flag
        for name in ("faraday_volume_um3", "ct_faraday_ratio")
        if (metric := scan.metrics.get(name)) is not None and metric.value is None
        for flag in metric.flags
    ]
    if "no_electrochemistry" not in flags:
        return _open("charge")
    if scan.pulse < 1:
        return GateFinding(gate="charge", state="not_known", reason="no pulse has passed yet")
    return _shut("charge", "pulses have passed and their charge is not known")


def _age(scan: ScanRecord, limits: GateLimits, time_s: float) -> GateFinding:
    age_s = time_s - scan.time_s
    if age_s > limits.max_age_s:
        return _shut("age", f"{age_s:.0f} s old, {limits.max_age_s:.0f} s at most")
    return _open("age")


def is_not_yet(metric: "Metric | None") -> bool:
    """Whether a number is missing only because there is nothing to be measured yet."""
    return metric is not None and metric.value is None and bool(NOT_YET & set(metric.flags))


def _value(metric: "Metric | None") -> float | None:
    return None if metric is None else metric.value


def _open(gate: GateName) -> GateFinding:
    return GateFinding(gate=gate, state="open")


def _shut(gate: GateName, reason: str) -> GateFinding:
    return GateFinding(gate=gate, state="shut", reason=reason)
