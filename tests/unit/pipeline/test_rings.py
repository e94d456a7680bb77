"""Ring removal: what each method is by its formula, and against another program."""

from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.correct import (
    RingMethod,
    median_stripes,
    remove_rings,
    titarenko_stripes,
)
from lithoscope_pipeline.errors import ShapeError

METHODS: tuple[RingMethod, ...] = get_args(RingMethod)


def noise(n_angles: int = 60, n_rows: int = 3, n_columns: int = 90) -> NDArray[np.float32]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((n_angles, n_rows, n_columns)).astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
def test_rows_do_not_influence_each_other(method: RingMethod) -> None:
    stack = noise()

    whole = remove_rings(stack, method=method)

    np.testing.assert_array_equal(remove_rings(stack[:, 1:2], method=method), whole[:, 1:2])


@pytest.mark.parametrize("method", METHODS)
def test_input_stays_as_it_is(method: RingMethod) -> None:
    stack = noise()

    remove_rings(stack, method=method)

    np.testing.assert_array_equal(stack, noise())


@pytest.mark.parametrize("method", METHODS)
def test_a_uniform_sinogram_stays(method: RingMethod) -> None:
    stack = np.full((40, 1, 50), 0.7, np.float32)

    np.testing.assert_allclose(remove_rings(stack, method=method), stack, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_views_narrower_than_the_windows_are_taken(method: RingMethod) -> None:
    assert np.isfinite(remove_rings(noise(5, 1, 7), method=method)).all()


def test_sorting_equals_that_of_algotom() -> None:
    removal = pytest.importorskip("algotom.prep.removal", reason="install the peers extra")
    stack = noise()
    stack[:, 0, 40] = np.round(stack[:, 0, 40])  # equal values keep their order

    ours = remove_rings(stack, method="sorting")

    theirs = removal.remove_stripe_based_sorting(stack[:, 1].copy(), size=21, dim=1)
    np.testing.assert_array_equal(ours[:, 1], theirs)


def test_wavelets_take_off_what_those_of_algotom_do() -> None:
    removal = pytest.importorskip("algotom.prep.removal", reason="install the peers extra")
    stack = 0.1 * noise(128, 1, 256)
    stack += (np.arange(256) % 64 == 32).astype(np.float32)

    ours = remove_rings(stack, method="wavelet")[:, 0]

    theirs = removal.remove_stripe_based_wavelet_fft(
        stack[:, 0].copy(), level=4, size=1, wavelet_name="db5"
    )
    taken = [(stack[:, 0] - each).ravel() for each in (ours, theirs)]
    assert np.corrcoef(taken[0], taken[1])[0, 1] > 0.95
    assert np.abs(ours.mean(axis=0)).max() < np.abs(theirs.mean(axis=0)).max()


def test_the_constants_of_titarenko_solve_their_equation() -> None:
    stack = noise()
    weight = 0.3

    stripes = titarenko_stripes(stack, weight=weight)

    slope = np.diff(np.eye(90), axis=0)
    matrix = slope.T @ slope
    exact = np.linalg.solve(matrix + weight * np.eye(90), matrix @ stack.mean(axis=0).T).T
    np.testing.assert_allclose(stripes, exact, atol=1e-6)


def test_the_median_finds_a_stripe_beside_an_edge_that_passes_by() -> None:
    stack = 0.01 * noise(200, 1, 90)
    angles, columns = np.indices((200, 90))
    stack[:, 0] += columns > angles * 0.45  # the edge is in every column for some angles
    stack[:, 0, 37] += 0.1

    stripes = median_stripes(stack)[0]

    # The moving average holds a seventeenth of the stripe, and parts with the edge leave doubt.
    assert stripes[37] == pytest.approx(0.09, abs=0.01)
    assert np.abs(np.delete(stripes, 37)).max() < 0.02


def test_the_median_takes_no_noise_for_stripes() -> None:
    stack = noise(400, 1, 500)

    stripes = median_stripes(stack)

    # The median of 400 spreads by 0.063; a third of that is left of what is doubtful.
    assert np.sqrt((stripes**2).mean()) < 0.03


def test_what_changes_during_the_scan_is_no_stripe() -> None:
    stack = 0.01 * noise(240, 1, 90)
    stack[:80, 0, 37] += 0.5
    stack[:, 0, 60] += 0.1

    stripes = median_stripes(stack)[0]

    assert abs(stripes[37]) < 0.02
    assert stripes[60] == pytest.approx(0.1, rel=0.1)


def test_an_image_without_angles_is_refused() -> None:
    with pytest.raises(ShapeError, match="angle, row, column"):
        remove_rings(noise()[0], method="median")
