"""Corners of the stack and the homography that makes them a rectangle."""

import numpy as np
import pytest

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatImage, Roi
from lithoscope_pipeline.reference_frame import (
    HOMOGRAPHY_FLAG,
    angle_of_corners_deg,
    find_corners,
    project_maximum,
    rectify_corners,
)
from lithoscope_pipeline.resample import resample_region
from lithoscope_pipeline.rigid import RigidTransform

CORNERS = np.array([[30.0, 22.0], [24.5, 130.0], [72.0, 138.5], [80.0, 18.0]])


def filled(corners: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> FloatImage:
    """One inside the quadrilateral, zero outside, with soft edges and some noise."""
    y, x = np.indices((110, 160), dtype=np.float64)
    inside = np.full(y.shape, np.inf)
    for first, last in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = (last - first) / np.linalg.norm(last - first)
        inside = np.minimum(inside, along[1] * (y - first[0]) - along[0] * (x - first[1]))
    image = 0.5 + 0.5 * np.tanh(inside) + 0.05 * np.random.default_rng(0).normal(size=y.shape)
    return image.astype(np.float32)


def test_corners_are_found_to_a_voxel() -> None:
    found = find_corners(filled(CORNERS))

    assert found.verdict == "resolved"
    # The rim is drawn through whole pixels: half a voxel inside, at a corner twice.
    np.testing.assert_allclose(found.points_px, CORNERS, atol=1.2)


def test_a_disc_has_no_corners() -> None:
    y, x = np.indices((90, 90))
    disc = (np.hypot(y - 45, x - 45) < 30).astype(np.float32)

    assert find_corners(disc).verdict == "not_found"


def test_projection_is_the_maximum_over_the_slices() -> None:
    volume = np.random.default_rng(1).normal(size=(9, 12, 14)).astype(np.float32)

    np.testing.assert_array_equal(project_maximum(volume), volume.max(axis=0))


def test_homography_takes_a_rectangle_to_the_corners() -> None:
    matrix = rectify_corners(CORNERS).matrix

    half_x = (np.hypot(5.5, 108.0) + np.hypot(8.0, 120.5)) / 4
    half_y = (np.hypot(47.5, 8.5) + np.hypot(50.0, 4.0)) / 4
    middle = CORNERS.mean(axis=0)
    for (sy, sx), corner in zip(((-1, -1), (-1, 1), (1, 1), (1, -1)), CORNERS, strict=True):
        place = matrix @ [middle[0] + sy * half_y, middle[1] + sx * half_x, 1.0]
        np.testing.assert_allclose(place[:2] / place[2], corner, atol=1e-9)


def test_rectangle_is_only_turned() -> None:
    c, s = np.cos(0.1), np.sin(0.1)
    square = np.array([[-20.0, -50.0], [-20.0, 50.0], [20.0, 50.0], [20.0, -50.0]])
    turned = square @ np.array([[c, -s], [s, c]]) + 80.0

    rectification = rectify_corners(turned)

    np.testing.assert_allclose(rectification.jacobian((160, 160)), 1.0, atol=1e-5)
    assert angle_of_corners_deg(turned) == pytest.approx(np.rad2deg(0.1))


def test_jacobian_sums_to_the_area_of_the_corners() -> None:
    rectification = rectify_corners(CORNERS)
    middle = CORNERS.mean(axis=0)
    half_x = (np.hypot(5.5, 108.0) + np.hypot(8.0, 120.5)) / 4
    half_y = (np.hypot(47.5, 8.5) + np.hypot(50.0, 4.0)) / 4
    y, x = np.indices((110, 170))
    inside = (np.abs(y - middle[0]) <= half_y) & (np.abs(x - middle[1]) <= half_x)

    area = float(rectification.jacobian((110, 170))[inside].sum())

    cy, cx = CORNERS.T
    true = 0.5 * abs(float(cx @ np.roll(cy, -1) - cy @ np.roll(cx, -1)))
    # Pixels on the rim count whole or not at all: the perimeter times a quarter.
    assert area == pytest.approx(true, abs=80.0)


def test_rectified_slice_is_a_rectangle() -> None:
    volume = np.repeat(filled(CORNERS)[None], 3, axis=0)
    rectification = rectify_corners(CORNERS)

    made = resample_region(
        volume,
        RigidTransform(centre_px=(1.0, 54.5, 79.5)),
        roi=Roi(z0=0, z1=3, y0=0, y1=110, x0=0, x1=160),
        homography=rectification.matrix,
    )

    bright = made.volume[1] > 0.5
    rows = np.flatnonzero(bright[:, 40:120].mean(axis=1) > 0.5)
    assert bright[rows[1] : rows[-1], 40:120].all()
    assert not bright[: rows[0] - 1, 40:120].any()
    assert rectification.flags == (HOMOGRAPHY_FLAG,)


def test_corners_in_another_order_are_refused() -> None:
    with pytest.raises(ParameterError, match="convex"):
        rectify_corners(CORNERS[[0, 2, 1, 3]])
    with pytest.raises(ParameterError, match="convex"):
        rectify_corners(CORNERS[::-1])
    with pytest.raises(ShapeError, match="four"):
        rectify_corners(CORNERS[:3])
    with pytest.raises(ShapeError, match="8"):
        find_corners(np.zeros((4, 4), dtype=np.float32))
