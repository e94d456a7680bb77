"""Scans of a calibration as they are looked at: where the cell lies between the voxels."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from lithoscope_models.calibration.draws import Experiment, Plan, draw_between, draw_experiment
from lithoscope_models.calibration.images import CalibrationScans
from lithoscope_models.calibration.seen import seen_scans
from lithoscope_models.data.image_model import ImageModel

SHAPE = (8, 40, 12)
MODEL = ImageModel(transfer=np.ones((8, 25)), noise=np.full((8, 25), 0.02))


def scans() -> CalibrationScans:
    """One scan with a soft sheet across y, and nothing else."""
    y = np.arange(SHAPE[1], dtype=np.float32)
    sheet = np.exp(-(((y - 20.0) / 4.0) ** 2))
    grey = np.broadcast_to(sheet[None, :, None], SHAPE).astype(np.float16)
    return CalibrationScans(
        name="sheet",
        family="default",
        towards="filaments",
        voxel_um=2.25,
        active_area_cm2=0.5,
        scans=(0,),
        pulses=(0,),
        half_cycles=(0,),
        charges=(),
        stack_um=(100.0,),
        grey=grey[None],
        truth=np.zeros((1, *SHAPE), np.uint8),
        shifts_px=np.zeros((1, 2)),
    )


def height_px(grey: np.ndarray[tuple[int, ...], np.dtype[np.float16]]) -> float:
    """Where the sheet lies along y."""
    return float(ndimage.center_of_mass(np.asarray(grey[0, 2:-2, 4:-4], np.float64))[1])


@pytest.mark.parametrize("number", range(4))
def test_a_cell_between_families_lies_somewhere_between_the_voxels(number: int) -> None:
    experiment = replace(draw_between(number, Plan()), blur_px=0.0)

    moved_px = height_px(seen_scans(scans(), experiment, MODEL).grey) - height_px(scans().grey)

    assert 0.0 < abs(experiment.offset_px) <= 0.5
    assert abs(moved_px) == pytest.approx(abs(experiment.offset_px), abs=0.02)


def test_the_first_scan_of_a_family_is_left_as_it_was_made() -> None:
    experiment: Experiment = replace(draw_experiment(0, Plan()), blur_px=0.0)

    found = seen_scans(scans(), experiment, MODEL)

    np.testing.assert_array_equal(found.grey, scans().grey)


def test_what_is_looked_at_otherwise_is_kept_elsewhere() -> None:
    between = [draw_between(number, Plan()) for number in range(4)]

    assert len({each.seen_name for each in between}) == 4
    assert replace(between[0], blur_px=0.3).seen_name != between[0].seen_name
