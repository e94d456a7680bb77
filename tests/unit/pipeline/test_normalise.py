"""Flat and dark correction and minus log."""

import numpy as np
import pytest

from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.normalise import correct_flat_dark, minus_log

FLATS = np.full((3, 2, 5), 1100, dtype=np.uint16)
DARKS = np.full((2, 2, 5), 100, dtype=np.uint16)


def test_open_beam_has_transmission_one() -> None:
    transmission = correct_flat_dark(FLATS, FLATS, DARKS)

    assert transmission.dtype == np.float32
    np.testing.assert_array_equal(transmission, 1.0)


def test_counts_below_dark_do_not_wrap_round() -> None:
    projections = np.full((1, 2, 5), 50, dtype=np.uint16)

    transmission = correct_flat_dark(projections, FLATS, DARKS)

    np.testing.assert_allclose(transmission, -0.05, rtol=1e-6)


def test_half_absorbed_beam_has_line_integral_log_two() -> None:
    projections = np.full((4, 2, 5), 600, dtype=np.uint16)

    attenuation = minus_log(correct_flat_dark(projections, FLATS, DARKS))

    np.testing.assert_allclose(attenuation, np.log(2.0), rtol=1e-6)


def test_dead_pixels_are_filled_from_their_row() -> None:
    flats = FLATS.copy()
    flats[:, 0, [0, 2, 4]] = 100  # flat equals dark: border, middle, border
    projections = np.full((2, 2, 5), 600, dtype=np.uint16)
    projections[:, 0, 1] = 300
    projections[:, 0, 3] = 500

    transmission = correct_flat_dark(projections, flats, DARKS)

    np.testing.assert_allclose(transmission[0, 0], [0.2, 0.2, 0.3, 0.4, 0.4], rtol=1e-6)
    np.testing.assert_allclose(transmission[0, 1], 0.5, rtol=1e-6)


def test_two_dead_neighbours_are_filled_along_a_line() -> None:
    flats = FLATS.copy()
    flats[:, 0, [1, 2]] = 0
    projections = np.full((1, 2, 5), 400, dtype=np.uint16)
    projections[:, 0, 3] = 700

    transmission = correct_flat_dark(projections, flats, DARKS)

    np.testing.assert_allclose(transmission[0, 0, :4], [0.3, 0.4, 0.5, 0.6], rtol=1e-6)


def test_row_without_live_pixels_reads_open_beam() -> None:
    flats = FLATS.copy()
    flats[:, 1] = 100

    transmission = correct_flat_dark(FLATS, flats, DARKS)

    np.testing.assert_array_equal(transmission[:, 1], 1.0)


def test_rows_do_not_influence_each_other() -> None:
    rng = np.random.default_rng(1)
    projections = rng.integers(100, 1200, (6, 4, 9)).astype(np.uint16)
    flats = rng.integers(900, 1200, (3, 4, 9)).astype(np.uint16)
    darks = rng.integers(90, 110, (2, 4, 9)).astype(np.uint16)
    flats[:, 1, 3] = 0

    whole = correct_flat_dark(projections, flats, darks)
    part = correct_flat_dark(projections[:, 1:3], flats[:, 1:3], darks[:, 1:3])

    np.testing.assert_array_equal(part, whole[:, 1:3])


def test_averaged_flats_and_darks_are_accepted() -> None:
    flat = np.full((2, 5), 1100.0, dtype=np.float32)
    dark = np.full((2, 5), 100.0, dtype=np.float32)

    transmission = correct_flat_dark(FLATS.astype(np.float32), flat, dark)

    np.testing.assert_array_equal(transmission, 1.0)


def test_inputs_stay_as_they_are() -> None:
    projections = np.full((1, 2, 5), 600.0, dtype=np.float32)
    before = projections.copy()

    minus_log(correct_flat_dark(projections, FLATS, DARKS))

    np.testing.assert_array_equal(projections, before)


def test_minus_log_survives_what_is_not_positive() -> None:
    transmission = np.array([[[1.0, 0.0, -3.0]]], dtype=np.float32)

    attenuation = minus_log(transmission, min_transmission=1e-3)

    np.testing.assert_allclose(attenuation[0, 0], [0.0, np.log(1e3), np.log(1e3)], rtol=1e-6)


def test_frames_of_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="same rows and columns"):
        correct_flat_dark(FLATS, FLATS[:, :1], DARKS)


def test_missing_flats_are_refused() -> None:
    with pytest.raises(ShapeError, match="at least one frame"):
        correct_flat_dark(FLATS, FLATS[:0], DARKS)


def test_nan_in_a_projection_is_refused() -> None:
    projections = np.full((1, 2, 5), np.nan, dtype=np.float32)

    with pytest.raises(NonFiniteError, match="NaN"):
        correct_flat_dark(projections, FLATS, DARKS)


def test_minimum_transmission_must_be_positive() -> None:
    with pytest.raises(ParameterError, match="above 0"):
        minus_log(np.ones((1, 1, 1), dtype=np.float32), min_transmission=0.0)
