"""``model evaluate``: one table of networks and classical methods on held-out scans."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from layered_scans import layered_scan
from PIL import Image

from lithoscope_models.data.cells import CellDraw
from lithoscope_models.data.files import experiment_folder, read_experiment, write_experiment
from lithoscope_models.errors import TrainingDataError
from lithoscope_models.evaluate.cases import HeldOut, cases_of, check_seeds
from lithoscope_models.evaluate.methods import NetworkMethod
from lithoscope_models.evaluate.run import is_converged
from lithoscope_models.model_file import DEFAULT_MODEL, load_model
from lithoscope_pipeline.labels import SegmentClass

SCANS = (1, 2)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged network and all classical methods on cells of flat layers."""
    folder = tmp_path_factory.mktemp("evaluation")
    for seed, scans in ((5, (0, 1, 2)), (102, (0, 3, 4, 7, 8, 11, 12, 15, 16))):
        draw = CellDraw(seed=seed, size="tiny")
        target = experiment_folder(folder / "data", draw, scans, "chain")
        made = [layered_scan(scan, lift_px=min(3 * scan, 9)) for scan in scans]
        write_experiment(target, made, told={"voxel_um": 2.25})
    command = [sys.executable, "-m", "lithoscope_services.cli", "model", "evaluate"]
    given = ["--out", str(folder), "--size", "tiny", "--seeds", "5", "--scans", "1,2"]
    done = subprocess.run(
        [*command, *given, "--slices", "2"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def _rows(evaluated: Path) -> dict[str, dict[str, object]]:
    document = json.loads((evaluated / "evaluation.json").read_text())
    return {each["name"]: each for each in document["methods"]}


def test_networks_with_and_without_earlier_scans_and_classical_methods_are_in_one_table(
    evaluated: Path,
) -> None:
    rows = _rows(evaluated)

    assert {"stream-unet", "stream-unet, earlier scans withheld"} <= set(rows)
    for name in ("manual thresholds", "Otsu", "multi-Otsu", "watershed, narrow"):
        assert {name, f"{name}, Gaussian"} <= set(rows)
    assert "random forest from scribbles" in rows
    text = (evaluated / "evaluation.md").read_text()
    assert all(f"| {name}" in text for name in rows)


def test_thresholds_chosen_on_another_cell_find_flat_layers(evaluated: Path) -> None:
    iou = _rows(evaluated)["manual thresholds"]["iou"]

    assert isinstance(iou, dict)
    assert iou["electrolyte"] > 0.95
    # What was plated looks as the electrode does: a threshold has nothing to go by.
    assert iou["deposited"] == 0.0


def test_a_method_without_probabilities_has_no_calibration_error(evaluated: Path) -> None:
    rows = _rows(evaluated)

    assert rows["Otsu"]["calibration_error"] is None
    assert rows["stream-unet"]["calibration_error"] is not None


def test_every_method_has_a_picture_of_its_worst_patches(evaluated: Path) -> None:
    pictures = sorted(evaluated.glob("worst-*.png"))

    assert len(pictures) == len(_rows(evaluated))
    for picture in pictures:
        assert np.asarray(Image.open(picture)).std() > 5


def test_a_confusion_matrix_counts_every_voxel(evaluated: Path) -> None:
    for row in _rows(evaluated).values():
        counts = np.array(row["confusion"])
        assert counts.shape == (len(SegmentClass),) * 2
        # The cell, rows 9.5 to 49.5, and 20 um or 8.9 voxels beyond it: 0 to 59.
        assert counts.sum() == len(SCANS) * 2 * 60 * 40


def test_earlier_scans_are_settled_before_a_network_is_scored_as_the_chain_does(
    evaluated: Path,
) -> None:
    draw = CellDraw(seed=5, size="tiny")
    stored = read_experiment(experiment_folder(evaluated / "data", draw, (0, 1, 2), "chain"))
    now = stored.scans[2]
    assert now.shifts_px is not None
    wrong = replace(now, shifts_px=now.shifts_px + np.float32(1.0))
    method = NetworkMethod(model=load_model(DEFAULT_MODEL), has_earlier=True)

    right_labels, labels = (
        method.label(next(iter(cases_of(each, (2,), 2)))).segments
        for each in (stored, replace(stored, scans=(*stored.scans[:2], wrong)))
    )

    # Found to a tenth of a voxel: where the network is in doubt, single voxels may differ.
    assert np.mean(labels == right_labels) > 0.999


def test_a_network_is_not_scored_on_what_it_was_trained_on() -> None:
    with pytest.raises(TrainingDataError, match="other --seeds"):
        check_seeds(HeldOut(seeds=(7,)), ["chain-small-default-7-0a1b2c3d4e"], "mine")


@pytest.mark.parametrize(("last", "verdict"), [(0.704, True), (0.73, False)])
def test_a_training_has_come_to_rest_if_its_last_quarter_gained_little(
    tmp_path: Path, last: float, verdict: bool
) -> None:
    path = tmp_path / "curves.csv"
    path.write_text(f"step,macro_iou\n10,0.5\n20,0.6\n30,0.7\n40,{last}\n")

    assert is_converged(path) is verdict
    assert is_converged(tmp_path / "nothing.csv") is None
