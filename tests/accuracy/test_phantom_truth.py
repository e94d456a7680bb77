"""The simulated cell keeps Faraday's law and warns of its dendrite once, whatever the seed."""

import numpy as np
import pytest

from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.phantom import make_cell

# 4.8514 um of dense lithium per mAh/cm2 at 0.25 mAh/cm2 a pulse.
DENSE_UM_PER_PULSE = 4.8514 * 0.25


@pytest.mark.parametrize("seed", range(5))
def test_lithium_closes_with_the_charge_within_one_percent(seed: int) -> None:
    simulated = make_cell(seed=seed, n_scans=9)
    cell, box = simulated.cell, simulated.roi
    # Lithium is balanced over all rows.
    roi = Roi(z0=0, z1=simulated.detector.n_rows, y0=box.y0, y1=box.y1, x0=box.x0, x1=box.x1)
    shares = {
        "stripping_electrode": 1.0,
        "redeposited": 1.0 - cell.redeposited_porosity,
        "plating_electrode": 1.0,
        "deposited": 1.0 - cell.plated_porosity,
        "dendrite": 1.0 - cell.plated_porosity,
    }

    metrics = [scan["metrics"] for scan in simulated.truth(roi)["scans"]]

    thickness_um = np.array(
        [[m[f"{name}_thickness_um"]["value"] for name in shares] for m in metrics]
    )
    dense_um = (thickness_um - thickness_um[0]) * list(shares.values())
    pulses = np.array([point.pulse for point in simulated.schedule])
    net_um = cell.efficiency * DENSE_UM_PER_PULSE * np.minimum(pulses, 24 - pulses)
    # 1 % of the charge passed.
    bar_um = 0.01 * cell.efficiency * DENSE_UM_PER_PULSE * pulses + 1e-6
    assert (np.abs(dense_um[:, 2:].sum(axis=1) - net_um) <= bar_um).all()
    assert (np.abs(dense_um[:, :2].sum(axis=1) + net_um) <= bar_um).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_gap_falls_below_its_limit_once(seed: int) -> None:
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
