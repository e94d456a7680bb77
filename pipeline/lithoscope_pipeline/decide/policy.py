"""The policy: what the newest scan of an experiment calls for, a pure function of what is known.

The same history, rules, mode and recorded time give the same decision, so a replay decides as
the experiment did.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lithoscope_pipeline.decide.actions import MAY_BE_AUTO, Action
from lithoscope_pipeline.decide.follow import Step, follow
from lithoscope_pipeline.decide.gates import GateLimits
from lithoscope_pipeline.decide.reading import Compared, Reading
from lithoscope_pipeline.decide.rule import MODES, Mode, Region, Rule, Severity, least_mode
from lithoscope_pipeline.decide.scan_record import ScanRecord
from lithoscope_pipeline.errors import ParameterError

Basis = Literal["measured", "blind", "late", "machine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The number that a decision rests on.

    Parameters
    ----------
    metric
        Its name.
    value, low95, high95
        As measured; None if it was not.
    compared
        Which of them was compared.
    used
        What was compared with the set value, prediction included; None if there was nothing.
    unit, flags
        Of the metric.
    """

    metric: str
    value: float | None = None
    low95: float | None = None
    high95: float | None = None
    compared: Compared = "value"
    used: float | None = None
    unit: str = "1"
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An action that is asked for.

    Parameters
    ----------
    basis
        ``measured``: a number passed its set value; ``blind``: a protective rule cannot see;
        ``late``: its number did not come in time; ``machine``: it is about the work and not
        about the cell.
    action
        What is asked for.
    mode
        ``propose`` waits for a person, ``auto`` does not.
    made_time_s, expires_time_s
        Recorded time; afterwards it is void.
    reason
        Why, with all numbers.
    shut_gates
        Gates that failed.
    is_companion
        Whether it is what follows once the first action of the rule was done.
    """

    basis: Basis
    action: Action
    mode: Mode
    made_time_s: float
    expires_time_s: float
    reason: str
    shut_gates: tuple[str, ...] = ()
    is_companion: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one rule says of the newest scan; there is one only if it says anything.

    Parameters
    ----------
    rule_id, rule_key, region, severity, guidance
        The rule and the hash of what it says.
    scan
        Newest scan.
    seen
        Evidence.
    mode
        Highest mode that the rule had.
    has_fired
        Whether the metric passed its set value.
    reason
        One sentence with all numbers, if it has.
    held_back
        Why a rule that fired asks for nothing, or not without a person.
    blindness
        Why a protective rule cannot see; empty if it can.
    shut_gates
        Gates that failed.
    action
        What it asks for, or would.
    proposals
        What it asks for; none in a dry run.
    """

    rule_id: str
    rule_key: str
    region: Region
    severity: Severity
    guidance: str
    scan: int
    seen: Seen
    mode: Mode
    has_fired: bool
    reason: str
    held_back: str
    blindness: str
    shut_gates: tuple[str, ...]
    action: Action
    proposals: tuple[Proposal, ...]


def decide(
    history: Sequence[ScanRecord],
    rules: Sequence[Rule],
    *,
    mode: Mode,
    time_s: float,
    limits: GateLimits | None = None,
) -> tuple[Verdict, ...]:
    """Decide what the newest scan of an experiment calls for.

    Each rule is followed through the whole history: it fires at the scan where it passes its set
    value and not again before it has passed its reset value. Only what the newest scan brings is
    in the decision.

    Parameters
    ----------
    history
        All scans so far, in any order, each once.
    rules
        Rules in use.
    mode
        Most that any rule may do now: ``auto`` while a lease runs, else ``propose``.
    time_s
        Recorded time of the decision.
    limits
        Of the gates; None for their defaults.

    Returns
    -------
    tuple of Verdict
        Of the rules that have something to say, in the order of ``rules``.

    Raises
    ------
    ParameterError
        If a scan or a rule appears twice.
    """
    _check_unique([str(record.scan) for record in history], "scan")
    _check_unique([rule.id for rule in rules], "rule")
    if not history or mode == "off":
        return ()
    scans = sorted(history, key=lambda record: record.scan)
    found = []
    for rule in rules:
        if rule.mode == "off":
            continue
        step = follow(rule, scans, limits or GateLimits(), time_s=time_s)[-1]
        if step.is_firing or step.is_blind:
            found.append(verdict_of(rule, scans[-1], step, mode, time_s))
    return tuple(found)


def decide_late(
    record: ScanRecord, rules: Sequence[Rule], *, mode: Mode, waited_s: float, time_s: float
) -> tuple[Verdict, ...]:
    """Decide what it calls for that a plan waited in vain for the numbers of a scan.

    Parameters
    ----------
    record
        The scan, as far as it is known.
    rules
        Rules in use; those that protect the cell and need the scan's images are blind.
    mode, time_s
        As for :func:`decide`.
    waited_s
        How long the plan waited.

    Returns
    -------
    tuple of Verdict
        One for each rule that is blind, in the order of ``rules``.
    """
    found = []
    for rule in rules:
        if not rule.is_protective or rule.region != "view" or "off" in (rule.mode, mode):
            continue
        step = Step(
            scan=record.scan,
            is_blind=True,
            asks_blindly=True,
            blindness=f"no verdict after {waited_s:.0f} s",
        )
        found.append(verdict_of(rule, record, step, mode, time_s, basis="late"))
    return tuple(found)


def effective_mode(rule: Rule, scan: ScanRecord, step: Step, ceiling: Mode) -> Mode:
    """Give the most that a rule may do now: the least of all that bounds it."""
    bounds: list[Mode] = [rule.mode, ceiling]
    if rule.region == "view":
        bounds.append(scan.image_mode)
    is_sure = step.is_firing and not step.gates and not step.is_blind and not step.held_back
    if not is_sure or rule.action.name not in MAY_BE_AUTO:
        bounds.append("propose")
    return least_mode(*bounds)


def verdict_of(
    rule: Rule,
    scan: ScanRecord,
    step: Step,
    ceiling: Mode,
    time_s: float,
    basis: Basis | None = None,
) -> Verdict:
    """Write what a rule makes of a scan, with what it asks for."""
    mode = effective_mode(rule, scan, step, ceiling)
    reason = firing_reason(rule, step.reading) if step.is_firing and step.reading else ""
    asks = step.asks_blindly or (step.is_firing and (not step.held_back or rule.is_protective))
    proposals: tuple[Proposal, ...] = ()
    if asks and MODES.index(mode) >= MODES.index("propose"):
        proposals = _proposals(rule, step, mode, time_s, basis, reason)
    return Verdict(
        rule_id=rule.id,
        rule_key=rule.key,
        region=rule.region,
        severity=rule.severity,
        guidance=rule.guidance,
        scan=scan.scan,
        seen=_seen(rule, scan, step.reading),
        mode=mode,
        has_fired=step.is_firing,
        reason=reason,
        held_back=step.held_back,
        blindness=step.blindness,
        shut_gates=tuple(gate.gate for gate in step.shut_gates),
        action=rule.action,
        proposals=proposals,
    )


def _proposals(
    rule: Rule, step: Step, mode: Mode, time_s: float, basis: Basis | None, reason: str
) -> tuple[Proposal, ...]:
    texts = [reason] if reason else []
    texts += [f"BLIND: {step.blindness}"] if step.blindness else []
    texts += [f"a person must decide: {step.held_back}"] if step.held_back else []
    # Who sees nothing asks for no closer look at it.
    follows = (rule.then,) if rule.then is not None and step.is_firing else ()
    actions = (rule.action, *follows)
    return tuple(
        Proposal(
            basis=basis or _basis(rule, step),
            action=action,
            mode=mode,
            made_time_s=time_s,
            expires_time_s=time_s + rule.time_to_live_s,
            reason=". ".join(texts),
            shut_gates=tuple(gate.gate for gate in step.shut_gates),
            is_companion=is_companion,
        )
        for action, is_companion in zip(actions, (False, True), strict=False)
    )


def _basis(rule: Rule, step: Step) -> Basis:
    if rule.region == "machine":
        return "machine"
    return "measured" if step.is_firing else "blind"


def _seen(rule: Rule, scan: ScanRecord, reading: Reading | None) -> Seen:
    metric = scan.metrics.get(rule.metric) if reading is None else reading.metric
    if metric is None:
        return Seen(metric=rule.metric)
    return Seen(
        metric=rule.metric if reading is None else reading.name,
        value=metric.value,
        low95=metric.low95,
        high95=metric.high95,
        compared="value" if reading is None else reading.compared,
        used=None if reading is None else reading.value,
        unit=metric.unit,
        flags=metric.flags,
    )


def firing_reason(rule: Rule, reading: Reading) -> str:
    """Say in one sentence why a rule fires, with all numbers."""
    unit = "" if reading.metric.unit == "1" else f" {reading.metric.unit}"
    which = f"its {reading.compared} bound is {reading.bound:.4g}{unit}"
    if reading.compared == "value":
        sign = "-" if rule.bound == "low95" else "+"
        which = (
            f"its value, whose interval is not modelled, {sign} {rule.allowance:g} is "
            f"{reading.bound:.4g}{unit}"
        )
    if rule.prediction == "next_pulse":
        which += (
            f", less {reading.fall_per_pulse:.3g}{unit} for each of {reading.n_pulses:g} "
            f"pulse(s) to come {reading.value:.4g}{unit}"
        )
    passed = "" if rule.n == 1 else f" in {rule.k} of {rule.n} scans"
    return (
        f"{reading.name}: {which}, {rule.comparison} the set value {rule.set_value:.4g}{unit}"
        f"{passed}"
    )


def _check_unique(names: Sequence[str], what: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"{what} {', '.join(twice)} appears twice, each may appear once"
        raise ParameterError(msg)
