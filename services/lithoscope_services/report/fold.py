"""What an experiment has shown so far: a fold of its journal into one plain document."""

from collections.abc import Iterable
from typing import Any

from lithoscope_messages import (
    Entry,
    Fact,
    LabelsReady,
    MetricsReady,
    Pruned,
    ScanCompleted,
    ScanDecided,
    ScanFact,
    ScanStarted,
    StageFailed,
    TransformReady,
    VolumeReady,
)

JsonObject = dict[str, Any]  # what ``json.dumps`` writes as an object

#: Facts that tell how a decision came about, in the order of the journal.
DECISIONS = frozenset(
    {
        "ScanDecided",
        "VerdictLate",
        "RuleFired",
        "ProposalMade",
        "ActionApproved",
        "ActionRejected",
        "ActionExpired",
        "ActionSent",
        "ActionConfirmed",
        "ActionFailed",
        "ActionUnknown",
        "Armed",
        "Disarmed",
        "BlindAlarm",
    }
)
# What every fact has for the journal's sake and a reader of decisions does not need.
_ENVELOPE = {"version", "experiment", "key", "producer", "inputs", "hops"} | {
    "parameters_sha256",
    "algorithm_version",
}
# A scan that has metrics has got over a failure of these.
_UP_TO_METRICS = ("reconstruct", "register", "segment", "measure")


def make_report(experiment: str, entries: Iterable[Entry]) -> JsonObject:
    """Fold the entries of a journal.

    Parameters
    ----------
    experiment
        Name of the experiment.
    entries
        All entries so far, in order.

    Returns
    -------
    dict
        ``experiment``, ``scans``, ``decisions`` and ``failures``. A scan that is under way or has
        failed is listed too, with what is known of it. ``account`` says what came of its frames,
        ``anomalies`` in it what was not as it should be; ``pruned``, if it is there, what of the
        scan was removed on purpose. ``latency_s`` holds for each stage the
        time from the input's arrival to the result, and as ``total`` that from the end of the
        scan to the verdict. Of a repeated work the newest result counts.
    """
    scans: dict[int, JsonObject] = {}
    completed_ns: dict[int, int] = {}
    failures: dict[tuple[int, str], JsonObject] = {}
    decisions: list[JsonObject] = []
    for entry in entries:
        message = entry.message
        if message.type in DECISIONS:
            decisions.append(message.model_dump(mode="json", exclude=_ENVELOPE))
        if not isinstance(message, ScanFact):
            continue
        scan = scans.setdefault(message.scan, _empty_scan(message.scan))
        _note_latency(scan, message, completed_ns)
        match message:
            case ScanStarted():
                scan |= {
                    "time_s": message.phase.experiment_time_s,
                    "cycle": message.phase.cycle,
                    "half_cycle": message.phase.half_cycle,
                }
            case ScanCompleted():
                scan["completeness"] = message.account.completeness
                scan["account"] = {
                    **message.account.model_dump(mode="json"),
                    "expected": message.account.expected,
                    "stored": message.account.stored,
                    "anomalies": message.account.anomalies,
                }
            case MetricsReady():
                scan |= _measured(message)
                for stage in _UP_TO_METRICS:
                    failures.pop((message.scan, stage), None)
            case Pruned():
                scan.setdefault("pruned", []).append(message.part)
            case StageFailed():
                failures[message.scan, message.stage] = {
                    "scan": message.scan,
                    "stage": message.stage,
                    "attempts": message.attempts,
                    "error": message.error,
                }
            case _:
                pass
    return {
        "experiment": experiment,
        "scans": [scans[number] for number in sorted(scans)],
        "decisions": decisions,
        "failures": list(failures.values()),
    }


def _empty_scan(number: int) -> JsonObject:
    return {
        "scan": number,
        "time_s": None,
        "charge_mAh": None,
        "cycle": None,
        "half_cycle": None,
        "metrics": {},
        "latency_s": {},
        "completeness": None,
        "account": None,
    }


def _measured(fact: MetricsReady) -> JsonObject:
    metrics = {}
    for name, metric in sorted(fact.metrics.items()):
        plain = metric.model_dump(mode="json")
        if plain["p_value"] is None:
            del plain["p_value"]
        metrics[name] = plain
    return {
        "time_s": fact.experiment_time_s,
        "charge_mAh": fact.charge_mAh,
        "cycle": fact.cycle,
        "half_cycle": fact.half_cycle,
        "metrics": metrics,
        "completeness": fact.completeness,
    }


def _note_latency(scan: JsonObject, fact: Fact, completed_ns: dict[int, int]) -> None:
    latency_s = scan["latency_s"]
    match fact:
        case ScanCompleted():
            completed_ns.setdefault(fact.scan, fact.time_ns)
        case VolumeReady():
            _note_hops(latency_s, fact.stage, fact)
        case TransformReady():
            _note_hops(latency_s, "register", fact)
        case LabelsReady():
            _note_hops(latency_s, "segment", fact)
        case MetricsReady():
            _note_hops(latency_s, "measure", fact)
        case ScanDecided():
            _note_hops(latency_s, "decide", fact)
            if fact.scan in completed_ns:
                latency_s["total"] = (fact.time_ns - completed_ns[fact.scan]) / 1e9
        case _:
            pass


def _note_hops(latency_s: JsonObject, stage: str, fact: Fact) -> None:
    if fact.hops is not None:
        latency_s[stage] = (fact.hops.finished_ns - fact.hops.received_ns) / 1e9
