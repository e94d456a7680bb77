"""A network goes on learning from a few painted slices, and is judged on some it has not seen."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_models.data.painted import PaintedScan, PaintedSlice, read_painted, write_painted
from lithoscope_models.data.samples import SampleParameters, Samples
from lithoscope_models.errors import TrainingDataError
from lithoscope_models.model_file import DEFAULT_MODEL, load_card, model_sha256
from lithoscope_models.training_scans import describe_pass, label_alone, read_training
from lithoscope_pipeline.distribution import training_distance
from lithoscope_pipeline.labels import UNLABELLED, SegmentClass
from lithoscope_pipeline.networks import ModelInputs
from lithoscope_pipeline.scribbles import ScriptedUser, draw_strokes
from lithoscope_pipeline.segment import GreyReferences, find_grey_references

SHAPE = (80, 128, 64)
VOXEL_UM = 2.25
INPUTS = ModelInputs()


def layered(lift_px: int) -> NDArray[np.uint8]:
    """Make foils with electrolyte between them, and deposited lithium on the upper one."""
    classes = np.full(SHAPE, SegmentClass.BACKGROUND, np.uint8)
    classes[:, 10:38] = SegmentClass.ELECTRODE
    classes[:, 38:90] = SegmentClass.ELECTROLYTE
    bumps = np.abs(np.sin(np.arange(SHAPE[2]) / 9) * lift_px).astype(int)
    for x, bump in enumerate(bumps):
        classes[:, 90 - bump : 90, x] = SegmentClass.DEPOSITED
    classes[:, 90:118] = SegmentClass.ELECTRODE
    return classes


def grey_of(classes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Give grey values of a material whose deposit is half electrolyte: no network has seen it."""
    levels = np.array([1.6, 1.0, 0.0, 0.5, 0.5, 0.0, 0.0], np.float32)
    noise = np.random.default_rng(4).normal(0.0, 0.15, SHAPE).astype(np.float32)
    return levels[classes] + noise


def references_of(grey: NDArray[np.float32]) -> GreyReferences:
    found = find_grey_references(grey)
    assert found.verdict == "resolved"
    return found


def painted(slices: Sequence[int], *, scan: int = 0, coverage: float = 0.3) -> PaintedScan:
    classes = layered(14)
    grey = grey_of(classes)
    user = ScriptedUser(seed=5)
    return PaintedScan(
        scan=scan,
        grey=grey,
        references=references_of(grey),
        shifts_px=None,
        painted={z: draw_strokes(classes[z], user, coverage=coverage) for z in slices},
    )


def write(folder: Path, slices: Sequence[int]) -> None:
    write_painted(folder, [painted(slices)], voxel_um=VOXEL_UM, halo=INPUTS.halo)


def test_neighbouring_slices_are_never_on_both_sides(tmp_path: Path) -> None:
    write(tmp_path / "painted", [3, 4, 5, 20, 21, 40, 41, 42, 60, 74])

    found = read_painted(tmp_path / "painted")

    training = {each.z for each in found.training_slices}
    held_out = {each.z for each in found.held_out_slices}
    assert training | held_out == {3, 4, 5, 20, 21, 40, 41, 42, 60, 74}
    assert min(abs(a - b) for a in training for b in held_out) > 3
    assert len(held_out) <= len(training)


def test_slices_in_one_place_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="paint at least 3 slices more than 3 apart"):
        write(tmp_path / "painted", [10, 11, 12])


def test_only_the_rows_that_are_needed_are_kept_and_hold_what_was_painted(tmp_path: Path) -> None:
    scan = painted([2, 40, 75])
    write_painted(
        tmp_path / "painted",
        [scan],
        voxel_um=VOXEL_UM,
        halo=4,
        held_out=[PaintedSlice(scan=0, z=75)],
    )

    found = read_painted(tmp_path / "painted")

    (stored,) = found.held_out.scans
    # From 0 to 8, from 34 to 46 and from 69 to 79.
    assert stored.grey.shape[0] == 9 + 13 + 11
    assert stored.only is not None
    (place,) = stored.only
    np.testing.assert_array_equal(stored.classes[place], scan.painted[75])
    grey = grey_of(layered(14))[75].astype(np.float16)
    np.testing.assert_array_equal(stored.grey[place], grey)


def test_lines_in_other_slices_are_learned_from_but_not_beside_those_that_judge(
    tmp_path: Path,
) -> None:
    scan = painted([5, 30, 55])
    lines = {}
    for z in range(3, 80, 6):
        line = np.full(SHAPE[1:], UNLABELLED, np.uint8)
        line[:, 20] = layered(14)[z][:, 20]
        lines[z] = line
    write_painted(
        tmp_path / "painted",
        [replace(scan, crossed=lines)],
        voxel_um=VOXEL_UM,
        halo=INPUTS.halo,
    )

    found = read_painted(tmp_path / "painted")

    (held_out,) = found.held_out_slices
    training = {each.z for each in found.training_slices}
    assert held_out.z in scan.painted
    assert training - set(scan.painted) == {z for z in lines if abs(z - held_out.z) > 3}
    (stored,) = found.training.scans
    known = np.flatnonzero((stored.classes != UNLABELLED).any(axis=(1, 2)))
    assert len(known) == len(training) + 1


def test_lines_alone_are_judged_by_lines_elsewhere(tmp_path: Path) -> None:
    lines = {z: painted([z]).painted[z] for z in range(4, 80, 8)}
    write_painted(
        tmp_path / "painted",
        [replace(painted([]), crossed=lines)],
        voxel_um=VOXEL_UM,
        halo=INPUTS.halo,
    )

    found = read_painted(tmp_path / "painted")

    assert len(found.held_out_slices) == 3
    assert len(found.training_slices) == 7


def test_every_patch_holds_something_that_was_painted(tmp_path: Path) -> None:
    write_painted(
        tmp_path / "painted",
        [painted([10, 40, 70], coverage=0.001)],
        voxel_um=VOXEL_UM,
        halo=INPUTS.halo,
    )
    parameters = SampleParameters(patch_px=(32, 32), labelled_share=1.0)

    samples = Samples([read_painted(tmp_path / "painted").training], INPUTS, parameters, seed=3)

    drawn = [samples.draw(number).classes for number in range(40)]
    assert min((each != UNLABELLED).sum() for each in drawn) > 0


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """Fine-tune by the command on files, as `model train` and others write them."""
    pytest.importorskip("torch", reason="pip install 'lithoscope[train]' runs these tests")
    pytest.importorskip("monai", reason="pip install 'lithoscope[train]' runs these tests")
    import tifffile

    folder = tmp_path_factory.mktemp("fine-tuning")
    classes = layered(14)
    labels = np.full(SHAPE, UNLABELLED, np.uint8)
    for z in (5, 16, 27, 38, 49, 60, 74):
        labels[z] = draw_strokes(classes[z], ScriptedUser(seed=z), coverage=0.3)
    tifffile.imwrite(folder / "grey.tif", grey_of(classes))
    tifffile.imwrite(folder / "labels.tif", labels)
    out = folder / "other-cell"
    given = ["--grey", str(folder / "grey.tif"), "--labels", str(folder / "labels.tif")]
    more = ["--voxel-um", str(VOXEL_UM), "--steps", "12", "--workers", "0", "--json"]
    command = [sys.executable, "-m", "lithoscope_services.cli", "model", "fine-tune"]
    done = subprocess.run(
        [*command, *given, *more, "--out", str(out)],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return out, json.loads(done.stdout)


def test_a_material_that_the_network_has_never_seen_is_learned(
    tuned: tuple[Path, dict[str, object]],
) -> None:
    before, after = tuned[1]["before"], tuned[1]["after"]

    assert isinstance(before, dict)
    assert isinstance(after, dict)
    # What the issue asks of a cell of another contrast.
    assert after["deposited"] - before["deposited"] >= 0.15


def test_the_card_says_what_it_was_judged_by_and_where_it_came_from(
    tuned: tuple[Path, dict[str, object]],
) -> None:
    card = load_card(tuned[0])

    (judged,) = card.validated_on
    assert card.name == "other-cell"
    assert judged.experiment is None  # slices from files are of no experiment
    assert len(judged.slices) == 2
    assert judged.scores == tuned[1]["after"]
    assert not card.was_scored_on_simulated_cells
    assert card.training["began_with"] == load_card(DEFAULT_MODEL).training
    assert model_sha256(tuned[0]) != model_sha256(DEFAULT_MODEL)


def test_scans_like_the_painted_ones_are_not_unlike_its_training(
    tuned: tuple[Path, dict[str, object]],
) -> None:
    grey = grey_of(layered(14))
    references, found = label_alone(str(tuned[0]), grey, VOXEL_UM)
    described = describe_pass(grey, references, found, voxel_um=VOXEL_UM)

    before, after = read_training(DEFAULT_MODEL), read_training(tuned[0])

    assert before is not None
    assert after is not None
    own, other = (training_distance(described, each).distance for each in (after, before))
    assert own < after.limit
    assert other > own


def test_the_report_compares_both_and_shows_each_held_out_slice(
    tuned: tuple[Path, dict[str, object]],
) -> None:
    from PIL import Image

    text = (tuned[0] / "report.md").read_text()

    pictures = sorted(tuned[0].glob("held-out-*.png"))
    assert "| deposited |" in text
    assert len(pictures) == 2
    assert all(each.name in text for each in pictures)
    with Image.open(pictures[0]) as picture:
        assert picture.width > 4 * 300
