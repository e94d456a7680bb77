"""Experiments at the level of their metrics: growth laws, errors that hang together, a potential.

Thousands of them are made in a second, where one at image level takes minutes.
"""

from lithoscope_pipeline.growth_histories.history import Fate, GrowthHistory, make_history
from lithoscope_pipeline.growth_histories.laws import LAWS, GapCourse, GrowthLaw, close_gap
from lithoscope_pipeline.growth_histories.records import as_records
from lithoscope_pipeline.growth_histories.residuals import (
    ResidualModel,
    Residuals,
    StoredResiduals,
)

__all__ = [
    "LAWS",
    "Fate",
    "GapCourse",
    "GrowthHistory",
    "GrowthLaw",
    "ResidualModel",
    "Residuals",
    "StoredResiduals",
    "as_records",
    "close_gap",
    "make_history",
]
