"""The simulated cell keeps its stationary face, and its labels agree with its surfaces."""

import json

import numpy as np
import pytest

from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.phantom import (
    CellParameters,
    DendriteParameters,
    GrowthParameters,
    make_cell,
)


@pytest.mark.parametrize("size", ["tiny", "small", "medium", "full"])
def test_the_plated_layer_is_six_voxels_thick_at_half_cycle(size: str) -> None:
    simulated = make_cell(size, n_scans=1)  # type: ignore[arg-type]  # a literal, parametrised
    cell = simulated.cell
    plated_um = cell.moved_um_per_pulse * 12 / (1 - cell.growth.plated_porosity)

    assert plated_um / simulated.voxel_um > 6


def test_the_stationary_face_never_moves_and_the_other_does() -> None:
    simulated = make_cell(n_scans=5)
    planes = [simulated.planes(scan) for scan in range(5)]

    assert len({plane.outer_low_um for plane in planes}) == 1
    # Plated 36 um, lost 11 um by the other electrode, 1 um of swelling, 2.5 um of voids.
    assert planes[2].outer_high_um - planes[0].outer_high_um == pytest.approx(28.3, abs=1.0)


def test_dendrites_left_after_discharge_are_detached() -> None:
    simulated = make_cell(seed=2, n_scans=3)
    last = simulated.truth_metrics(2, simulated.roi)

    assert last["dead_lithium_disconnected_volume_um3"] > 0.5 * last["dendrite_volume_um3"]
    assert last["remaining_gap_any_um"] < last["remaining_gap_um"]


def test_without_dendrites_there_are_none() -> None:
    dendrites = DendriteParameters(n_threats=0, spacing_um=0.0)
    cell = CellParameters(seed=0, growth=GrowthParameters(dendrites=dendrites))
    simulated = make_cell(n_scans=3, cell=cell)

    assert simulated.truth_metrics(1, simulated.roi)["dendrite_coverage"] < 0.01


def test_labels_fill_the_volumes_of_the_metrics() -> None:
    simulated = make_cell(seed=4, n_scans=3)
    roi = simulated.roi
    labels = simulated.labels(1, roi)
    metrics = simulated.truth_metrics(1, roi)
    area_um2 = (roi.z1 - roi.z0) * (roi.x1 - roi.x0) * simulated.voxel_um**2

    for label in (Label.STRIPPING_ELECTRODE, Label.PLATING_ELECTRODE, Label.DEPOSITED):
        volume_um3 = np.count_nonzero(labels == label) * simulated.voxel_um**3
        # A flat face falls on one side of the voxel centres: half a voxel either way, two faces.
        bar_um3 = 0.7 * simulated.voxel_um * area_um2
        assert volume_um3 == pytest.approx(metrics[f"{label.key}_volume_um3"], abs=bar_um3)
    dendrites_um3 = np.count_nonzero(labels == Label.DENDRITE) * simulated.voxel_um**3
    assert dendrites_um3 == pytest.approx(metrics["dendrite_volume_um3"], rel=0.1)


def test_labels_of_a_smaller_box_are_the_same_voxels() -> None:
    simulated = make_cell(seed=4, n_scans=3)
    roi = simulated.roi
    inner = Roi(z0=5, z1=15, y0=roi.y0 + 4, y1=roi.y1 - 4, x0=roi.x0 + 20, x1=roi.x1 - 20)

    whole = simulated.labels(1, roi)

    np.testing.assert_array_equal(simulated.labels(1, inner), whole[4:14, 4:-4, 20:-20])


def test_layers_follow_each_other_in_the_order_of_the_stack() -> None:
    simulated = make_cell(seed=4, n_scans=3)
    labels = simulated.labels(2, simulated.roi)
    column = labels[10, :, 30]

    order = [int(label) for label in column[np.flatnonzero(np.diff(column, prepend=255))]]

    # A void under redeposited lithium; the plating electrode is bare, and no dendrite is left.
    assert order == [0, 1, 8, 4, 7, 2, 0]


def test_the_truth_can_be_written_as_json() -> None:
    simulated = make_cell(n_scans=3)
    truth = json.loads(json.dumps(simulated.truth(simulated.roi), allow_nan=False))

    assert [scan["scan"] for scan in truth["scans"]] == [0, 1, 2]
    assert truth["scans"][1]["metrics"]["remaining_gap_um"]["unit"] == "um"
    assert truth["roi"]["x0"] == simulated.roi.x0
