"""From classes to anatomy: sides, plated and redeposited lithium, dendrites, pits."""

from lithoscope_pipeline.anatomy.layers import (
    AnatomyReference,
    SideThickness,
    find_side_thickness,
    label_anatomy,
)
from lithoscope_pipeline.anatomy.segments import (
    RULES,
    ColumnMaps,
    DendriteLimit,
    SlabAnatomy,
    find_dendrite_limit,
    label_slab,
    measure_columns,
)

__all__ = [
    "RULES",
    "AnatomyReference",
    "ColumnMaps",
    "DendriteLimit",
    "SideThickness",
    "SlabAnatomy",
    "find_dendrite_limit",
    "find_side_thickness",
    "label_anatomy",
    "label_slab",
    "measure_columns",
]
