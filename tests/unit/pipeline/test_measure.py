"""Counts are exact, distances right to half a voxel, connectivity exact on analytic volumes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure import (
    UM3_PER_MAH,
    UM_PER_MAH_CM2,
    ChargeState,
    ReferenceMetrics,
    faraday_thickness_um,
    measure_charge,
    measure_labels,
)
from lithoscope_pipeline.metric import Metric, measured

VOXEL_UM = 4.0


def slabs(*, n_z: int = 10, n_x: int = 12) -> NDArray[np.uint8]:
    """Stack 5 background, 10 stripping, 30 electrolyte, 3 deposited, 8 plating, 4 background."""
    column = np.repeat(np.array([0, 1, 7, 3, 2, 0], dtype=np.uint8), (5, 10, 30, 3, 8, 4))
    return np.broadcast_to(column[None, :, None], (n_z, 60, n_x)).copy()


def value(metrics: dict[str, Metric], name: str) -> float:
    """Give the value of a metric that must have one."""
    found = metrics[name].value
    assert found is not None, metrics[name].flags
    return found


def test_slabs_are_counted_exactly() -> None:
    metrics = measure_labels(slabs(), voxel_um=VOXEL_UM).metrics

    assert value(metrics, "deposited_volume_um3") == 3 * 120 * 64
    assert value(metrics, "plating_side_thickness_um") == pytest.approx(11 * 4)
    assert value(metrics, "stripping_side_thickness_um") == pytest.approx(10 * 4)
    assert value(metrics, "deposited_coverage") == 1
    assert value(metrics, "dendrite_coverage") == 0
    assert value(metrics, "deposited_occupied_fraction") == pytest.approx(3 / 60)
    assert value(metrics, "li_total_volume_um3") == 21 * 120 * 64


def test_slabs_have_their_distances() -> None:
    metrics = measure_labels(slabs(), voxel_um=VOXEL_UM).metrics

    assert value(metrics, "electrolyte_thickness_um") == 30 * 4
    assert value(metrics, "electrode_gap_um") == 33 * 4
    assert value(metrics, "stack_thickness_um") == 51 * 4
    assert value(metrics, "remaining_gap_um") == pytest.approx(30 * 4)
    assert value(metrics, "remaining_gap_any_um") == pytest.approx(30 * 4)


def test_electrolyte_may_be_left_as_background() -> None:
    labels = slabs()
    labels[labels == Label.ELECTROLYTE] = Label.BACKGROUND

    metrics = measure_labels(labels, voxel_um=VOXEL_UM).metrics

    assert value(metrics, "electrolyte_thickness_um") == 30 * 4
    assert value(metrics, "remaining_gap_um") == pytest.approx(30 * 4)


def test_direction_of_the_thickness_axis_does_not_matter() -> None:
    upright = measure_labels(slabs(), voxel_um=VOXEL_UM).metrics
    turned = measure_labels(slabs()[:, ::-1], voxel_um=VOXEL_UM).metrics

    assert turned == upright


def test_a_filament_is_measured_from_its_tip() -> None:
    labels = slabs()
    # 3 x 3 voxels wide, 12 high, on the deposited layer that begins at y = 45.
    labels[4:7, 33:45, 5:8] = Label.DENDRITE

    measurement = measure_labels(labels, voxel_um=VOXEL_UM)

    assert value(measurement.metrics, "remaining_gap_um") == pytest.approx(18 * 4)
    assert value(measurement.metrics, "dendrite_volume_um3") == 9 * 12 * 64
    # Half a voxel: the mode of heights in whole voxels is found in bins of 1 um.
    assert value(measurement.metrics, "penetration_fraction") == pytest.approx(
        12 / (30 - 9 * 12 / 120), abs=0.5 / 30
    )
    assert measurement.maps["remaining_gap_um"][5, 6] == pytest.approx(18 * 4)
    assert measurement.maps["dendrite_thickness_um"][5, 6] == 12 * 4


def test_a_cone_is_measured_from_its_tip() -> None:
    labels = slabs(n_z=30, n_x=30)
    z, y, x = np.ogrid[:30, :60, :30]
    radius = np.maximum(y - 24, 0) / 2
    cone = ((z - 15) ** 2 + (x - 15) ** 2 <= radius**2) & (y >= 25) & (y < 45)
    labels[cone] = Label.DENDRITE

    measurement = measure_labels(labels, voxel_um=VOXEL_UM)

    # Its tip, one voxel thin at y = 25, is a bump to the last voxel or two; 10 voxels of
    # electrolyte lie below it.
    assert value(measurement.metrics, "remaining_gap_um") / 4 == pytest.approx(11, abs=1.0)
    assert value(measurement.metrics, "dendrite_volume_um3") == int(cone.sum()) * 64
    assert value(measurement.metrics, "dendrite_coverage") == cone.any(axis=1).mean()


def test_each_tooth_of_a_comb_has_its_own_gap() -> None:
    labels = slabs(n_z=12, n_x=40)
    heights = {4: 10, 12: 16, 20: 7, 28: 13}
    for x, height in heights.items():
        labels[4:8, 45 - height : 45, x : x + 4] = Label.DENDRITE

    measurement = measure_labels(labels, voxel_um=VOXEL_UM)

    teeth = [each for each in measurement.objects.objects if each.kind == "dendrite"]
    found = {round(each.centre_px[2] - 1.5): each.gap_um for each in teeth}
    assert found == {x: (30 - height) * 4 for x, height in heights.items()}
    assert value(measurement.metrics, "gap_objects") == 4
    assert value(measurement.metrics, "remaining_gap_um") == 14 * 4


def test_a_noisy_voxel_is_no_filament() -> None:
    labels = slabs()
    labels[4, 40:45, 5] = Label.DENDRITE

    metrics = measure_labels(labels, voxel_um=VOXEL_UM).metrics

    assert value(metrics, "remaining_gap_um") == pytest.approx(30 * 4)
    assert value(metrics, "penetration_fraction") == 0


def test_a_sphere_leaves_the_gap_below_it() -> None:
    labels = slabs(n_z=24, n_x=24)
    z, y, x = np.ogrid[:24, :60, :24]
    ball = (z - 12) ** 2 + (y - 38) ** 2 + (x - 12) ** 2 <= 8**2
    labels[ball & (labels == Label.ELECTROLYTE)] = Label.DENDRITE

    metrics = measure_labels(labels, voxel_um=VOXEL_UM).metrics

    # The ball ends at y = 30, the face of the stripping electrode lies at y = 14.5; distances
    # on a grid hold to half a voxel.
    assert value(metrics, "remaining_gap_um") / 4 == pytest.approx(15.5, abs=0.5)


def test_voxels_that_stick_out_of_a_face_do_not_narrow_the_gap() -> None:
    labels = slabs()
    labels[4, 44, 5] = Label.DEPOSITED
    labels[7, 15, 8] = Label.STRIPPING_ELECTRODE

    metrics = measure_labels(labels, voxel_um=VOXEL_UM).metrics

    assert value(metrics, "remaining_gap_um") == pytest.approx(30 * 4)


def test_a_splinter_of_an_electrode_is_not_the_electrode() -> None:
    labels = slabs()
    labels[4:7, 25:30, 5:8] = Label.PLATING_ELECTRODE

    metrics = measure_labels(labels, voxel_um=VOXEL_UM).metrics

    assert value(metrics, "remaining_gap_um") == pytest.approx(30 * 4)
    assert value(metrics, "dead_lithium_disconnected_volume_um3") == 45 * 64


def test_a_gap_across_the_plane_is_euclidean() -> None:
    labels = np.full((5, 40, 40), Label.ELECTROLYTE, dtype=np.uint8)
    labels[:, :10, :10] = Label.STRIPPING_ELECTRODE
    labels[:, 30:, 30:] = Label.PLATING_ELECTRODE

    metrics = measure_labels(labels, voxel_um=VOXEL_UM).metrics

    # Corner to corner 20 sqrt(2) voxels; the gap counts from faces, half a voxel of tolerance.
    assert value(metrics, "remaining_gap_um") / 4 == pytest.approx(20 * 2**0.5, abs=0.5)


def test_a_bridge_leaves_no_gap() -> None:
    labels = slabs()
    labels[4:7, 15:45, 5:8] = Label.DENDRITE

    metrics = measure_labels(labels, voxel_um=VOXEL_UM).metrics

    assert value(metrics, "remaining_gap_um") == 0
    assert "bridged" in metrics["remaining_gap_um"].flags


def test_a_nearly_bridged_gap_is_one_voxel() -> None:
    labels = slabs()
    labels[4:7, 16:45, 5:8] = Label.DENDRITE

    metrics = measure_labels(labels, voxel_um=VOXEL_UM).metrics

    assert value(metrics, "remaining_gap_um") == pytest.approx(4)


def test_a_floating_island_is_dead_and_a_stepping_stone() -> None:
    labels = slabs()
    labels[4:7, 25:30, 5:8] = Label.DENDRITE

    metrics = measure_labels(labels, voxel_um=VOXEL_UM).metrics

    assert value(metrics, "dead_lithium_disconnected_volume_um3") == 45 * 64
    assert value(metrics, "remaining_gap_um") == pytest.approx(30 * 4)
    assert value(metrics, "remaining_gap_any_um") == pytest.approx(25 * 4)
    assert value(metrics, "dendrite_volume_um3") == 45 * 64


def test_an_island_cut_by_the_border_is_unknown_not_dead() -> None:
    labels = slabs()
    labels[0:3, 25:30, 5:8] = Label.DENDRITE

    metric = measure_labels(labels, voxel_um=VOXEL_UM).metrics[
        "dead_lithium_disconnected_volume_um3"
    ]

    assert metric.value == 0
    assert "cut_by_border" in metric.flags


def test_diagonal_neighbours_are_connected() -> None:
    labels = slabs()
    labels[4:7, 42:45, 5:8] = Label.DENDRITE
    labels[7:10, 39:42, 8:11] = Label.DENDRITE

    metrics = measure_labels(labels, voxel_um=VOXEL_UM).metrics

    assert value(metrics, "dead_lithium_disconnected_volume_um3") == 0
    assert value(metrics, "remaining_gap_um") == pytest.approx(24 * 4)


def test_what_cannot_be_measured_is_null_with_a_flag() -> None:
    metrics = measure_labels(np.zeros((4, 5, 6), dtype=np.uint8), voxel_um=VOXEL_UM).metrics

    assert metrics["remaining_gap_um"].value is None
    assert "one_electrode_missing" in metrics["remaining_gap_um"].flags
    assert "no_active_area" in metrics["faraday_volume_um3"].flags
    assert value(metrics, "li_total_volume_um3") == 0


def test_a_class_that_is_not_segmented_is_not_zero() -> None:
    metrics = measure_labels(slabs(), voxel_um=VOXEL_UM, unsegmented=(Label.VOID,)).metrics

    assert metrics["void_volume_um3"].value is None
    assert metrics["void_coverage"].flags == ("class_not_segmented",)


def test_every_metric_has_an_interval_or_says_why_not() -> None:
    metrics = measure_labels(slabs(), voxel_um=VOXEL_UM).metrics

    assert all(m.flags for m in metrics.values() if m.low95 is None)


@pytest.mark.parametrize("shape", [(4, 5), (0, 5, 5)])
def test_labels_that_are_no_volume_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError):
        measure_labels(np.zeros(shape, dtype=np.uint8), voxel_um=VOXEL_UM)


def test_unknown_classes_and_lengths_are_refused() -> None:
    with pytest.raises(ShapeError, match="classes are 0"):
        measure_labels(np.full((2, 2, 2), 9, dtype=np.uint8), voxel_um=VOXEL_UM)
    with pytest.raises(ParameterError, match="voxel_um"):
        measure_labels(slabs(), voxel_um=0)


def test_worked_figures_of_faraday() -> None:
    # 1 mAh = 3.6 C; 3860 mAh/g and 0.534 g/cm3, as printed in design and paper.
    assert pytest.approx(4.8514e8, rel=1e-4) == UM3_PER_MAH
    assert pytest.approx(4.85, abs=0.005) == UM_PER_MAH_CM2
    assert faraday_thickness_um(current_density_mA_cm2=1.5, time_s=600) == pytest.approx(
        1.2128, abs=1e-4
    )
    assert pytest.approx(6.884, abs=1e-3) == 1707 * 1.33 * 2280 * 1.33 / 1e6


def test_the_papers_thicknesses_give_its_ratios() -> None:
    # 107.7 -> 140.1 um on the plating side after 12 pulses of 0.125 mAh on 0.5 cm2, seen on
    # 13.8 % of the area: 2.23 scaled to the region, 0.31 unscaled.
    area_um2 = 1707 * 1.33 * 2280 * 1.33
    before, after = (plating_metrics(um * area_um2) for um in (107.7, 140.1))
    charge = ChargeState(receiving_side="plating", charge_mAh=1.5, n_pulses=12, net_charge_mAh=1.5)

    metrics = measure_charge(
        after, charge, half_cycle_start=before, area_seen_fraction=area_um2 / 0.5e8
    )

    assert value(metrics, "ct_faraday_ratio") == pytest.approx(2.23, abs=0.005)
    assert value(metrics, "ct_faraday_ratio_whole_cell") == pytest.approx(0.31, abs=0.005)
    assert value(metrics, "missing_capacity_fraction") == pytest.approx(1 - 2.23, abs=0.005)


def plating_metrics(volume_um3: float) -> dict[str, Metric]:
    """Put all plating-side lithium into the electrode."""
    volumes = {"plating_electrode": volume_um3, "deposited": 0.0, "dendrite": 0.0}
    return {f"{name}_volume_um3": measured(um3, "um3") for name, um3 in volumes.items()}


def test_travelled_lithium_is_compared_with_the_charge() -> None:
    pristine = slabs()
    pristine[pristine == Label.DEPOSITED] = Label.ELECTROLYTE
    first = measure_labels(pristine, voxel_um=VOXEL_UM).metrics
    charge = ChargeState(receiving_side="plating", charge_mAh=0.5, n_pulses=4, net_charge_mAh=0.5)

    metrics = measure_labels(
        slabs(),
        voxel_um=VOXEL_UM,
        charge=charge,
        reference=ReferenceMetrics(first_scan=first, half_cycle_start=first),
        active_area_cm2=0.5,
    ).metrics

    assert value(metrics, "li_travelled_volume_um3") == 3 * 120 * 64
    assert value(metrics, "li_conservation_residual_um3") == 3 * 120 * 64
    assert value(metrics, "area_seen_fraction") == pytest.approx(120 * 16 / 0.5e8)
    # 0.5 mAh on 0.5 cm2 is 4.85 um of dense lithium; 12 um are seen.
    assert value(metrics, "ct_faraday_ratio") == pytest.approx(12 / 4.8514, rel=1e-4)
    assert metrics["dead_lithium_remaining_volume_um3"].flags == ("net_charge_not_zero",)


def test_ratio_is_null_under_one_pulse() -> None:
    charge = ChargeState(receiving_side="plating", charge_mAh=0, n_pulses=0, net_charge_mAh=0)

    metrics = measure_labels(
        slabs(), voxel_um=VOXEL_UM, charge=charge, active_area_cm2=0.5
    ).metrics

    assert metrics["ct_faraday_ratio"].flags == ("less_than_one_pulse",)
    assert value(metrics, "dead_lithium_remaining_volume_um3") == 3 * 120 * 64


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_scaling_the_voxel_scales_volumes_and_lengths(seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 9, (6, 12, 7), dtype=np.uint8)

    one = measure_labels(labels, voxel_um=1.0).metrics
    two = measure_labels(labels, voxel_um=2.0).metrics

    for name, power in (("pit_volume_um3", 3), ("void_thickness_um", 1), ("pit_coverage", 0)):
        assert value(two, name) == pytest.approx(value(one, name) * 2**power)
    assert value(two, "stack_thickness_um") == pytest.approx(2 * value(one, "stack_thickness_um"))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_turning_the_plane_turns_the_maps(seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 9, (6, 12, 7), dtype=np.uint8)

    upright = measure_labels(labels, voxel_um=1.0)
    turned = measure_labels(labels[::-1, :, ::-1], voxel_um=1.0)

    for name, image in upright.maps.items():
        # In a cross-section only one axis is turned: y stays.
        expected = image[:, ::-1] if name.endswith("_yx") or "edges" in name else image[::-1]
        if not name.endswith(("_yx", "_zy")):
            expected = expected[:, ::-1]
        # Smoothed faces are sums of floats in another order.
        np.testing.assert_allclose(turned.maps[name], expected, atol=1e-4, err_msg=name)
    assert turned.metrics["remaining_gap_um"] == upright.metrics["remaining_gap_um"]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_turning_the_plane_by_a_quarter_turns_the_maps_from_above(seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 9, (6, 12, 7), dtype=np.uint8)

    upright = measure_labels(labels, voxel_um=1.0)
    turned = measure_labels(np.rot90(labels, axes=(0, 2)), voxel_um=1.0)

    for name, image in upright.maps.items():
        if not name.endswith(("_yx", "_zy")):
            np.testing.assert_allclose(turned.maps[name], np.rot90(image), atol=1e-4, err_msg=name)


def test_reversing_the_current_swaps_no_side() -> None:
    charged = ChargeState(
        receiving_side="stripping", charge_mAh=0.5, n_pulses=4, net_charge_mAh=0.5
    )

    metrics = measure_labels(
        slabs(), voxel_um=VOXEL_UM, charge=charged, active_area_cm2=0.5
    ).metrics

    assert value(metrics, "plating_side_thickness_um") == pytest.approx(11 * 4)
    assert value(metrics, "stripping_side_thickness_um") == pytest.approx(10 * 4)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_occupied_fractions_add_up(seed: int) -> None:
    labels = np.random.default_rng(seed).integers(1, 7, (5, 6, 7), dtype=np.uint8)

    metrics = measure_labels(labels, voxel_um=1.0).metrics

    fractions = [m.value for name, m in metrics.items() if name.endswith("occupied_fraction")]
    assert sum(f for f in fractions if f is not None) == pytest.approx(1)
