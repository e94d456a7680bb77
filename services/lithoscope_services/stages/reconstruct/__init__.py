"""Frames to volumes: begun while the scan runs, finished slab by slab after its last frame."""

from lithoscope_services.stages.reconstruct.stage import ReconstructStage

__all__ = ["STAGE", "ReconstructStage"]

STAGE = ReconstructStage()
