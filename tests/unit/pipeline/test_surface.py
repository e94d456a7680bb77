"""Dendrites begin above the mode of the surface around them by max(3 MAD, 5 um)."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.surface import dendrite_threshold, plated_surface

PIXEL_UM = 4.5


def flat(height_um: float = 32.4) -> NDArray[np.float32]:
    return np.full((24, 60), height_um, dtype=np.float32)


def test_above_a_flat_layer_five_micrometres_are_dendrite() -> None:
    np.testing.assert_allclose(dendrite_threshold(flat(), PIXEL_UM), 37.4, atol=1e-4)


def test_a_bare_electrode_has_its_threshold_at_five_micrometres() -> None:
    np.testing.assert_array_equal(dendrite_threshold(flat(0), PIXEL_UM), 5)


def test_a_dendrite_does_not_raise_its_own_threshold() -> None:
    height_um = flat()
    height_um[8:14, 30:36] = 90

    threshold_um = dendrite_threshold(height_um, PIXEL_UM)

    np.testing.assert_allclose(threshold_um, 37.4, atol=1e-4)


def test_a_dendrite_that_fills_half_the_window_does_not_hide() -> None:
    # 9 of 11 pixels along x and all along z: 82 % of the window would vote for its top.
    height_um = flat() + np.random.default_rng(0).normal(0, 1, (24, 60)).astype(np.float32)
    height_um[8:16, 30:38] = 90

    threshold_um = dendrite_threshold(height_um, PIXEL_UM)

    assert threshold_um[12, 34] < 45


def test_a_rough_layer_raises_the_threshold_to_three_mads() -> None:
    # A normal surface has a MAD of 0.6745 standard deviations: 30 + 3 * 0.6745 * 4 = 38.09.
    height_um = np.random.default_rng(1).normal(30, 4, (120, 120)).astype(np.float32)

    threshold_um = dendrite_threshold(height_um, 1.0, 60.0)

    # The mode of 3600 samples smoothed by 2 um scatters by about 1 um, the mean of many less.
    assert threshold_um.mean() == pytest.approx(38.09, abs=0.5)


def test_a_map_in_whole_voxels_gives_the_same_threshold() -> None:
    exact_um = np.random.default_rng(2).normal(30, 1.5, (48, 96)).astype(np.float32)
    rounded_um = np.round(exact_um / PIXEL_UM) * np.float32(PIXEL_UM)

    difference_um = dendrite_threshold(rounded_um, PIXEL_UM) - dendrite_threshold(
        exact_um, PIXEL_UM
    )

    assert abs(float(difference_um.mean())) < PIXEL_UM / 2


def test_a_slope_is_followed() -> None:
    height_um = np.broadcast_to(np.linspace(10, 40, 240, dtype=np.float32), (40, 240))

    mode_um = plated_surface(height_um, 2.0).mode_um

    # Inside, the window is symmetric: its mode lies within a bin or two of its middle.
    np.testing.assert_allclose(mode_um[20, 30:-30], height_um[20, 30:-30], atol=2.5)


def test_fine_pixels_give_the_same_surface_as_coarse_ones() -> None:
    coarse_um = np.repeat(np.array([20, 30], dtype=np.float32), 60)[None].repeat(60, axis=0)
    fine_um = coarse_um.repeat(4, axis=0).repeat(4, axis=1)

    coarse = dendrite_threshold(coarse_um, 4.0)
    fine = dendrite_threshold(fine_um, 1.0)[2::4, 2::4]

    assert np.mean(np.abs(coarse - fine) > 1) < 0.05


def test_maps_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(ShapeError):
        dendrite_threshold(np.zeros(5, dtype=np.float32), PIXEL_UM)
    with pytest.raises(NonFiniteError):
        dendrite_threshold(flat(np.nan), PIXEL_UM)
    with pytest.raises(ParameterError):
        dendrite_threshold(flat(), 0)
