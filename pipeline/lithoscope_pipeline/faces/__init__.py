"""The outer faces of both electrodes: where they are, and how far they move from scan to scan."""

from lithoscope_pipeline.faces.displacement import (
    SIDES,
    FaceReference,
    Side,
    SideDisplacement,
    SideReference,
    SideVerdict,
    Swelling,
    measure_swelling,
    reference_faces,
)
from lithoscope_pipeline.faces.match import FaceTemplate, Matches, make_template, match_faces
from lithoscope_pipeline.faces.patches import MAX_LINES, PatchGrid, make_patches, sample_profiles
from lithoscope_pipeline.faces.smooth import PlaneFit, SmoothMap, fit_plane, smooth_map, to_columns

__all__ = [
    "MAX_LINES",
    "SIDES",
    "FaceReference",
    "FaceTemplate",
    "Matches",
    "PatchGrid",
    "PlaneFit",
    "Side",
    "SideDisplacement",
    "SideReference",
    "SideVerdict",
    "SmoothMap",
    "Swelling",
    "fit_plane",
    "make_patches",
    "make_template",
    "match_faces",
    "measure_swelling",
    "reference_faces",
    "sample_profiles",
    "smooth_map",
    "to_columns",
]
