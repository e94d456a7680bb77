"""Counts to line integrals: flat and dark, dead pixels, direct hits, minus log."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.correct import (
    Correction,
    CountStack,
    FlatSet,
    FrameCorrector,
    RingMethod,
    correct,
    fit_eigen_beam,
)
from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.phase_retrieval import PaganinFilter

FLATS = np.full((3, 2, 5), 1100, dtype=np.uint16)
DARKS = np.full((2, 2, 5), 100, dtype=np.uint16)
PAGANIN = PaganinFilter(distance_mm=60.0, energy_keV=27.5, voxel_um=9.0)


def transmission(projections: CountStack, flats: CountStack) -> NDArray[np.float32]:
    return np.exp(-correct(projections, flats, DARKS))


def random_scan(
    n_angles: int = 12, n_rows: int = 4, n_columns: int = 33
) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint16]]:
    rng = np.random.default_rng(1)
    shape = n_rows, n_columns
    projections = rng.integers(100, 1200, (n_angles, *shape)).astype(np.uint16)
    flats = rng.integers(900, 1200, (3, *shape)).astype(np.uint16)
    darks = rng.integers(90, 110, (2, *shape)).astype(np.uint16)
    flats[:, 1, [3, 4, 20]] = 0
    return projections, flats, darks


def test_open_beam_has_no_attenuation() -> None:
    attenuation = correct(FLATS, FLATS, DARKS)

    assert attenuation.dtype == np.float32
    np.testing.assert_array_equal(attenuation, 0.0)


def test_half_absorbed_beam_has_line_integral_log_two() -> None:
    projections = np.full((4, 2, 5), 600, dtype=np.uint16)

    np.testing.assert_allclose(correct(projections, FLATS, DARKS), np.log(2.0), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float32])
def test_counts_of_any_type_give_the_same(dtype: type[np.generic]) -> None:
    rng = np.random.default_rng(2)
    projections = rng.integers(20, 250, (3, 2, 40))
    flats, darks = np.full((2, 2, 40), 240), np.full((2, 2, 40), 10)

    attenuation = correct(projections.astype(dtype), flats.astype(dtype), darks.astype(dtype))

    # Five units in the last place of a number below 4 (the truth is computed in float64).
    np.testing.assert_allclose(attenuation, -np.log((projections - 10) / 230), atol=2e-6)


def test_the_logarithm_is_good_to_a_unit_in_the_last_place() -> None:
    # One count a pixel: whatever float32 counts are given are the transmission.
    spread = np.exp(np.random.default_rng(3).uniform(np.log(1e-4), np.log(20.0), 50_000))
    near_one = np.linspace(0.99, 1.01, 50_000)
    counts = np.concatenate([spread, near_one]).astype(np.float32)[None, None]

    attenuation = correct(counts, np.ones_like(counts), np.zeros_like(counts))

    exact = -np.log(counts.astype(np.float64))
    np.testing.assert_allclose(attenuation, exact, rtol=2e-7, atol=1e-9)


def test_what_is_not_positive_reads_the_darkest_transmission() -> None:
    projections = np.array([[[1100, 100, 0, 1100, 1100]] * 2], dtype=np.uint16)

    attenuation = correct(projections, FLATS, DARKS, correction=Correction(min_transmission=1e-3))

    np.testing.assert_allclose(
        attenuation[0, 0], [0.0, np.log(1e3), np.log(1e3), 0.0, 0.0], rtol=1e-6
    )


def test_dead_pixels_are_filled_from_their_row() -> None:
    flats = FLATS.copy()
    flats[:, 0, [0, 2, 4]] = 100  # flat equals dark: border, middle, border
    projections = np.full((2, 2, 5), 600, dtype=np.uint16)
    projections[:, 0, 1] = 300
    projections[:, 0, 3] = 500

    seen = transmission(projections, flats)

    np.testing.assert_allclose(seen[0, 0], [0.2, 0.2, 0.3, 0.4, 0.4], rtol=1e-6)
    np.testing.assert_allclose(seen[0, 1], 0.5, rtol=1e-6)


def test_two_dead_neighbours_are_filled_along_a_line() -> None:
    flats = FLATS.copy()
    flats[:, 0, [1, 2]] = 0
    projections = np.full((1, 2, 5), 400, dtype=np.uint16)
    projections[:, 0, 3] = 700

    seen = transmission(projections, flats)

    np.testing.assert_allclose(seen[0, 0, :4], [0.3, 0.4, 0.5, 0.6], rtol=1e-6)


def test_a_pixel_with_a_hundredth_of_the_beam_of_its_row_is_dead() -> None:
    flats = FLATS.copy()
    flats[:, 0, 2] = 105  # 5 counts above dark, the others 1000: noise decides what it says
    projections = np.full((1, 2, 5), 600, dtype=np.uint16)
    projections[:, :, 2] = 102

    np.testing.assert_allclose(transmission(projections, flats)[0, 0], 0.5, rtol=1e-6)


def test_row_without_live_pixels_reads_open_beam() -> None:
    flats = FLATS.copy()
    flats[:, 1] = 100

    np.testing.assert_array_equal(correct(FLATS, flats, DARKS)[:, 1], 0.0)


def test_averaged_flats_and_darks_are_accepted() -> None:
    flat = np.full((2, 5), 1100.0, dtype=np.float32)
    dark = np.full((2, 5), 100.0, dtype=np.float32)

    np.testing.assert_array_equal(correct(FLATS.astype(np.float32), flat, dark), 0.0)


def test_inputs_stay_as_they_are() -> None:
    projections = np.full((1, 2, 5), 600.0, dtype=np.float32)
    before = projections.copy()

    correct(projections, FLATS, DARKS, correction=Correction(zinger_threshold=0.1))

    np.testing.assert_array_equal(projections, before)


EVERYTHING_BY_ROW = Correction(zinger_threshold=0.2, air_columns=3, rings="sorting")


def test_rows_do_not_influence_each_other() -> None:
    projections, flats, darks = random_scan()

    whole = correct(projections, flats, darks, correction=EVERYTHING_BY_ROW)
    part = correct(projections[:, 1:3], flats[:, 1:3], darks[:, 1:3], correction=EVERYTHING_BY_ROW)

    np.testing.assert_array_equal(part, whole[:, 1:3])


def test_rows_with_a_fitted_beam_do_not_influence_each_other() -> None:
    projections, flats, darks = random_scan()
    sets = [FlatSet(frames=flats), FlatSet(frames=flats[::-1] // 2, position=12.0)]
    eigen_beam = fit_eigen_beam(projections, sets, darks)
    upper = [replace(each, frames=each.frames[:, 1:3]) for each in sets]
    eigen = Correction(flats="eigen")

    whole = correct(projections, sets, darks, correction=eigen, eigen_beam=eigen_beam)
    part = correct(
        projections[:, 1:3], upper, darks[:, 1:3], correction=eigen, eigen_beam=eigen_beam
    )

    np.testing.assert_array_equal(part, whole[:, 1:3])


@pytest.mark.parametrize("portion", [1, 5])
def test_a_causal_correction_gives_the_same_bytes_in_portions(portion: int) -> None:
    projections, flats, darks = random_scan()
    correction = replace(EVERYTHING_BY_ROW, rings="none", phase=PAGANIN, flats="before")
    corrector = FrameCorrector.make(flats, darks, correction)

    parts = [
        corrector.finish(
            corrector.attenuation(
                projections[first : first + portion],
                indices=np.arange(first, min(first + portion, len(projections))),
            ),
            halo_rows=(1, 1),
        )
        for first in range(0, len(projections), portion)
    ]

    whole = correct(projections, flats, darks, correction=correction, halo_rows=(1, 1))
    assert correction.is_causal
    assert whole.shape == (12, 2, 33)
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_frames_of_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="same rows and columns"):
        correct(FLATS, FLATS[:, :1], DARKS)
    with pytest.raises(ShapeError, match="same rows and columns"):
        correct(FLATS[:, :, :3], FLATS, DARKS)


def test_missing_flats_are_refused() -> None:
    with pytest.raises(ShapeError, match="at least one frame"):
        correct(FLATS, FLATS[:0], DARKS)
    with pytest.raises(ShapeError, match="at least one frame"):
        correct(FLATS, [], DARKS)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_in_a_projection_is_refused(value: float) -> None:
    projections = np.full((1, 2, 5), 600.0, dtype=np.float32)
    projections[0, 1, 2] = value

    with pytest.raises(NonFiniteError, match="NaN or infinity in 1 live pixel"):
        correct(projections, FLATS, DARKS)


def test_what_is_not_finite_in_a_dead_pixel_is_filled() -> None:
    flats = FLATS.astype(np.float32)
    flats[:, 0, 2] = np.nan
    projections = np.full((1, 2, 5), 600.0, dtype=np.float32)
    projections[0, 0, 2] = np.nan

    np.testing.assert_allclose(correct(projections, flats, DARKS), np.log(2.0), rtol=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_transmission": 0.0},
        {"zinger_threshold": -0.1},
        {"air_columns": -1},
        {"rings": "tarnish"},
        {"flats": "later"},
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(
    wrong: dict[str, Any],  # Any: wrong on purpose
) -> None:
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        replace(Correction(), **wrong)


def test_a_correction_says_what_keeps_it_from_being_causal() -> None:
    late = Correction(flats="interpolate", rings="sorting")

    assert not late.is_causal
    assert "flats after the projections" in late.why_not_causal
    assert "rings" in late.why_not_causal


@pytest.mark.parametrize("rings", ["median", "titarenko"])
def test_stripes_that_can_be_taken_off_slices_keep_it_causal(rings: RingMethod) -> None:
    assert Correction(flats="before", rings=rings).is_causal


def test_without_flats_after_any_way_with_flats_is_causal() -> None:
    assert Correction(flats="eigen").for_flat_sets(1).is_causal
    assert not Correction(flats="eigen").for_flat_sets(2).is_causal


def test_a_single_set_of_flats_is_the_beam_of_all_projections() -> None:
    projections, flats, darks = random_scan()

    of_set = correct(projections, [FlatSet(frames=flats)], darks)

    np.testing.assert_array_equal(of_set, correct(projections, flats, darks))


def fading_scan() -> tuple[NDArray[np.uint16], list[FlatSet], NDArray[np.uint16]]:
    """Nothing in the beam, whose intensity falls by a tenth a projection, from 1050 to 650."""
    levels = 1050 - 100 * np.arange(5)
    projections = np.repeat(levels, 10).reshape(5, 2, 5).astype(np.uint16)
    flats = [
        FlatSet(frames=np.full((2, 2, 5), 600, np.uint16), position=5.0),
        FlatSet(frames=np.full((2, 2, 5), 1100, np.uint16)),
    ]
    return projections, flats, np.zeros((1, 2, 5), np.uint16)


def test_a_projection_is_compared_with_flats_as_of_its_middle() -> None:
    projections, flats, darks = fading_scan()

    attenuation = correct(projections, flats, darks, correction=Correction(flats="interpolate"))

    np.testing.assert_allclose(attenuation, 0.0, atol=1e-6)


def test_flats_before_alone_leave_out_what_came_after() -> None:
    projections, flats, darks = fading_scan()

    attenuation = correct(projections, flats, darks, correction=Correction(flats="before"))

    np.testing.assert_allclose(attenuation[-1], np.log(1100 / 650), rtol=1e-5)


def test_the_mean_of_flats_counts_each_frame_once() -> None:
    projections, flats, darks = fading_scan()
    one = FlatSet(frames=flats[0].frames[:1], position=5.0)

    attenuation = correct(projections, [one, flats[1]], darks, correction=Correction(flats="mean"))

    np.testing.assert_allclose(attenuation[0], np.log((2 * 1100 + 600) / 3 / 1050), rtol=1e-5)


def test_what_is_missing_does_not_move_the_others_in_time() -> None:
    projections, flats, darks = fading_scan()
    there = np.array([0, 3, 4])

    part = correct(projections[there], flats, darks, indices=there)

    np.testing.assert_array_equal(part, correct(projections, flats, darks)[there])


def test_flats_in_the_middle_of_a_scan_are_a_corner_of_the_beam() -> None:
    projections, flats, darks = fading_scan()
    middle = FlatSet(frames=np.full((1, 2, 5), 2000, np.uint16), position=2.5)

    attenuation = correct(projections, [*flats, middle], darks)

    np.testing.assert_allclose(attenuation[2], np.log(2000 / 850), rtol=1e-5)
    # One of 2.5 projections into the second half, from 2000 to 600.
    np.testing.assert_allclose(attenuation[3], np.log((2000 - 1400 * 0.4) / 750), rtol=1e-5)


def test_eigen_flats_ask_for_their_fit() -> None:
    projections, flats, darks = fading_scan()

    with pytest.raises(ParameterError, match="fit_eigen_beam first"):
        correct(projections, flats, darks, correction=Correction(flats="eigen"))


def test_a_beam_fitted_to_fewer_projections_is_refused() -> None:
    projections, flats, darks = fading_scan()
    eigen_beam = fit_eigen_beam(projections[:3], flats, darks)

    with pytest.raises(ParameterError, match="known of projections 0 to 2"):
        correct(
            projections, flats, darks, correction=Correction(flats="eigen"), eigen_beam=eigen_beam
        )


def test_one_flat_has_no_variations() -> None:
    projections, flats, darks = fading_scan()

    with pytest.raises(ShapeError, match="at least two"):
        fit_eigen_beam(projections, flats[0].frames[:1], darks)


def test_more_air_than_columns_is_refused() -> None:
    with pytest.raises(ParameterError, match="air_columns is 3"):
        correct(FLATS, FLATS, DARKS, correction=Correction(air_columns=3))


def test_a_direct_hit_in_one_of_three_frames_is_left_out() -> None:
    flats, darks = FLATS.copy(), DARKS.repeat(2, axis=0)
    flats[1, 0, 2] = 60_000
    darks[2, 1, 3] = 30_000

    np.testing.assert_array_equal(correct(FLATS, flats, darks), 0.0)


def test_up_to_three_hits_side_by_side_are_replaced() -> None:
    flats = np.full((1, 1, 12), 1100, np.uint16)
    projections = np.full((3, 1, 12), 600, np.uint16)
    projections[0, 0, 5] = projections[1, 0, 0] = projections[1, 0, 10:] = 5000
    projections[2, 0, 4:7] = 5000

    attenuation = correct(
        projections,
        flats,
        DARKS[:, :1, :1].repeat(12, 2),
        correction=Correction(zinger_threshold=0.2),
    )

    np.testing.assert_allclose(attenuation, np.log(2.0), rtol=1e-6)


def test_photon_noise_of_flats_is_no_direct_hit() -> None:
    # 100 photons: one pixel in ten exceeds the mean of the others by 0.13 of the beam.
    flats = np.random.default_rng(1).poisson(100.0, (10, 40, 500)).astype(np.uint16)
    darks = np.zeros((1, 40, 500), np.uint16)
    projections = np.full((1, 40, 500), 100, np.uint16)

    attenuation = correct(projections, flats, darks)

    exact = np.log(flats.mean(axis=0) / 100.0)
    share_changed = (np.abs(attenuation[0] - exact) > 1e-4).mean()
    assert share_changed < 0.01
