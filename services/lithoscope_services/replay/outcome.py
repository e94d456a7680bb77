"""Whether a replay came to the same labels, metrics and decisions as what was recorded."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from lithoscope_messages import (
    BlindAlarm,
    Entry,
    LabelsReady,
    MetricsReady,
    ProposalMade,
    RuleFired,
    ScanDecided,
    ScanFact,
    StageFailed,
)

#: Stages whose failure belongs to the frames; ingest fails by its disk.
_OF_FRAMES = ("reconstruct", "register", "segment", "measure")
#: What is left on the disk now was not recorded: rules that rest on it are another matter.
_OF_THE_MACHINE = "free_disk_fraction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was compared of two experiments, and what differs; ``differences`` is one line each."""

    n_scans: int
    n_labels: int
    n_metrics: int
    n_decisions: int
    differences: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        """Whether all is the same."""
        return not self.differences


def compare_outcomes(
    recorded: Iterable[Entry], replayed: Iterable[Entry], scans: Iterable[int]
) -> Outcome:
    """Compare label hashes, metrics, failures and decisions of some scans.

    Times and names do not count, nor do rules on the disk of the machine. Of work that was
    repeated the newest result counts.
    """
    wanted = tuple(scans)
    ours, theirs = _results(replayed), _results(recorded)
    differences = []
    for scan in wanted:
        before, now = theirs.get(scan, {}), ours.get(scan, {})
        differences += [
            f"scan {scan}: {name} {_told(before.get(name), now.get(name))}"
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name)
        ]
    found = [theirs.get(scan, {}) for scan in wanted]
    return Outcome(
        n_scans=len(wanted),
        n_labels=sum("label hash" in each for each in found),
        n_metrics=sum(name.startswith("metric ") for each in found for name in each),
        n_decisions=sum(name.startswith("decision ") for each in found for name in each),
        differences=tuple(differences),
    )


def _results(entries: Iterable[Entry]) -> dict[int, dict[str, str]]:
    """Give, for each scan, what was found by its name, in a form that can be compared."""
    found: dict[int, dict[str, str]] = {}
    of_the_machine: set[str] = set()
    for entry in entries:
        message = entry.message
        if not isinstance(message, ScanFact):
            continue
        if isinstance(message, RuleFired | ProposalMade) and any(
            each.metric == _OF_THE_MACHINE for each in message.evidence
        ):
            of_the_machine.add(message.rule)
            continue
        scan = found.setdefault(message.scan, {})
        match message:
            case LabelsReady():
                scan["label hash"] = message.sha256
            case MetricsReady():
                for name, metric in message.metrics.items():
                    scan[f"metric {name}"] = metric.model_dump_json()
            case StageFailed() if message.stage in _OF_FRAMES:
                scan[f"failure of {message.stage}"] = message.error
            case ScanDecided() | RuleFired() | ProposalMade() | BlindAlarm():
                name, value = _decision(message, of_the_machine)
                scan[f"decision {name}"] = value
            case _:
                pass
    return found


def _decision(
    fact: ScanDecided | RuleFired | ProposalMade | BlindAlarm, left_out: Collection[str]
) -> tuple[str, str]:
    """Give name and canonical form of a decision: what was decided, not when and by whom."""
    match fact:
        case RuleFired() | ProposalMade():
            evidence = [each.model_dump(mode="json") for each in fact.evidence]
            value = fact.decision_sha256 or json.dumps(evidence)
            action = f" {fact.action}" if isinstance(fact, ProposalMade) else ""
            return f"{fact.type} {fact.rule}{action}", f"{fact.rule_sha256} {value}"
        case BlindAlarm():
            return f"{fact.type} {fact.rule}", "raised"
        case ScanDecided():
            fired = [rule for rule in fact.rules_fired if rule not in left_out]
            parts = [fact.verdict, *fact.rules_evaluated, "/", *fired]
            return fact.type, " ".join(parts)


def _told(before: str | None, now: str | None) -> str:
    def short(value: str | None) -> str:
        return "missing" if value is None else value if len(value) < 60 else f"{value[:57]}..."

    return f"was {short(before)}, is {short(now)}"
