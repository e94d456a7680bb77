"""Find the rotation axis and its tilt from the views of a scan, and say how far to trust it.

Two methods that share nothing but the views are asked (`mirror` and `sharpness`); where they
disagree, or see too little, the verdict says so.
"""

from lithoscope_pipeline.rotation_axis.finding import find_rotation_axis, given_axis
from lithoscope_pipeline.rotation_axis.tilt_correction import correct_tilt, tilt_halo_rows
from lithoscope_pipeline.rotation_axis.verdict import Method, RotationAxis, Verdict

__all__ = [
    "Method",
    "RotationAxis",
    "Verdict",
    "correct_tilt",
    "find_rotation_axis",
    "given_axis",
    "tilt_halo_rows",
]
