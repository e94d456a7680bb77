"""The simulated cell keeps Faraday's law and warns of its dendrite once, whatever the seed."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.phantom import (
    CellParameters,
    CyclingParameters,
    FamilyName,
    GrowthParameters,
    SimulatedCell,
    make_cell,
)

# 4.8514 um of dense lithium per mAh/cm2 at 0.25 mAh/cm2 a pulse.
DENSE_UM_PER_PULSE = 4.8514 * 0.25
SIDES = {
    "plating": ("plating_electrode", "deposited", "dendrite"),
    "stripping": ("stripping_electrode", "redeposited"),
}


def metal_um(simulated: SimulatedCell) -> dict[str, NDArray[np.float64]]:
    """Add up what metal each scan has gained since the first, by side, as dense thickness."""
    box = simulated.roi
    # Lithium is balanced over all rows.
    roi = Roi(z0=0, z1=simulated.detector.n_rows, y0=box.y0, y1=box.y1, x0=box.x0, x1=box.x1)
    scans = simulated.truth(roi)["scans"]
    sides = {}
    for side, names in SIDES.items():
        thickness_um = np.array(
            [
                sum(
                    scan["metrics"][f"{name}_thickness_um"]["value"]
                    * (1.0 - scan["porosity"].get(name, 0.0))
                    for name in names
                )
                for scan in scans
            ]
        )
        sides[side] = thickness_um - thickness_um[0]
    return sides


def moved_um(
    simulated: SimulatedCell, pulses_at_work: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return net and total dense lithium that the charge of each scan moves."""
    n_half = simulated.cell.n_charge_pulses
    signs = np.where(np.arange(len(pulses_at_work)) // n_half % 2 == 0, 1.0, -1.0)
    one_um = simulated.cell.growth.efficiency * DENSE_UM_PER_PULSE
    passed = [point.pulse for point in simulated.schedule]
    net = np.concatenate([[0.0], np.cumsum(signs * pulses_at_work)])[passed]
    total = np.concatenate([[0.0], np.cumsum(pulses_at_work)])[passed]
    return net * one_um, total * one_um


@pytest.mark.parametrize(
    ("seed", "family"), [(0, "default"), (1, "default"), (2, "mossy"), (3, "filaments")]
)
def test_lithium_closes_with_the_charge_within_one_percent_in_every_scan(
    seed: int, family: FamilyName
) -> None:
    simulated = make_cell(seed=seed, n_scans=25, family=family)

    gained_um = metal_um(simulated)

    net_um, total_um = moved_um(simulated, np.ones(24))
    bar_um = 0.01 * total_um + 1e-6
    assert (np.abs(gained_um["plating"] - net_um) <= bar_um).all()
    assert (np.abs(gained_um["stripping"] + net_um) <= bar_um).all()


def test_lithium_closes_through_a_second_cycle() -> None:
    cell = CellParameters(seed=0, cycling=CyclingParameters(n_cycles=2))
    simulated = make_cell(seed=4, n_scans=17, cell=cell)

    plated_um = metal_um(simulated)["plating"]

    net_um, total_um = moved_um(simulated, np.ones(48))
    assert (np.abs(plated_um - net_um) <= 0.01 * total_um + 1e-6).all()


def test_a_bridge_moves_less_lithium_by_what_it_carries() -> None:
    growth = GrowthParameters(bridge="inside", bridge_pulse=6.0, short_share=0.5)
    simulated = make_cell(seed=4, n_scans=13, cell=CellParameters(seed=0, growth=growth))

    plated_um = metal_um(simulated)["plating"]

    net_um, total_um = moved_um(simulated, np.where(np.arange(24) < 6, 1.0, 0.5))
    assert (np.abs(plated_um - net_um) <= 0.01 * total_um + 1e-6).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_gap_falls_below_its_limit_once(seed: int, is_soak: bool) -> None:
    if seed > 1 and not is_soak:
        pytest.skip("this seed too with --soak")
    simulated = make_cell(seed=seed, n_scans=25)

    gaps_um = np.array(
        [
            scan["metrics"]["remaining_gap_um"]["value"]
            for scan in simulated.truth(simulated.roi)["scans"]
        ]
    )

    is_low = gaps_um < 120.0
    assert is_low[12]
    assert gaps_um.min() < 90.0
    assert np.count_nonzero(np.diff(is_low.astype(int)) == 1) == 1
    assert not is_low[-8:].any()


def test_lithium_of_the_stripping_side_is_lost_and_redeposited() -> None:
    pits = replace(GrowthParameters().pits, depth_um=0.0, bowl_depth_um=0.0, lift_um=0.0)
    even = CellParameters(seed=0, growth=replace(GrowthParameters(), pits=pits))
    pitted, flat = (
        make_cell(seed=1, n_scans=3, cell=cell).truth_metrics
        for cell in (CellParameters(seed=0), even)
    )
    roi = make_cell(seed=1, n_scans=1, cell=even).roi

    # Pits take from the electrode what an even loss takes: the mean is the same.
    for scan in (1, 2):
        assert pitted(scan, roi)["stripping_side_thickness_um"] == pytest.approx(
            flat(scan, roi)["stripping_side_thickness_um"], abs=0.1
        )
