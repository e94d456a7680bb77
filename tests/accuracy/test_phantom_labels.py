"""Truth metrics, integrals of surfaces, against what is counted in the true labels."""

import pytest

from lithoscope_pipeline.measure.report import measure_labels
from lithoscope_pipeline.phantom import make_cell


@pytest.mark.parametrize("scan", [0, 1, 2])
@pytest.mark.parametrize("seed", [5, 6])
def test_counting_true_labels_gives_the_true_metrics(seed: int, scan: int) -> None:
    simulated = make_cell(seed=seed, n_scans=3)
    roi = simulated.roi

    counted = measure_labels(simulated.labels(scan, roi), voxel_um=simulated.voxel_um).metrics

    truth = simulated.truth_metrics(scan, roi)
    # A flat face is rounded to voxels, by half a voxel at most; a gap lies between two.
    for name in (
        "stripping_side_thickness_um",
        "plating_side_thickness_um",
        "dendrite_thickness_um",
    ):
        assert counted[name].value == pytest.approx(truth[name], abs=0.5 * simulated.voxel_um)
    for name in ("electrolyte_thickness_um", "stack_thickness_um", "remaining_gap_um"):
        assert counted[name].value == pytest.approx(truth[name], abs=simulated.voxel_um)
    for name in ("deposited_coverage", "dendrite_coverage", "redeposited_coverage"):
        assert counted[name].value == pytest.approx(truth[name], abs=0.03)
