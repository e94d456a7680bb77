"""When rules would have fired in an experiment that is over, and what they would have cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lithoscope_pipeline.decide.follow import Step, follow
from lithoscope_pipeline.decide.gates import GateLimits
from lithoscope_pipeline.decide.policy import Verdict, verdict_of
from lithoscope_pipeline.decide.rule import Mode, Rule
from lithoscope_pipeline.decide.scan_record import ScanRecord

#: A gap under this is a bridge, micrometres; a drop of the potential over the other one as well.
_BRIDGED_UM: Final = 1.0
_SHORTED_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBacktest:
    """What one rule would have done.

    Parameters
    ----------
    rule
        The rule.
    verdicts
        Where it fired or was blind, in order.
    n_read
        Scans that had the number it watches.
    first_pulse
        Pulses before its first firing; None if it never fired.
    pulses_to_short
        Pulses from there to the first scan that shows a short, negative if that came first; None
        without either.
    pulses_forgone
        Pulses after its first firing that were passed all the same: what a hold would have cost.
    """

    rule: Rule
    verdicts: tuple[Verdict, ...]
    n_read: int
    first_pulse: float | None
    pulses_to_short: float | None
    pulses_forgone: float


def backtest(
    history: Sequence[ScanRecord],
    rules: Sequence[Rule],
    *,
    limits: GateLimits | None = None,
    mode: Mode = "propose",
) -> tuple[RuleBacktest, ...]:
    """Follow rules through an experiment that is over, as if each scan had just come.

    Parameters
    ----------
    history
        All scans, in any order.
    rules
        Rules to try; their modes count, but not that images were never commissioned.
    limits
        Of the gates; None for their defaults.
    mode
        Most that they may do.

    Returns
    -------
    tuple of RuleBacktest
        One for each rule.
    """
    scans = sorted(history, key=lambda record: record.scan)
    short = first_short_pulse(scans)
    return tuple(_one(rule, scans, limits or GateLimits(), mode, short) for rule in rules)


def first_short_pulse(scans: Sequence[ScanRecord]) -> float | None:
    """Give the pulses before the first scan that shows a short, by its gap or its potential."""
    for scan in scans:
        gap = scan.metrics.get("remaining_gap_um")
        drop = scan.metrics.get("voltage_drop_share")
        is_bridged = gap is not None and gap.value is not None and gap.value < _BRIDGED_UM
        if is_bridged or (drop is not None and (drop.low95 or 0.0) > _SHORTED_SHARE):
            return scan.pulse
    return None


def _one(
    rule: Rule, scans: Sequence[ScanRecord], limits: GateLimits, mode: Mode, short: float | None
) -> RuleBacktest:
    steps: tuple[Step, ...] = ()
    if rule.mode != "off" and scans:
        steps = follow(rule, scans, limits, time_s=scans[-1].time_s)
    verdicts = tuple(
        verdict_of(rule, scan, step, mode, scan.time_s)
        for scan, step in zip(scans, steps, strict=False)
        if step.is_firing or step.is_blind
    )
    pulses = {scan.scan: scan.pulse for scan in scans}
    fired = [pulses[verdict.scan] for verdict in verdicts if verdict.has_fired]
    first = fired[0] if fired else None
    return RuleBacktest(
        rule=rule,
        verdicts=verdicts,
        n_read=sum(step.reading is not None for step in steps),
        first_pulse=first,
        pulses_to_short=None if first is None or short is None else short - first,
        pulses_forgone=0.0 if first is None else scans[-1].pulse - first,
    )
