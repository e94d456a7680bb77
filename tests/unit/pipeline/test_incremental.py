"""Slices that grow while projections come, against the reconstruction of all of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.geometry import Angles, FloatStack, FloatVolume
from lithoscope_pipeline.reconstruct import (
    FourierAccumulator,
    FourierBackend,
    FourierPlan,
    angular_weights_rad,
)

N_ANGLES, N_ROWS, N_COLUMNS = 60, 11, 32
AXIS_PX, VOXEL_UM = 15.3, 4.5
THETAS = np.arange(N_ANGLES) * (np.pi / N_ANGLES)


def noise(seed: int = 0) -> FloatStack:
    values = np.random.default_rng(seed).normal(size=(N_ANGLES, N_ROWS, N_COLUMNS))
    return values.astype(np.float32)


def plan(thetas: Angles = THETAS) -> FourierPlan:
    return FourierPlan.make(
        thetas, n_columns=N_COLUMNS, rotation_axis_px=AXIS_PX, voxel_um=VOXEL_UM
    )


def batch(attenuation: FloatStack, thetas: Angles = THETAS) -> FloatVolume:
    return FourierBackend().reconstruct(
        attenuation, thetas, rotation_axis_px=AXIS_PX, voxel_um=VOXEL_UM
    )


PLAN, ATTENUATION = plan(), noise()
BATCH = batch(ATTENUATION)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(cuts=st.sets(st.integers(1, N_ANGLES - 1), max_size=12))
def test_any_cut_into_chunks_gives_the_bytes_of_the_batch(cuts: set[int]) -> None:
    slab = FourierAccumulator(PLAN, n_rows=N_ROWS)

    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), N_ANGLES], strict=True):
        slab.add(first, ATTENUATION[first:last])

    assert slab.is_complete
    assert slab.volume().tobytes() == BATCH.tobytes()


def test_looking_at_a_slab_does_not_change_what_it_becomes() -> None:
    slab = FourierAccumulator(PLAN, n_rows=N_ROWS)

    for index in range(N_ANGLES):
        slab.add(index, ATTENUATION[index : index + 1])
        if index in (0, 20):
            slab.volume()

    assert slab.volume().tobytes() == BATCH.tobytes()


def test_planned_angles_give_the_bytes_of_those_read_back() -> None:
    """Weights are snapped to even steps: what an encoder adds must not change them."""
    jitter = np.random.default_rng(1).uniform(-1e-4, 1e-4, N_ANGLES) * (np.pi / N_ANGLES)

    assert angular_weights_rad(THETAS).tobytes() == angular_weights_rad(THETAS + jitter).tobytes()
    assert np.unique(angular_weights_rad(THETAS + jitter)).size == 1


def test_a_gap_is_not_snapped_to_even_steps() -> None:
    shifted = THETAS.copy()
    shifted[30] += 0.2 * np.pi / N_ANGLES

    weights = angular_weights_rad(shifted) * (N_ANGLES / np.pi)

    np.testing.assert_allclose(weights[28:33], [1.0, 1.1, 1.0, 0.9, 1.0], atol=1e-9)


def test_a_quarter_of_the_views_in_golden_order_shows_the_slice_at_its_scale() -> None:
    n_columns = 64
    thetas = np.mod(np.arange(200) * np.pi * (np.sqrt(5.0) - 1.0) / 2.0, np.pi)
    s = np.arange(n_columns) - 31.5
    disc = 2.0 * np.sqrt(np.maximum(20.0**2 - s**2, 0.0))
    attenuation = np.tile(disc.astype(np.float32), (thetas.size, 1, 1))
    golden = FourierPlan.make(thetas, n_columns=n_columns, rotation_axis_px=31.5, voxel_um=1e4)
    slab = FourierAccumulator(golden, n_rows=1)

    slab.add(0, attenuation[:50])

    assert not slab.is_complete
    y, x = np.indices((n_columns, n_columns)) - 31.5
    inside = np.hypot(x, y) < 17
    # A disc of one: the mean inside is right by the sum of the weights.
    assert slab.volume()[0][inside].mean() == pytest.approx(1.0, abs=0.01)


def test_a_linear_scan_is_completed_by_the_last_one() -> None:
    before, now = noise(1), noise(2)
    slab = FourierAccumulator(PLAN, n_rows=N_ROWS)
    slab.add(0, now[:25])

    preview = slab.copy()
    preview.add(preview.next_index, before[25:])
    slab.add(25, now[25:])

    assert preview.volume().tobytes() == batch(np.concatenate([now[:25], before[25:]])).tobytes()
    assert slab.volume().tobytes() == batch(now).tobytes()


def test_missing_projections_leave_a_slab_incomplete_and_at_scale() -> None:
    slab = FourierAccumulator(PLAN, n_rows=N_ROWS)

    slab.add(0, ATTENUATION[:40])
    slab.add(45, ATTENUATION[45:])

    assert (slab.n_added, slab.next_index, slab.is_complete) == (55, 60, False)
    whole = FourierAccumulator(PLAN, n_rows=N_ROWS)
    blank = ATTENUATION.copy()
    blank[40:45] = 0.0
    whole.add(0, blank)
    np.testing.assert_allclose(
        slab.volume(), whole.volume() * (60 / 55), atol=1e-5 * np.abs(BATCH).max()
    )


def test_broken_contracts_are_named() -> None:
    slab = FourierAccumulator(PLAN, n_rows=N_ROWS)
    with pytest.raises(ParameterError, match="no projection was added"):
        slab.volume()
    slab.add(0, ATTENUATION[:10])

    with pytest.raises(ParameterError, match=r"9\.\.9 given, from 10 to 59"):
        slab.add(9, ATTENUATION[9:10])
    with pytest.raises(ParameterError, match=r"55\.\.64"):
        slab.add(55, ATTENUATION[:10])
    with pytest.raises(ShapeError, match="11 rows, 32 columns"):
        slab.add(10, ATTENUATION[10:, :4])
    with pytest.raises(ParameterError, match="n_rows"):
        FourierAccumulator(PLAN, n_rows=0)
    with pytest.raises(ShapeError, match="3 weights for 60 angles"):
        FourierPlan.make(
            THETAS,
            n_columns=N_COLUMNS,
            rotation_axis_px=AXIS_PX,
            voxel_um=VOXEL_UM,
            weights_rad=np.ones(3),
        )
    broken = ATTENUATION[10:12].copy()
    broken[1, 10, 31] = np.inf
    with pytest.raises(NonFiniteError, match="NaN"):
        slab.add(10, broken)
