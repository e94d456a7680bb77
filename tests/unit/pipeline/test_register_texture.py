"""The turn of a layered cell comes from its texture: layers appear turned to the nearest view."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.register import (
    BlockPair,
    Comparison,
    GaussNewtonEngine,
    Registration,
    RigidTransform,
)
from lithoscope_pipeline.register.numerics import CpuNumerics
from lithoscope_pipeline.register.texture import line_along

N = 48
CENTRE = ((N - 1) / 2,) * 3
IN_PLACE = RigidTransform(centre_px=CENTRE)
TURNED = RigidTransform(rotation_deg=(0.4, 0.0, 0.0), shift_px=(0.6, 0.8, -1.2), centre_px=CENTRE)
ACROSS = [(0.0, 1.0, 0.0), (0.0, 1.0, 0.02), (0.0, 0.8, -0.6), (0.1, 0.3, 0.95)]


def grains(transform: RigidTransform, *, seed: int) -> FloatVolume:
    """Soft grains at their moved places, and noise."""
    places = np.random.default_rng(1).uniform(-4, N + 4, (200, 3))
    line = np.arange(N)
    volume = np.zeros((N, N, N))
    for place in transform.to_scan(places):
        z, y, x = (np.exp(-0.5 * ((line - at) / 1.8) ** 2) for at in place)
        volume += z[:, None, None] * y[:, None] * x
    noise = np.random.default_rng(seed).normal(scale=0.02, size=volume.shape)
    return (volume + noise).astype(np.float32)


def layers(transform: RigidTransform, *, turn_deg: float) -> FloatVolume:
    """Planes across y, moved along it and turned about z by another angle."""
    y, x = np.mgrid[:N, :N] - CENTRE[0]
    turn_rad = np.deg2rad(turn_deg)
    height = y * np.cos(turn_rad) - x * np.sin(turn_rad) - transform.shift_px[1]
    sheet = sum(np.tanh((height - place) / 1.5) for place in (-14.0, 3.0, 11.0))
    return np.broadcast_to(2.0 * sheet, (N, N, N)).astype(np.float32)


def registered(*, is_layered: bool) -> Registration:
    fixed = grains(IN_PLACE, seed=2) + layers(IN_PLACE, turn_deg=0.0)
    # Views a degree apart: the layers of the turned cell look as if they had not turned.
    moving = grains(TURNED, seed=3) + layers(TURNED, turn_deg=0.0)
    pair = BlockPair(fixed=fixed, moving=moving)
    return GaussNewtonEngine().register(
        Comparison(pairs=(pair,), centre_px=CENTRE, is_layered=is_layered)
    )


def test_layers_that_appear_turned_do_not_turn_the_answer() -> None:
    found = registered(is_layered=True)

    assert found.is_resolved
    assert found.transform.rotation_deg == pytest.approx(TURNED.rotation_deg, abs=0.03)
    assert found.transform.shift_px == pytest.approx(TURNED.shift_px, abs=0.05)


def test_not_told_of_layers_the_answer_follows_them() -> None:
    assert registered(is_layered=False).best_guess.rotation_deg[0] < 0.3


@pytest.mark.parametrize("across", ACROSS)
def test_what_is_alike_along_a_layer_is_taken_away(across: tuple[float, float, float]) -> None:
    offsets, weights = line_along(np.array(across))
    _, y, x = np.mgrid[:2, :48, :48].astype(np.float32)
    ramp = (across[1] * y + across[2] * x).astype(np.float32)

    left = CpuNumerics().without_line(ramp, offsets, weights)

    assert weights.sum() == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(left[:, 16:32, 16:32], 0.0, atol=1e-4)


def test_blurred_values_are_those_of_a_cubic_spline_over_the_voxels() -> None:
    rng = np.random.default_rng(3)
    volume = rng.normal(size=(7, 9, 8)).astype(np.float32)
    at = rng.uniform(0.0, np.array(volume.shape) - 1.0, (300, 3))
    ours = CpuNumerics()

    seen, is_inside = ours.sample_blurred(volume, at)

    assert is_inside.all()
    spline = map_coordinates(volume, at.T, order=3, prefilter=False, mode="nearest")
    np.testing.assert_allclose(seen, spline, atol=1e-5)


def test_values_at_voxels_are_blurred_like_those_between_them() -> None:
    volume = np.random.default_rng(3).normal(size=(7, 9, 8)).astype(np.float32)
    index = np.stack(np.unravel_index(np.arange(volume.size), volume.shape), axis=1)
    ours = CpuNumerics()

    seen, _ = ours.sample_blurred(volume, index.astype(np.float64))

    np.testing.assert_allclose(ours.blurred(volume).ravel(), seen, atol=1e-5)


def test_what_lies_outside_is_not_blurred_but_left_out() -> None:
    volume = np.ones((4, 5, 6), np.float32)
    at = np.array([[-0.6, 2.0, 2.0], [2.0, 4.6, 2.0], [2.0, 2.0, 5.6], [2.0, 2.0, 2.0]])

    seen, is_inside = CpuNumerics().sample_blurred(volume, at)

    assert is_inside.tolist() == [False, False, False, True]
    assert seen == pytest.approx([0.0, 0.0, 0.0, 1.0])
