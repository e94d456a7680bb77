"""``model forest`` and ``compare-labels`` as a person calls them."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from lithoscope_models.errors import ModelRefusedError, TrainingDataError
from lithoscope_models.forest_file import read_forest
from lithoscope_pipeline.scribbles import ScriptedUser, draw_strokes
from lithoscope_services.cli.app import make_app

USER = ScriptedUser(seed=2, face_bias_px=0, face_wobble_px=0)


def called(*arguments: str | Path) -> str:
    result = CliRunner().invoke(make_app(), [str(each) for each in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def painted(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Store a volume of six slices, one of them painted, and its truth."""
    truth = np.zeros((6, 40, 48), np.uint8)
    truth[:, 20:] = 1
    volume = truth + np.random.default_rng(1).normal(0, 0.2, truth.shape).astype(np.float32)
    strokes = np.full(truth.shape, 255, np.uint8)
    strokes[2] = draw_strokes(truth[2], USER, coverage=0.25)
    for name, values in (("grey", volume), ("strokes", strokes), ("truth", truth)):
        tifffile.imwrite(tmp_path / f"{name}.tif", values, photometric="minisblack")
    return tmp_path / "grey.tif", tmp_path / "strokes.tif", tmp_path / "truth.tif"


def test_scribbles_on_one_slice_label_a_volume(
    painted: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    pytest.importorskip("sklearn", reason="pip install 'lithoscope[labels]' runs this test")
    grey, strokes, truth = painted
    forest, labels = tmp_path / "forest.safetensors", tmp_path / "labels.tif"

    told = json.loads(
        called("model", "forest", grey, strokes, "--out", forest, "--apply", labels, "--json")
    )
    again = tmp_path / "again.tif"
    called("model", "forest", grey, "--use", forest, "--apply", again)

    assert told["labelled_slices"] == [2]
    assert told["coverage"] == pytest.approx(0.25, abs=0.01)
    assert 2 not in told["applied"]["suggested_slices"]
    assert (tifffile.imread(labels) == tifffile.imread(truth)).mean() > 0.97
    np.testing.assert_array_equal(tifffile.imread(labels), tifffile.imread(again))

    arrays = load_file(forest)
    arrays["below"][:] = 0  # a walk that would never end
    save_file(arrays, forest, metadata={"kind": "lithoscope-forest-1", "sigmas_px": "[1.0]"})
    with pytest.raises(ModelRefusedError, match="no forest"):
        read_forest(forest)


def test_labels_of_three_people_are_compared(tmp_path: Path) -> None:
    people = []
    for name, stop in (("ann", 8), ("bob", 10), ("eve", 12)):
        labels = np.zeros((3, 20, 20), np.uint8)
        labels[:, :stop] = 1
        people.append(tmp_path / f"{name}.tif")
        tifffile.imwrite(people[-1], labels, photometric="minisblack")

    told = json.loads(
        called("compare-labels", *people, "--picture", tmp_path / "differ.png", "--json")
    )
    text = called("compare-labels", *people)

    assert told["volume_fraction"]["1"]["standard_deviation"] == pytest.approx(0.1)
    assert [pair["differing"] for pair in told["pairs"]] == pytest.approx([0.1, 0.2, 0.1])
    assert told["pairs"][0]["dice"]["1"] == pytest.approx(16 / 18)
    assert "10.00" in text
    picture = np.asarray(Image.open(tmp_path / "differ.png"))
    assert (picture == (213, 60, 0)).all(axis=-1).sum() == 0  # a third dissents, never half
    assert (picture[..., 0].astype(int) - picture[..., 2] > 100).any()


def test_values_that_are_no_labels_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "grey.tif", np.ones((2, 8, 8), np.float32))

    with pytest.raises(TrainingDataError, match="whole numbers"):
        called("compare-labels", tmp_path / "grey.tif", tmp_path / "grey.tif")
