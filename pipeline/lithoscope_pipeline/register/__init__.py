"""Rigid registration of scans on what does not move, with a verdict."""

from lithoscope_pipeline.register.blocks import (
    BlockPlan,
    PlannedBlock,
    plan_blocks,
    read_comparison,
)
from lithoscope_pipeline.register.chain import Placed, corners_of, place_scan
from lithoscope_pipeline.register.compose import (
    combined,
    composed,
    distance_px,
    inverse,
    recentred,
)
from lithoscope_pipeline.register.engine import GaussNewtonEngine
from lithoscope_pipeline.register.evidence import Evidence
from lithoscope_pipeline.register.pairs import BlockPair, Comparison, Field
from lithoscope_pipeline.register.protocol import (
    Registration,
    RegistrationEngine,
    RegistrationLimits,
)
from lithoscope_pipeline.register.rigid_pair import register_rigid
from lithoscope_pipeline.register.simpleitk import SimpleItkEngine
from lithoscope_pipeline.register.spans import GROWTH_UM, Spans, spans_of_planes
from lithoscope_pipeline.rigid import RigidTransform

__all__ = [
    "GROWTH_UM",
    "BlockPair",
    "BlockPlan",
    "Comparison",
    "Evidence",
    "Field",
    "GaussNewtonEngine",
    "Placed",
    "PlannedBlock",
    "Registration",
    "RegistrationEngine",
    "RegistrationLimits",
    "RigidTransform",
    "SimpleItkEngine",
    "Spans",
    "combined",
    "composed",
    "corners_of",
    "distance_px",
    "inverse",
    "place_scan",
    "plan_blocks",
    "read_comparison",
    "recentred",
    "register_rigid",
    "spans_of_planes",
]
