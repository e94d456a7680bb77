"""A model is looked at before it is used, and refused with one line that says why."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from packaged_model import copied, edit_card, packaged, replace_file

from lithoscope_models.card import CARD_FILE, CHECK_FILE, ONNX_FILE, WEIGHTS_FILE
from lithoscope_models.errors import ModelRefusedError
from lithoscope_models.model_file import (
    CLASSES,
    find_model,
    load_model,
    model_sha256,
    packaged_models,
)
from lithoscope_models.onnx_check import check_graph, count_parameters


def refusal(place: Path | str, **wanted: str) -> str:
    with pytest.raises(ModelRefusedError) as caught:
        _ = load_model(place, **wanted).check  # type: ignore[arg-type]  # polarity alone
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_the_packaged_network_is_taken_and_is_named_by_its_card() -> None:
    model = packaged()

    assert "stream-unet" in packaged_models()
    assert model.sha256 == model_sha256("stream-unet")
    assert model.card.classes == CLASSES
    assert model.check.x.shape[1] == model.card.inputs.inputs.n_channels == 20
    graph = onnx.load_model_from_string(model.onnx)
    # Batch norms are folded into convolutions on export, so a few less.
    assert 0.9 < count_parameters(graph) / model.card.n_parameters <= 1.01


def test_a_copy_by_its_path_is_the_same_model(tmp_path: Path) -> None:
    assert load_model(copied(tmp_path)).sha256 == packaged().sha256


@pytest.mark.parametrize("name", ["checkpoint.pt", "model.bin", "last.ckpt"])
def test_a_pickle_checkpoint_is_refused_and_not_opened(tmp_path: Path, name: str) -> None:
    opened = tmp_path / "opened"

    class Trap:
        def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
            return Path.touch, (opened,)

    path = tmp_path / name
    path.write_bytes(pickle.dumps(Trap()))

    assert "pickle" in refusal(path)
    assert not opened.exists()


def test_a_pickle_in_the_place_of_weights_is_refused(tmp_path: Path) -> None:
    place = copied(tmp_path)
    replace_file(place, WEIGHTS_FILE, pickle.dumps({"weight": [1.0]}))

    assert "pickle" in refusal(place)


@pytest.mark.parametrize("name", ["foreign.engine", "foreign.plan", "foreign.trt"])
def test_an_engine_from_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"ftrt" + bytes(100))

    assert "engine from elsewhere" in refusal(path)


def test_onnx_with_tensors_in_other_files_is_refused(tmp_path: Path) -> None:
    place = copied(tmp_path)
    graph = onnx.load_model_from_string(packaged().onnx)
    tensor = graph.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../etc/passwd"
    replace_file(place, ONNX_FILE, graph.SerializeToString())

    assert "lies in another file" in refusal(place)


def test_external_tensors_are_found_in_attributes_and_inner_graphs() -> None:
    hidden = numpy_helper.from_array(np.zeros(2, np.float32), "hidden")
    hidden.data_location = TensorProto.EXTERNAL
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["y"], value=hidden)],
        "inner",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    model = helper.make_model(helper.make_graph([node], "outer", [], []))

    with pytest.raises(ModelRefusedError, match="'hidden' lies in another file"):
        check_graph(model.SerializeToString(), "test", n_channels=1, n_classes=2)


def test_operators_that_are_not_standard_are_refused(tmp_path: Path) -> None:
    place = copied(tmp_path)
    graph = onnx.load_model_from_string(packaged().onnx)
    graph.graph.node[0].domain = "com.example"
    replace_file(place, ONNX_FILE, graph.SerializeToString())

    assert "com.example" in refusal(place)


def test_bytes_that_are_no_graph_are_refused(tmp_path: Path) -> None:
    place = copied(tmp_path)
    replace_file(place, ONNX_FILE, b"\x0a\xff\xff not protobuf")

    assert "no ONNX graph" in refusal(place)


def test_other_classes_are_refused(tmp_path: Path) -> None:
    place = copied(tmp_path)
    edit_card(place, classes=[*CLASSES[:-1], "gas"])

    assert "has classes" in refusal(place)


def test_other_polarity_is_refused(tmp_path: Path) -> None:
    place = copied(tmp_path)
    edit_card(place, polarity="denser_is_darker")

    assert "denser is darker" in refusal(place, polarity="denser_is_brighter")
    assert load_model(place, polarity="denser_is_darker").card.polarity == "denser_is_darker"


def test_channels_that_the_graph_does_not_take_are_refused(tmp_path: Path) -> None:
    place = copied(tmp_path)
    edit_card(place, inputs={"n_neighbours": 0, "has_previous": False})

    assert "channels are needed" in refusal(place)


@pytest.mark.parametrize("name", [ONNX_FILE, WEIGHTS_FILE, CHECK_FILE])
def test_a_file_that_is_not_the_one_of_the_card_is_refused(tmp_path: Path, name: str) -> None:
    place = copied(tmp_path)
    data = bytearray((place / name).read_bytes())
    data[-1] ^= 1
    (place / name).write_bytes(bytes(data))

    assert "not the file that its card names" in refusal(place)


@pytest.mark.parametrize("name", [ONNX_FILE, CARD_FILE])
def test_a_link_is_refused(tmp_path: Path, name: str) -> None:
    place = copied(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    (place / name).rename(elsewhere)
    (place / name).symlink_to(elsewhere)

    assert "link" in refusal(place)


def test_weights_that_are_no_safetensors_are_refused(tmp_path: Path) -> None:
    place = copied(tmp_path)
    replace_file(place, WEIGHTS_FILE, b"\x08\x00\x00\x00\x00\x00\x00\x00not json" * 3)

    assert "safetensors" in refusal(place)


def test_a_card_with_more_or_less_than_it_should_have_is_refused(tmp_path: Path) -> None:
    place = copied(tmp_path)
    edit_card(place, run_this="rm")

    assert "run_this" in refusal(place)


def test_a_folder_without_a_card_is_no_model_and_the_known_ones_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelRefusedError, match="stream-unet"):
        find_model(tmp_path)
    with pytest.raises(ModelRefusedError):
        find_model("../weights")
