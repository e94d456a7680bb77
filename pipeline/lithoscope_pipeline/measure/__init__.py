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
from lithoscope_pipeline.measure.correlation import correlate_maps
from lithoscope_pipeline.measure.current_density import (
    CurrentMap,
    GrowthStep,
    map_current_density,
)
from lithoscope_pipeline.measure.dose import Beam, energy_absorption_cm2_g, measure_dose
from lithoscope_pipeline.measure.history import (
    ComingPulse,
    PastScan,
    measure_history,
    measure_rate,
    measure_short_eta,
)
from lithoscope_pipeline.measure.maps import map_unit
from lithoscope_pipeline.measure.objects import ObjectTable, TrackedObject
from lithoscope_pipeline.measure.report import (
    EarlierScans,
    Measurement,
    PreviousScan,
    ReferenceMetrics,
    measure_labels,
)
from lithoscope_pipeline.measure.runs import LabelSource
from lithoscope_pipeline.measure.scan import Reading
from lithoscope_pipeline.measure.voltage_envelope import measure_voltage_envelope

__all__ = [
    "UM3_PER_MAH",
    "UM_PER_MAH_CM2",
    "Beam",
    "ChargeState",
    "ComingPulse",
    "CurrentMap",
    "EarlierScans",
    "GrowthStep",
    "LabelSource",
    "Measurement",
    "ObjectTable",
    "PastScan",
    "PreviousScan",
    "Reading",
    "ReferenceMetrics",
    "Side",
    "TrackedObject",
    "correlate_maps",
    "energy_absorption_cm2_g",
    "faraday_thickness_um",
    "faraday_volume_um3",
    "map_current_density",
    "map_unit",
    "measure_charge",
    "measure_dose",
    "measure_history",
    "measure_labels",
    "measure_rate",
    "measure_short_eta",
    "measure_voltage_envelope",
]
