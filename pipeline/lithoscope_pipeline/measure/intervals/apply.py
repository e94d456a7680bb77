"""Intervals and flags for the metrics of one scan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lithoscope_pipeline.measure.charge import RECORD_GAP
from lithoscope_pipeline.measure.intervals.conformal import intervals_of
from lithoscope_pipeline.measure.intervals.features import VOLUMES, SeenScans
from lithoscope_pipeline.measure.intervals.kinds import (
    COMPARING,
    EXACT,
    EXTREMES,
    FROM_TRAVELLED,
    GROWN,
    is_per_area,
)
from lithoscope_pipeline.measure.intervals.limits import NullSpread, null_spread
from lithoscope_pipeline.measure.intervals.table import Calibration, LabelOrigin
from lithoscope_pipeline.metric import INTERVAL_NOT_MODELLED, SINGLE_SCAN_PREFIX, Metric

#: No calibration of this network and this version of the measurement is there.
NOT_CALIBRATED: Final = "interval_not_calibrated"
#: Voxels, noise or registration are not as in the calibration.
OUTSIDE: Final = "interval_outside_calibration"
#: So much larger than those of the calibration is the region that they do not tell what false
#: pieces lie in it.
SMALLER_REGION: Final = "calibrated_on_smaller_region"
_AREA_RATIO: Final = 16.0
# Lengths are calibrated in micrometres: they hold for voxels that are nearly the same.
_VOXEL_RATIO: Final = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalContext:
    """What the intervals of a scan depend on.

    Parameters
    ----------
    calibrations
        Those that are known; that of the right origin and voxel size is taken.
    origin, model_sha256
        What made the labels; empty without a network.
    measure_version
        Of the measurement.
    voxel_um, area_um2
        Edge of a voxel; area of the region in the plane of the electrodes.
    cnr, blur_px
        Contrast-to-noise of lithium against electrolyte, and blur of the outer faces, None where
        they are not known.
    grain
        Of the noise, None where it is not known: then none is taken to be beyond what was seen.
    registration_px
        What registration left, None if it is not known or the scan is not compared with any.
    null_scans
        Metrics of the scans before the first pulse, this one not among them.
    """

    calibrations: Sequence[Calibration]
    origin: LabelOrigin
    model_sha256: str
    measure_version: int
    voxel_um: float
    area_um2: float
    cnr: float | None
    blur_px: float | None
    grain: float | None = None
    registration_px: float | None = None
    null_scans: Sequence[Mapping[str, Metric]] = ()


def with_intervals(metrics: Mapping[str, Metric], context: IntervalContext) -> dict[str, Metric]:
    """Give each metric its 95 % interval, and flags that say how far it can be trusted.

    Parameters
    ----------
    metrics
        Of one scan; those whose names begin with ``single_scan_`` have a calibration of their
        own.
    context
        What they were measured in.

    Returns
    -------
    dict
        The same metrics. One without an interval says why: ``interval_not_modelled`` (nothing is
        known of its error), ``interval_not_calibrated`` (not for what made the labels) or
        ``interval_outside_calibration``. Those below a limit of detection or of quantification
        are flagged.
    """
    spread = null_spread(context.null_scans)
    out = {}
    for name, metric in metrics.items():
        if metric.value is None:
            out[name] = metric
            continue
        found = _with_interval(name, metric, context, metrics)
        out[name] = _flagged(name, found, spread.get(name))
    return {name: _from_travelled(name, metric, out) for name, metric in out.items()}


def _with_interval(
    name: str, metric: Metric, context: IntervalContext, metrics: Mapping[str, Metric]
) -> Metric:
    if metric.value is None or metric.low95 is not None:
        return metric
    if name in EXACT:
        return _bounded(metric, metric.value, metric.value)
    base = name.removeprefix(SINGLE_SCAN_PREFIX)
    origin = context.origin if base == name else "single_scan"
    calibration = find_calibration(context, origin)
    if calibration is None:
        return _without(metric, NOT_CALIBRATED)
    table = calibration.metrics.get(base)
    if table is None:
        return metric
    if context.cnr is None or context.blur_px is None or not is_inside(calibration, context, base):
        return _without(metric, OUTSIDE)
    unit = context.area_um2 if is_per_area(base) else 1.0
    prefix = name.removesuffix(base)
    volumes = [metrics.get(f"{prefix}{each}") for each in VOLUMES]
    seen = _seen(metric.value / unit, volumes, context)
    n_regions = context.area_um2 / calibration.holds.area_um2 if base in EXTREMES else 1.0
    low, high = intervals_of(table, seen, n_regions=n_regions)
    found = _bounded(metric, float(low[0]) * unit, float(high[0]) * unit)
    if n_regions > _AREA_RATIO:
        return replace(found, flags=(*found.flags, SMALLER_REGION))
    return found


def _seen(size: float, volumes: Sequence[Metric | None], context: IntervalContext) -> SeenScans:
    """Put together what is known of one scan; what is not is NaN."""
    known = [np.nan if each is None or each.value is None else each.value for each in volumes]
    cnr, blur_px, grain = (
        np.array([np.nan if each is None else each])
        for each in (context.cnr, context.blur_px, context.grain)
    )
    return SeenScans(
        size=np.array([size]),
        cnr=cnr,
        blur_px=blur_px,
        grain=grain,
        volumes_um=np.array([known]) / context.area_um2,
    )


def find_calibration(context: IntervalContext, origin: LabelOrigin) -> Calibration | None:
    """Give the calibration of what made the labels whose voxels are nearest."""
    fitting = [
        each
        for each in context.calibrations
        if each.origin == origin
        and each.measure_version == context.measure_version
        and (origin == "layers" or each.model_sha256 == context.model_sha256)
    ]
    if not fitting:
        return None
    return min(fitting, key=lambda each: _ratio(each.holds.voxel_um, context.voxel_um))


def is_inside(calibration: Calibration, context: IntervalContext, name: str) -> bool:
    """Say whether a calibration holds for a metric in a context."""
    holds = calibration.holds
    if not _lies_in(context.cnr, holds.cnr) or not _lies_in(context.blur_px, holds.blur_px):
        return False
    if _ratio(holds.voxel_um, context.voxel_um) > _VOXEL_RATIO:
        return False
    uses_registration = calibration.origin == "network" or name in COMPARING
    left_px = context.registration_px or 0.0
    return not uses_registration or left_px <= holds.registration_px


def _lies_in(value: float | None, ends: tuple[float, float]) -> bool:
    return value is not None and ends[0] <= value <= ends[1]


def _ratio(a: float, b: float) -> float:
    return max(a / b, b / a)


def _from_travelled(name: str, metric: Metric, metrics: Mapping[str, Metric]) -> Metric:
    """Scale what is a multiple of the lithium that travelled with that one's interval."""
    factor = FROM_TRAVELLED.get(name)
    travelled = metrics.get("li_travelled_volume_um3")
    if factor is None or metric.value is None or travelled is None or not travelled.value:
        return metric
    if travelled.low95 is None or travelled.high95 is None:
        flags = [flag for flag in travelled.flags if flag in (NOT_CALIBRATED, OUTSIDE)]
        return _without(metric, flags[0]) if flags else metric
    # A ratio is proportional to what travelled, a missing share is one minus it.
    slope = (metric.value - factor.offset) / travelled.value
    by_charge = _by_charge(metrics.get("faraday_volume_um3"))
    if by_charge is None:
        return _without(metric, RECORD_GAP)
    ends = sorted(
        factor.offset + slope * end * share
        for end in (travelled.low95, travelled.high95)
        for share in by_charge
    )
    return _bounded(metric, ends[0], ends[-1])


def _by_charge(faraday: Metric | None) -> tuple[float, float] | None:
    """Say by what a ratio changes between the bounds of the charge; None if that may be none."""
    if faraday is None or faraday.value is None or faraday.low95 is None:
        return 1.0, 1.0
    if faraday.high95 is None or faraday.low95 <= 0:
        return None
    return faraday.value / faraday.high95, faraday.value / faraday.low95


def _flagged(name: str, metric: Metric, spread: NullSpread | None) -> Metric:
    if (
        metric.value is None
        or spread is None
        or name.removeprefix(SINGLE_SCAN_PREFIX) not in GROWN
    ):
        return metric
    return replace(metric, flags=(*metric.flags, *spread.flags(metric.value)))


def _bounded(metric: Metric, low: float, high: float) -> Metric:
    flags = tuple(flag for flag in metric.flags if flag != INTERVAL_NOT_MODELLED)
    return replace(metric, low95=low + 0.0, high95=high + 0.0, flags=flags)


def _without(metric: Metric, why: str) -> Metric:
    flags = [flag for flag in metric.flags if flag not in (INTERVAL_NOT_MODELLED, why)]
    return replace(metric, low95=None, high95=None, flags=(why, *flags))
