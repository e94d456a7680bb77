"""Numbers from labels: volumes, thicknesses, gaps, charge, each with unit and flags."""

from lithoscope_pipeline.measure.charge import (
    UM3_PER_MAH,
    UM_PER_MAH_CM2,
    ChargeState,
    Side,
    faraday_thickness_um,
    faraday_volume_um3,
    measure_charge,
)
from lithoscope_pipeline.measure.history import measure_rate
from lithoscope_pipeline.measure.metric import Metric, measured, not_measured
from lithoscope_pipeline.measure.report import Measurement, ReferenceMetrics, measure_labels

__all__ = [
    "UM3_PER_MAH",
    "UM_PER_MAH_CM2",
    "ChargeState",
    "Measurement",
    "Metric",
    "ReferenceMetrics",
    "Side",
    "faraday_thickness_um",
    "faraday_volume_um3",
    "measure_charge",
    "measure_labels",
    "measure_rate",
    "measured",
    "not_measured",
]
