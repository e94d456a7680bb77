"""What networks are trained on: patches by number, labels from files, splits, recipes."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from layered_scans import SHAPE, layered_scan
from numpy.typing import NDArray
from PIL import Image

from lithoscope_models.data.augment import Augmentation, augment, padded
from lithoscope_models.data.cells import CellDraw, drawn_cell
from lithoscope_models.data.files import (
    StoredExperiment,
    experiment_folder,
    read_experiment,
    write_experiment,
)
from lithoscope_models.data.label_files import read_labelled, read_stack, split_slices
from lithoscope_models.data.samples import PLAIN, SampleParameters, Samples
from lithoscope_models.data.slices import Error, sample_at
from lithoscope_models.errors import RecipeError, TrainingDataError
from lithoscope_models.train.curves import draw_curves, read_curves
from lithoscope_models.train.data import prepare_data
from lithoscope_models.train.recipe import Recipe, changed, known_recipes, read_recipe
from lithoscope_pipeline.labels import UNLABELLED, Label, SegmentClass
from lithoscope_pipeline.networks import FACE_STEP_PX, ModelInputs
from lithoscope_pipeline.phantom import make_cell


@pytest.fixture
def experiment(tmp_path: Path) -> StoredExperiment:
    scans = [layered_scan(number, lift_px=2 * number) for number in range(3)]
    write_experiment(tmp_path / "cell", scans, told={"voxel_um": 2.0})
    return read_experiment(tmp_path / "cell")


def _samples(
    experiment: StoredExperiment,
    *,
    patch_px: tuple[int, int] = (32, 32),
    absent_share: float = 0.08,
) -> Samples:
    parameters = SampleParameters(patch_px=patch_px, absent_share=absent_share)
    return Samples([experiment], ModelInputs(), parameters, seed=3)


def test_the_same_number_draws_the_same_patch(experiment: StoredExperiment) -> None:
    one, again = _samples(experiment).draw(17), _samples(experiment).draw(17)

    np.testing.assert_array_equal(one.x, again.x)
    np.testing.assert_array_equal(one.classes, again.classes)


def test_patches_have_the_size_asked_for_and_no_holes(experiment: StoredExperiment) -> None:
    samples = _samples(experiment, patch_px=(80, 32))

    for number in range(30):
        sample = samples.draw(number)
        assert sample.x.shape == (15, 80, 32)
        assert sample.x.dtype == np.float32
        assert np.isfinite(sample.x).all()
        assert set(np.unique(sample.classes)) <= {*range(7), UNLABELLED}


def test_earlier_scans_are_missing_as_often_as_asked(experiment: StoredExperiment) -> None:
    samples = _samples(experiment, absent_share=0.2)
    flags = [ModelInputs().channels.index(f"has_{name}") for name in ("previous", "first")]

    seen = np.array([samples.draw(number).x[flags, 0, 0] for number in range(300)])

    # One scan in twenty is the first one, which has no earlier scan. Of the others a fifth
    # lacks the previous one, the first one, or both: 40 % of 0.95 have both, give or take 3 sd.
    both = np.mean(seen.all(axis=1))
    assert both == pytest.approx(0.38, abs=0.08)


def test_the_warped_first_scan_has_its_electrode_where_it_is_now(
    experiment: StoredExperiment,
) -> None:
    sample = sample_at(experiment, 2, 4, ModelInputs(), previous=1, first=0)
    first = sample.x[ModelInputs().channels.index("first+0")]

    electrode = sample.classes == SegmentClass.ELECTRODE
    deposited = sample.classes == SegmentClass.DEPOSITED
    assert first[electrode].mean() == pytest.approx(0.0, abs=0.05)
    assert first[deposited].mean() == pytest.approx(1.0, abs=0.05)


def test_plain_samples_are_slices_as_they_are(experiment: StoredExperiment) -> None:
    samples = Samples([experiment], ModelInputs(), replace(PLAIN, patch_px=SHAPE[1:]), seed=3)

    sample = samples.draw(0)

    candidates = [scan.classes for scan in experiment.scans]
    assert any(
        (sample.classes == each[0]).all() or (sample.classes == each[0][:, ::-1]).all()
        for each in candidates
    )


def test_part_of_a_slice_is_what_the_whole_slice_has_there(experiment: StoredExperiment) -> None:
    """Earlier scans are warped after they were cut: that must not show."""
    inputs = ModelInputs(n_around=3, has_faces=True)
    errors = (Error(x_px=2, plating_px=1.5), Error(z_px=1, stripping_px=-0.5))
    sample = partial(sample_at, experiment, 2, 4, inputs, previous=1, first=0, errors=errors)
    box = (slice(11, 51), slice(5, 33))

    whole = sample(faces_px=(0.1, 0.2, 0.3, 0.4))
    part = sample(faces_px=(0.1, 0.2, 0.3, 0.4), box=box)

    np.testing.assert_array_equal(part.x, whole.x[:, *box])
    np.testing.assert_array_equal(part.classes, whole.classes[box])


def test_many_patches_show_one_scan_alone_where_that_is_asked(
    experiment: StoredExperiment,
) -> None:
    parameters = SampleParameters(patch_px=(32, 32), alone_share=0.5, absent_share=0.0)
    samples = Samples([experiment], ModelInputs(), parameters, seed=3)
    flags = [ModelInputs().channels.index(f"has_{name}") for name in ("previous", "first")]

    seen = np.array([samples.draw(number).x[flags, 0, 0] for number in range(300)])

    # Of all scans but the first one, 95 %: half have both earlier scans, half neither.
    assert np.mean(seen.all(axis=1)) == pytest.approx(0.475, abs=0.09)
    assert np.mean(seen.any(axis=1)) == np.mean(seen.all(axis=1))


def _row_of_the_face(x: NDArray[np.float32], inputs: ModelInputs) -> int:
    """Row at which the inner face of the stripping side is told to lie."""
    return int(np.abs(x[inputs.channels.index("face_stripping")].mean(axis=1)).argmin())


def test_patches_and_whole_slices_begin_where_the_network_wants_them_to(
    experiment: StoredExperiment,
) -> None:
    pytest.importorskip("lightning")
    from lithoscope_models.train.datasets import WholeSlices

    inputs = ModelInputs(has_faces=True, face_phase_px=4)
    patches = Samples([experiment], inputs, replace(PLAIN, patch_px=(32, 32)), seed=3)
    recipe = changed(read_recipe("stream-unet"), {"n_validation_slices": 2})
    slices = WholeSlices([experiment], recipe, divisor=16, fixed_px=0)

    drawn = [_row_of_the_face(patches.draw(number).x, inputs) for number in range(40)]
    whole = [
        _row_of_the_face(slices[number][0].numpy(), recipe.inputs.inputs)
        for number in range(len(slices))
    ]

    # The face lies between two rows. Some patches lie beyond it: their nearest row is an end.
    assert {row % FACE_STEP_PX for row in drawn if 0 < row < 31} <= {3, 4}
    assert {row % FACE_STEP_PX for row in whole} <= {4, 5}


def test_patches_are_never_flipped_along_y(experiment: StoredExperiment) -> None:
    samples = _samples(experiment, patch_px=(56, 32))
    depth = ModelInputs().channels.index("depth_stripping")

    slopes = [np.diff(samples.draw(number).x[depth].mean(axis=1)).mean() for number in range(40)]

    assert min(slopes) > 0


def test_augmentation_leaves_flags_and_what_is_not_there(experiment: StoredExperiment) -> None:
    sample = sample_at(experiment, 1, 4, ModelInputs(), previous=None, first=0)
    rng = np.random.default_rng(1)
    strong = Augmentation(geometric_share=1.0, noise_share=1.0, blur_share=1.0)

    x, _ = augment(sample.x, sample.classes, ModelInputs().channels, rng, how=strong)

    names = ModelInputs().channels
    assert not x[[i for i, name in enumerate(names) if "previous" in name]].any()
    assert (x[names.index("has_first")] == 1.0).all()


def test_what_lies_outside_a_patch_has_no_label() -> None:
    x, classes = padded(
        np.ones((1, 4, 4), np.float32), np.full((4, 4), 2, np.uint8), (6, 4), (-1, 2)
    )

    assert x.shape == (1, 6, 4)
    assert (classes[1:5, :2] == 2).all()
    assert (classes != UNLABELLED).sum() == 8


def test_an_unfinished_experiment_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="make it again"):
        read_experiment(tmp_path)


def test_a_draw_without_spread_is_the_default_cell() -> None:
    drawn = drawn_cell(CellDraw(seed=5, size="tiny"))

    assert drawn.cell == make_cell("tiny", seed=5).cell
    assert drawn.detector == make_cell("tiny", seed=5).detector


def test_a_cell_that_only_swells_moves_and_plates_nothing() -> None:
    cell = drawn_cell(CellDraw(seed=5, size="tiny", swells_only=True))

    moved_um = cell.planes(12).outer_high_um - cell.planes(0).outer_high_um
    labels = cell.labels(12, cell.roi)

    assert moved_um == pytest.approx(39.0, abs=0.1)
    lithium = np.isin(labels, (Label.DEPOSITED, Label.DENDRITE, Label.PIT, Label.VOID)).mean()
    assert lithium < 1e-4


def test_other_parameters_give_another_folder(tmp_path: Path) -> None:
    names = {
        experiment_folder(tmp_path, draw, scans, "chain").name
        for draw in (CellDraw(seed=1), CellDraw(seed=2), CellDraw(seed=1, spread=0.5))
        for scans in ((0, 1), (0, 2))
    }

    assert len(names) == 6


def test_splits_are_blocks_of_slices() -> None:
    split = split_slices(np.arange(10, 110), (0.72, 0.13, 0.15))

    assert [len(part) for part in (split.training, split.validation, split.test)] == [72, 13, 15]
    assert max(split.training) < min(split.validation) < min(split.test)


def _picture_folder(folder: Path, values: NDArray[np.generic], ending: str) -> Path:
    folder.mkdir()
    for number, plane in enumerate(values):
        file = folder / f"{number:03d}{ending}"
        if ending == ".png":
            Image.fromarray(plane).save(file)
        else:
            tifffile.imwrite(file, plane)
    return folder


def test_labels_are_read_from_pictures_and_from_ome_zarr(tmp_path: Path) -> None:
    scan = layered_scan(1, lift_px=2)
    grey = _picture_folder(tmp_path / "grey", scan.grey, ".tif")
    png = _picture_folder(tmp_path / "labels", scan.classes, ".png")
    group = zarr.create_group(tmp_path / "labels.zarr")
    group.create_array("0", data=scan.classes, chunks=(3, 60, 40))
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"datasets": [{"path": "0"}]}]}

    for labels in (png, tmp_path / "labels.zarr"):
        read = read_labelled(grey, labels, voxel_um=2.0).scans[0]

        np.testing.assert_array_equal(read.classes, scan.classes)
        np.testing.assert_array_equal(read.grey, scan.grey)


def test_values_that_are_no_classes_need_a_meaning(tmp_path: Path) -> None:
    scan = layered_scan(1, lift_px=2)
    grey = _picture_folder(tmp_path / "grey", scan.grey, ".tif")
    values = np.where(scan.classes == SegmentClass.DEPOSITED, 200, 90).astype(np.uint8)
    labels = _picture_folder(tmp_path / "labels", values, ".png")

    with pytest.raises(TrainingDataError, match="class_of"):
        read_labelled(grey, labels, voxel_um=2.0)
    read = read_labelled(
        grey, labels, voxel_um=2.0, class_of={"200": SegmentClass.DEPOSITED, "90": UNLABELLED}
    )

    assert set(np.unique(read.scans[0].classes)) == {SegmentClass.DEPOSITED, UNLABELLED}


def test_a_codec_that_is_not_known_is_refused_before_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "labels.zarr"
    zarr.create_array(path, data=np.zeros((2, 3, 4), np.uint8))
    told = json.loads((path / "zarr.json").read_text())
    told["codecs"].append({"name": "numcodecs.pickle"})
    (path / "zarr.json").write_text(json.dumps(told))

    with pytest.raises(TrainingDataError, match="not trusted"):
        read_stack(path)


def test_only_labelled_slices_are_drawn_and_validated(tmp_path: Path) -> None:
    scan = layered_scan(1, lift_px=2)
    sparse = np.full(SHAPE, UNLABELLED, np.uint8)
    sparse[2:8] = scan.classes[2:8]
    grey = _picture_folder(tmp_path / "grey", scan.grey, ".tif")
    labels = _picture_folder(tmp_path / "labels", sparse, ".png")
    recipe = Recipe.model_validate(
        {
            "name": "sparse",
            "architecture": "stream-unet",
            "n_steps": 1,
            "samples": {"patch_px": [32, 32]},
            "split": [0.5, 0.5, 0.0],
            "files": [{"grey": str(grey), "labels": str(labels), "voxel_um": 2.0}],
        }
    )

    data = prepare_data(recipe, tmp_path, lambda line: None)

    assert data.training[0].scans[0].only == (2, 3, 4)
    assert data.validation[0].scans[0].only == (5, 6, 7)


def test_networks_of_one_size_are_validated_around_both_inner_faces(
    experiment: StoredExperiment,
) -> None:
    """The middle of a slice would be the middle of the gap, in which nothing grows."""
    pytest.importorskip("lightning")
    from lithoscope_models.train.datasets import WholeSlices

    recipe = changed(read_recipe("unet"), {"n_validation_slices": 2})
    slices = WholeSlices([experiment], recipe, divisor=16, fixed_px=16)

    faces = [slices[number][1].unique().tolist() for number in range(len(slices))]

    assert all(slices[number][0].shape[1:] == (16, 16) for number in range(len(slices)))
    assert all(SegmentClass.ELECTRODE in classes for classes in faces)


@pytest.mark.parametrize("name", known_recipes())
def test_every_recipe_can_be_read(name: str) -> None:
    assert read_recipe(name).name == name


def test_a_recipe_that_validates_on_what_it_trains_on_is_refused(tmp_path: Path) -> None:
    text = (
        'name = "leak"\narchitecture = "unet"\nn_steps = 1\n'
        "[[training]]\nseeds = [1, 2]\nscans = [0]\n[[validation]]\nseeds = [2]\nscans = [3]\n"
    )
    (tmp_path / "leak.toml").write_text(text)

    with pytest.raises(RecipeError, match="split them"):
        read_recipe(str(tmp_path / "leak.toml"))


def test_the_view_is_changed_in_the_inputs() -> None:
    recipe = changed(read_recipe("stream-unet"), {"view": "in-plane", "n_steps": None})

    assert recipe.inputs.view == "in-plane"
    assert recipe.n_steps == read_recipe("stream-unet").n_steps


def test_cells_of_a_recipe_may_lie_between_two_families(tmp_path: Path) -> None:
    (tmp_path / "between.toml").write_text(
        'name = "between"\narchitecture = "unet"\nn_steps = 1\n[[training]]\nkind = "image"\n'
        'seeds = [3]\nsize = "tiny"\nscans = [0]\ntowards = "blurred"\nshare = 0.5\n'
    )
    lines: list[str] = []

    data = prepare_data(read_recipe(str(tmp_path / "between.toml")), tmp_path, lines.append)

    card = json.loads((tmp_path / data.training[0].name / "experiment.json").read_text())
    assert (card["towards"], card["share"]) == ("blurred", 0.5)
    assert lines == ["image data, tiny cell 3 (default, 50% of the way to blurred)"]


def test_two_processes_measure_the_blur_once_and_make_what_one_makes(tmp_path: Path) -> None:
    recipe = tmp_path / "images.toml"
    recipe.write_text(
        'name = "images"\narchitecture = "unet"\nn_steps = 1\n[[training]]\nkind = "image"\n'
        'seeds = [3, 4]\nfamilies = ["mossy", "filaments"]\nsize = "tiny"\nscans = [0]\n'
    )
    lines: list[str] = []

    two = prepare_data(read_recipe(str(recipe)), tmp_path / "two", lines.append, n_processes=2)
    one = prepare_data(read_recipe(str(recipe)), tmp_path / "one", lambda line: None)

    assert len(list((tmp_path / "two" / "models").glob("*.npz"))) == 1
    assert [line.split(": ")[1] for line in lines[2:]] == ["made, 1 of 2", "made, 2 of 2"]
    for a, b in zip(one.training, two.training, strict=True):
        np.testing.assert_array_equal(a.scans[0].grey, b.scans[0].grey)


def test_curves_are_drawn(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("step,loss,iou_pit,macro_iou\n10,2,0.1,0.2\n20,1,,0.4\n")

    draw_curves(tmp_path / "c.png", read_curves(tmp_path / "c.csv"))

    picture = np.asarray(Image.open(tmp_path / "c.png"))
    assert picture.shape == (540, 960, 3)
    assert (picture != 255).any(axis=2).mean() > 0.005
