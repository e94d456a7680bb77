"""Rigid transforms: their order, their angles and their inverse."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the name it goes by
from hypothesis import given
from hypothesis import strategies as st

from lithoscope_pipeline.rigid import (
    RigidTransform,
    angles_deg,
)

MOVED = RigidTransform(
    rotation_deg=(2.0, -3.0, 1.5), shift_px=(0.6, -1.2, 2.1), centre_px=(5.0, 7.0, 9.0)
)

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
