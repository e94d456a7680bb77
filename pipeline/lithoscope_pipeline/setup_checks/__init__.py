"""Whether what a person set up agrees with what the data show: verdicts with their evidence."""

from lithoscope_pipeline.setup_checks.angles import check_angles
from lithoscope_pipeline.setup_checks.clock import ScanTime, check_clock, find_marker
from lithoscope_pipeline.setup_checks.current import (
    GrowthEvidence,
    check_current_sign,
    check_sides,
)
from lithoscope_pipeline.setup_checks.finding import SetupFinding
from lithoscope_pipeline.setup_checks.layers import CellLayers, check_polarity, find_cell_layers
from lithoscope_pipeline.setup_checks.light import LightLevels, measure_light
from lithoscope_pipeline.setup_checks.pixel import check_pixel_agreement, check_pixel_size
from lithoscope_pipeline.setup_checks.ring_strength import RingStrength, measure_rings

__all__ = [
    "CellLayers",
    "GrowthEvidence",
    "LightLevels",
    "RingStrength",
    "ScanTime",
    "SetupFinding",
    "check_angles",
    "check_clock",
    "check_current_sign",
    "check_pixel_agreement",
    "check_pixel_size",
    "check_polarity",
    "check_sides",
    "find_cell_layers",
    "find_marker",
    "measure_light",
    "measure_rings",
]
