"""Properties of the reconstruction; its accuracy is tested in tests/accuracy."""

import numpy as np
import pytest

from lithoscope_pipeline.errors import (
    AngularRangeError,
    NonFiniteError,
    ParameterError,
    ShapeError,
)
from lithoscope_pipeline.geometry import Angles, FloatStack
from lithoscope_pipeline.reconstruct import (
    Backend,
    FourierBackend,
    angular_weights_rad,
    reconstruct_slab,
)

THETAS = np.arange(90) * (np.pi / 90)
BACKEND: Backend = FourierBackend()


def noise(n_rows: int = 3, n_columns: int = 48, *, seed: int = 0) -> FloatStack:
    values = np.random.default_rng(seed).normal(size=(THETAS.size, n_rows, n_columns))
    return values.astype(np.float32)


def spot(x: float, y: float, thetas: Angles, *, axis_px: float, n_columns: int = 48) -> FloatStack:
    """Line integrals of a Gaussian spot of width 2 voxels at (x, y) from the axis."""
    s = np.arange(n_columns) - axis_px
    along = x * np.cos(thetas) + y * np.sin(thetas)
    return np.exp(-0.125 * (s - along[:, None]) ** 2).astype(np.float32)[:, None, :]


def centroid(image: FloatStack) -> tuple[float, float]:
    """Centre of mass (y, x) of what exceeds half the peak."""
    weights = np.where(image > 0.5 * image.max(), image, 0.0)
    y, x = np.indices(image.shape)
    return float((weights * y).sum() / weights.sum()), float((weights * x).sum() / weights.sum())


@pytest.mark.parametrize("size", [48, 49, 64])
@pytest.mark.parametrize("axis_px", [23.5, 26.2])
def test_spot_appears_where_the_conventions_put_it(size: int, axis_px: float) -> None:
    attenuation = spot(7.0, -5.0, THETAS, axis_px=axis_px)

    volume = BACKEND.reconstruct(
        attenuation, THETAS, rotation_axis_px=axis_px, voxel_um=1.0, size=size
    )

    y, x = centroid(volume[0])
    middle = (size - 1) / 2
    # The spot is symmetric: what is left of 0.05 voxel is the threshold on a pixel grid.
    assert (y - middle, x - middle) == pytest.approx((-5.0, 7.0), abs=0.05)


def test_rotating_the_sample_rotates_the_slice() -> None:
    quarter = THETAS + np.pi / 2
    upright = spot(6.0, 2.0, THETAS, axis_px=23.5)

    volume = BACKEND.reconstruct(upright, quarter, rotation_axis_px=23.5, voxel_um=1.0)

    y, x = centroid(volume[0])
    assert (y - 23.5, x - 23.5) == pytest.approx((6.0, -2.0), abs=0.05)


def test_reconstruction_is_linear() -> None:
    first, second = noise(seed=1), noise(seed=2)

    def volume(attenuation: FloatStack) -> FloatStack:
        return BACKEND.reconstruct(attenuation, THETAS, rotation_axis_px=24.1, voxel_um=4.5)

    together = volume(first + 2 * second)

    # float32 transforms; rounding is largest in the corners, where the kernel is divided out.
    np.testing.assert_allclose(
        together, volume(first) + 2 * volume(second), atol=1e-4 * np.abs(together).max()
    )


def test_attenuation_scales_with_one_over_the_voxel() -> None:
    coarse = BACKEND.reconstruct(noise(), THETAS, rotation_axis_px=23.5, voxel_um=8.0)
    fine = BACKEND.reconstruct(noise(), THETAS, rotation_axis_px=23.5, voxel_um=2.0)

    np.testing.assert_allclose(fine, 4.0 * coarse, rtol=1e-4, atol=1e-3 * np.abs(fine).max())


def test_slices_have_the_same_bytes_however_the_slab_is_cut() -> None:
    attenuation = noise(n_rows=5)

    whole = BACKEND.reconstruct(attenuation, THETAS, rotation_axis_px=23.1, voxel_um=4.5)
    parts = [
        BACKEND.reconstruct(attenuation[:, rows], THETAS, rotation_axis_px=23.1, voxel_um=4.5)
        for rows in (slice(0, 1), slice(1, 4), slice(4, 5))
    ]

    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_order_of_the_projections_does_not_matter() -> None:
    attenuation = noise()
    order = np.random.default_rng(3).permutation(THETAS.size)

    sorted_scan = BACKEND.reconstruct(attenuation, THETAS, rotation_axis_px=23.5, voxel_um=1.0)
    shuffled = BACKEND.reconstruct(
        attenuation[order], THETAS[order], rotation_axis_px=23.5, voxel_um=1.0
    )

    np.testing.assert_allclose(shuffled, sorted_scan, atol=1e-4 * np.abs(sorted_scan).max())


def test_whole_turns_added_to_the_angles_change_nothing() -> None:
    attenuation = noise()

    plain = BACKEND.reconstruct(attenuation, THETAS, rotation_axis_px=23.5, voxel_um=1.0)
    wound = BACKEND.reconstruct(
        attenuation, THETAS + 14 * np.pi, rotation_axis_px=23.5, voxel_um=1.0
    )

    np.testing.assert_allclose(wound, plain, atol=1e-4 * np.abs(plain).max())


def test_slab_of_counts_equals_its_steps() -> None:
    rng = np.random.default_rng(0)
    flats = rng.integers(900, 1100, (4, 2, 32)).astype(np.uint16)
    darks = rng.integers(90, 110, (3, 2, 32)).astype(np.uint16)
    projections = rng.integers(500, 900, (THETAS.size, 2, 32)).astype(np.uint16)

    slab = reconstruct_slab(
        projections, flats, darks, THETAS, rotation_axis_px=15.0, voxel_um=4.5, size=20
    )

    assert slab.shape == (2, 20, 20)
    assert slab.dtype == np.float32
    assert np.isfinite(slab).all()


@pytest.mark.parametrize(
    "thetas",
    [
        np.arange(90) * (np.pi / 90),
        np.linspace(0.0, np.pi, 91),
        np.arange(180) * (np.pi / 90),
        np.arange(91) * (2 * np.pi / 91),
    ],
    ids=["half turn", "both ends", "full turn", "odd full turn"],
)
def test_angular_weights_sum_to_half_a_turn(thetas: Angles) -> None:
    weights = angular_weights_rad(thetas)

    assert weights.sum() == pytest.approx(np.pi)
    assert weights.min() > 0.0


def test_neighbours_stand_in_for_a_missing_projection() -> None:
    step = np.pi / 90

    weights = angular_weights_rad(np.delete(THETAS, 40))

    np.testing.assert_allclose(weights[[38, 39, 40, 41]] / step, [1.0, 1.5, 1.5, 1.0])


def test_a_missing_wedge_is_refused() -> None:
    with pytest.raises(AngularRangeError, match="90"):
        angular_weights_rad(THETAS[:46])


def test_broken_contracts_are_named() -> None:
    attenuation = noise()

    with pytest.raises(ShapeError, match="89 angles for 90 projections"):
        BACKEND.reconstruct(attenuation, THETAS[:-1], rotation_axis_px=23.5, voxel_um=1.0)
    with pytest.raises(ParameterError, match="rotation_axis_px"):
        BACKEND.reconstruct(attenuation, THETAS, rotation_axis_px=60.0, voxel_um=1.0)
    with pytest.raises(ParameterError, match="voxel_um"):
        BACKEND.reconstruct(attenuation, THETAS, rotation_axis_px=23.5, voxel_um=0.0)
    attenuation[3, 1, 4] = np.nan
    with pytest.raises(NonFiniteError, match="NaN"):
        BACKEND.reconstruct(attenuation, THETAS, rotation_axis_px=23.5, voxel_um=1.0)
