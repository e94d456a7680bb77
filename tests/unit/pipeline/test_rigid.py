"""Rigid transforms and resampling along them."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the name it goes by
from hypothesis import given
from hypothesis import strategies as st

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.rigid import (
    RigidTransform,
    angles_deg,
    resample_rigid,
    rows_needed,
)

MOVED = RigidTransform(
    rotation_deg=(2.0, -3.0, 1.5), shift_px=(0.6, -1.2, 2.1), centre_px=(5.0, 7.0, 9.0)
)
VOLUME = np.random.default_rng(5).normal(size=(12, 15, 18)).astype(np.float32)
WHOLE = Roi(z0=0, z1=12, y0=0, y1=15, x0=0, x1=18)

degrees = st.floats(-80.0, 80.0)


def test_transform_agrees_with_simpleitk() -> None:
    euler = sitk.Euler3DTransform()
    euler.SetCenter((9.0, 7.0, 5.0))
    euler.SetRotation(*np.deg2rad((1.5, -3.0, 2.0)))
    euler.SetTranslation((2.1, -1.2, 0.6))

    moved = MOVED.to_scan(np.array([3.0, 11.0, 4.0]))

    np.testing.assert_allclose(moved[::-1], euler.TransformPoint((4.0, 11.0, 3.0)))


@given(about_z=degrees, about_y=degrees, about_x=degrees)
def test_angles_come_back_from_the_matrix(about_z: float, about_y: float, about_x: float) -> None:
    transform = RigidTransform(rotation_deg=(about_z, about_y, about_x), centre_px=(0, 0, 0))

    assert angles_deg(transform.matrix) == pytest.approx((about_z, about_y, about_x), abs=1e-9)


def test_scan_and_reference_are_inverse() -> None:
    points = np.random.default_rng(0).normal(size=(20, 3)) * 10

    np.testing.assert_allclose(MOVED.to_reference(MOVED.to_scan(points)), points, atol=1e-12)


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_identity_gives_the_region_as_it_is(interpolation: str) -> None:
    roi = Roi(z0=2, z1=7, y0=3, y1=9, x0=1, x1=18)

    resampled = resample_rigid(
        VOLUME,
        RigidTransform(centre_px=(5, 7, 9)),
        roi=roi,
        interpolation="cubic" if interpolation == "cubic" else "linear",
    )

    # The spline filter works in float32.
    np.testing.assert_allclose(resampled.volume, VOLUME[roi.slices], atol=1e-5)
    assert resampled.valid_fraction == 1.0


def test_whole_voxel_shift_is_exact_and_ends_in_edge_values() -> None:
    shift = RigidTransform(shift_px=(0.0, 2.0, 0.0), centre_px=(0, 0, 0))

    resampled = resample_rigid(VOLUME, shift, roi=WHOLE)

    np.testing.assert_array_equal(resampled.volume[:, :13], VOLUME[:, 2:])
    np.testing.assert_array_equal(resampled.volume[:, 14], VOLUME[:, 14])
    assert resampled.valid_fraction == pytest.approx(13 / 15)


def test_slabs_of_the_needed_rows_have_the_bytes_of_the_whole() -> None:
    whole = resample_rigid(VOLUME, MOVED, roi=WHOLE).volume
    parts = []
    for z0, z1 in ((0, 3), (3, 4), (4, 12)):
        roi = Roi(z0=z0, z1=z1, y0=0, y1=15, x0=0, x1=18)
        first, stop = rows_needed(MOVED, roi, n_rows=12)
        parts.append(resample_rigid(VOLUME[first:stop], MOVED, roi=roi, first_row=first).volume)

    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_needed_rows_stay_on_the_scan() -> None:
    far = RigidTransform(shift_px=(40.0, 0.0, 0.0), centre_px=(0, 0, 0))

    assert rows_needed(far, WHOLE, n_rows=12) == (11, 12)
    assert rows_needed(RigidTransform(centre_px=(0, 0, 0)), WHOLE, n_rows=12) == (0, 12)


def test_broken_contracts_are_named() -> None:
    with pytest.raises(ShapeError, match=r"\(z, y, x\)"):
        resample_rigid(VOLUME[0], MOVED, roi=WHOLE)
    with pytest.raises(ParameterError, match="roi"):
        resample_rigid(VOLUME, MOVED, roi=Roi(z0=3, z1=3, y0=0, y1=1, x0=0, x1=1))
