"""A rule followed from scan to scan: hysteresis, k of n, delays, limits, and when it is blind."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lithoscope_pipeline.decide.gates import GateFinding, GateLimits, is_not_yet, judge_gates
from lithoscope_pipeline.decide.reading import Reading, read
from lithoscope_pipeline.decide.rule import Rule
from lithoscope_pipeline.decide.scan_record import ScanRecord

_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a rule makes of one scan.

    Parameters
    ----------
    scan
        Its number.
    reading
        What was compared, None if there was nothing.
    is_firing
        Whether the rule fires at this scan.
    is_blind
        Whether a protective rule cannot believe what it sees, or sees nothing.
    asks_blindly
        Whether it asks for its action because it is blind: when that begins, and again when
        nobody can answer the last such proposal any more.
    gates
        Gates that are not open.
    blindness
        Why it is blind.
    held_back
        Why it fires and asks for nothing, or not without a person; empty if nothing stands in
        its way.
    """

    scan: int
    reading: Reading | None = None
    is_firing: bool = False
    is_blind: bool = False
    asks_blindly: bool = False
    gates: tuple[GateFinding, ...] = ()
    blindness: str = ""
    held_back: str = ""

    @property
    def shut_gates(self) -> tuple[GateFinding, ...]:
        """Gates that failed."""
        return tuple(gate for gate in self.gates if gate.state == "shut")


@dataclass(slots=True)
class _State:
    """Where a rule stands between two scans."""

    is_ready: bool = True
    beyond_since_s: float | None = None
    reset_since_s: float | None = None
    passed: list[bool] = field(default_factory=list)
    asked_s: list[float] = field(default_factory=list)
    blind_asked_s: float | None = None


def follow(
    rule: Rule, scans: Sequence[ScanRecord], limits: GateLimits, *, time_s: float
) -> tuple[Step, ...]:
    """Follow a rule through an experiment.

    Each scan is decided on with what was known then; the age counts for the last one alone, for
    the others were decided on in their time.

    Parameters
    ----------
    rule
        What is followed.
    scans
        All scans so far, in order of their number.
    limits
        Of the gates.
    time_s
        Recorded time of the decision on the last scan.

    Returns
    -------
    tuple of Step
        One for each scan.
    """
    state, steps = _State(), []
    for i, scan in enumerate(scans):
        seen = scans[: i + 1]
        decided_s = time_s if i + 1 == len(scans) else scan.time_s
        gates = tuple(
            gate
            for gate in judge_gates(rule, seen, limits, time_s=decided_s)
            if gate.state != "open"
        )
        steps.append(_step(rule, seen, gates, state))
    return tuple(steps)


def _step(
    rule: Rule, scans: Sequence[ScanRecord], gates: tuple[GateFinding, ...], state: _State
) -> Step:
    scan = scans[-1]
    shut = tuple(gate for gate in gates if gate.state == "shut")
    reading = read(rule, scans)
    # What a shut gate discredits neither fires nor resets a rule, unless that protects the cell.
    counts = reading is not None and (rule.is_protective or not shut)
    beyond = reading is not None and _is_beyond(rule, reading.value)
    _note(rule, state, scan.time_s, beyond=counts and beyond, reading=reading if counts else None)
    has_lasted = state.beyond_since_s is not None and (
        scan.time_s - state.beyond_since_s >= rule.on_delay_s
    )
    is_agreed = counts and beyond and sum(state.passed[-rule.n :]) >= rule.k and has_lasted
    is_firing = state.is_ready and is_agreed
    blindness = _blindness(rule, scan, reading, shut)
    asks_blindly = bool(blindness) and not is_firing and _is_due(rule, state, scan.time_s)
    held_back = ""
    if is_firing:
        state.is_ready = False
        held_back = _limited(rule, state, scan.time_s)
    elif state.is_ready and beyond and not counts and 1 + sum(state.passed[-rule.n :]) >= rule.k:
        is_firing, held_back = True, "; ".join(f"{gate.gate}: {gate.reason}" for gate in shut)
    if (is_firing and not held_back) or (is_firing and rule.is_protective) or asks_blindly:
        state.asked_s.append(scan.time_s)
    state.blind_asked_s = _blind_since(state, scan.time_s, blindness, asks_blindly)
    return Step(
        scan=scan.scan,
        reading=reading,
        is_firing=is_firing,
        is_blind=bool(blindness),
        asks_blindly=asks_blindly,
        gates=gates,
        blindness=blindness,
        held_back=held_back,
    )


def _note(
    rule: Rule, state: _State, time_s: float, *, beyond: bool, reading: Reading | None
) -> None:
    """Keep since when the metric is beyond either value, and make the rule ready again."""
    state.passed.append(beyond)
    if reading is None:
        return  # a scan without a number neither fires nor resets
    if not beyond:
        state.beyond_since_s = None
    elif state.beyond_since_s is None:
        state.beyond_since_s = time_s
    if not _is_reset(rule, reading.value):
        state.reset_since_s = None
        return
    if state.reset_since_s is None:
        state.reset_since_s = time_s
    if time_s - state.reset_since_s >= rule.off_delay_s:
        state.is_ready = True


def _blindness(
    rule: Rule, scan: ScanRecord, reading: Reading | None, shut: Sequence[GateFinding]
) -> str:
    """Say why a protective rule cannot see; empty if it can, or if there is nothing to see yet."""
    if not rule.is_protective:
        return ""
    reasons = [f"{gate.gate}: {gate.reason}" for gate in shut]
    if reading is None:
        metric = scan.metrics.get(rule.metric)
        if is_not_yet(metric):
            return ""
        if metric is not None:
            reasons.insert(0, f"{rule.metric} was not measured: {', '.join(metric.flags)}")
        elif scan.failure:
            reasons = [f"no numbers of this scan: {scan.failure}"]
        else:
            reasons.insert(0, f"{rule.metric} is not among the metrics")
    return "; ".join(reasons)


def _is_due(rule: Rule, state: _State, time_s: float) -> bool:
    asked_s = state.blind_asked_s
    return asked_s is None or time_s - asked_s >= rule.time_to_live_s


def _blind_since(state: _State, time_s: float, blindness: str, asks_blindly: bool) -> float | None:
    if not blindness:
        return None
    return time_s if asks_blindly else state.blind_asked_s


def _limited(rule: Rule, state: _State, time_s: float) -> str:
    """Say which limit stands in the way of asking now; empty if none does."""
    if state.asked_s and time_s - state.asked_s[-1] < rule.cooldown_s:
        return f"cool-down of {rule.cooldown_s:g} s, asked {time_s - state.asked_s[-1]:.0f} s ago"
    within = sum(time_s - asked_s < _HOUR_S for asked_s in state.asked_s)
    if within >= rule.max_per_hour:
        return f"asked {within} times within the hour, {rule.max_per_hour} at most"
    if len(state.asked_s) >= rule.max_per_experiment:
        return f"asked {len(state.asked_s)} times, {rule.max_per_experiment} an experiment at most"
    return ""


def _is_beyond(rule: Rule, value: float) -> bool:
    return value < rule.set_value if rule.comparison == "below" else value > rule.set_value


def _is_reset(rule: Rule, value: float) -> bool:
    return value > rule.reset_value if rule.comparison == "below" else value < rule.reset_value
