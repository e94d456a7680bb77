"""True outer faces against what whole voxels make of them."""

import numpy as np
import pytest

from lithoscope_models.calibration.images import CalibrationScans
from lithoscope_models.calibration.true_faces import ScanValues, with_true_faces
from lithoscope_pipeline.measure import ChargeState

AREA_UM2 = 100.0
#: Cut at voxels of 2 um, and as they are.
CUT_UM, TRUE_UM = (500.0, 502.0, 502.0), (500.5, 501.5, 502.75)


def scans() -> CalibrationScans:
    """Two scans while the plating side receives lithium, one while it gives it."""
    sides = ("plating", "plating", "stripping")
    return CalibrationScans(
        name="cell",
        family="default",
        towards=None,
        voxel_um=2.0,
        active_area_cm2=1.0,
        scans=(0, 4, 20),
        pulses=(0, 4, 20),
        half_cycles=(0, 0, 1),
        charges=tuple(
            ChargeState(
                receiving_side=side,  # type: ignore[arg-type] # one of both
                charge_mAh=0.0,
                n_pulses=0.0,
                net_charge_mAh=0.0,
            )
            for side in sides
        ),
        stack_um=TRUE_UM,
        grey=np.empty((3, 0, 0, 0), np.float16),
        truth=np.empty((3, 0, 0, 0), np.uint8),
        shifts_px=np.zeros((3, 2)),
    )


def test_the_stack_is_as_thick_as_the_simulator_has_it_and_lithium_goes_with_it() -> None:
    voxels: list[ScanValues] = [
        {
            "stack_thickness_um": um,
            "li_total_volume_um3": 20_000.0,
            "li_conservation_residual_um3": 0.0,
            "li_travelled_volume_um3": 1_000.0,
            "remaining_gap_um": 80.0,
        }
        for um in CUT_UM
    ]

    found = with_true_faces(voxels, scans(), AREA_UM2)

    # The cuts are 0.5, -0.5 and 0.75 um off.
    assert [each["stack_thickness_um"] for each in found] == pytest.approx(list(TRUE_UM))
    assert [each["li_total_volume_um3"] for each in found] == [20_050.0, 19_950.0, 20_075.0]
    assert [each["li_conservation_residual_um3"] for each in found] == [0.0, -100.0, 25.0]
    # Only the face of the plating side moves, so what the other side receives is cut alike.
    assert [each["li_travelled_volume_um3"] for each in found] == [1_000.0, 900.0, 1_000.0]
    assert all(each["remaining_gap_um"] == 80.0 for each in found)


def test_what_was_not_measured_stays_so() -> None:
    voxels: list[ScanValues] = [
        {"stack_thickness_um": um, "li_travelled_volume_um3": None} for um in CUT_UM
    ]

    found = with_true_faces(voxels, scans(), AREA_UM2)

    assert [each["li_travelled_volume_um3"] for each in found] == [None, None, None]
