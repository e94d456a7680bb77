"""What people may paint: the classes that networks tell apart, in the colours of the page."""

from typing import Final

from lithoscope_pipeline.labels import SegmentClass
from lithoscope_store import LabelClass

_COLOURS: Final[dict[SegmentClass, tuple[int, int, int, int]]] = {
    SegmentClass.BACKGROUND: (136, 136, 136, 255),
    SegmentClass.ELECTROLYTE: (240, 228, 66, 255),
    SegmentClass.ELECTRODE: (86, 180, 233, 255),
    SegmentClass.DEPOSITED: (230, 159, 0, 255),
    SegmentClass.DENDRITE: (213, 94, 0, 255),
    SegmentClass.PIT: (204, 121, 167, 255),
    SegmentClass.VOID: (255, 255, 255, 255),
}
PAINTED_CLASSES: Final = tuple(
    LabelClass(value=int(each), name=each.key, colour=colour) for each, colour in _COLOURS.items()
)
