"""What limits the network: errors that are put right, and what a finder without memory labels."""

import numpy as np
import pytest
from benchmarks.earlier_scans import Case
from benchmarks.segmentation_limits import never_confused
from benchmarks.surface_limits import vanished_by_error
from layered_scans import REFERENCES

from lithoscope_models.data.chain import LabelledScan
from lithoscope_pipeline.evaluate import iou_of
from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.labels import SegmentClass

_SHAPE = (64, 40, 2000)


def test_an_error_that_is_put_right_leaves_all_others_and_all_voxels() -> None:
    counts = np.zeros((2, 7, 7), np.int64)
    counts[:, 3, 3], counts[:, 3, 1], counts[:, 2, 3] = 60, 20, 20

    right = never_confused(counts, [(SegmentClass.DEPOSITED, SegmentClass.ELECTRODE)], (1,))

    assert right.sum() == counts.sum()
    # 60 of 100 voxels on the first side, 60 of 80 on the second.
    assert iou_of(right.sum(axis=0))[3] == pytest.approx(120 / 180)


def test_a_finder_labels_as_much_of_the_skin_as_its_error_says() -> None:
    rows = np.arange(_SHAPE[1])[None, :, None]
    before, now = (
        np.broadcast_to(np.where(rows < height, SegmentClass.DENDRITE, 1), _SHAPE)
        for height in (20, 17)
    )

    table = vanished_by_error([_case(before.astype(np.uint8), now.astype(np.uint8))])

    found = {row[0]: float(row[1].rstrip("%")) / 100 for row in table.rows}
    # Of three layers the first lies anywhere within a voxel of the surface: the mean of the
    # normal distribution's tail over it is 0.3989 of the error; counted are some 1000 voxels.
    for error_px in (0.1, 0.2, 0.3):
        assert found[f"{error_px:g}"] == pytest.approx(0.3989 * error_px / 3, rel=0.1, abs=1e-3)


def _case(before: np.ndarray, now: np.ndarray) -> Case:
    roi = Roi(z0=0, z1=_SHAPE[0], y0=0, y1=_SHAPE[1], x0=0, x1=_SHAPE[2])
    scans = [
        LabelledScan(
            scan=number,
            roi=roi,
            grey=np.zeros(_SHAPE, np.float32),
            classes=classes,
            references=REFERENCES,
            shifts_px=None,
        )
        for number, classes in ((0, before), (7, before), (8, now))
    ]
    return Case(seed=1, first=scans[0], previous=scans[1], now=scans[2])
