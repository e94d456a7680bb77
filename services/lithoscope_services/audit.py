"""Verify the journal of an experiment, and tell every decision from its evidence to its effect."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lithoscope_messages import (
    AcknowledgeRequested,
    ActionApproved,
    ActionConfirmed,
    ActionExpired,
    ActionFailed,
    ActionRejected,
    ActionSent,
    ActionUnknown,
    AlarmAcknowledged,
    ApprovalRequested,
    Armed,
    ArmRefused,
    BlindAlarm,
    Disarmed,
    DisarmRequested,
    Entry,
    HoldReleased,
    MetricsReady,
    ProposalMade,
    RejectionRequested,
)
from lithoscope_services.reading import read_entries
from lithoscope_store import CorruptDataError, Store, verify_chain

Document = dict[str, Any]  # JSON
_ANSWERS = {
    "ActionApproved": "approved",
    "ActionRejected": "rejected",
    "ActionExpired": "expired",
    "ApprovalRequested": "asked to approve",
    "RejectionRequested": "asked to reject",
}
_ENDS = {"ActionConfirmed": "confirmed", "ActionFailed": "failed", "ActionUnknown": "unknown"}


def audit_experiment(store: Store, experiment: str) -> Document:
    """Verify the chain of an experiment and tell its decisions.

    Parameters
    ----------
    store
        Where it lies.
    experiment
        Its name; it may run, or be sealed.

    Returns
    -------
    dict
        ``experiment``, ``entries`` (how many), ``head_hash``, ``problems`` (of the chain; empty if
        it holds), ``decisions`` and ``events`` (leases, alarms, releases), in the journal's order.

    Raises
    ------
    ReportError
        If the store has no such experiment.
    """
    try:
        entries = read_entries(store, experiment)
    except CorruptDataError as error:
        # What cannot be trusted is not told.
        return {
            "experiment": experiment,
            "entries": 0,
            "head_hash": None,
            "problems": [str(error)],
            "decisions": [],
            "events": [],
        }
    return audit_entries(experiment, entries)


def audit_entries(experiment: str, entries: Sequence[Entry]) -> Document:
    """Verify a chain from its first entry, and tell the decisions in it."""
    return {
        "experiment": experiment,
        "entries": len(entries),
        "head_hash": entries[-1].hash if entries else None,
        "problems": verify_chain(entries),
        "decisions": _decisions(entries),
        "events": [_event(entry) for entry in entries if _is_event(entry)],
    }


def _decisions(entries: Sequence[Entry]) -> list[Document]:
    told: dict[str, Document] = {}
    metrics_ns: dict[int, int] = {}
    for entry in entries:
        message = entry.message
        match message:
            case MetricsReady():
                metrics_ns[message.scan] = entry.appended_ns
            case ProposalMade():
                told[message.proposal] = _proposal(entry, message)
            case (
                ActionApproved()
                | ActionRejected()
                | ActionExpired()
                | ApprovalRequested()
                | RejectionRequested()
            ):
                if message.proposal in told:
                    told[message.proposal]["answers"].append(_answer(entry, message))
            case ActionSent():
                if message.proposal in told:
                    known = told[message.proposal]
                    known["sent"] = _sent(entry, message)
                    _time_from(known, "metrics_to_sent_s", metrics_ns, entry)
            case ActionConfirmed() | ActionFailed() | ActionUnknown():
                if message.proposal in told:
                    known = told[message.proposal]
                    known["attempts"].append(_end(entry, message))
                    known["end"] = known["attempts"][-1]
                    _time_from(known, "metrics_to_end_s", metrics_ns, entry)
    return list(told.values())


def _time_from(known: Document, name: str, metrics_ns: dict[int, int], entry: Entry) -> None:
    begun_ns = metrics_ns.get(known["scan"])
    if begun_ns is not None:
        known["latency"][name] = round((entry.appended_ns - begun_ns) / 1e9, 4)


def _proposal(entry: Entry, made: ProposalMade) -> Document:
    return {
        **_place(entry),
        "proposal": made.proposal,
        "scan": made.scan,
        "rule": made.rule,
        "rule_sha256": made.rule_sha256,
        "action": made.action,
        "parameters": made.parameters,
        "rule_class": made.rule_class,
        "mode": made.mode,
        "basis": made.basis,
        "failed_gates": list(made.failed_gates),
        "follows": made.follows,
        "reason": made.reason,
        "evidence": [each.model_dump(mode="json") for each in made.evidence],
        "inputs": list(made.inputs),
        "answers": [],
        "sent": None,
        "attempts": [],
        "end": None,
        "latency": {},
    }


def _answer(entry: Entry, message: Any) -> Document:  # one of the keys of _ANSWERS
    return {
        **_place(entry),
        "what": _ANSWERS[message.type],
        "person": getattr(message, "person", None),
        "reason": getattr(message, "reason", ""),
    }


def _sent(entry: Entry, sent: ActionSent) -> Document:
    return {
        **_place(entry),
        "actuator": sent.actuator,
        "correlation_id": sent.correlation_id,
        "request": sent.request,
    }


def _end(entry: Entry, message: ActionConfirmed | ActionFailed | ActionUnknown) -> Document:
    text = message.observed if isinstance(message, ActionConfirmed) else message.error
    return {
        **_place(entry),
        "state": _ENDS[message.type],
        "text": text,
        "correlation_id": message.correlation_id,
    }


_EVENTS = (
    Armed,
    ArmRefused,
    Disarmed,
    DisarmRequested,
    BlindAlarm,
    AcknowledgeRequested,
    AlarmAcknowledged,
    HoldReleased,
)


def _is_event(entry: Entry) -> bool:
    return isinstance(entry.message, _EVENTS)


def _event(entry: Entry) -> Document:
    message = entry.message
    event: Document = {**_place(entry), "what": message.type}
    for name in ("person", "rule", "alarm", "reason", "model", "rules_sha256"):
        value = getattr(message, name, None)
        if value:
            event[name] = value
    if isinstance(message, Armed):
        event["ends"] = _iso(message.ends_ns)
    return event


def _place(entry: Entry) -> Document:
    return {"number": entry.number, "time": _iso(entry.appended_ns)}


def _iso(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="milliseconds")
