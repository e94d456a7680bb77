"""Rotation axis of the simulated cell, without phase retrieval: orders, tilt, noise, tiles."""

from dataclasses import replace

import numpy as np
import pytest

from lithoscope_pipeline.correct import correct
from lithoscope_pipeline.phantom import make_cell
from lithoscope_pipeline.phantom.acquisition_parameters import AcquisitionParameters, AngleOrder
from lithoscope_pipeline.phantom.parameters import SIZES, DetectorParameters
from lithoscope_pipeline.rotation_axis import RotationAxis, find_rotation_axis

TINY = SIZES["tiny"]


def find(
    detector: DetectorParameters, *, seed: int = 3, tile: int = 0
) -> tuple[RotationAxis, float]:
    """Find the axis of a scan at half-cycle; the true one beside it."""
    cell = make_cell("tiny", seed=seed, n_scans=3, detector=detector)
    frames = cell.frames(1, tile=tile)
    attenuation = correct(np.stack(list(frames.projections)), frames.flats, frames.darks)
    found = find_rotation_axis(attenuation, np.radians(frames.thetas_deg))
    return found, cell.tile_axis_px(tile)


@pytest.mark.parametrize("order", ["linear", "golden", "interlaced"])
def test_axis_of_a_cell_in_any_order(order: AngleOrder, is_soak: bool) -> None:
    detector = replace(TINY, acquisition=AcquisitionParameters(order=order))

    for seed in range(20 if is_soak else 1):
        found, axis_px = find(detector, seed=seed)

        assert found.position_px == pytest.approx(axis_px, abs=0.25)
        assert found.verdict == "resolved"


def test_axis_of_a_cell_with_thirty_times_fewer_photons(is_soak: bool) -> None:
    # Views half a turn apart alone show nothing of it any more.
    for seed in range(20 if is_soak else 1):
        found, axis_px = find(replace(TINY, photons=TINY.photons / 30), seed=seed)

        assert abs(found.position_px - axis_px) < 0.25 or found.verdict != "resolved"
        assert "sharpness" in found.methods


def test_tilt_and_axis_of_a_tilted_detector(is_soak: bool) -> None:
    detector = replace(TINY, acquisition=AcquisitionParameters(axis_tilt_deg=0.5))

    for seed in range(20 if is_soak else 1):
        found, axis_px = find(detector, seed=seed)

        # A tenth of a degree moves the border of the view by a sixth of a pixel.
        assert found.tilt_deg == pytest.approx(0.5, abs=0.1)
        assert found.is_tilted
        assert found.position_px == pytest.approx(axis_px, abs=0.25)


def test_each_tile_has_its_own_axis() -> None:
    acquisition = AcquisitionParameters(n_tiles=2, axis_change_px=6.0)

    found, axis_px = find(replace(TINY, acquisition=acquisition), tile=1)

    assert found.position_px == pytest.approx(axis_px, abs=0.25)
    assert found.verdict == "resolved"
