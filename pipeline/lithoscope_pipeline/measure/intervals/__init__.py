"""How far a metric may lie from the truth: calibrated intervals, and limits of detection."""

from lithoscope_pipeline.measure.intervals.apply import (
    IntervalContext,
    with_intervals,
)
from lithoscope_pipeline.measure.intervals.conformal import (
    FitParameters,
    MetricResiduals,
    fit_metric,
    interval_of,
)
from lithoscope_pipeline.measure.intervals.limits import NullSpread, null_spread
from lithoscope_pipeline.measure.intervals.table import (
    Calibration,
    CalibrationRange,
    IntervalCell,
    LabelOrigin,
    MetricTable,
)

__all__ = [
    "Calibration",
    "CalibrationRange",
    "FitParameters",
    "IntervalCell",
    "IntervalContext",
    "LabelOrigin",
    "MetricResiduals",
    "MetricTable",
    "NullSpread",
    "fit_metric",
    "interval_of",
    "null_spread",
    "with_intervals",
]
