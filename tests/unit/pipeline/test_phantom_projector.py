"""Projections of simple bodies against closed forms and against plain sampling."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatStack
from lithoscope_pipeline.phantom.drift import RigidDrift
from lithoscope_pipeline.phantom.line_integrals import Body, project_body
from lithoscope_pipeline.phantom.project_corners import (
    Corners,
    box_corners,
    layer_corners,
    project_corners,
)
from lithoscope_pipeline.phantom.projector import FINE, SliceProjector
from lithoscope_pipeline.phantom.propagation import Propagation
from lithoscope_pipeline.phantom.view import View

N_COLUMNS = 96
AXIS_PX = 46.3
TURNED = RigidDrift(shift_px=(0, 2.3, -1.7), rotation_deg=(7, 0, 0))
DRIFT = RigidDrift(shift_px=(1.0, 2.3, -1.7), rotation_deg=(0.3, -0.2, 0.25))
THETAS_RAD = np.linspace(0, np.pi, 24, endpoint=False)
STILL = RigidDrift()
HEIGHTS_PX = np.array([-5.0, 0.0, 6.0])
CONTACT = Propagation(energy_keV=27.5, distance_mm=0.0, pixel_um=2.0)
FAR = Propagation(energy_keV=27.5, distance_mm=60.0, pixel_um=2.0)
NOTHING = Corners(points_px=np.zeros((1, 2)), weights=np.zeros(1, np.complex128))


def view_of(drift: RigidDrift = STILL, exposure_rad: float = 0.0) -> View:
    return View(
        n_columns=N_COLUMNS,
        rotation_axis_px=AXIS_PX,
        thetas_rad=THETAS_RAD,
        exposure_rad=exposure_rad,
        drift=drift,
    )


def disc(x_px: float, y_px: float, radius_px: float, n: int = 128) -> NDArray[np.complex64]:
    """Draw a disc with partly filled samples, FINE a pixel."""
    parts = (np.arange(8) - 3.5) / 8
    places = ((np.arange(n) - n // 2)[:, None] + parts).ravel() / FINE
    inside = np.hypot(places[:, None] - y_px, places - x_px) < radius_px
    return inside.reshape(n, 8, n, 8).mean(axis=(1, 3)).astype(np.complex64)


def projected(
    slices: NDArray[np.complex64], view: View, propagation: Propagation = CONTACT
) -> FloatStack:
    """Project slices in adjacent rows."""
    projector = SliceProjector((slices.shape[1], slices.shape[2]), view, propagation)
    return projector.project(slices, np.arange(len(slices), dtype=np.float64)).direct


def disc_projection(s_px: NDArray[np.floating], radius_px: float) -> NDArray[np.floating]:
    """Average the chords of a disc over each pixel."""

    def integral(t: NDArray[np.floating]) -> NDArray[np.floating]:
        t = np.clip(t, -radius_px, radius_px)
        return t * np.sqrt(radius_px**2 - t * t) + radius_px**2 * np.arcsin(t / radius_px)

    columns = np.arange(N_COLUMNS) - s_px[:, None]
    return np.asarray(integral(columns + 0.5) - integral(columns - 0.5))


@pytest.mark.parametrize("drift", [STILL, TURNED])
def test_a_disc_projects_to_its_chords(drift: RigidDrift) -> None:
    x_px, y_px, radius_px = 9.2, -6.7, 14.3
    place = drift.to_scan(np.array([x_px, y_px, 0.0]))
    s_px = AXIS_PX + place[0] * np.cos(THETAS_RAD) + place[1] * np.sin(THETAS_RAD)

    projections = projected(disc(x_px, y_px, radius_px)[None], view_of(drift))

    error = projections[:, 0] - disc_projection(s_px, radius_px)
    # Only the two pixels of the rim see that samples are half a pixel wide: there the chord
    # 2 sqrt(2 R d) of a depth d below a quarter pixel is blurred away, about 1 of 28.6.
    assert error.std() < 0.05
    assert np.abs(error).max() < 0.5


def test_projections_keep_the_area() -> None:
    slices = disc(9.2, -6.7, 14.3)[None]

    projections = projected(slices, view_of(DRIFT))

    area = float(slices.real.sum()) / FINE**2
    np.testing.assert_allclose(projections.sum(axis=2), area, rtol=1e-3)


def test_rows_do_not_mix_in_contact_with_the_detector() -> None:
    one = disc(9.2, -6.7, 14.3)
    slices = np.stack([one, np.zeros_like(one), 2 * one])

    projections = projected(slices, view_of())

    # 1e-4 is the tolerance of the transform, relative to the norm of a row.
    np.testing.assert_allclose(projections[:, 1], 0, atol=0.02)
    np.testing.assert_allclose(projections[:, 2], 2 * projections[:, 0], atol=0.02)


def test_the_decrement_does_not_show_in_contact_with_the_detector() -> None:
    one = disc(9.2, -6.7, 14.3)

    np.testing.assert_allclose(
        projected((1 + 40j) * one[None], view_of()), projected(one[None], view_of()), atol=0.02
    )


@pytest.mark.parametrize("drift", [STILL, DRIFT])
def test_layers_project_as_sampled_along_each_ray(drift: RigidDrift) -> None:
    planes_px, steps = np.array([-20.0, -10.0, 5.0, 20.0]), np.array([0.7, -0.6, 0.3, -0.4])
    half_width_px, step_px = 200.0, 0.05
    along = np.arange(-300, 300, step_px)
    layers = layer_corners(planes_px, steps, half_width_px)

    projections = project_corners(layers, view_of(drift), HEIGHTS_PX, CONTACT)

    for angle in (0, 5, 11, 12, 13):
        theta = THETAS_RAD[angle]
        ray = np.stack([np.cos(theta), np.sin(theta)]), np.stack([-np.sin(theta), np.cos(theta)])
        expected = 0.0
        for part in (np.arange(8) - 3.5) / 8:
            s_px = 40 + part - AXIS_PX
            points = s_px * ray[0] + along[:, None] * ray[1]
            scan = np.column_stack([points, np.full(along.size, HEIGHTS_PX[2])])
            x, y, _ = ((scan - drift.shift_xyz_px) @ drift.matrix).T
            height = (steps * (y[:, None] > planes_px)).sum(axis=1) * (np.abs(x) < half_width_px)
            expected += height.sum() * step_px / 8
        # Up to eight crossings a ray, each known to half a step of 0.05 and a step of 0.7.
        assert projections[angle, 2, 40] == pytest.approx(expected, abs=0.05)


def test_an_exposed_edge_on_plate_is_the_mean_of_its_turns() -> None:
    layers = layer_corners(np.array([-8.3, 9.1]), np.array([1.0, -1.0]), 150.0)
    exposure_rad = THETAS_RAD[1]
    turns = (np.arange(400) + 0.5) / 400 - 0.5

    exposed = project_corners(layers, view_of(DRIFT, exposure_rad), np.zeros(1), CONTACT)

    still = replace(view_of(DRIFT), thetas_rad=THETAS_RAD[12] + exposure_rad * turns)
    expected = project_corners(layers, still, np.zeros(1), CONTACT).mean(axis=0)
    # The corners move less than a pixel in one of the steps: of 300 px that is well below 1 %.
    np.testing.assert_allclose(exposed[12], expected, atol=1.0)


@pytest.mark.parametrize("propagation", [CONTACT, FAR])
def test_a_box_projects_alike_in_closed_form_and_through_its_slice(
    propagation: Propagation,
) -> None:
    x_px, y_px, constant = (-12.25, 9.75), (-7.25, 5.75), 0.3 + 20j
    places = (np.arange(128) - 64) / FINE

    def share(low: float, high: float) -> NDArray[np.floating]:
        half = 0.5 / FINE
        inside = np.minimum(places + half, high) - np.maximum(places - half, low)
        return np.asarray(np.clip(inside, 0.0, None) * FINE)

    slices = (constant * share(*y_px)[:, None] * share(*x_px)).astype(np.complex64)
    view = view_of(DRIFT, THETAS_RAD[1])

    exact = project_corners(box_corners(x_px, y_px, constant), view, np.zeros(1), propagation)

    error = projected(slices[None], view, propagation) - exact
    # Half a pixel of blur at the edges that lie in the beam, of a few pixels in 96; there the
    # fringes are 14 times as strong as the shadow is deep.
    assert error.std() < 0.01 * np.abs(exact).max()


@pytest.mark.parametrize("propagation", [CONTACT, FAR])
def test_the_bytes_do_not_depend_on_the_number_of_threads(propagation: Propagation) -> None:
    view = view_of(DRIFT, THETAS_RAD[1])

    def run(n_threads: int) -> bytes:
        body = Body(
            corners=box_corners((-20.0, 20.0), (-5.0, 5.0), 0.4 + 30j),
            slices=lambda heights: np.stack(
                [disc(5.0, -3.0, 6.0 + 0.1 * h).astype(np.complex64) for h in heights]
            ),
        )
        return project_body(
            body, view, np.arange(40.0), propagation, n_threads=n_threads
        ).tobytes()

    assert run(1) == run(2)


def test_a_rotation_about_z_turns_x_towards_y() -> None:
    drift = RigidDrift(rotation_deg=(90.0, 0.0, 0.0))

    np.testing.assert_allclose(drift.to_scan(np.array([1.0, 0, 0])), [0, 1, 0], atol=1e-12)


def test_the_order_of_rotations_is_that_of_simpleitk() -> None:
    sitk = pytest.importorskip("SimpleITK")
    z, y, x = np.radians(DRIFT.rotation_deg)
    transform = sitk.Euler3DTransform((0, 0, 0), float(x), float(y), float(z))

    np.testing.assert_allclose(
        np.array(transform.GetMatrix()).reshape(3, 3), DRIFT.matrix, atol=1e-12
    )
