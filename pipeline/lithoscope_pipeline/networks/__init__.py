"""Networks that segment slices, and what they are shown. PyTorch is imported when one is built."""

from lithoscope_pipeline.networks.inputs import (
    FACE_STEP_PX,
    ModelInputs,
    SeenScan,
    View,
    Which,
    network_inputs,
)
from lithoscope_pipeline.networks.registry import (
    ARCHITECTURES,
    Architecture,
    architecture,
    build_network,
)
from lithoscope_pipeline.networks.residual import find_residual_px
from lithoscope_pipeline.networks.warp import warp_earlier

__all__ = [
    "ARCHITECTURES",
    "FACE_STEP_PX",
    "Architecture",
    "ModelInputs",
    "SeenScan",
    "View",
    "Which",
    "architecture",
    "build_network",
    "find_residual_px",
    "network_inputs",
    "warp_earlier",
]
