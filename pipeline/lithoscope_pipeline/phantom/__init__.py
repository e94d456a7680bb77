"""The simulated cell and its exact projections: the truth for tests and for the demo."""

from lithoscope_pipeline.phantom.cell import SimulatedCell, make_cell
from lithoscope_pipeline.phantom.drift import RigidDrift
from lithoscope_pipeline.phantom.frames import FrameKind, ScanFrames
from lithoscope_pipeline.phantom.parameters import (
    LITHIUM_UM3_PER_MAH,
    SIZES,
    CellParameters,
    DetectorParameters,
    SizeName,
)
from lithoscope_pipeline.phantom.schedule import Electrochemistry, ScanPoint

__all__ = [
    "LITHIUM_UM3_PER_MAH",
    "SIZES",
    "CellParameters",
    "DetectorParameters",
    "Electrochemistry",
    "FrameKind",
    "RigidDrift",
    "ScanFrames",
    "ScanPoint",
    "SimulatedCell",
    "SizeName",
    "make_cell",
]
