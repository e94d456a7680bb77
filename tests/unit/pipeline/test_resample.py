"""A region comes onto the reference frame as SciPy brings it, from no more than it needs."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatVolume, Roi
from lithoscope_pipeline.resample import (
    region_needed,
    resample_region,
    resample_slabs,
    spread_order,
)
from lithoscope_pipeline.rigid import RigidTransform

SHAPE = (30, 44, 50)
SCAN = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
TRANSFORM = RigidTransform(
    rotation_deg=(1.3, -0.8, 0.6), shift_px=(1.4, -2.7, 3.1), centre_px=(14.5, 21.5, 24.5)
)
ROI = Roi(z0=5, z1=25, y0=6, y1=36, x0=4, x1=47)
WARP = np.array([[1.02, 0.03, -1.0], [-0.01, 0.98, 2.0], [2e-4, -3e-4, 1.0]])


class Recording:
    """A scan that remembers which boxes it was asked for."""

    def __init__(self, scan: FloatVolume) -> None:
        self._scan = scan
        self.boxes: list[tuple[int, ...]] = []

    @property
    def shape(self) -> tuple[int, ...]:
        return self._scan.shape

    def __getitem__(self, box: tuple[slice, slice, slice], /) -> FloatVolume:
        part = self._scan[box]
        self.boxes.append(part.shape)
        return part


def by_scipy(points: NDArray[np.float64]) -> NDArray[np.float32]:
    at = np.moveaxis(TRANSFORM.to_scan(points), -1, 0)
    return np.asarray(map_coordinates(SCAN, at, order=1, mode="nearest"))


def points_of(roi: Roi) -> NDArray[np.float64]:
    axes = [np.arange(s.start, s.stop, dtype=np.float64) for s in roi.slices]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def test_region_is_what_scipy_interpolates() -> None:
    found = resample_region(SCAN, TRANSFORM, roi=ROI)

    # Weights are of single precision: 6e-8 of values up to 4, eight times.
    np.testing.assert_allclose(found.volume, by_scipy(points_of(ROI)), atol=2e-6)


def test_warp_comes_before_the_transform() -> None:
    found = resample_region(SCAN, TRANSFORM, roi=ROI, homography=WARP)

    points = points_of(ROI)
    warped = np.concatenate([points[..., 1:], np.ones((*points.shape[:-1], 1))], axis=-1) @ WARP.T
    points[..., 1:] = warped[..., :2] / warped[..., 2:]
    np.testing.assert_allclose(found.volume, by_scipy(points), atol=2e-6)


@pytest.mark.parametrize("slab_rows", [1, 3, 7, 20])
def test_slabs_have_the_bytes_of_the_whole(slab_rows: int) -> None:
    whole = resample_region(SCAN, TRANSFORM, roi=ROI).volume
    joined = np.zeros_like(whole)

    for slab in resample_slabs(SCAN, TRANSFORM, roi=ROI, slab_rows=slab_rows):
        joined[slab.z0 : slab.z0 + slab.volume.shape[0]] = slab.volume

    np.testing.assert_array_equal(joined, whole)


def test_identity_gives_the_very_bytes_of_the_scan() -> None:
    found = resample_region(SCAN, RigidTransform(centre_px=(14.5, 21.5, 24.5)), roi=ROI)

    np.testing.assert_array_equal(found.volume, SCAN[ROI.slices])
    assert found.valid_fraction == 1.0


def test_shift_by_whole_voxels_is_exact() -> None:
    shift = RigidTransform(shift_px=(0.0, 2.0, 0.0), centre_px=(0.0, 0.0, 0.0))
    whole = Roi(z0=0, z1=30, y0=0, y1=44, x0=0, x1=50)

    found = resample_region(SCAN, shift, roi=whole)

    np.testing.assert_array_equal(found.volume[:, :42], SCAN[:, 2:])
    assert found.valid_fraction == pytest.approx(42 / 44)


def test_beyond_the_scan_stands_the_nearest_value() -> None:
    outside = Roi(z0=-2, z1=3, y0=0, y1=44, x0=0, x1=50)

    found = resample_region(SCAN, RigidTransform(centre_px=(0.0, 0.0, 0.0)), roi=outside)

    np.testing.assert_array_equal(found.volume[0], SCAN[0])
    assert found.valid_fraction == pytest.approx(0.6)


def test_only_what_a_slab_needs_is_read() -> None:
    scan = Recording(SCAN)

    list(resample_slabs(scan, TRANSFORM, roi=ROI, slab_rows=2))

    # Two rows, what the tilt of 1 degree adds over 50 voxels, and the margin.
    assert max(box[0] for box in scan.boxes) <= 2 + 2 + 2 * 3
    assert len(scan.boxes) == 10


def test_box_that_is_needed_lies_in_the_scan_and_is_never_empty() -> None:
    far = RigidTransform(shift_px=(500.0, 0.0, -500.0), centre_px=(0.0, 0.0, 0.0))

    box = region_needed(far, ROI, SHAPE)

    assert (box.z0, box.z1) == (29, 30)
    assert (box.x0, box.x1) == (0, 1)


def test_first_slabs_are_spread_over_the_cell() -> None:
    order = spread_order(100)

    assert order[0] == 50
    assert sorted(order[:3]) == [25, 50, 75]
    assert sorted(order) == list(range(100))


def test_broken_contracts_are_named() -> None:
    with pytest.raises(ShapeError, match="z, y, x"):
        resample_region(SCAN[0], TRANSFORM, roi=ROI)
    with pytest.raises(ParameterError, match="one voxel"):
        resample_region(SCAN, TRANSFORM, roi=Roi(z0=0, z1=0, y0=0, y1=1, x0=0, x1=1))
    with pytest.raises(ParameterError, match="slab_rows"):
        list(resample_slabs(SCAN, TRANSFORM, roi=ROI, slab_rows=0))
