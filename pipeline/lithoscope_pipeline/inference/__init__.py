"""From what a network sees to labels and soft volumes: tiles, blending, classes."""

from lithoscope_pipeline.inference.classify import SliceResult, classify_logits
from lithoscope_pipeline.inference.slab import (
    InferenceParameters,
    SlabResult,
    infer_slab,
)
from lithoscope_pipeline.inference.tiling import TilePlan, plan_tiles

__all__ = [
    "InferenceParameters",
    "SlabResult",
    "SliceResult",
    "TilePlan",
    "classify_logits",
    "infer_slab",
    "plan_tiles",
]
