"""The segment stage: registered volumes to labels, by a network or by the order of layers."""

from lithoscope_services.stages.segment.stage import STAGE, SegmentStage

__all__ = ["STAGE", "SegmentStage"]
