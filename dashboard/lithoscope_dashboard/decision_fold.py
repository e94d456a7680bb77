"""Fold what is decided: rules that fire, alarms, leases, holds, and the history of all of it."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from lithoscope_dashboard.model import Event, ExperimentState, Failure, Lease, RuleLine, with_item
from lithoscope_messages import (
    AcknowledgeRequested,
    ActionApproved,
    ActionSent,
    ActionUnknown,
    AlarmAcknowledged,
    Armed,
    ArmRefused,
    BlindAlarm,
    Disarmed,
    Entry,
    HoldReleased,
    JournalMessage,
    RetryRequested,
    RuleFired,
    ScanDecided,
    StageFailed,
    VerdictLate,
)

#: What the history shows, and in which words.
_KINDS = {
    "RuleFired": "rule fired",
    "ProposalMade": "proposed",
    "BlindAlarm": "blind alarm",
    "VerdictLate": "verdict late",
    "StageFailed": "stage failed",
    "ActionApproved": "approved",
    "ActionRejected": "rejected",
    "ActionExpired": "expired",
    "ActionSent": "sent",
    "ActionConfirmed": "confirmed",
    "ActionFailed": "failed",
    "ActionUnknown": "end unknown",
    "Armed": "armed",
    "ArmRefused": "not armed",
    "Disarmed": "disarmed",
    "AlarmAcknowledged": "acknowledged",
    "HoldReleased": "hold released",
    "ApprovalRequested": "approval asked",
    "RejectionRequested": "rejection asked",
    "ArmRequested": "arming asked",
    "DisarmRequested": "disarming asked",
    "HoldReleaseRequested": "release asked",
    "AcknowledgeRequested": "acknowledgement asked",
    "RetryRequested": "retry asked",
    "ReplayControlRequested": "replay control",
}


def fold_decision(state: ExperimentState, entry: Entry) -> ExperimentState:
    """Take an entry into account as far as it is about decisions; others change nothing."""
    message = entry.message
    if message.type in _KINDS:
        state = replace(state, events=(*state.events, _event(state, entry)))
    match message:
        case RuleFired():
            return _with_rule(
                state,
                message.rule,
                last_scan=message.scan,
                last_reason=message.reason,
                n_fired=_rule(state, message.rule).n_fired + 1,
                is_blind=False,
            )
        case BlindAlarm():
            return _with_rule(state, message.rule, is_blind=True, last_reason=message.reason)
        case Armed():
            lease = Lease(
                person=message.person,
                reason=message.reason,
                ends_ns=message.ends_ns,
                time_ns=message.time_ns,
            )
            return replace(state, lease=lease, lease_note="")
        case ArmRefused():
            return replace(state, lease_note=f"not armed: {message.reason}")
        case Disarmed():
            return replace(state, lease=None, lease_note=f"disarmed: {message.reason}")
        case ScanDecided() if message.verdict == "hold" and message.key not in state.holding:
            return replace(state, holding=with_item(state.holding, message.key, message.reason))
        case ScanDecided():
            return _seeing(state, message)
        case ActionApproved() | ActionSent():
            return _fold_hold(state, message.proposal)
        case HoldReleased():
            return replace(state, holding=MappingProxyType({}))
        case AcknowledgeRequested():
            return _with_failure(state, message.alarm, is_asked=True, person=message.person)
        case AlarmAcknowledged():
            return _with_failure(state, message.alarm, is_settled=True, person=message.person)
        case RetryRequested():
            return _fold_retry(state, message)
        case _:
            return state


def rule_lines(settings: dict[str, Any]) -> tuple[RuleLine, ...]:  # JSON of any version
    """Read the rules out of the settings of the experiment."""
    rules = settings.get("rules")
    lines = []
    for rule in rules if isinstance(rules, list) else ():
        if not isinstance(rule, dict) or rule.get("mode") == "off":
            continue
        metric, set_value = rule.get("metric"), rule.get("set_value")
        reset_value = rule.get("reset_value")
        if isinstance(metric, str) and isinstance(set_value, int | float):
            lines.append(
                RuleLine(
                    rule=str(rule.get("id", metric)),
                    metric=metric,
                    comparison=str(rule.get("comparison", "below")),
                    set_value=float(set_value),
                    reset_value=float(reset_value)
                    if isinstance(reset_value, int | float)
                    else None,
                    mode=str(rule.get("mode", "propose")),
                    action=str(rule.get("action", "note")),
                    severity=str(rule.get("severity", "")),
                    guidance=str(rule.get("guidance", "")),
                )
            )
    return tuple(lines)


def add_failure(
    state: ExperimentState, message: StageFailed | BlindAlarm | VerdictLate | ActionUnknown
) -> ExperimentState:
    """Put up something that a person should look at."""
    what = stage = guidance = ""
    is_alarm = False
    match message:
        case StageFailed():
            what, text, stage = str(message.stage), message.error, str(message.stage)
        case BlindAlarm():
            what, text = f"rule {message.rule} is blind", message.reason
            guidance, is_alarm = message.guidance, True
        case ActionUnknown():
            what, text, is_alarm = "action with unknown end", message.error, True
            guidance = "Look at the beamline whether it was done, then acknowledge."
        case VerdictLate():
            done = {"continue": "went on", "hold": "held"}[message.plan_did]
            what, text = "verdict late", f"the plan waited {message.waited_s:.1f} s and {done}"
    failure = Failure(
        key=message.key,
        scan=message.scan,
        what=what,
        text=text,
        time_ns=message.time_ns,
        is_alarm=is_alarm,
        stage=stage,
        guidance=guidance,
    )
    return replace(state, failures=(*state.failures, failure))


def _event(state: ExperimentState, entry: Entry) -> Event:
    message = entry.message
    return Event(
        number=entry.number,
        time_ns=message.time_ns,
        kind=_KINDS[message.type],
        scan=_scan_of(state, message),
        what=_what(state, message),
        person=str(getattr(message, "person", "")),
        text=_text(message),
    )


def _scan_of(state: ExperimentState, message: JournalMessage) -> int | None:
    scan = getattr(message, "scan", None)
    if isinstance(scan, int):
        return scan
    proposal = getattr(message, "proposal", None)
    return next((each.scan for each in state.proposals if each.proposal == proposal), None)


def _what(state: ExperimentState, message: JournalMessage) -> str:
    proposal = getattr(message, "proposal", None)
    known = next((each for each in state.proposals if each.proposal == proposal), None)
    rule = getattr(message, "rule", "") or (known.rule if known is not None else "")
    action = getattr(message, "action", "") or (known.action if known is not None else "")
    stage = getattr(message, "stage", "")
    return " · ".join(part for part in (str(rule), str(action).replace("_", " "), stage) if part)


def _text(message: JournalMessage) -> str:
    for name in ("reason", "error", "observed", "actuator"):
        text = getattr(message, name, "")
        if text:
            return str(text)
    if isinstance(message, VerdictLate):
        return f"the plan waited {message.waited_s:.1f} s"
    return ""


def _rule(state: ExperimentState, rule: str) -> RuleLine:
    for each in state.rules:
        if each.rule == rule:
            return each
    return RuleLine(rule=rule, metric="", comparison="", set_value=0.0, reset_value=None)


def _with_rule(
    state: ExperimentState, rule: str, **changes: Any
) -> ExperimentState:  # fields of RuleLine
    rules = tuple(replace(each, **changes) if each.rule == rule else each for each in state.rules)
    return replace(state, rules=rules)


def _seeing(state: ExperimentState, message: ScanDecided) -> ExperimentState:
    """Take a rule that was blind for an earlier scan as seeing again; its alarm stays."""
    blind_now = {
        each.what for each in state.failures if each.is_alarm and each.scan == message.scan
    }
    rules = tuple(
        replace(each, is_blind=f"rule {each.rule} is blind" in blind_now) for each in state.rules
    )
    return replace(state, rules=rules)


def _fold_hold(state: ExperimentState, proposal: str) -> ExperimentState:
    made = next((each for each in state.proposals if each.proposal == proposal), None)
    if made is None or made.action not in ("hold", "pause"):
        return state
    why = f"rule {made.rule}, scan {made.scan}: {made.reason}"
    return replace(state, holding=with_item(state.holding, proposal, why))


def _with_failure(
    state: ExperimentState, key: str, **changes: Any
) -> ExperimentState:  # fields of Failure
    failures = tuple(
        replace(each, **changes) if each.key == key else each for each in state.failures
    )
    return replace(state, failures=failures)


def _fold_retry(state: ExperimentState, message: RetryRequested) -> ExperimentState:
    failures = tuple(
        replace(each, is_asked=True, person=message.person)
        if (each.scan, each.stage) == (message.scan, message.stage)
        else each
        for each in state.failures
    )
    return replace(state, failures=failures)
