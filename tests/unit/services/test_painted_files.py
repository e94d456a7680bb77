"""``labels import`` and ``labels export``: files of others become painted labels, and back."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image
from small_experiment import SHAPE, VOXEL_UM, make_experiment
from typer.testing import CliRunner

from lithoscope_messages import SlicePainted
from lithoscope_models.data.label_files import read_labelled
from lithoscope_pipeline.labels import UNLABELLED, SegmentClass
from lithoscope_services.cli.app import make_app
from lithoscope_services.errors import SourceError
from lithoscope_store import Store, read_journal, verify_experiment
from lithoscope_store.layout import ExperimentPaths
from lithoscope_store.painted_labels import read_painted


@pytest.fixture
def paths(tmp_path: Path) -> ExperimentPaths:
    """An experiment of two scans that is sealed."""
    return make_experiment(Store(tmp_path / "store"))


@pytest.fixture
def classes() -> NDArray[np.uint8]:
    """Two slices that are painted, of eight."""
    made = np.full(SHAPE, UNLABELLED, np.uint8)
    made[2, :6] = SegmentClass.ELECTRODE
    made[2, 9:] = SegmentClass.ELECTROLYTE
    made[5, 3, 2:7] = SegmentClass.DENDRITE
    return made


def labels(paths: ExperimentPaths, *words: str | Path) -> dict[str, Any]:
    """Call the command."""
    store = ["--store", str(paths.root.parent), "--json"]
    done = CliRunner().invoke(make_app(), ["labels", *(str(word) for word in words), *store])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def write_others(folder: Path, program: str, classes: NDArray[np.uint8]) -> Path:
    """Write labels as a program does: classes from 1, 0 where there is none."""
    shifted = np.where(classes == UNLABELLED, 0, classes.astype(np.int64) + 1)
    if program == "napari":
        path = folder / "Labels.tif"
        tifffile.imwrite(path, shifted.astype(np.int32), photometric="minisblack")
    elif program == "napari-zarr":
        path = folder / "labels.zarr"
        array = zarr.create_array(path, shape=shifted.shape, dtype="int32", zarr_format=2)
        array[:] = shifted
    else:
        # ilastik exports in any order of axes, and says in which.
        path = folder / "simple_segmentation.h5"
        with h5py.File(path, "w") as file:
            data = shifted.astype(np.uint8).transpose(2, 1, 0)[None, ..., None]
            made = file.create_dataset("exported_data", data=data)
            made.attrs["axistags"] = json.dumps({"axes": [{"key": key} for key in "txyzc"]})
    return path


@pytest.mark.parametrize("program", ["napari", "napari-zarr", "ilastik"])
def test_label_images_of_others_become_painted_labels(
    tmp_path: Path, paths: ExperimentPaths, classes: NDArray[np.uint8], program: str
) -> None:
    file = write_others(tmp_path, program, classes)

    told = labels(
        *(paths, "import", "cell-1", file, "--scan", "1", "--person", "ada", "--round", "2"),
        *(() if program == "ilastik" else ("--from", "napari")),
    )

    read = read_painted(paths, 1)
    np.testing.assert_array_equal(read.merged(), classes)
    assert told["planes"] == [2, 5]
    assert {(p.person, p.round, p.axis) for p in read.planes} == {("ada", 2, "z")}


def test_a_sealed_experiment_says_who_labelled_it_and_stays_whole(
    tmp_path: Path, paths: ExperimentPaths, classes: NDArray[np.uint8]
) -> None:
    file = write_others(tmp_path, "napari", classes)

    labels(paths, "import", "cell-1", file, "--scan", "0", "--from", "napari", "--person", "ada")

    entries = read_journal(paths.journal)
    facts = [each.message for each in entries if isinstance(each.message, SlicePainted)]
    assert [(fact.index, fact.person, fact.request) for fact in facts] == [
        (2, "ada", None),
        (5, "ada", None),
    ]
    assert facts[1].n_pixels == {"dendrite": 5}
    assert verify_experiment(paths, is_deep=True).findings == ()


def test_values_mean_what_a_person_says(tmp_path: Path, paths: ExperimentPaths) -> None:
    slice_ = np.full(SHAPE[1:], 9, np.uint8)
    slice_[3:6] = 40
    Image.fromarray(slice_).save(tmp_path / "slice.png")

    labels(
        *(paths, "import", "cell-1", tmp_path / "slice.png", "--scan", "0", "--index", "3"),
        *("--class", "40=dendrite", "--unpainted", "9"),
    )

    plane = read_painted(paths, 0).plane("z", 3)
    assert np.unique(plane[3:6]).tolist() == [SegmentClass.DENDRITE]
    assert (plane != UNLABELLED).sum() == 3 * SHAPE[2]


def test_values_that_mean_nothing_are_named(tmp_path: Path, paths: ExperimentPaths) -> None:
    tifffile.imwrite(tmp_path / "labels.tif", np.full(SHAPE, 77, np.uint8))

    with pytest.raises(SourceError, match=r"values \[77\] mean nothing"):
        labels(paths, "import", "cell-1", tmp_path / "labels.tif", "--scan", "0")


@pytest.mark.parametrize("form", ["tiff", "png", "napari", "ilastik"])
def test_what_is_exported_comes_back_the_same(
    tmp_path: Path, paths: ExperimentPaths, classes: NDArray[np.uint8], form: str
) -> None:
    file = write_others(tmp_path, "napari", classes)
    labels(paths, "import", "cell-1", file, "--scan", "0", "--from", "napari")
    out = tmp_path / {"png": "slices", "ilastik": "out.h5"}.get(form, "out.tif")

    labels(paths, "export", "cell-1", out, "--scan", "0", "--to", form)
    program = form if form in ("napari", "ilastik") else "lithoscope"
    labels(paths, "import", "cell-1", out, "--scan", "1", "--from", program)

    np.testing.assert_array_equal(read_painted(paths, 1).merged(), classes)


def test_exported_labels_train_a_network(
    tmp_path: Path, paths: ExperimentPaths, classes: NDArray[np.uint8]
) -> None:
    file = write_others(tmp_path, "napari", classes)
    labels(paths, "import", "cell-1", file, "--scan", "0", "--from", "napari")

    told = labels(paths, "export", "cell-1", tmp_path / "painted.tif", "--scan", "0")
    read = read_labelled(
        Path(told["grey"]), Path(told["labels"]), voxel_um=told["voxel_um"], class_of={}
    )

    assert read.voxel_um == VOXEL_UM
    np.testing.assert_array_equal(read.scans[0].classes, classes)
    # The labels in the store are taken as they are, too.
    layer = read_painted(paths, 0).volume / "labels"
    inside = next(layer.glob("painted-*"))
    direct = read_labelled(Path(told["grey"]), inside, voxel_um=VOXEL_UM, class_of={})
    np.testing.assert_array_equal(direct.scans[0].classes, classes)
