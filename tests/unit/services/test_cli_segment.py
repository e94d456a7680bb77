"""``segment`` and ``model export|engine`` as a person calls them."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from lithoscope_models.model_file import CLASSES, model_sha256
from lithoscope_pipeline.labels import Label
from lithoscope_services.cli.app import make_app
from lithoscope_services.errors import SourceError
from lithoscope_store import create_volume, finish_volume, read_slab, write_slab

SHAPE = (16, 112, 48)
VOXEL_UM = 4.5


@pytest.fixture(scope="module", autouse=True)
def engine_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def stored(folder: Path, *, plated_px: int = 0, grey: float = 0.0) -> Path:
    """Store pouch, electrode, electrolyte, electrode, pouch; what was plated moves a face."""
    path = folder / f"volume_{plated_px}_{grey:g}.zarr"
    volume = np.full(SHAPE, 2.0, np.float32)
    volume[:, 8 : 102 + plated_px] = 1.0
    volume[:, 8:30] = grey
    volume[:, 80 : 102 + plated_px] = grey
    volume += np.random.default_rng(plated_px).normal(0, 0.1, SHAPE).astype(np.float32)
    create_volume(path, shape=SHAPE, voxel_um=VOXEL_UM, name="test", slab_slices=16)
    write_slab(path, 0, volume)
    finish_volume(path)
    return path


def called(*arguments: str | Path) -> str:
    result = CliRunner().invoke(make_app(), [str(each) for each in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


ENGINE = ("--engine", "onnxruntime")


def test_a_volume_gets_labels_and_says_what_made_them(tmp_path: Path) -> None:
    out = tmp_path / "labels.zarr"

    document = json.loads(
        called("segment", stored(tmp_path), "--out", out, *ENGINE, "--probabilities", "--json")
    )

    labels = read_slab(out, 0, SHAPE[0], label="cell")
    assert labels.shape == SHAPE
    assert document["voxels"] == {
        label.key: int(np.count_nonzero(labels == label)) for label in Label
    }
    assert document["model_sha256"] == model_sha256("stream-unet")
    assert document["engine"].startswith("onnxruntime (")
    assert document["earlier_scans_shown"] == 0
    probabilities = sorted(path.stem for path in (tmp_path / "labels-probabilities").iterdir())
    assert probabilities == sorted(CLASSES)


def test_earlier_volumes_are_laid_over_it_by_their_faces(tmp_path: Path) -> None:
    first, now = stored(tmp_path), stored(tmp_path, plated_px=4)

    document = json.loads(
        called(
            *("segment", now, "--out", tmp_path / "labels.zarr", *ENGINE, "--json"),
            *("--previous", first, "--first", first),
        )
    )

    assert document["earlier_scans_shown"] == 2


def test_layers_need_no_network_and_text_names_the_labels(tmp_path: Path) -> None:
    text = called(
        "segment", stored(tmp_path), "--out", tmp_path / "out.zarr", "--method", "layers"
    )

    assert "by layers" in text
    assert "plating_electrode" in text


def test_one_earlier_volume_alone_is_wrong_usage(tmp_path: Path) -> None:
    volume = stored(tmp_path)
    arguments = ["segment", str(volume), "--out", str(tmp_path / "o.zarr")]

    result = CliRunner().invoke(make_app(), [*arguments, "--previous", str(volume)])

    assert result.exit_code == 2


def test_a_volume_without_a_cell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no electrode, electrolyte, electrode"):
        called("segment", stored(tmp_path, grey=2.0), "--out", tmp_path / "o.zarr", *ENGINE)
    with pytest.raises(SourceError, match="no Zarr volume"):
        called("segment", tmp_path / "nothing.zarr", "--out", tmp_path / "o.zarr")


def test_a_network_is_exported_for_others(tmp_path: Path) -> None:
    for half, weights in ((False, onnx.TensorProto.FLOAT), (True, onnx.TensorProto.FLOAT16)):
        out = tmp_path / f"{half}.onnx"
        document = json.loads(
            called("model", "export", "--out", out, "--json", *(["--half"] if half else []))
        )
        graph = onnx.load(out, load_external_data=False)
        onnx.checker.check_model(graph)
        kinds = {t.data_type for t in graph.graph.initializer if len(t.dims) == 4}
        assert kinds == {weights}
        assert document["classes"] == list(CLASSES)


def test_engines_are_listed_with_what_came_of_them() -> None:
    document = json.loads(called("model", "engine", "--json"))

    found = {each["engine"]: each for each in document["engines"]}
    assert list(found) == ["tensorrt", "onnxruntime-cuda", "openvino", "onnxruntime", "torch"]
    assert found["onnxruntime"]["works"]
    assert found[document["chosen"]]["agreement"] >= 0.999
    assert all(each["reason"] for each in found.values() if not each["works"])
