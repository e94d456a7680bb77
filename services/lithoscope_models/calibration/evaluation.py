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
        out in turn; then each family is left out whole, from the choice of the widening too.
    """
    families = sorted({each.family for each in experiments})
    scores = {}
    for name in metric_names(experiments):
        residuals = residuals_of(experiments, name)
        # Nothing that is seen as nothing proves no interval.
        residuals = residuals.where((residuals.measured != 0) | (residuals.truth != 0))
        parameters = fit_parameters(name, experiments[0].voxel_um)
        n_experiments = len(np.unique(residuals.experiment))
        if n_experiments * (1 - 1 / _FOLDS) >= parameters.least_experiments:
            scores[name] = _score(residuals, parameters, families)
    return scores


def gap_residuals(experiments: Sequence[ExperimentResiduals]) -> tuple[GapResiduals, ...]:
    """Give the gap of each experiment while it closes, until it is bridged."""
    out = []
    for each in experiments:
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
    residuals: MetricResiduals, parameters: FitParameters, families: Sequence[str]
) -> MetricScore:
    folds = _fold_of(residuals)
    inside = np.zeros(len(residuals.truth), dtype=bool)
    width = np.zeros(len(residuals.truth))
    for fold in range(_FOLDS):
        held_out = folds == fold
        table = fit_metric(residuals.where(~held_out), parameters)
        test = residuals.where(held_out)
        inside[held_out] = covered(table, test)
        low, high = intervals_of(table, test.measured, test.cnr, test.blur_px)
        width[held_out] = high - low
    weights = experiment_weights(residuals.experiment)
    within_family, left_out = {}, {}
    for number in np.unique(residuals.family):
        of_family = residuals.family == number
        name = families[number]
        within_family[name] = float(np.average(inside[of_family], weights=weights[of_family]))
        others = residuals.where(~of_family)
        if len(np.unique(others.experiment)) >= parameters.least_experiments:
            # What is more blurred than all that is known has no interval: it proves nothing.
            judged = of_family & (residuals.blur_px <= others.blur_px.max())
            found = covered(fit_metric(others, parameters), residuals.where(judged))
            if len(found):
                left_out[name] = float(np.average(found, weights=weights[judged]))
    errors = residuals.measured - residuals.truth
    low_error, high_error = np.quantile(errors, (0.025, 0.975))
    return MetricScore(
        within=float(np.average(inside, weights=weights)),
        within_family=within_family,
        left_out=left_out,
        width=float(np.average(width, weights=weights)),
        spread=float(high_error - low_error),
        error=float(np.sqrt(np.average(errors**2, weights=weights))),
        bias=float(np.average(errors, weights=weights)),
        n_experiments=len(np.unique(residuals.experiment)),
    )


def _fold_of(residuals: MetricResiduals) -> NDArray[np.intp]:
    """Deal the experiments of each family out over the folds."""
    fold = np.zeros(int(residuals.experiment.max()) + 1, np.intp)
    for family in np.unique(residuals.family):
        members = np.unique(residuals.experiment[residuals.family == family])
        fold[members] = np.arange(len(members)) % _FOLDS
    return fold[residuals.experiment]
