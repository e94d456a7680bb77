"""Outer faces of the electrodes, on cells that are rendered at exactly moved places."""

from functools import cache

import numpy as np
import pytest
from layered_cell import CENTRE, PLANES_PX, VOXEL_UM, Map, followed_by, render

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.faces import (
    FaceReference,
    FaceTemplate,
    PatchGrid,
    fit_plane,
    make_patches,
    make_template,
    match_faces,
    measure_swelling,
    reference_faces,
    smooth_map,
    to_columns,
)
from lithoscope_pipeline.geometry import FloatVolume, Roi
from lithoscope_pipeline.reference_frame import ReferenceFrame, find_reference_frame
from lithoscope_pipeline.rigid import RigidTransform

AT_REST = RigidTransform(centre_px=CENTRE)
DRIFT = RigidTransform(rotation_deg=(0.3, -0.4, 0.5), shift_px=(1.2, -3.4, 2.7), centre_px=CENTRE)


@cache
def first_scan() -> FloatVolume:
    return render(AT_REST, seed=0)


@cache
def frame() -> ReferenceFrame:
    return find_reference_frame(first_scan(), VOXEL_UM)


def faces() -> FaceReference:
    found = frame().faces
    assert found is not None
    return found


def bulge(z: Map, x: Map) -> Map:
    """A motion of 29 voxels, as at 39 um in voxels of 1.33 um, that is not the same everywhere."""
    return 29.0 + 0.03 * (x - 79.5) + 0.8 * np.cos(x / 40.0) + 0.02 * z


def test_motion_of_29_voxels_is_seen_to_a_fifth_of_a_voxel_in_every_place() -> None:

    found = measure_swelling(render(DRIFT, seed=1, up_px=bulge, noise=0.1), DRIFT, faces())

    z, x = np.meshgrid(found.grid.z_px, found.grid.x_px, indexing="ij")
    assert found.plating.verdict == "resolved"
    # 0.1 of noise over 8 x 8 columns on a slope of 0.45 a voxel: 0.03; smoothing cuts the bulge.
    np.testing.assert_allclose(found.plating.map_px, bulge(z, x), atol=0.2)
    assert found.plating.mean_px == pytest.approx(float(bulge(z, x).mean()), abs=0.05)


def test_stationary_side_stays_while_the_other_moves() -> None:

    found = measure_swelling(render(DRIFT, seed=1, up_px=bulge), DRIFT, faces())

    assert found.stripping.verdict == "resolved"
    assert np.abs(found.stripping.map_px).max() < 0.15
    lift = bulge(*np.meshgrid(found.grid.z_px, found.grid.x_px, indexing="ij")).mean()
    # Both planes are known to a few hundredths, as is the lift.
    assert found.stack_px == pytest.approx(PLANES_PX[4] - PLANES_PX[1] + lift, abs=0.15)


def test_stack_of_a_cell_at_rest_stays_constant_over_a_chain_with_drift() -> None:
    rng = np.random.default_rng(5)
    changes = []

    for seed in range(6):
        z, y, x = rng.uniform(-3.0, 3.0, 3)
        about = tuple(rng.uniform(-0.5, 0.5, 3).tolist())
        drift = RigidTransform(rotation_deg=about, shift_px=(z, y, x), centre_px=CENTRE)
        scan = (0.9 + 0.04 * seed) * render(drift, seed=10 + seed) + np.float32(0.1 * seed)
        changes.append(measure_swelling(scan, drift, faces()).stack_change_px)

    # The bar is 0.2 voxel.
    assert max(abs(change) for change in changes if change is not None) < 0.1
    assert None not in changes


def test_a_face_that_is_gone_is_unresolved_and_gives_no_thickness() -> None:
    gone = first_scan().copy()
    gone[:, 108:] = np.random.default_rng(2).normal(0.4, 0.15, gone[:, 108:].shape)

    found = measure_swelling(gone, AT_REST, faces())

    assert found.plating.verdict == "unresolved"
    assert "patches" in found.plating.reason
    assert found.stripping.verdict == "resolved"
    assert found.stack_px is None


def test_a_face_that_left_the_room_is_unresolved() -> None:
    far = render(AT_REST, seed=3, shape=(24, 200, 160), up_px=lambda z, _x: np.full(z.shape, 46.0))

    found = measure_swelling(far, AT_REST, faces())

    assert found.plating.verdict == "unresolved"


def test_part_of_a_face_that_is_hidden_does_not_pull_the_rest() -> None:
    hidden = first_scan().copy()
    hidden[:, 110:140, 60:76] = 2.0

    found = measure_swelling(hidden, AT_REST, faces())

    assert found.plating.verdict == "resolved"
    assert found.plating.good_share < 1.0
    assert np.abs(found.plating.map_px).max() < 0.2


def test_faces_that_are_out_of_order_are_refused() -> None:
    grid = make_patches(frame().roi, VOXEL_UM)

    with pytest.raises(ParameterError, match="rise"):
        reference_faces(
            first_scan(), AT_REST, grid, outer_px=(90.0, 30.0), voxel_um=4.5, growth_px=20.0
        )


def test_template_is_found_at_a_fraction_of_a_voxel() -> None:
    y = np.arange(60.0)
    template = FaceTemplate(values=np.tanh(y[:21] - 10.3).astype(np.float32), face=10.3)
    places = np.array([20.0, 24.37, 31.81])
    profiles = 3.0 + 0.4 * np.tanh(y - places[:, None])

    found = match_faces(profiles.astype(np.float32), template)

    # Cubic convolution of a step one voxel wide is good to a few hundredths.
    np.testing.assert_allclose(found.face_px, places, atol=0.03)
    assert found.correlation.min() > 0.99


@pytest.mark.parametrize("grey_scale", [0.1, 1.0])
def test_a_faint_edge_of_the_right_shape_is_not_taken_for_the_face(grey_scale: float) -> None:
    edge = np.tanh(np.arange(-5.0, 6.0))
    template = FaceTemplate(values=edge.astype(np.float32), face=5.0)
    rng = np.random.default_rng(3)
    profile = np.zeros(80)
    profile[15:26] += edge + 0.25 * rng.standard_normal(11)  # the face, in noise
    profile[26:] += edge[-1]
    profile[50:61] += 0.4 * (1.0 + edge)  # as truncation draws it, without any
    profile[61:] += 0.8
    profiles = (grey_scale * profile)[None, :].astype(np.float32)

    found = match_faces(profiles, template)

    assert found.face_px[0] == pytest.approx(20.0, abs=1.0)


def test_slope_that_lies_over_a_scan_moves_no_face() -> None:
    y = np.arange(60.0)
    template = FaceTemplate(values=np.tanh(y[:21] - 10.0).astype(np.float32), face=10.0)
    sloped = (np.tanh(y - 30.2) + 0.02 * y)[None].astype(np.float32)

    assert match_faces(sloped, template).face_px[0] == pytest.approx(30.2, abs=0.05)


def test_template_of_shifted_profiles_is_as_sharp_as_they_are() -> None:
    y = np.arange(60.0)
    shifts = np.random.default_rng(4).uniform(-1.0, 1.0, (5, 6, 1))
    profiles = np.tanh(1.5 * (y - 30.0 - shifts)).astype(np.float32)

    template = make_template(profiles, face_px=30.0, half_px=8)

    # Central differences of one of them reach tanh(1.5) = 0.905; interpolation blurs a little.
    assert np.abs(np.gradient(template.values)).max() > 0.8 * 0.905
    middle = np.interp(0.0, template.values[5:12], np.arange(5.0, 12.0))
    assert template.face == pytest.approx(float(middle), abs=0.1)


def test_profile_shorter_than_the_template_is_refused() -> None:
    template = FaceTemplate(values=np.zeros(21, dtype=np.float32), face=10.0)

    with pytest.raises(ParameterError, match="21"):
        match_faces(np.zeros((3, 20), dtype=np.float32), template)


def test_plane_is_fitted_through_outliers() -> None:
    z, x = np.arange(6.0), np.arange(20.0)
    values = 3.0 + 0.1 * z[:, None] - 0.02 * x[None, :]
    values = values + 0.02 * np.random.default_rng(0).normal(size=values.shape)
    values[2, 3:7] += 5.0

    fit = fit_plane(values, z, x, np.ones_like(values))

    assert fit.slope_z == pytest.approx(0.1, abs=5 * fit.slope_z_sd)
    assert fit.slope_x == pytest.approx(-0.02, abs=5 * fit.slope_x_sd)
    assert fit.slope_x_sd < 0.002


def test_direction_with_one_line_has_no_slope() -> None:
    fit = fit_plane(np.arange(5.0)[None, :], np.zeros(1), np.arange(5.0), np.ones((1, 5)))

    assert fit.slope_x == pytest.approx(1.0)
    assert fit.slope_z == 0.0
    assert fit.slope_z_sd == np.inf


def test_smooth_map_keeps_slopes_up_to_the_border() -> None:
    z, x = np.indices((8, 30)).astype(np.float64)
    tilted = 0.3 * z + 0.1 * x

    np.testing.assert_allclose(smooth_map(tilted, np.ones((8, 30))).values, tilted, atol=1e-6)


def test_map_without_any_trusted_place_is_no_map() -> None:
    found = smooth_map(np.ones((4, 5)), np.zeros((4, 5)))

    assert not found.good.any()
    assert found.scatter == np.inf


def test_map_goes_straight_on_to_the_rim_of_the_region() -> None:
    roi = Roi(z0=2, z1=34, y0=0, y1=10, x0=3, x1=60)
    grid = make_patches(roi, 4.5)
    z, x = np.meshgrid(grid.z_px, grid.x_px, indexing="ij")

    columns = to_columns(0.1 * z - 0.2 * x, grid, roi)

    places = np.meshgrid(np.arange(2, 34), np.arange(3, 60), indexing="ij")
    np.testing.assert_allclose(columns, 0.1 * places[0] - 0.2 * places[1], atol=1e-4)


@pytest.mark.parametrize("n_z", [1, 5, 24, 4000])
def test_patches_lie_in_the_region(n_z: int) -> None:
    roi = Roi(z0=3, z1=3 + n_z, y0=0, y1=10, x0=7, x1=107)

    grid = make_patches(roi, 1.33)

    assert isinstance(grid, PatchGrid)
    assert min(grid.z0_px) >= 3
    assert max(grid.z0_px) + grid.n_rows <= 3 + n_z
    assert grid.x0_px >= 7
    assert grid.x0_px + grid.n_x * grid.n_columns <= 107


def test_same_scan_gives_the_same_numbers() -> None:
    scan = render(DRIFT, seed=1)

    once, again = (measure_swelling(scan, DRIFT, faces()) for _ in range(2))

    np.testing.assert_array_equal(once.plating.map_px, again.plating.map_px)


def test_drift_composed_with_a_levelling_is_followed() -> None:
    tilt = RigidTransform(rotation_deg=(4.0, 0.0, 1.5), centre_px=CENTRE)
    tilted = find_reference_frame(render(tilt, seed=6), VOXEL_UM)
    assert tilted.faces is not None

    found = measure_swelling(
        render(followed_by(tilt, DRIFT), seed=7),
        followed_by(tilted.transform, DRIFT),
        tilted.faces,
    )

    assert found.stack_change_px == pytest.approx(0.0, abs=0.1)
