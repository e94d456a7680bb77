"""How good labels are against the truth: voxels, objects, surfaces, probabilities."""

from lithoscope_pipeline.evaluate.objects import (
    SIZE_EDGES,
    ObjectCounts,
    compare_objects,
    surface_distances_px,
)
from lithoscope_pipeline.evaluate.voxels import (
    N_BINS,
    VoxelScores,
    calibration_error,
    confusion_of,
    count_calibration,
    iou_of,
    score_voxels,
)

__all__ = [
    "N_BINS",
    "SIZE_EDGES",
    "ObjectCounts",
    "VoxelScores",
    "calibration_error",
    "compare_objects",
    "confusion_of",
    "count_calibration",
    "iou_of",
    "score_voxels",
    "surface_distances_px",
]
