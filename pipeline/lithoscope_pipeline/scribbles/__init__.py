"""From scribbles on slices to labels: forest, scripted users, agreement, next slices."""

from lithoscope_pipeline.scribbles.agreement import (
    Agreement,
    PairAgreement,
    compare_labels,
    dissent,
)
from lithoscope_pipeline.scribbles.by_grey import (
    GreyRange,
    by_otsu,
    by_range,
    by_watershed,
    choose_range,
)
from lithoscope_pipeline.scribbles.features import feature_names, reach_px, slice_features
from lithoscope_pipeline.scribbles.forest import (
    Forest,
    ForestParameters,
    label_slice,
    predict_slice,
    train_forest,
)
from lithoscope_pipeline.scribbles.suggest import SliceDoubt, slice_doubt, suggest_slices
from lithoscope_pipeline.scribbles.users import COVERAGES, ScriptedUser, draw_strokes, perceive

__all__ = [
    "COVERAGES",
    "Agreement",
    "Forest",
    "ForestParameters",
    "GreyRange",
    "PairAgreement",
    "ScriptedUser",
    "SliceDoubt",
    "by_otsu",
    "by_range",
    "by_watershed",
    "choose_range",
    "compare_labels",
    "dissent",
    "draw_strokes",
    "feature_names",
    "label_slice",
    "perceive",
    "predict_slice",
    "reach_px",
    "slice_doubt",
    "slice_features",
    "suggest_slices",
    "train_forest",
]
