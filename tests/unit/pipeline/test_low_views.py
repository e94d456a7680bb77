"""Views with too little light, against the faults that the simulator says it made."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.low_views import find_low_views, view_levels
from lithoscope_pipeline.phantom import SIZES, FaultParameters, ScanFrames, make_cell
from lithoscope_pipeline.phantom.acquisition_parameters import (
    ORDERS,
    AcquisitionParameters,
    AngleOrder,
)


def scan_with(
    faults: FaultParameters, *, order: AngleOrder = "linear", seed: int = 1
) -> ScanFrames:
    detector = replace(
        SIZES["tiny"],
        n_rows=4,
        n_columns=96,
        n_angles=120,
        faults=faults,
        acquisition=AcquisitionParameters(order=order),
    )
    return make_cell("tiny", seed=seed, n_scans=2, detector=detector).frames(1)


def low_views(frames: ScanFrames) -> tuple[int, ...]:
    projections = np.stack(list(frames.projections))
    levels = view_levels(projections, frames.flats, frames.darks)
    return tuple(np.flatnonzero(find_low_views(levels, np.deg2rad(frames.thetas_deg))).tolist())


@pytest.mark.parametrize("order", ORDERS)
def test_a_scan_in_good_light_has_no_low_views(order: AngleOrder) -> None:
    assert low_views(scan_with(FaultParameters(), order=order)) == ()


@pytest.mark.parametrize("order", ORDERS)
def test_views_behind_a_closed_shutter_are_low(order: AngleOrder) -> None:
    frames = scan_with(FaultParameters(shutter_closed_share=0.3), order=order)

    assert len(frames.faults.shutter_closed) == 36
    assert low_views(frames) == frames.faults.shutter_closed


def test_views_of_a_beam_that_is_nearly_gone_are_low() -> None:
    frames = scan_with(FaultParameters(beam_down_share=0.1, beam_down_depth=0.8))

    assert low_views(frames) == frames.faults.beam_down


def test_a_beam_a_quarter_weaker_is_still_good() -> None:
    frames = scan_with(FaultParameters(beam_down_share=0.2, beam_down_depth=0.25))

    assert low_views(frames) == ()


def levels_of_a_plate() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the light behind a plate wider than the view, which dims it 20 times at edge-on."""
    thetas_rad = np.deg2rad(np.arange(180.0))
    path = 1.0 / np.maximum(np.abs(np.cos(thetas_rad)), 0.05)
    return np.exp(-0.15 * path), thetas_rad


def test_a_dense_plate_seen_along_itself_is_no_lack_of_light() -> None:
    levels, thetas_rad = levels_of_a_plate()

    assert levels.min() < 0.06 * levels.max()
    # Within a few degrees the light falls to less than half of what is usual nearby: only there.
    low_deg = np.rad2deg(thetas_rad[find_low_views(levels, thetas_rad)])
    assert np.all(np.abs(low_deg - 90.0) <= 5.0)


def test_the_order_of_the_views_does_not_matter() -> None:
    levels, thetas_rad = levels_of_a_plate()
    levels[30:35] *= 0.3
    mixed = np.random.default_rng(0).permutation(180)

    found = find_low_views(levels[mixed], thetas_rad[mixed])

    np.testing.assert_array_equal(found, find_low_views(levels, thetas_rad)[mixed])


def test_dead_columns_do_not_count() -> None:
    flats = np.full((2, 3, 10), 1100, np.uint16)
    flats[:, :, 4] = 100
    darks = np.full((2, 3, 10), 100, np.uint16)

    levels = view_levels(np.full((5, 3, 10), 600, np.uint16), flats, darks)

    assert levels == pytest.approx(np.full(5, 0.5))


def test_frames_of_different_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="same rows and columns"):
        view_levels(np.ones((5, 3, 10), np.uint16), np.ones((2, 3, 9), np.uint16),
                    np.ones((2, 3, 10), np.uint16))  # fmt: skip


def test_as_many_angles_as_levels_are_needed() -> None:
    with pytest.raises(ShapeError, match="give one each"):
        find_low_views(np.ones(5), np.zeros(4))
