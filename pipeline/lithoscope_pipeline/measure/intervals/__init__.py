"""How far a metric may lie from the truth: calibrated intervals, and limits of detection."""

from lithoscope_pipeline.measure.intervals.apply import (
    IntervalContext,
    with_intervals,
)
from lithoscope_pipeline.measure.intervals.conformal import (
    FitParameters,
    MetricResiduals,
    fit_metric,
)
from lithoscope_pipeline.measure.intervals.existence import (
    ExistenceSample,
    existence_of,
    fit_existence,
)
from lithoscope_pipeline.measure.intervals.features import VOLUMES, SeenScans
from lithoscope_pipeline.measure.intervals.limits import NullSpread, null_spread
from lithoscope_pipeline.measure.intervals.table import (
    BiasTerm,
    Calibration,
    CalibrationRange,
    ExistenceTable,
    LabelOrigin,
    MetricTable,
    Reach,
)

__all__ = [
    "VOLUMES",
    "BiasTerm",
    "Calibration",
    "CalibrationRange",
    "ExistenceSample",
    "ExistenceTable",
    "FitParameters",
    "IntervalContext",
    "LabelOrigin",
    "MetricResiduals",
    "MetricTable",
    "NullSpread",
    "Reach",
    "SeenScans",
    "existence_of",
    "fit_existence",
    "fit_metric",
    "null_spread",
    "with_intervals",
]
