"""Classes of material from grey values: the layers of the cell without a network."""

from lithoscope_pipeline.segment.layers import LayerParameters, lithium_share, segment_layers
from lithoscope_pipeline.segment.references import (
    GreyReferences,
    Polarity,
    find_grey_references,
)

__all__ = [
    "GreyReferences",
    "LayerParameters",
    "Polarity",
    "find_grey_references",
    "lithium_share",
    "segment_layers",
]
