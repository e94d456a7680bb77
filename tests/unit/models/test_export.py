"""A network is written as a model that is taken again, the same bytes each time."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from lithoscope_models.card import CardDraft, InputsCard
from lithoscope_models.engines import EngineRequest, compare_logits
from lithoscope_models.engines.half import half_graph
from lithoscope_models.engines.registry import BACKENDS
from lithoscope_models.export import export_model
from lithoscope_models.model_file import CLASSES, load_model

torch = pytest.importorskip("torch")
SLICES = InputsCard(n_neighbours=0, has_previous=False, has_first=False, has_depth=False)


def network() -> Any:  # a torch.nn.Module
    torch.manual_seed(2)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3, stride=2, padding=1),
        torch.nn.BatchNorm2d(8),
        torch.nn.PReLU(),
        torch.nn.ConvTranspose2d(8, len(CLASSES), 2, stride=2),
    )


def draft(**changes: Any) -> CardDraft:  # fields of a card
    fields: dict[str, Any] = {
        "name": "small",
        "architecture": "small",
        "classes": CLASSES,
        "inputs": SLICES,
        "tile_px": (64, 64),
        "divisor": 8,
    }
    return CardDraft(**fields | changes)


def test_what_is_exported_is_taken_and_gives_what_torch_gave(tmp_path: Path) -> None:
    model = export_model(network(), draft(), tmp_path)

    request = EngineRequest(patch=(1, 24, 40), batch=3)
    x = np.random.default_rng(1).normal(size=(3, 1, 24, 40)).astype(np.float32)
    logits = BACKENDS["onnxruntime"].open(model, request).run(x)
    with torch.inference_mode():
        expected = network().eval()(torch.from_numpy(x)).numpy()
    # Batch, rows and columns are free; float32 sums in another order.
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert model.check.logits.shape == (1, len(CLASSES), 64, 64)
    assert load_model(tmp_path).sha256 == model.sha256
    again = export_model(network(), draft(), tmp_path / "again")
    assert again.card.files == model.card.files
    assert b"/" + str(Path(__file__).name).encode() not in model.onnx

    half = onnx.load_model_from_string(half_graph(model))
    types = {tensor.data_type for tensor in half.graph.initializer if len(tensor.dims) == 4}
    assert types == {onnx.TensorProto.FLOAT16}
    assert half.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert compare_logits(model.check.logits, model.check.logits).is_good


def test_a_card_whose_tiles_do_not_fit_its_divisor_is_refused() -> None:
    with pytest.raises(ValueError, match="no multiple of 16"):
        draft(divisor=16, tile_px=(60, 64))
