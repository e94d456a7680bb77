"""How early the gap rule holds a cell, tuned without the growth law that it is judged on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.gap_experiments import STORED, load_trajectories
from benchmarks.short_warning import load_residuals
from benchmarks.tables import Report, Table
from benchmarks.warned import (
    Score,
    is_within_one_pulse,
    lead_pulses,
    share_cells,
    together,
)
from lithoscope_pipeline.decide import Rule, default_rules, read
from lithoscope_pipeline.growth_histories import (
    LAWS,
    Fate,
    GrowthHistory,
    GrowthLaw,
    ResidualModel,
    Residuals,
    as_records,
    make_history,
)

Vector = NDArray[np.float64]

SEED = 2026
N_OF: dict[Fate, int] = {"inside": 500, "none": 500, "near_miss": 50, "outside": 50}
MARGINS_UM = np.arange(0.0, 62.5, 2.5)
THRESHOLDS_UM = np.arange(10.0, 132.5, 2.5)
EARLY_PULSES = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A history with the numbers that each way of warning compares; below its limit it holds."""

    history: GrowthHistory
    predicted_um: Vector
    low95_um: Vector


Cases = dict[tuple[GrowthLaw, Fate], list[Watched]]


def measure(*, is_quick: bool) -> Report:
    """Make the histories, tune, and judge."""
    rules = {rule.id: rule for rule in default_rules()}
    gap_rule, share = rules["remaining_gap"], 0.1 if is_quick else 1.0
    cases = make_cases(gap_rule, ResidualModel(), share=share)
    n_all = sum(map(len, cases.values()))
    margin = gap_rule.set_value
    residuals = load_residuals()
    calibrated = make_cases(gap_rule, residuals, share=share)
    return Report(
        title="Backtest of the default rules",
        method=(
            f"{n_all} histories of a remaining gap, one scan a pulse, under four growth laws "
            "(`lithoscope_pipeline.growth_histories`): a gap of 200 to 350 um that closes "
            "within 6 to 40 pulses, or stops with 25 to 95 % of it left (sound) or 3 to 25 % "
            "(near miss). "
            "Errors of the measured gap are whole trajectories: a bias of 4 um of each experiment "
            "and a drift of 5 um that keeps 0.6 of itself from scan to scan, wider than those of "
            "the experiments at image level below; in one table those of the "
            f"{len(residuals.trajectories_um)} experiments that calibrate the default network.",
            "A limit is tuned on three laws, where it makes the worse of missed bridges and false "
            "holds least on the worst law, and judged on the fourth. A hold counts as before the "
            "short if it comes at a scan before the bridge; a hold in a sound history is false. "
            "Bounds are 95 % Clopper-Pearson. Bridges within one pulse, those with more than a "
            "quarter of the gap left at the last scan before, are listed apart, and so are near "
            "misses: a hold is what a person would want there.",
        ),
        tables=(
            _left_out(cases, "predicted_um", MARGINS_UM, "Gap rule: margin tuned without the law"),
            _left_out(cases, "low95_um", THRESHOLDS_UM, "Fixed gap threshold, tuned alike"),
            _default(cases, margin, "errors as above"),
            _default(calibrated, margin, "errors of the calibration of the network"),
            _voltage(cases, rules["soft_short_voltage"]),
            _apart(cases, margin),
            *_image_level(gap_rule),
        ),
        packages=("numpy", "scipy"),
    )


def make_cases(rule: Rule, residuals: Residuals, *, share: float) -> Cases:
    """Make the histories of all laws and fates."""
    cases: Cases = {}
    for i, law in enumerate(LAWS):
        for j, (fate, n) in enumerate(N_OF.items()):
            cases[law, fate] = [
                _watch(
                    rule,
                    make_history(
                        law, fate, residuals=residuals, rng=np.random.default_rng([SEED, i, j, k])
                    ),
                )
                for k in range(max(4, round(n * share)))
            ]
    return cases


def _watch(rule: Rule, history: GrowthHistory) -> Watched:
    records = as_records(history)
    readings = [read(rule, records[: i + 1]) for i in range(len(records))]
    values = [np.inf if each is None else each.value for each in readings]
    return Watched(history=history, predicted_um=np.array(values), low95_um=history.low95_um)


def score(cases: Cases, law: GrowthLaw, which: str, limit: float) -> Score:
    """Judge one limit on one law."""
    bridged = [each for each in cases[law, "inside"] if not is_within_one_pulse(each.history)]
    leads = [lead_pulses(each.history, getattr(each, which), limit) for each in bridged]
    sound = cases[law, "none"]
    return Score(
        leads=tuple(lead for lead in leads if lead is not None),
        n_bridged=len(bridged),
        n_false=sum(bool((getattr(each, which) < limit).any()) for each in sound),
        n_sound=len(sound),
    )


def tune(cases: Cases, laws: Sequence[GrowthLaw], which: str, limits: Vector) -> float:
    """Give the limit whose loss on the worst of some laws is least."""
    losses = [max(score(cases, law, which, limit).loss for law in laws) for limit in limits]
    return float(limits[int(np.argmin(losses))])


def _left_out(cases: Cases, which: str, limits: Vector, title: str) -> Table:
    rows, scores = [], []
    for law in LAWS:
        limit = tune(cases, [each for each in LAWS if each != law], which, limits)
        found = score(cases, law, which, limit)
        scores.append(found)
        rows.append([law.replace("_", " "), f"{limit:g} um", *_cells(found)])
    rows.append(["all, each left out", "", *_cells(together(scores))])
    everything = tune(cases, LAWS, which, limits)
    scores = [score(cases, law, which, everything) for law in LAWS]
    rows.append(["tuned on all", f"{everything:g} um", *_cells(together(scores))])
    return Table(title=title, columns=("law left out", "limit", *_COLUMNS), rows=rows)


def _default(cases: Cases, margin: float, errors: str) -> Table:
    rows = []
    scores = [score(cases, law, "predicted_um", margin) for law in LAWS]
    for law, found in zip(LAWS, scores, strict=True):
        rows.append([law.replace("_", " "), *_cells(found)])
    rows.append(["all", *_cells(together(scores))])
    return Table(
        title=f"The default gap rule as it is shipped: margin {margin:g} um, {errors}",
        columns=("law", *_COLUMNS),
        rows=rows,
    )


_COLUMNS = (
    "held before the short",
    "95 %",
    "false holds",
    "95 %",
    "lead in pulses: 5 %, median, 95 %",
    f"held over {EARLY_PULSES:g} pulses early",
)


def _cells(found: Score) -> list[str]:
    early = sum(lead > EARLY_PULSES for lead in found.leads)
    return [*found.cells(), f"{early} of {found.n_bridged}"]


def _voltage(cases: Cases, rule: Rule) -> Table:
    """Say what the potential alone sees, and when."""
    rows = []
    for fate in ("inside", "outside"):
        watched = [each for law in LAWS for each in cases[law, fate]]
        before = after = 0
        for each in watched:
            drop, bridge = each.history.voltage_drop + 0.06, each.history.bridge_pulse
            seen = np.flatnonzero(drop > rule.set_value)
            if bridge is not None and len(seen):
                before += bool(seen[0] < bridge)
                after += bool(bridge <= seen[0] < bridge + 1)
        n = len(watched)
        rows.append([fate, *share_cells(before, n), *share_cells(after, n)])
    sound = [each for law in LAWS for each in cases[law, "none"]]
    false = sum(bool((each.history.voltage_drop + 0.06 > rule.set_value).any()) for each in sound)
    rows.append(["none: held for nothing", *share_cells(false, len(sound)), "", ""])
    return Table(
        title="Voltage alone: it says what has happened, wherever it has",
        columns=("bridge", "before the short", "95 %", "at the scan after it", "95 %"),
        rows=rows,
    )


def _apart(cases: Cases, margin: float) -> Table:
    sudden = [
        each for law in LAWS for each in cases[law, "inside"] if is_within_one_pulse(each.history)
    ]
    near = [each for law in LAWS for each in cases[law, "near_miss"]]
    caught = sum(
        lead_pulses(each.history, each.predicted_um, margin) is not None for each in sudden
    )
    held = sum(bool((each.predicted_um < margin).any()) for each in near)
    return Table(
        title="Listed apart, for the default gap rule",
        columns=("histories", "held", "95 %"),
        rows=[
            [
                "bridge within one pulse",
                *(share_cells(caught, len(sudden)) if sudden else ("0", "")),
            ],
            ["near miss, 3 to 25 % of the gap left", *share_cells(held, len(near))],
        ],
    )


def _image_level(rule: Rule) -> tuple[Table, ...]:
    """Show what the rule does with experiments that went through the chain, if there are any."""
    if not STORED.is_file():
        return ()
    rows = []
    for each in load_trajectories():
        errors = each.measured_um - each.true_um
        held = each.first_hold(rule)
        rows.append(
            [
                str(each.seed),
                each.family,
                "none" if each.bridge_pulse is None else f"{each.bridge} {each.bridge_pulse:g}",
                "none" if held is None else f"after pulse {held:g}",
                f"{errors.mean():+.1f}, {np.abs(errors).max():.1f}",
            ]
        )
    return (
        Table(
            title="Experiments at image level: one charge, size tiny, voxel 9 um",
            columns=("seed", "family", "bridge", "gap rule holds", "error um: mean, largest"),
            rows=rows,
        ),
    )
