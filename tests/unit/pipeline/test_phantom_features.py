"""Each feature of the lithium has a switch, and what it switches on is there."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.phantom import (
    CellParameters,
    CyclingParameters,
    DendriteParameters,
    GrowthParameters,
    PitParameters,
    PorosityParameters,
    SimulatedCell,
    dendrite_widths,
    make_cell,
)
from lithoscope_pipeline.phantom.region import cell_half_width_um
from lithoscope_pipeline.phantom.texture_slices import texture_slices
from lithoscope_pipeline.phantom.view import View

DEFAULT = GrowthParameters()
NO_PITS = PitParameters(depth_um=0.0, bowl_depth_um=0.0, lift_um=0.0)


@cache
def grown(growth: GrowthParameters = DEFAULT, *, n_scans: int = 3, seed: int = 6) -> SimulatedCell:
    return make_cell(seed=seed, n_scans=n_scans, cell=CellParameters(seed=0, growth=growth))


def with_dendrites(dendrites: DendriteParameters) -> GrowthParameters:
    return replace(DEFAULT, dendrites=dendrites)


def metrics(simulated: SimulatedCell, scan: int) -> dict[str, float]:
    return simulated.truth_metrics(scan, simulated.roi)


def labelled(simulated: SimulatedCell, scan: int, label: Label) -> int:
    return int(np.count_nonzero(simulated.labels(scan, simulated.roi) == label))


def slices(simulated: SimulatedCell, scan: int) -> NDArray[np.complex64]:
    view = View(
        n_columns=192,
        rotation_axis_px=95.5,
        thetas_rad=np.zeros(1),
        exposure_rad=0.0,
        drift=simulated.drift(0),
    )
    return texture_slices(
        simulated.growth,
        simulated.state(scan),
        view,
        np.arange(-2.0, 2.0),
        voxel_um=simulated.voxel_um,
        half_width_um=cell_half_width_um(simulated.cell, simulated.detector),
    )


def test_branches_widen_dendrites() -> None:
    bare = grown(with_dendrites(DendriteParameters(n_branches=0)))

    assert metrics(grown(), 1)["dendrite_coverage"] > 1.5 * metrics(bare, 1)["dendrite_coverage"]


def test_branches_hang_over_electrolyte() -> None:
    labels = grown().labels(1, grown().roi)
    is_dendrite = labels == Label.DENDRITE
    # y rises towards the plating side: electrolyte above a dendrite lies behind it.
    behind = np.cumsum(is_dendrite, axis=1) > 0

    assert np.count_nonzero(behind & (labels == Label.ELECTROLYTE)) > 100
    upright = grown(with_dendrites(DendriteParameters(n_branches=0))).labels(1, grown().roi)
    behind = np.cumsum(upright == Label.DENDRITE, axis=1) > 0
    assert np.count_nonzero(behind & (upright == Label.ELECTROLYTE)) == 0


def test_detached_lithium_is_left_by_dissolved_roots() -> None:
    assert metrics(grown(), 2)["dead_lithium_disconnected_volume_um3"] > 1e4
    rooted = grown(with_dendrites(DendriteParameters(dead_root_um=0.0)))
    assert metrics(rooted, 2)["dead_lithium_disconnected_volume_um3"] < 1e3
    assert metrics(rooted, 2)["dendrite_volume_um3"] > 1e4


def test_branches_are_left_without_their_trunks() -> None:
    alone = grown(with_dendrites(DendriteParameters(surviving_share=0.0, stranded_share=0.3)))
    none = grown(with_dendrites(DendriteParameters(surviving_share=0.0, stranded_share=0.0)))

    assert metrics(alone, 2)["dendrite_volume_um3"] > 5e3
    assert metrics(none, 2)["dendrite_volume_um3"] == 0.0


def test_pits_open_in_charge_and_become_voids_under_redeposited_lithium() -> None:
    simulated = grown()

    assert labelled(simulated, 1, Label.PIT) > 500
    assert labelled(simulated, 2, Label.PIT) == 0
    assert labelled(simulated, 2, Label.VOID) > 500
    charged, discharged = metrics(simulated, 1), metrics(simulated, 2)
    assert 1.0 < charged["pit_thickness_um"] < 3.0
    # Some are filled, most are not.
    assert 0.6 < discharged["void_thickness_um"] / charged["pit_thickness_um"] < 1.0


def test_without_pits_there_are_neither_pits_nor_voids() -> None:
    simulated = grown(replace(DEFAULT, pits=NO_PITS))

    for scan in (1, 2):
        values = metrics(simulated, scan)
        assert values["pit_volume_um3"] == values["void_volume_um3"] == 0.0
        assert "void_area_fraction" not in values
        assert "pearson_pit_dendrite" not in values


def test_filling_pits_leaves_fewer_voids() -> None:
    filled = grown(replace(DEFAULT, pits=PitParameters(filled_share=1.0)))

    assert metrics(filled, 2)["void_thickness_um"] < 0.01
    assert metrics(filled, 1)["pit_thickness_um"] == pytest.approx(
        metrics(grown(), 1)["pit_thickness_um"]
    )


def test_bowls_are_deeper_than_a_voxel() -> None:
    even = replace(DEFAULT, pits=replace(PitParameters(), bowl_spacing_um=0.0))

    # Seen in 2 of 3 labels or not at all: a shallow pit is thinner than a voxel.
    labels = grown().labels(1, grown().roi)
    assert (labels == Label.PIT).sum(axis=1).max() >= 2
    labels = grown(even).labels(1, grown(even).roi)
    assert (labels == Label.PIT).sum(axis=1).max() <= 1


def test_voids_lift_the_deposited_layer() -> None:
    flat = replace(DEFAULT, pits=replace(PitParameters(), lift_um=0.0))

    assert metrics(grown(), 1)["void_thickness_um"] > 0.05
    assert metrics(grown(flat), 1)["void_thickness_um"] == 0.0
    assert labelled(grown(), 1, Label.VOID) > 20


def test_a_constant_porosity_thickens_the_deposit_evenly() -> None:
    even = grown(replace(DEFAULT, slows_at=0.0), n_scans=25)
    grown_um = [
        even.growth.state(pulse).plated_um - even.growth.state(pulse - 1).plated_um
        for pulse in range(1, 13)
    ]

    np.testing.assert_allclose(grown_um, 3.0, rtol=0.01)


def test_porosity_is_seen_as_texture_of_zero_mean() -> None:
    smooth = replace(DEFAULT, porosity=PorosityParameters(texture=0.0))
    with_grain, without = slices(grown(), 1), slices(grown(smooth), 1)
    difference = (with_grain - without)[:, :, 100:-100].real

    # 0.12 of a contrast of 0.31 / cm, in plated lithium alone.
    touched = difference[np.abs(difference) > 1e-6]
    assert touched.std() == pytest.approx(0.12 * 0.31, rel=0.3)
    # Grains of 3 um: some 2000 independent ones.
    assert abs(touched.mean()) < 0.1 * touched.std()


def test_the_original_surface_is_a_bright_line_once_it_is_covered() -> None:
    plain = replace(DEFAULT, porosity=PorosityParameters(interface_um=0.0))

    covered = (slices(grown(), 1) - slices(grown(plain), 1)).real
    pristine = (slices(grown(), 0) - slices(grown(plain), 0)).real

    # Summed along y: the line's thickness times its excess.
    lines = covered[:, :, 100:-100].sum(axis=1) * grown().voxel_um / 2
    assert np.median(lines) > 0.05
    assert not pristine.any()


def test_a_bridge_inside_closes_the_gap_at_its_pulse() -> None:
    simulated = grown(replace(DEFAULT, bridge="inside", bridge_pulse=9.0), n_scans=25)

    assert metrics(simulated, 8)["remaining_gap_um"] > 30.0
    assert metrics(simulated, 9)["remaining_gap_um"] == 0.0
    labels = simulated.labels(10, simulated.roi)
    is_lithium = np.isin(labels, (1, 2, 3, 4, 5))
    crossing = is_lithium[:, 40:-40].all(axis=1)
    assert crossing.any()


def test_the_truth_names_the_bridge() -> None:
    simulated = grown(replace(DEFAULT, bridge="inside", bridge_pulse=9.0))

    assert simulated.truth(simulated.roi)["bridge"] == {"kind": "inside", "pulse": 9.0}


def test_a_bridge_outside_leaves_the_gap_and_takes_the_current() -> None:
    apart = grown(replace(DEFAULT, bridge="outside", bridge_pulse=6.0))

    assert metrics(apart, 1)["remaining_gap_um"] > 30.0
    lost_um = [
        112.0 - metrics(simulated, 1)["stripping_electrode_thickness_um"]
        for simulated in (apart, grown())
    ]
    # Of the last six of twelve pulses, 0.6 pass through the bridge.
    assert lost_um[0] / lost_um[1] == pytest.approx(0.7, abs=0.01)


def test_a_bridge_grows_in_the_first_charge() -> None:
    with pytest.raises(ParameterError, match="bridge_pulse is 13"):
        grown(replace(DEFAULT, bridge="inside", bridge_pulse=13.0))


def test_the_control_region_grows_the_same_beside_the_view() -> None:
    simulated = grown(replace(DEFAULT, control_um=200.0))
    control = simulated.control_region
    assert control is not None

    assert control.z0 > simulated.detector.n_rows
    half = Roi(z0=control.z0, z1=control.z1, y0=0, y1=192, x0=20, x1=172)
    beside = simulated.truth_metrics(1, half)
    assert beside["plating_side_thickness_um"] == pytest.approx(
        metrics(simulated, 1)["plating_side_thickness_um"], abs=2.0
    )
    assert beside["dendrite_coverage"] > 0.1
    assert grown().control_region is None


def test_a_second_cycle_digs_no_deeper_and_keeps_what_died() -> None:
    cell = CellParameters(seed=0, cycling=CyclingParameters(n_cycles=2))
    simulated = make_cell(seed=6, n_scans=5, cell=cell)
    first, second = metrics(simulated, 2), metrics(simulated, 4)

    assert metrics(simulated, 3)["stripping_electrode_thickness_um"] == pytest.approx(
        metrics(simulated, 1)["stripping_electrode_thickness_um"]
    )
    assert metrics(simulated, 3)["redeposited_thickness_um"] == 0.0
    assert second["dendrite_volume_um3"] >= 0.99 * first["dendrite_volume_um3"]


def test_the_state_is_continuous_in_the_pulses() -> None:
    cell = CellParameters(seed=0, cycling=CyclingParameters(n_cycles=2))
    growth = make_cell(seed=6, n_scans=3, cell=cell).growth
    places = np.array(
        [
            [planes.plating_inner_um, planes.stripping_surface_um]
            for planes in (growth.planes(growth.state(n)) for n in np.arange(0.0, 48.1, 0.5))
        ]
    )

    # Half a pulse thickens the deposit by 2.1 um, and the redeposit by 1.2 um beside it.
    assert np.abs(np.diff(places, axis=0)).max() < 4.0


def test_common_dendrites_are_about_three_and_a_half_voxels_wide_at_small() -> None:
    simulated = make_cell("small", seed=6, n_scans=3)

    widths = dendrite_widths(simulated, 1, simulated.roi)

    assert widths is not None
    assert 3.0 < widths.median_px < 4.2
    assert widths.low_px < widths.median_px < widths.high_px


def test_without_lithium_there_is_no_width() -> None:
    simulated = grown()

    assert dendrite_widths(simulated, 0, simulated.roi) is None
