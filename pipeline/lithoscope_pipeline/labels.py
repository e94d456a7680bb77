"""What the numbers in label volumes mean: classes of the segmentation and of the anatomy."""

from enum import IntEnum

import numpy as np

from lithoscope_pipeline.geometry import LabelVolume


class NetworkClass(IntEnum):
    """Materials that the classical segmentation tells apart from one scan."""

    BACKGROUND = 0
    ELECTROLYTE = 1
    LITHIUM = 2
    VOID = 3


class SegmentClass(IntEnum):
    """What a network tells apart, in the order of its output channels."""

    BACKGROUND = 0
    ELECTROLYTE = 1
    ELECTRODE = 2
    DEPOSITED = 3
    DENDRITE = 4
    PIT = 5
    VOID = 6

    @property
    def key(self) -> str:
        """Name of the class in tables and model cards, such as ``dendrite``."""
        return self.name.lower()


# Voxels that nobody has labelled: neither trained on nor scored.
UNLABELLED = 255


class Label(IntEnum):
    """Parts of the cell in the final label volume."""

    BACKGROUND = 0
    STRIPPING_ELECTRODE = 1
    PLATING_ELECTRODE = 2
    DEPOSITED = 3
    REDEPOSITED = 4
    DENDRITE = 5
    PIT = 6
    ELECTROLYTE = 7
    VOID = 8

    @property
    def key(self) -> str:
        """Name of the class as the metrics spell it, such as ``stripping_electrode``."""
        return self.name.lower()


LITHIUM = (
    Label.STRIPPING_ELECTRODE,
    Label.PLATING_ELECTRODE,
    Label.DEPOSITED,
    Label.REDEPOSITED,
    Label.DENDRITE,
)
STRIPPING_SIDE = (Label.STRIPPING_ELECTRODE, Label.REDEPOSITED)
PLATING_SIDE = (Label.PLATING_ELECTRODE, Label.DEPOSITED)

_CLASS_OF_LABEL = np.full(256, NetworkClass.BACKGROUND, dtype=np.uint8)
_CLASS_OF_LABEL[list(LITHIUM)] = NetworkClass.LITHIUM
_CLASS_OF_LABEL[Label.ELECTROLYTE] = NetworkClass.ELECTROLYTE
_CLASS_OF_LABEL[[Label.VOID, Label.PIT]] = NetworkClass.VOID


def classes_of(labels: LabelVolume) -> LabelVolume:
    """Give the material of each labelled voxel, shape of ``labels``, `NetworkClass`."""
    return _CLASS_OF_LABEL[labels]


_SEGMENT_OF_LABEL = np.full(256, UNLABELLED, dtype=np.uint8)
for _label, _segment in (
    (Label.BACKGROUND, SegmentClass.BACKGROUND),
    (Label.STRIPPING_ELECTRODE, SegmentClass.ELECTRODE),
    (Label.PLATING_ELECTRODE, SegmentClass.ELECTRODE),
    (Label.DEPOSITED, SegmentClass.DEPOSITED),
    (Label.REDEPOSITED, SegmentClass.DEPOSITED),
    (Label.DENDRITE, SegmentClass.DENDRITE),
    (Label.PIT, SegmentClass.PIT),
    (Label.ELECTROLYTE, SegmentClass.ELECTROLYTE),
    (Label.VOID, SegmentClass.VOID),
):
    _SEGMENT_OF_LABEL[_label] = _segment


def segments_of(labels: LabelVolume) -> LabelVolume:
    """Give what a network should see in each voxel of the final labels, `SegmentClass`.

    Values that are no `Label` give `UNLABELLED`.
    """
    return _SEGMENT_OF_LABEL[labels]
