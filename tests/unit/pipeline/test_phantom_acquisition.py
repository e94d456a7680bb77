"""Orders of acquisition, tiles, and a rotation axis that is not ideal."""

import itertools
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from lithoscope_pipeline.correct import correct
from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.phantom import SIZES, AcquisitionParameters, CellParameters, make_cell
from lithoscope_pipeline.phantom.acquisition import (
    GOLDEN_ANGLE_DEG,
    angles_deg,
    tile_first_row,
    tilt_margin_rows,
    tilted,
)
from lithoscope_pipeline.reconstruct import FourierBackend
from lithoscope_pipeline.rotation_axis import find_rotation_axis

SMALL_DETECTOR = replace(SIZES["tiny"], n_rows=12, n_columns=96, n_angles=24, voxel_um=9.0)
QUIET = CellParameters(seed=3, has_noise=False)


def test_linear_angles_rise_evenly() -> None:
    np.testing.assert_allclose(angles_deg(AcquisitionParameters(), 4), [0, 45, 90, 135])


def test_interlaced_half_turns_fill_the_gaps_of_those_before() -> None:
    acquisition = AcquisitionParameters(order="interlaced", n_sub_scans=4)

    angles = angles_deg(acquisition, 8)

    # Steps of 22.5 degrees; offsets 0, 2, 1, 3 of them; the stage never turns back.
    np.testing.assert_allclose(
        angles, [0, 90, 180 + 45, 180 + 135, 360 + 22.5, 360 + 112.5, 540 + 67.5, 540 + 157.5]
    )
    np.testing.assert_allclose(np.sort(angles % 180), np.arange(8) * 22.5)


@pytest.mark.parametrize(("n_angles", "n_sub_scans"), [(10, 3), (7, 4), (3, 8), (180, 1)])
def test_interlaced_scans_of_any_number_hold_each_angle_once(
    n_angles: int, n_sub_scans: int
) -> None:
    acquisition = AcquisitionParameters(order="interlaced", n_sub_scans=n_sub_scans)

    angles = angles_deg(acquisition, n_angles)

    np.testing.assert_allclose(np.sort(angles % 180), np.arange(n_angles) * 180 / n_angles)
    assert (np.diff(angles) > 0).all()


def test_golden_angles_are_spread_evenly_at_any_time() -> None:
    angles = angles_deg(AcquisitionParameters(order="golden"), 200)

    assert angles[1] == pytest.approx(111.246, abs=1e-3)
    assert pytest.approx(180 / 1.618034, abs=1e-4) == GOLDEN_ANGLE_DEG
    for count in (5, 37, 150):
        taken = np.sort(angles[:count])
        gaps_deg = np.diff(taken, append=taken[0] + 180)
        # Of the golden section: no gap is wider than 1.618^2 of the mean.
        assert gaps_deg.max() < 2.62 * 180 / count


@pytest.mark.parametrize("order", ["linear", "interlaced", "golden"])
def test_back_and_forth_every_other_scan_runs_backwards(order: str) -> None:
    acquisition = AcquisitionParameters(
        order=order,  # type: ignore[arg-type]  # literals
        is_back_and_forth=True,
    )

    forth, back, again = (angles_deg(acquisition, 12, scan=scan) for scan in range(3))

    np.testing.assert_array_equal(back, forth[::-1])
    np.testing.assert_array_equal(again, forth)


@pytest.mark.parametrize("order", ["interlaced", "golden"])
def test_a_scan_in_any_order_reconstructs_to_the_sorted_one(order: str) -> None:
    acquisition = AcquisitionParameters(
        order=order,  # type: ignore[arg-type]  # literals
        is_back_and_forth=True,
    )
    detector = replace(SMALL_DETECTOR, n_angles=96, acquisition=acquisition)
    simulated = make_cell(seed=3, n_scans=3, cell=QUIET, detector=detector)
    thetas_deg = simulated.scan_thetas_deg(1)
    attenuation = simulated.line_integrals(1, n_rows=2)
    sorted_deg = np.argsort(thetas_deg % 180)
    reconstruct = partial(
        FourierBackend().reconstruct,
        rotation_axis_px=simulated.rotation_axis_px,
        voxel_um=simulated.voxel_um,
    )

    as_taken = reconstruct(attenuation, np.radians(thetas_deg))
    in_order = reconstruct(attenuation[sorted_deg], np.radians(thetas_deg[sorted_deg]))

    # The sums differ in their order alone: the tolerance of the transform, 1e-4 of its range.
    assert np.abs(as_taken - in_order).max() < 1e-4 * np.ptp(in_order)


@pytest.mark.parametrize("order", ["interlaced", "golden"])
def test_a_scan_in_any_order_shows_its_rotation_axis(order: str) -> None:
    acquisition = AcquisitionParameters(order=order)  # type: ignore[arg-type]  # literals
    detector = replace(SIZES["tiny"], acquisition=acquisition)
    simulated = make_cell(seed=6, n_scans=3, detector=detector)
    frames = simulated.frames(1)
    projections = np.stack(list(frames.projections))
    attenuation = correct(projections, frames.flats, frames.darks)

    found = find_rotation_axis(attenuation, np.radians(frames.thetas_deg))

    assert found.verdict == "resolved"
    assert found.position_px == pytest.approx(simulated.rotation_axis_px, abs=0.3)


def test_tiles_see_the_rows_they_should_and_share_their_overlap() -> None:
    acquisition = AcquisitionParameters(n_tiles=3, tile_overlap_rows=5)
    detector = replace(SMALL_DETECTOR, acquisition=acquisition)
    simulated = make_cell(seed=3, n_scans=3, cell=QUIET, detector=detector)

    tiles = [simulated.frames(1, tile=tile) for tile in range(3)]

    assert detector.n_volume_rows == 3 * 12 - 2 * 5
    assert simulated.roi.z1 == detector.n_volume_rows - 1
    assert [tile_first_row(detector, tile) for tile in range(3)] == [0, 7, 14]
    assert [frames.tile for frames in tiles] == [0, 1, 2]
    for lower, upper in itertools.pairwise(tiles):
        # Rows of a slab are projected together: what they share is equal to float32.
        np.testing.assert_allclose(
            lower.attenuation[:, 7:], upper.attenuation[:, :5], atol=2e-4 * 0.2
        )


def test_tiles_have_noise_and_beams_of_their_own() -> None:
    acquisition = AcquisitionParameters(n_tiles=2, tile_overlap_rows=11)
    detector = replace(SMALL_DETECTOR, acquisition=acquisition)
    first, second = (
        make_cell(seed=3, n_scans=1, detector=detector).frames(0, tile=t) for t in (0, 1)
    )

    assert (first.frame("flat", 0) != second.frame("flat", 0)).mean() > 0.9


def test_a_tile_that_is_not_taken_is_refused() -> None:
    with pytest.raises(ParameterError, match="tile 1 was asked for, the scan has 0 to 0"):
        make_cell(n_scans=1, detector=SMALL_DETECTOR).frames(0, tile=1)


def test_tiles_that_overlap_wholly_are_refused() -> None:
    with pytest.raises(ParameterError, match="tile_overlap_rows is 12"):
        replace(SMALL_DETECTOR, acquisition=AcquisitionParameters(n_tiles=2, tile_overlap_rows=12))


def test_the_axis_of_later_tiles_moves_only_when_it_is_told_to() -> None:
    still = AcquisitionParameters(n_tiles=3)
    moving = replace(still, axis_change_px=2.0)

    axes = {
        name: [
            make_cell(
                seed=3, n_scans=1, detector=replace(SMALL_DETECTOR, acquisition=each)
            ).tile_axis_px(tile)
            for tile in range(3)
        ]
        for name, each in (("still", still), ("moving", moving))
    }

    assert len(set(axes["still"])) == 1
    assert axes["moving"][0] == axes["still"][0]
    changes = np.abs(np.array(axes["moving"][1:]) - axes["still"][0])
    assert ((changes > 0.01) & (changes <= 2.0)).all()


def test_a_tilted_axis_runs_to_higher_columns_at_higher_rows() -> None:
    detector = replace(
        SMALL_DETECTOR, n_rows=41, acquisition=AcquisitionParameters(axis_tilt_deg=2.0)
    )
    margin, axis_px = tilt_margin_rows(detector), 50.0
    columns = np.arange(96)
    blob = np.exp(-((columns - axis_px) ** 2) / 18.0)
    straight = np.broadcast_to(blob, (3, 41 + 2 * margin, 96)).astype(np.float32)

    seen = tilted(straight, detector, axis_px)

    places = (seen[0] * columns).sum(axis=1) / seen[0].sum(axis=1)
    expected = axis_px + np.tan(np.radians(2.0)) * (np.arange(41) - 20)
    np.testing.assert_allclose(places, expected, atol=0.01)


def test_without_tilt_projections_are_left_alone() -> None:
    attenuation = np.ones((2, 12, 96), np.float32)

    assert tilted(attenuation, SMALL_DETECTOR, 47.0) is attenuation


def test_a_tilt_reaches_the_frames_of_a_cell() -> None:
    tilt = replace(SMALL_DETECTOR, acquisition=AcquisitionParameters(axis_tilt_deg=1.0))

    plain, skewed = (
        make_cell(seed=3, n_scans=3, cell=QUIET, detector=each).frames(1).attenuation
        for each in (SMALL_DETECTOR, tilt)
    )

    assert plain.shape == skewed.shape
    assert np.abs(plain - skewed).max() > 0.01 * plain.max()
