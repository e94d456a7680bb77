"""Sums on a grid against the exact sum, and against what else is summed beside them."""

import finufft
import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.reconstruct.gridding import LANES, GridPlan

N_ANGLES, N_FREQ = 45, 40


def samples(seed: int = 3) -> NDArray[np.complex64]:
    rng = np.random.default_rng(seed)
    parts = rng.standard_normal((2, N_ANGLES, N_FREQ, LANES))
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


def angles_rad() -> NDArray[np.float64]:
    """Return a turn and a bit, so that all quadrants and both half planes are met."""
    return np.linspace(-0.3, 2.0 * np.pi + 0.2, N_ANGLES)


def frequencies() -> NDArray[np.float64]:
    """Up to 0.62 cycles a voxel: beyond a half they come in at the other end of the grid."""
    return np.arange(N_FREQ) / (1.6 * N_FREQ)


def plan_of(size: int) -> GridPlan:
    return GridPlan.make(angles_rad(), frequencies(), size, period=64)


def summed(size: int, spectra: NDArray[np.complex64]) -> NDArray[np.float32]:
    plan = plan_of(size)
    grid = plan.empty()
    plan.add(grid, spectra, np.ones((N_ANGLES, N_FREQ), np.complex64))
    return plan.slices(grid)


@pytest.mark.parametrize("size", [64, 65, 90, 37, 6])
def test_a_slice_is_the_sum_of_its_waves(size: int) -> None:
    spectra = samples()
    u, v = (
        2.0 * np.pi * np.outer(turn(angles_rad()), frequencies()).ravel()
        for turn in (np.cos, np.sin)
    )

    found = summed(size, spectra)

    for lane in (0, LANES - 1):
        strengths = spectra[..., lane].astype(np.complex128).ravel()
        exact = 2.0 * finufft.nufft2d1(v, u, strengths, (size, size), isign=1, eps=1e-9).real
        # A kernel of five points at 1.25 leaves 2e-4 rms, largest in the corners.
        assert np.sqrt(np.mean((found[lane] - exact) ** 2)) < 2e-3 * exact.std()


def test_samples_beyond_half_a_period_are_mirrored_conjugates() -> None:
    spectra = samples()
    mirrored = spectra.copy()
    mirrored[:, 33:] = spectra[:, 31:24:-1].conj()

    plan = plan_of(64)
    grid = plan.empty()
    plan.add(grid, spectra[:, :33].copy(), np.ones((N_ANGLES, N_FREQ), np.complex64))

    assert plan.slices(grid).tobytes() == summed(64, mirrored).tobytes()


def test_a_slice_has_the_same_bytes_whatever_is_summed_with_it() -> None:
    spectra = samples()
    alone = np.zeros_like(spectra)
    alone[..., 2] = spectra[..., 5]

    assert summed(64, alone)[2].tobytes() == summed(64, spectra)[5].tobytes()


def test_projections_added_one_by_one_give_the_same_bytes() -> None:
    spectra = samples()
    plan = plan_of(64)
    factors = np.ones((N_ANGLES, N_FREQ), np.complex64)
    grid = plan.empty()

    for angle in range(N_ANGLES):
        plan.add(grid, spectra[angle : angle + 1], factors[angle : angle + 1], angle)

    assert plan.slices(grid).tobytes() == summed(64, spectra).tobytes()


def test_a_grid_can_be_looked_at_while_it_grows() -> None:
    spectra = samples()
    plan = plan_of(64)
    factors = np.ones((N_ANGLES, N_FREQ), np.complex64)
    grid = plan.empty()

    plan.add(grid, spectra[:20], factors[:20])
    plan.slices(grid)
    plan.add(grid, spectra[20:], factors[20:], 20)

    assert plan.slices(grid).tobytes() == summed(64, spectra).tobytes()


def test_a_constant_is_flat() -> None:
    """The sample at frequency 0 counts twice, once for its mirror image."""
    spectra = np.zeros((N_ANGLES, N_FREQ, LANES), np.complex64)
    spectra[0, 0] = 1.5

    found = summed(48, spectra)

    np.testing.assert_allclose(found, 3.0, rtol=4e-3)  # aliases of the kernel, in the corners
    np.testing.assert_allclose(found.mean(), 3.0, rtol=1e-3)
