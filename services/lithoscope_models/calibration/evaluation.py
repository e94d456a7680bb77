"""How good intervals are on experiments that they were not fitted to."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.calibration.fit import fit_parameters, metric_names, residuals_of
from lithoscope_models.calibration.residuals import ExperimentResiduals
from lithoscope_models.calibration.tables import GapResiduals, MetricScore
from lithoscope_pipeline.measure.intervals import FitParameters, MetricResiduals, fit_metric
from lithoscope_pipeline.measure.intervals.conformal import (
    coverage,
    covered,
    experiment_weights,
    intervals_of,
)

_FOLDS: Final = 5
_GAP: Final = "remaining_gap_um"


def score_metrics(experiments: Sequence[ExperimentResiduals]) -> dict[str, MetricScore]:
    """Score the intervals of all metrics that have enough experiments.

    Parameters
    ----------
    experiments
        As for `fit_calibration`. Within the families a fifth of the experiments of each is held
        out in turn; then each family is left out whole, with all that is at least half of it.
        All are judged where they are held out, and those of each family by themselves; by what
        is left out those of the families are judged.
    """
    families = sorted({each.family for each in experiments})
    is_between = np.array([each.towards is not None for each in experiments])
    scores = {}
    for name in metric_names(experiments):
        residuals = residuals_of(experiments, name)
        # Nothing that is seen as nothing proves no interval.
        is_there = (residuals.seen.size != 0) | (residuals.truth != 0)
        parameters = fit_parameters(name, experiments[0].voxel_um)
        lies_between = is_between[residuals.experiment]
        n_experiments = residuals.where(is_there & ~lies_between).n_experiments
        # A fold, or a family of six, is held out.
        if n_experiments * (1 - 1 / _FOLDS) >= parameters.least_experiments:
            scores[name] = _score(residuals, is_there, lies_between, parameters, families)
    return scores


def gap_residuals(experiments: Sequence[ExperimentResiduals]) -> tuple[GapResiduals, ...]:
    """Give the gap of each experiment while it closes, until it is bridged."""
    out = []
    for each in experiments:
        if each.towards is not None:
            continue  # fewer scans are looked at
        gap = each.metrics[_GAP]
        turn = each.half_cycles.count(0)
        rows = [
            (float(pulse), measured, truth)
            for pulse, measured, truth in zip(
                each.pulses[:turn], gap.measured[:turn], gap.truth[:turn], strict=True
            )
            if measured is not None and truth is not None and truth > 0
        ]
        if len(rows) > 1:
            pulses, measured, truth = zip(*rows, strict=True)
            out.append(
                GapResiduals(
                    family=each.family, pulses=pulses, measured_um=measured, true_um=truth
                )
            )
    return tuple(out)


def _score(
    residuals: MetricResiduals,
    is_there: NDArray[np.bool_],
    lies_between: NDArray[np.bool_],
    parameters: FitParameters,
    families: Sequence[str],
) -> MetricScore:
    """Judge a metric where it is there, in truth or in labels; it is fitted to all scans."""
    folds = _fold_of(residuals, lies_between)
    inside = np.zeros(len(residuals.truth), dtype=bool)
    width = np.zeros(len(residuals.truth))
    for fold in range(_FOLDS):
        held_out = folds == fold
        table = fit_metric(residuals.where(~held_out), parameters)
        test = residuals.where(held_out)
        inside[held_out] = covered(table, test)
        low, high = intervals_of(table, test.seen)
        width[held_out] = high - low

    def share(of: NDArray[np.bool_]) -> float:
        weights = experiment_weights(residuals.experiment[of])
        return float(np.average(inside[of], weights=weights))

    is_judged = is_there & ~lies_between
    judged = residuals.where(is_judged)
    weights = experiment_weights(judged.experiment)
    errors = judged.seen.size - judged.truth
    low_error, high_error = np.quantile(errors, (0.025, 0.975))
    return MetricScore(
        within=share(is_there),
        of_families=share(is_judged) if lies_between.any() else None,
        within_family={
            families[number]: share(is_judged & (residuals.family == number))
            for number in np.unique(judged.family)
        },
        left_out=_left_out(residuals, is_judged, parameters, families),
        width=float(np.average(width[is_judged], weights=weights)),
        spread=float(high_error - low_error),
        error=float(np.sqrt(np.average(errors**2, weights=weights))),
        bias=float(np.average(errors, weights=weights)),
        n_experiments=judged.n_experiments,
    )


def _left_out(
    residuals: MetricResiduals,
    is_judged: NDArray[np.bool_],
    parameters: FitParameters,
    families: Sequence[str],
) -> dict[str, float]:
    """Cover each family with intervals that have seen nothing of it."""
    out = {}
    for number in np.unique(residuals.family[is_judged]):
        of_family = residuals.family == number
        others = residuals.where(~of_family)
        n_others = residuals.where(~of_family & is_judged).n_experiments
        # What is more blurred than all that is known has no interval: it proves nothing.
        judged = of_family & is_judged & (residuals.seen.blur_px <= others.seen.blur_px.max())
        if n_others >= parameters.least_experiments and judged.any():
            table = fit_metric(others, parameters)
            out[families[number]] = coverage(table, residuals.where(judged))
    return out


def _fold_of(residuals: MetricResiduals, lies_between: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Deal the experiments of each family out over the folds, and those between as well."""
    fold = np.zeros(int(residuals.experiment.max()) + 1, np.intp)
    for family in np.unique(residuals.family):
        for part in (lies_between, ~lies_between):
            members = np.unique(residuals.experiment[(residuals.family == family) & part])
            fold[members] = np.arange(len(members)) % _FOLDS
    return fold[residuals.experiment]
