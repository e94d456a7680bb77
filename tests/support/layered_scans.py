"""Labelled scans of flat layers, for what is done with training data."""

import numpy as np

from lithoscope_models.data.chain import LabelledScan
from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.segment import GreyReferences

SHAPE = (9, 60, 40)
REFERENCES = GreyReferences(
    electrode=0.1,
    electrolyte=0.4,
    pouch=0.5,
    noise=0.05,
    cnr=6.0,
    polarity="dense_bright",
    edges_px=(9.5, 19.5, 39.5, 49.5),
    verdict="resolved",
)


def layered_scan(number: int, *, lift_px: int) -> LabelledScan:
    """Make a cell whose plating side has moved out; the rows between are deposited lithium."""
    classes = np.zeros(SHAPE, np.uint8)
    classes[:, 10:20] = SegmentClass.ELECTRODE
    classes[:, 20:40] = SegmentClass.ELECTROLYTE
    classes[:, 40 : 40 + lift_px] = SegmentClass.DEPOSITED
    classes[:, 40 + lift_px : 50 + lift_px] = SegmentClass.ELECTRODE
    grey = np.choose(classes, [0.5, 0.4, 0.1, 0.1, 0.1, 0.0, 0.0]).astype(np.float32)
    grey += np.random.default_rng(number).normal(0, 0.02, SHAPE).astype(np.float32)
    shifts_px = np.zeros((2, SHAPE[0], SHAPE[2]), np.float32)
    shifts_px[1] = lift_px
    n_z, n_y, n_x = SHAPE
    return LabelledScan(
        scan=number,
        roi=Roi(z0=0, z1=n_z, y0=0, y1=n_y, x0=0, x1=n_x),
        grey=grey,
        classes=classes,
        references=REFERENCES,
        shifts_px=shifts_px,
    )
