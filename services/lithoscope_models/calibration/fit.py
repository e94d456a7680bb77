"""From residuals to the tables of a calibration."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from lithoscope_models.calibration.residuals import ExperimentResiduals, Trajectory
from lithoscope_pipeline.measure.intervals import (
    VOLUMES,
    Calibration,
    CalibrationRange,
    FitParameters,
    LabelOrigin,
    MetricResiduals,
    MetricTable,
    SeenScans,
    fit_metric,
)
from lithoscope_pipeline.measure.intervals.kinds import (
    EXACT,
    FROM_TRAVELLED,
    bounds,
    is_per_area,
    resolution,
)

#: Largest error of where earlier scans lie that the calibration has seen, voxels.
REGISTRATION_PX: Final = 0.5
#: Least contrast-to-noise: below it the labels of the default network fall apart, and a few
#: experiments would widen the intervals of all.
LEAST_CNR: Final = 2.2
_LEAST_VALUES: Final = 60


def fit_calibration(
    experiments: Sequence[ExperimentResiduals],
    origin: LabelOrigin,
    *,
    model_sha256: str,
    measure_version: int,
) -> Calibration:
    """Fit all metrics of the labels of one origin.

    Parameters
    ----------
    experiments
        What the labels of this origin make of each; all with voxels of one size.
    origin, model_sha256, measure_version
        As in `Calibration`.
    """
    metrics: dict[str, MetricTable] = {}
    for name in metric_names(experiments):
        residuals = residuals_of(experiments, name)
        parameters = fit_parameters(name, experiments[0].voxel_um)
        is_there = (residuals.seen.size != 0) | (residuals.truth != 0)
        n_experiments = residuals.where(is_there).n_experiments
        if is_there.sum() >= _LEAST_VALUES and n_experiments >= parameters.least_experiments:
            metrics[name] = fit_metric(residuals, parameters)
    most_cnr = max(max(each.cnr) for each in experiments)
    blurs_px = [blur_px for each in experiments for blur_px in each.blur_px]
    return Calibration(
        origin=origin,
        model_sha256=model_sha256,
        measure_version=measure_version,
        holds=CalibrationRange(
            voxel_um=experiments[0].voxel_um,
            area_um2=experiments[0].area_um2,
            cnr=(LEAST_CNR, most_cnr),
            # Nothing is lost where an image is sharper than any that was seen.
            blur_px=(0.0, max(blurs_px)),
            registration_px=REGISTRATION_PX,
        ),
        n_experiments=len(experiments),
        metrics=metrics,
    )


def metric_names(experiments: Iterable[ExperimentResiduals]) -> list[str]:
    """Name the metrics whose intervals are fitted, and do not follow from others."""
    names = {name for each in experiments for name in each.metrics}
    return sorted(names - EXACT - set(FROM_TRAVELLED))


def fit_parameters(name: str, voxel_um: float) -> FitParameters:
    """Say how a metric is fitted."""
    least, most = bounds(name)
    return FitParameters(
        is_per_area=is_per_area(name),
        least=least,
        most=most,
        resolution=resolution(name, voxel_um),
    )


def residuals_of(experiments: Sequence[ExperimentResiduals], name: str) -> MetricResiduals:
    """Collect one metric of all scans with enough contrast; volumes per square micrometre."""
    families = sorted({each.family for each in experiments})
    rows = []
    for number, each in enumerate(experiments):
        unit = each.area_um2 if is_per_area(name) else 1.0
        trajectory = each.metrics.get(name, Trajectory(measured=(), truth=()))
        values = zip(trajectory.measured, trajectory.truth, _scans(each), strict=False)
        rows += [
            (measured / unit, truth / unit, number, families.index(each.family), *scan)
            for measured, truth, scan in values
            if measured is not None and truth is not None and scan[0] >= LEAST_CNR
        ]
    table = np.array(rows, float).reshape(-1, 7 + len(VOLUMES))
    measured, truth, number_of, family_of, cnr, blur_px, grain = table[:, :7].T
    return MetricResiduals(
        seen=SeenScans(
            size=measured, cnr=cnr, blur_px=blur_px, grain=grain, volumes_um=table[:, 7:]
        ),
        truth=truth,
        experiment=number_of.astype(np.intp),
        family=family_of.astype(np.intp),
    )


def _scans(experiment: ExperimentResiduals) -> list[tuple[float, ...]]:
    """Give contrast-to-noise, blur, grain and volumes of each scan; NaN where there is none."""
    none = (None,) * len(experiment.cnr)
    volumes = [
        experiment.metrics[name].measured if name in experiment.metrics else none
        for name in VOLUMES
    ]
    return [
        (
            cnr,
            blur_px,
            grain,
            *(np.nan if value is None else value / experiment.area_um2 for value in values),
        )
        for cnr, blur_px, grain, *values in zip(
            experiment.cnr, experiment.blur_px, experiment.grain, *volumes, strict=True
        )
    ]
