"""Rules tried on experiments that are stored: when they would have fired, and at what price."""

from collections.abc import Iterable, Sequence
from typing import Any

from lithoscope_messages import Entry
from lithoscope_pipeline.decide import Rule, RuleBacktest, ScanRecord, backtest
from lithoscope_services.history import History
from lithoscope_services.reading import read_entries
from lithoscope_services.settings import Settings
from lithoscope_services.stages.decide.numbers import describe_scan
from lithoscope_services.stages.decide.records import gate_limits, records_of
from lithoscope_store import ExperimentPaths, Store

JsonObject = dict[str, Any]  # what ``json.dumps`` writes as an object


def backtest_experiments(
    store: Store, experiments: Sequence[str], settings: Settings
) -> list[JsonObject]:
    """Try rules on stored experiments.

    Parameters
    ----------
    store
        Where they lie.
    experiments
        Their names.
    settings
        With the rules; gates stand where these say.

    Returns
    -------
    list
        One document for each experiment: ``experiment``, ``scans``, and ``rules`` with what each
        would have done.

    Raises
    ------
    ReportError, StoreError
        If there is no such experiment, or its journal is damaged.
    """
    return [
        backtest_entries(store.experiment(name), read_entries(store, name), settings)
        for name in experiments
    ]


def records_of_experiment(paths: ExperimentPaths, entries: Iterable[Entry]) -> list[ScanRecord]:
    """Give the scans of a stored experiment as its rules saw them, images as if commissioned."""
    history = History(paths.name)
    history.extend(entries)
    known = [
        scan for scan in history.in_order() if scan.metrics is not None or scan.failure is not None
    ]
    if not known:
        return []
    described = [{**describe_scan(scan, history), "is_validated": True} for scan in known]
    return list(records_of(described, paths, history.settings.decide))


def backtest_entries(
    paths: ExperimentPaths, entries: Iterable[Entry], settings: Settings
) -> JsonObject:
    """Try rules on one experiment, of which the journal's entries are given."""
    records = records_of_experiment(paths, entries)
    limits = gate_limits(
        settings.decide, residual_limit_px=settings.registration.residual_limit_px
    )
    rules = [rule.to_rule() for rule in settings.rules]
    return {
        "experiment": paths.name,
        "scans": len(records),
        "rules": [_row(each, records) for each in backtest(records, rules, limits=limits)],
    }


def _row(result: RuleBacktest, records: Sequence[ScanRecord]) -> JsonObject:
    rule = result.rule
    return {
        "rule": rule.id,
        "rule_sha256": rule.key,
        "metric": rule.metric,
        "action": rule.action.name,
        "mode": rule.mode,
        "scans_with_a_number": result.n_read,
        "fired": [
            {
                "scan": verdict.scan,
                "value": verdict.seen.value,
                "compared": verdict.seen.used,
                "bound": verdict.seen.compared,
                "reason": verdict.reason,
                "held_back": verdict.held_back,
            }
            for verdict in result.verdicts
            if verdict.has_fired
        ],
        "blind": [
            {"scan": verdict.scan, "reason": verdict.blindness}
            for verdict in result.verdicts
            if verdict.blindness
        ],
        "proposals": sum(len(verdict.proposals) for verdict in result.verdicts),
        "outcome": _outcome(rule, result, records),
    }


def _outcome(rule: Rule, result: RuleBacktest, records: Sequence[ScanRecord]) -> str:
    """Say what the first firing would have cost or saved, from what came after it."""
    if result.first_pulse is None:
        return "it would not have fired"
    after = f"{result.pulses_forgone:g} pulses followed"
    match rule.action.name:
        case "hold" | "pause" | "lower_current":
            if result.pulses_to_short is None:
                return f"no short followed; {rule.action.name} would have cost {after}"
            if result.pulses_to_short > 0:
                return f"{result.pulses_to_short:g} pulses before the first sign of a short"
            return f"{-result.pulses_to_short:g} pulses after the first sign of a short"
        case "scan_more":
            factor = rule.action.as_dict["scans_per_pulse"]
            return f"{after}: {(factor - 1) * result.pulses_forgone:g} scans more, with their dose"
        case "scan_less":
            share = 1 - 1 / rule.action.as_dict["pulses_per_scan"]
            left = sum(each.pulse > result.first_pulse for each in records)
            return f"{share * left:.0f} of {left} scans less, with their dose"
        case "finer_scan":
            return f"one scan of {rule.action.as_dict['projections_factor']:g} times the dose"
        case "repeat_flats":
            n_fired = sum(verdict.has_fired for verdict in result.verdicts)
            return f"{rule.action.as_dict['n_flats']:g} flats more, {n_fired} time(s)"
        case "note":
            return "a note"
