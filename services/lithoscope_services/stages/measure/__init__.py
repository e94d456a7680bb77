"""Labels to numbers, maps and objects."""

from lithoscope_services.stages.measure.stage import MeasureStage
from lithoscope_services.stages.measure.values import to_metric

__all__ = ["STAGE", "MeasureStage", "to_metric"]

STAGE = MeasureStage()
