"""The frame in which all scans are compared: the electrodes of the first scan, made level."""

from lithoscope_pipeline.reference_frame.corners import (
    HOMOGRAPHY_FLAG,
    Corners,
    Rectification,
    angle_of_corners_deg,
    find_corners,
    project_maximum,
    rectify_corners,
)
from lithoscope_pipeline.reference_frame.find import find_reference_frame
from lithoscope_pipeline.reference_frame.frame import (
    FrameVerdict,
    ReferenceFrame,
    stationary_mask,
)

__all__ = [
    "HOMOGRAPHY_FLAG",
    "Corners",
    "FrameVerdict",
    "Rectification",
    "ReferenceFrame",
    "angle_of_corners_deg",
    "find_corners",
    "find_reference_frame",
    "project_maximum",
    "rectify_corners",
    "stationary_mask",
]
