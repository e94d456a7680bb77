"""Rotation axis: position on simple samples, verdicts, refusals."""

import numpy as np
import pytest

from lithoscope_pipeline.errors import (
    AngularRangeError,
    NonFiniteError,
    ParameterError,
    ShapeError,
)
from lithoscope_pipeline.geometry import Angles, FloatStack
from lithoscope_pipeline.rotation_axis import find_rotation_axis

N_COLUMNS = 96
HALF_TURN = np.arange(120) * (np.pi / 120)


def spots(thetas: Angles, axis_px: float, *, noise: float = 0.0, n_rows: int = 6) -> FloatStack:
    """Line integrals of 8 small spots a row, within 30 voxels of the axis, height about one."""
    rng = np.random.default_rng(11)
    s = np.arange(N_COLUMNS) - axis_px
    attenuation = noise * rng.normal(size=(thetas.size, n_rows, N_COLUMNS))
    for row in range(n_rows):
        for x, y, height in zip(
            rng.uniform(-21, 21, 8), rng.uniform(-21, 21, 8), rng.uniform(0.5, 1.5, 8), strict=True
        ):
            along = x * np.cos(thetas) + y * np.sin(thetas)
            attenuation[:, row] += height * np.exp(-0.3 * (s - along[:, None]) ** 2)
    return attenuation.astype(np.float32)


@pytest.mark.parametrize("axis_px", [38.3, 47.5, 59.9])
@pytest.mark.parametrize(
    "thetas",
    [HALF_TURN, np.linspace(0, np.pi, 121), np.arange(240) * (np.pi / 120), HALF_TURN - 1.5],
    ids=["half turn", "both ends", "full turn", "edge-on ends"],
)
def test_clean_scan_gives_the_axis_to_a_tenth_of_a_pixel(axis_px: float, thetas: Angles) -> None:
    found = find_rotation_axis(spots(thetas, axis_px), thetas)

    assert found.position_px == pytest.approx(axis_px, abs=0.1)
    assert found.verdict == "resolved"


def test_noisy_scan_gives_the_axis_to_a_quarter_of_a_pixel() -> None:
    found = find_rotation_axis(spots(HALF_TURN, 44.4, noise=0.2), HALF_TURN)

    assert found.position_px == pytest.approx(44.4, abs=0.25)
    assert found.verdict == "resolved"


def test_order_and_turns_of_the_angles_do_not_matter() -> None:
    order = np.random.default_rng(0).permutation(HALF_TURN.size)
    attenuation = spots(HALF_TURN, 44.4)

    found = find_rotation_axis(attenuation[order], HALF_TURN[order] + 20 * np.pi)

    assert found.position_px == pytest.approx(44.4, abs=0.1)


def test_shifting_the_detector_shifts_the_axis() -> None:
    attenuation = spots(HALF_TURN, 44.4)

    shifted = find_rotation_axis(np.roll(attenuation, 3, axis=2), HALF_TURN)

    assert shifted.position_px == pytest.approx(47.4, abs=0.1)


def test_noise_alone_is_not_believed() -> None:
    noise = np.random.default_rng(2).normal(size=(120, 6, N_COLUMNS)).astype(np.float32)

    found = find_rotation_axis(noise, HALF_TURN)

    assert found.verdict in {"flat", "ambiguous"}
    assert found.confidence < 0.2


def test_sample_without_structure_is_flat() -> None:
    found = find_rotation_axis(np.ones((120, 2, N_COLUMNS), dtype=np.float32), HALF_TURN)

    assert found.verdict == "flat"


def test_axis_outside_the_search_is_reported_at_the_border() -> None:
    # The search ends on the slope of the peak, which lies at 44.4.
    found = find_rotation_axis(spots(HALF_TURN, 44.4), HALF_TURN, search_px=(45.0, 70.0))

    assert found.verdict == "border"


def test_broken_contracts_are_named() -> None:
    attenuation = spots(HALF_TURN, 47.5, n_rows=1)

    with pytest.raises(ShapeError, match="119 angles"):
        find_rotation_axis(attenuation, HALF_TURN[:-1])
    with pytest.raises(ParameterError, match="search_px"):
        find_rotation_axis(attenuation, HALF_TURN, search_px=(60.0, 50.0))
    with pytest.raises(AngularRangeError, match="half a turn"):
        find_rotation_axis(attenuation[:60], HALF_TURN[:60])
    with pytest.raises(NonFiniteError, match="NaN"):
        find_rotation_axis(attenuation * np.float32("nan"), HALF_TURN)


def test_expected_axis_is_given_where_nothing_is_seen() -> None:
    blank = np.ones((120, 2, N_COLUMNS), dtype=np.float32)

    found = find_rotation_axis(blank, HALF_TURN, prior_px=44.4)

    assert (found.position_px, found.verdict, found.methods) == (44.4, "flat", ("prior",))


def test_expected_axis_does_not_hold_one_that_moved() -> None:
    found = find_rotation_axis(spots(HALF_TURN, 44.4), HALF_TURN, prior_px=51.0)

    assert found.position_px == pytest.approx(44.4, abs=0.1)
    assert found.verdict == "resolved"


def test_expected_axis_off_the_detector_is_refused() -> None:
    with pytest.raises(ParameterError, match="prior_px is -3"):
        find_rotation_axis(spots(HALF_TURN, 44.4), HALF_TURN, prior_px=-3.0)


def test_quick_look_finds_the_axis_of_a_clear_scan_too() -> None:
    found = find_rotation_axis(spots(HALF_TURN, 44.4), HALF_TURN, is_quick=True)

    assert found.position_px == pytest.approx(44.4, abs=0.1)
    assert (found.verdict, found.methods) == ("resolved", ("mirror",))
