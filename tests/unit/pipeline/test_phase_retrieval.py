"""Phase retrieval of simple objects against what they are."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.phantom.drift import RigidDrift
from lithoscope_pipeline.phantom.materials import Material, Optics
from lithoscope_pipeline.phantom.project_corners import Corners, box_corners, project_corners
from lithoscope_pipeline.phantom.propagation import Propagation
from lithoscope_pipeline.phantom.view import View
from lithoscope_pipeline.phase_retrieval import LITHIUM_IN_POLYMER, PaganinFilter, retrieve_phase

PAGANIN = PaganinFilter(distance_mm=60.0, energy_keV=27.5, voxel_um=2.25)
FAR = Propagation(energy_keV=27.5, distance_mm=60.0, pixel_um=2.25)
VOXEL_CM = 2.25e-4


def strip(propagation: Propagation, edges_px: tuple[float, float]) -> NDArray[np.float32]:
    """Project 100 um of lithium in polymer between two edges onto 12 equal rows."""
    optics = Optics(27.5)
    contrast = optics.of(Material.POLYMER) - optics.of(Material.LITHIUM)
    body: Corners = box_corners(edges_px, (0.0, 100 / 2.25), contrast)
    view = View(
        n_columns=200,
        rotation_axis_px=99.5,
        thetas_rad=np.zeros(1),
        exposure_rad=0.0,
        drift=RigidDrift(),
    )
    return project_corners(body, view, np.arange(12.0), propagation) * np.float32(VOXEL_CM)


def test_the_length_of_the_filter_is_that_of_the_formula() -> None:
    # sqrt(60 mm x 0.4508 A x 1840 / 4 pi) = 19.9 um.
    assert PAGANIN.length_px * 2.25 == pytest.approx(19.9, abs=0.05)


def test_the_default_ratio_is_that_of_lithium_in_polymer() -> None:
    optics = Optics(27.5)
    contrast = optics.of(Material.POLYMER) - optics.of(Material.LITHIUM)
    wavelength_cm = 12.39842e-8 / 27.5

    beta = contrast.real * wavelength_cm / (4 * np.pi)

    assert contrast.imag * 1e-8 / beta == pytest.approx(LITHIUM_IN_POLYMER, rel=0.01)


def test_an_edge_comes_back_as_sharp_as_it_was() -> None:
    # Fringes are finer than pixels. What a pixel makes of them depends on where in it the edge
    # stands, by 7 % of the step, and on the mean over such places not at all.
    edges = [(-60.0 + part / 8, 60.0 + part / 8) for part in range(8)]
    contact = replace(FAR, distance_mm=0.0)

    retrieved = np.mean([retrieve_phase(strip(FAR, at), PAGANIN)[0, 6] for at in edges], axis=0)

    shadow = np.mean([strip(contact, at)[0, 6] for at in edges], axis=0)
    # What is finer than pixels is lost: 7 % of the step in the pixel beside it.
    np.testing.assert_allclose(retrieved, shadow, atol=0.08 * shadow.max())
    away = np.abs(np.abs(np.arange(200) - 99.9) - 60.0) > 3
    np.testing.assert_allclose(retrieved[away], shadow[away], atol=0.01 * shadow.max())


def test_a_border_of_the_view_does_not_ring() -> None:
    # The strip goes on beyond the view, and its edge stands where pixels are true to it.
    retrieved = retrieve_phase(strip(FAR, (-300.0, 20.25)), PAGANIN)

    flat = retrieved[0, :, :60]
    assert np.ptp(flat) < 0.01 * flat.mean()


def test_a_uniform_image_stays() -> None:
    image = np.full((2, 5, 7), 0.3, np.float32)

    np.testing.assert_allclose(retrieve_phase(image, PAGANIN), image, rtol=1e-6)


def test_white_noise_falls_by_the_norm_of_the_filter() -> None:
    noise = np.random.default_rng(1).standard_normal((1, 400, 400)).astype(np.float32)

    middle = retrieve_phase(noise, PAGANIN)[0, 100:300, 100:300]

    # The filter's power is the integral of 2 pi k dk / (1 + (2 pi L k)^2)^2 = 1 / (4 pi L^2), of
    # an exponential of a length of L = 8.9 px: 200 x 200 px hold some 40 of its patches squared.
    expected = 1.0 / (2.0 * np.sqrt(np.pi) * PAGANIN.length_px)
    assert middle.std() == pytest.approx(expected, rel=0.1)


def test_angles_do_not_mix() -> None:
    images = np.random.default_rng(1).random((40, 8, 9)).astype(np.float32)

    whole = retrieve_phase(images, PAGANIN)

    np.testing.assert_array_equal(whole[33:35], retrieve_phase(images[33:35], PAGANIN))


def test_rows_of_the_halo_only_serve_the_others() -> None:
    images = np.random.default_rng(1).random((5, 30, 41)).astype(np.float32)

    inner = retrieve_phase(images, PAGANIN, halo_rows=(7, 4))

    np.testing.assert_array_equal(inner, retrieve_phase(images, PAGANIN)[:, 7:-4])


def test_beyond_the_reach_rows_matter_little() -> None:
    rng = np.random.default_rng(1)
    images = rng.random((1, 120, 64)).astype(np.float32)
    other = images.copy()
    other[:, 60 + PAGANIN.reach_px :] = rng.random((120 - 60 - PAGANIN.reach_px, 64))

    change = retrieve_phase(other, PAGANIN)[:, :60] - retrieve_phase(images, PAGANIN)[:, :60]

    # exp(-4) is 2 %, of what the rows differ by once it is smoothed.
    assert np.abs(change).max() < 0.02 * np.abs(other - images).std()


def test_the_filter_is_that_of_the_formula_for_a_wave() -> None:
    # A cosine that ends at the borders in its crests goes on as itself in the mirror.
    rows, columns = np.indices((60, 80))
    wave = np.cos(np.pi * 3 * (rows + 0.5) / 60) * np.cos(np.pi * 5 * (columns + 0.5) / 80)

    retrieved = retrieve_phase(wave.astype(np.float32)[None], PAGANIN)[0]

    square = (3 / 120) ** 2 + (5 / 160) ** 2
    # The second difference of this wave is 0.05 % less than its second derivative.
    expected = wave / (1 + (2 * np.pi * PAGANIN.length_px) ** 2 * square)
    np.testing.assert_allclose(retrieved, expected, atol=1e-3 * expected.max())


def test_a_width_that_is_slow_to_transform_gives_the_same() -> None:
    rows, columns = np.indices((60, 83))  # a prime number of columns
    wave = np.cos(np.pi * 3 * (rows + 0.5) / 60) * np.cos(np.pi * 5 * (columns + 0.5) / 83)

    retrieved = retrieve_phase(wave.astype(np.float32)[None], PAGANIN)[0]

    square = (3 / 120) ** 2 + (5 / 166) ** 2
    expected = wave / (1 + (2 * np.pi * PAGANIN.length_px) ** 2 * square)
    # At the right border the mirror ends after four lengths.
    np.testing.assert_allclose(retrieved, expected, atol=0.02 * expected.max())


def test_a_halo_that_leaves_no_row_is_refused() -> None:
    with pytest.raises(ShapeError, match="none of 4 rows"):
        retrieve_phase(np.zeros((1, 4, 5), np.float32), PAGANIN, halo_rows=(2, 2))


@pytest.mark.parametrize("name", ["distance_mm", "energy_keV", "voxel_um", "delta_beta"])
def test_what_is_not_positive_is_refused_by_name(name: str) -> None:
    with pytest.raises(ParameterError, match=name):
        replace(PAGANIN, **{name: 0.0})


def test_one_image_without_an_angle_is_refused() -> None:
    with pytest.raises(ShapeError, match="angle, row, column"):
        retrieve_phase(np.zeros((4, 5), np.float32), PAGANIN)
