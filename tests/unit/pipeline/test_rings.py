"""Ring removal: what each method is by its formula, and against another program."""

from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.correct import (
    RingMethod,
    find_stripes,
    remove_rings,
    stripe_finder,
)
from lithoscope_pipeline.correct.stripes import TitarenkoFinder, asked_angles
from lithoscope_pipeline.errors import ParameterError, ShapeError

METHODS: tuple[RingMethod, ...] = get_args(RingMethod)
STRIPE_METHODS: tuple[RingMethod, ...] = ("median", "titarenko")


def noise(n_angles: int = 60, n_rows: int = 3, n_columns: int = 90) -> NDArray[np.float32]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((n_angles, n_rows, n_columns)).astype(np.float32)


def median_stripes(stack: NDArray[np.float32]) -> NDArray[np.float32]:
    found = find_stripes(stack, method="median")
    assert found is not None
    return found.image


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

    finder = TitarenkoFinder(*stack.shape, weight=weight)
    finder.add(stack[:55])  # the last twelfth is not asked
    stripes = finder.stripes().image

    slope = np.diff(np.eye(90), axis=0)
    matrix = slope.T @ slope
    exact = np.linalg.solve(matrix + weight * np.eye(90), matrix @ stack[:55].mean(axis=0).T).T
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


def test_a_dense_body_that_stays_in_its_columns_is_no_stripe() -> None:
    """It wanders by as much as it is wide, as a diamond near the axis does."""
    angles, columns = np.indices((240, 180))
    middle = 90.0 + 8.0 * np.sin(np.pi * angles / 240)
    stack = 0.01 * noise(240, 1, 180)
    stack[:, 0] += 1.5 * np.exp(-(((columns - middle) / 6.0) ** 2))
    stack[:, 0, 40] += 0.1

    stripes = median_stripes(stack)[0]

    # Without the limit on what is wide it was 0.25.
    assert np.abs(stripes[60:130]).max() < 0.03
    assert stripes[40] == pytest.approx(0.1, rel=0.1)


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


@pytest.mark.parametrize("method", STRIPE_METHODS)
@pytest.mark.parametrize("n_angles", [5, 60, 61, 200])
def test_stripes_have_the_same_bytes_in_any_portions(method: RingMethod, n_angles: int) -> None:
    stack = noise(n_angles)
    whole = find_stripes(stack, method=method)
    finder = stripe_finder(method, n_angles=n_angles, n_rows=3, n_columns=90)
    assert finder is not None
    assert whole is not None

    for first in range(0, finder.n_asked, 7):
        finder.add(stack[first : min(first + 7, finder.n_asked)])

    np.testing.assert_array_equal(finder.stripes().image, whole.image)


def test_the_last_twelfth_of_a_scan_is_not_asked_for_stripes() -> None:
    stack, other = noise(120), noise(120)
    other[110:] = 5.0
    assert asked_angles(120) == 110

    ours, theirs = (find_stripes(each, method="median") for each in (stack, other))

    assert ours is not None
    assert theirs is not None
    np.testing.assert_array_equal(ours.image, theirs.image)


@pytest.mark.parametrize("method", STRIPE_METHODS)
def test_stripes_are_not_told_by_less_or_more_than_they_need(method: RingMethod) -> None:
    finder = stripe_finder(method, n_angles=24, n_rows=3, n_columns=90)
    assert finder is not None
    finder.add(noise(20))

    with pytest.raises(ParameterError, match="20 projections were given, stripes need 22"):
        finder.stripes()
    with pytest.raises(ParameterError, match="2 are still needed"):
        finder.add(noise(3))
    with pytest.raises(ShapeError, match="3 rows"):
        finder.add(noise(1, 2))


def test_an_image_without_angles_is_refused() -> None:
    with pytest.raises(ShapeError, match="angle, row, column"):
        remove_rings(noise()[0], method="median")
