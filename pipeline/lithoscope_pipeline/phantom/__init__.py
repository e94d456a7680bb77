"""The simulated cell and its exact projections: the truth for tests and for the demo."""

from lithoscope_pipeline.phantom.acquisition_parameters import AcquisitionParameters
from lithoscope_pipeline.phantom.cell import SimulatedCell, make_cell
from lithoscope_pipeline.phantom.cycling_parameters import CyclingParameters
from lithoscope_pipeline.phantom.dendrite_width import DendriteWidths, dendrite_widths
from lithoscope_pipeline.phantom.detector_parameters import BeamParameters, ResponseParameters
from lithoscope_pipeline.phantom.drift import RigidDrift
from lithoscope_pipeline.phantom.families import FAMILIES, Family, FamilyName, between
from lithoscope_pipeline.phantom.fault_parameters import FaultParameters
from lithoscope_pipeline.phantom.faults import FaultRecord
from lithoscope_pipeline.phantom.frames import FrameKind, ScanFrames, TakenFrame
from lithoscope_pipeline.phantom.growth_parameters import (
    Bridge,
    DendriteParameters,
    GrowthParameters,
    PitParameters,
    PorosityParameters,
)
from lithoscope_pipeline.phantom.parameters import (
    LITHIUM_UM3_PER_MAH,
    SIZES,
    CellParameters,
    DetectorParameters,
    SizeName,
)
from lithoscope_pipeline.phantom.schedule import Electrochemistry, ScanPoint

__all__ = [
    "FAMILIES",
    "LITHIUM_UM3_PER_MAH",
    "SIZES",
    "AcquisitionParameters",
    "BeamParameters",
    "Bridge",
    "CellParameters",
    "CyclingParameters",
    "DendriteParameters",
    "DendriteWidths",
    "DetectorParameters",
    "Electrochemistry",
    "Family",
    "FamilyName",
    "FaultParameters",
    "FaultRecord",
    "FrameKind",
    "GrowthParameters",
    "PitParameters",
    "PorosityParameters",
    "ResponseParameters",
    "RigidDrift",
    "ScanFrames",
    "ScanPoint",
    "SimulatedCell",
    "SizeName",
    "TakenFrame",
    "between",
    "dendrite_widths",
    "make_cell",
]
