"""What earlier scans make of a cell that nothing was trained on: what is gone, what lies wrong."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from lithoscope_models.data.cells import CellDraw, drawn_cell
from lithoscope_models.data.image_level import imaged
from lithoscope_models.data.image_model import ImageModel
from lithoscope_models.earlier_scans import EarlierScan, FaceShifts, lay_over
from lithoscope_models.network_pass import (
    NetworkChoice,
    NetworkPass,
    load_for,
    run_network,
)
from lithoscope_pipeline.geometry import FloatVolume, LabelVolume
from lithoscope_pipeline.labels import SegmentClass, segments_of
from lithoscope_pipeline.phantom import SimulatedCell
from lithoscope_pipeline.segment import GreyReferences, find_grey_references

SEED = 201
SCANS = (0, 15, 16)  # lithium is taken back: dendrites vanish
N_SLICES = 32


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A scan without projections, and what is true of it."""

    grey: FloatVolume
    classes: LabelVolume
    references: GreyReferences
    moved_px: float

    def shifts(self, stripping_px: float = 0.0, plating_px: float = 0.0) -> FaceShifts:
        """Give the maps of the faces, off by so much."""
        still = np.zeros((self.grey.shape[0], self.grey.shape[2]), np.float32)
        return FaceShifts(
            stripping_px=still + np.float32(stripping_px),
            plating_px=still + np.float32(self.moved_px + plating_px),
        )


def _noise() -> ImageModel:
    """Blur and noise about as the chain has them (`calibrated`), without the time they take."""
    along, within = np.arange(8)[:, None] / 16, np.arange(25)[None] / 48
    low = 0.97 / (1.0 + 300.0 * along**2 + 150.0 * within**2)
    return ImageModel(transfer=np.ones((8, 25)), noise=low + 0.05 * (1.0 - within / 0.55))


def _scan(cell: SimulatedCell, number: int) -> Scan:
    box = cell.roi
    middle = (box.z0 + box.z1) // 2
    roi = replace(
        box,
        z0=middle - N_SLICES // 2,
        z1=middle + N_SLICES // 2,
        y0=box.y0 - 24,
        y1=box.y1 + 24,
    )
    grey = imaged(cell, number, roi, _noise(), np.random.default_rng([SEED, number]))
    moved_um = cell.planes(number).outer_high_um - cell.planes(0).outer_high_um
    return Scan(
        grey=grey,
        classes=segments_of(cell.labels(number, roi)),
        references=find_grey_references(grey),
        moved_px=moved_um / cell.voxel_um,
    )


@dataclass(frozen=True, kw_only=True)
class Series:
    """The pristine cell, the scan before and the present one, in some slices."""

    first: Scan
    previous: Scan
    now: Scan
    voxel_um: float

    def segmented(
        self, *, stripping_px: float = 0.0, plating_px: float = 0.0, alone: bool = False
    ) -> NetworkPass:
        """Segment the present scan, the maps of whose faces are off by so much."""
        choice = NetworkChoice(
            model="stream-unet",
            polarity="denser_is_brighter",
            engine="onnxruntime",
            precision="auto",
            n_threads=1,
        )
        wrong = self.now.shifts(stripping_px, plating_px)
        earlier = [
            self._over("previous", self.previous, wrong),
            self._over("first", self.first, wrong),
        ]
        return run_network(
            load_for(choice, self.now.references, self.now.grey.shape, self.voxel_um),
            self.now.grey,
            self.now.references,
            () if alone else earlier,
            voxel_um=self.voxel_um,
            slab_rows=32,
        )

    def _over(self, which: str, scan: Scan, now: FaceShifts) -> EarlierScan:
        return lay_over(
            "previous" if which == "previous" else "first",
            scan.grey,
            now=now,
            then=scan.shifts(),
            references=scan.references,
            plating_inner_px=self.first.references.edges_px[2],
        )


@pytest.fixture(scope="module")
def series() -> Series:
    cell = drawn_cell(CellDraw(seed=SEED, size="small"))
    first, previous, now = (_scan(cell, number) for number in SCANS)
    return Series(first=first, previous=previous, now=now, voxel_um=cell.voxel_um)


@pytest.fixture(scope="module")
def found(series: Series) -> NetworkPass:
    return series.segmented()


def _volumes(found: NetworkPass) -> NDArray[np.int64]:
    return np.bincount(found.segments.ravel(), minlength=len(SegmentClass))


@pytest.mark.parametrize("error_px", [(0.0, 1.0), (-1.0, 0.0)])
def test_one_voxel_of_misregistration_changes_no_volume_by_three_percent(
    series: Series, found: NetworkPass, error_px: tuple[float, float]
) -> None:
    wrong = series.segmented(stripping_px=error_px[0], plating_px=error_px[1])

    assert wrong.shown == ("previous", "first")
    volumes = _volumes(found)
    assert volumes[SegmentClass.DEPOSITED] > 10_000
    np.testing.assert_allclose(_volumes(wrong), volumes, rtol=0.03)


def test_vanished_dendrites_are_labelled_only_where_they_touch_one_that_is_there(
    series: Series, found: NetworkPass
) -> None:
    """What touches a dendrite lies within the error of every surface, with a past or without."""
    was, now = (scan.classes for scan in (series.previous, series.now))
    gone = (was == SegmentClass.DENDRITE) & (now == SegmentClass.ELECTROLYTE)
    apart_px = distance_transform_edt(now != SegmentClass.DENDRITE)
    still = found.segments == SegmentClass.DENDRITE
    alone = series.segmented(alone=True).segments == SegmentClass.DENDRITE

    assert gone.sum() > 300
    free = gone & (apart_px > 1.0)
    assert still[free].mean() < 0.05
    assert still[gone].mean() < alone[gone].mean() + 0.05
