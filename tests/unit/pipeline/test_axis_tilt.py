"""Tilt of the rotation axis: measured, taken off, and in the axis that is found."""

import numpy as np
import pytest

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import Angles, FloatStack
from lithoscope_pipeline.rotation_axis import correct_tilt, find_rotation_axis, tilt_halo_rows

N_ROWS, N_COLUMNS = 24, 80
HALF_TURN = np.arange(90) * (np.pi / 90)
AXIS_PX = 38.3


def tilted_particles(
    tilt_deg: float, *, thetas: Angles = HALF_TURN, noise: float = 0.0, n_rows: int = N_ROWS
) -> FloatStack:
    """Line integrals of 100 round particles, seen by a detector turned about its middle row."""
    rng = np.random.default_rng(5)
    tilt = np.deg2rad(tilt_deg)
    rise = (np.arange(n_rows) - (n_rows - 1) / 2)[:, None]
    aside = (np.arange(N_COLUMNS) - AXIS_PX)[None]
    # Where a pixel looks in a detector that stands upright.
    z, s = np.cos(tilt) * rise + np.sin(tilt) * aside, -np.sin(tilt) * rise + np.cos(tilt) * aside
    out = noise * rng.normal(size=(thetas.size, n_rows, N_COLUMNS))
    for x, y, height in rng.uniform(-1, 1, (100, 3)) * np.array([29.0, 29.0, n_rows / 2]):
        along = (x * np.cos(thetas) + y * np.sin(thetas))[:, None, None]
        out += np.exp(-0.3 * ((s - along) ** 2 + (z - height) ** 2))
    return out.astype(np.float32)


@pytest.mark.parametrize("tilt_deg", [-1.0, 0.0, 2.0])
def test_tilt_is_measured_to_a_tenth_of_a_degree(tilt_deg: float) -> None:
    # A tenth of a degree moves the border of this view by a 15th of a pixel.
    thetas = np.arange(180) * (np.pi / 90)

    found = find_rotation_axis(tilted_particles(tilt_deg, thetas=thetas), thetas)

    assert found.tilt_deg == pytest.approx(tilt_deg, abs=0.1)
    assert found.is_tilted == (tilt_deg != 0.0)


def test_tilt_of_a_half_turn_is_measured_within_its_error() -> None:
    # Ten pairs of views, two degrees of turning apart, hold little: the error says so.
    found = find_rotation_axis(tilted_particles(2.0), HALF_TURN)

    assert found.tilt_error_deg is not None
    assert abs(found.tilt_deg - 2.0) < 3.0 * found.tilt_error_deg < 1.0


def test_tilted_axis_is_found_in_the_middle_row() -> None:
    found = find_rotation_axis(tilted_particles(1.5, noise=0.02), HALF_TURN)

    assert found.position_px == pytest.approx(AXIS_PX, abs=0.1)
    assert found.verdict == "resolved"


def test_too_few_rows_have_no_tilt() -> None:
    found = find_rotation_axis(tilted_particles(1.0, n_rows=6), HALF_TURN)

    assert (found.tilt_deg, found.tilt_error_deg, found.is_tilted) == (0.0, None, False)


def test_corrected_projections_are_those_of_an_upright_axis() -> None:
    tilted, upright = tilted_particles(1.5), tilted_particles(0.0)

    corrected = correct_tilt(tilted, 1.5, rotation_axis_px=AXIS_PX)

    # At the border rows are missing. Elsewhere cubic convolution of particles with a sigma of 1.3
    # pixels errs by up to 3 % of the grey value, which reaches 2.5.
    inside = slice(4, -4)
    np.testing.assert_allclose(corrected[:, inside], upright[:, inside], atol=0.08)


def test_no_tilt_changes_nothing() -> None:
    attenuation = tilted_particles(0.0)

    corrected = correct_tilt(attenuation, 0.0, rotation_axis_px=AXIS_PX)

    # The axis is subtracted and added again: columns come out to 1e-14 of a pixel.
    np.testing.assert_allclose(corrected, attenuation, atol=1e-6)


@pytest.mark.parametrize("slab", [slice(0, 8), slice(9, 16), slice(18, 24)])
def test_slab_has_the_bytes_of_the_whole(slab: slice) -> None:
    attenuation = tilted_particles(-2.0, noise=0.1)
    whole = correct_tilt(attenuation, -2.0, rotation_axis_px=AXIS_PX)

    needed, before, after = tilt_halo_rows(slab, N_ROWS, -2.0, N_COLUMNS)
    part = correct_tilt(
        attenuation[:, needed],
        -2.0,
        rotation_axis_px=AXIS_PX,
        pivot_row_px=(N_ROWS - 1) / 2 - needed.start,
        rows=slice(before, before + slab.stop - slab.start),
    )

    assert needed.stop - needed.start == before + (slab.stop - slab.start) + after
    assert part.tobytes() == whole[:, slab].tobytes()


def test_no_tilt_needs_no_halo() -> None:
    assert tilt_halo_rows(slice(3, 9), 20, 0.0, 96) == (slice(3, 9), 0, 0)


def test_broken_contracts_are_named() -> None:
    attenuation = np.zeros((2, 4, 32), np.float32)

    with pytest.raises(ParameterError, match="tilt_deg is 45"):
        correct_tilt(attenuation, 45.0, rotation_axis_px=15.5)
    with pytest.raises(ParameterError, match="pivot_row_px"):
        correct_tilt(attenuation, 1.0, rotation_axis_px=15.5, pivot_row_px=0.3)
    with pytest.raises(ShapeError, match="angle, row, column"):
        correct_tilt(attenuation[0], 1.0, rotation_axis_px=15.5)
