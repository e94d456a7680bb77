"""Writing a trained network as a model: ONNX, weights, a patch to check engines with, the card."""

import hashlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.card import (
    CARD_FILE,
    CHECK_FILE,
    ONNX_FILE,
    WEIGHTS_FILE,
    CardDraft,
    ModelCard,
)
from lithoscope_models.model_file import Model, load_card, load_model
from lithoscope_models.onnx_check import INPUT, OUTPUT, check_graph
from lithoscope_models.replaced_file import replace_file

OPSET = 20
_CHECK_PX = 64
_SEED = 20


def export_model(
    network: Any,  # a torch.nn.Module; torch is not in every installation
    draft: CardDraft,
    folder: Path,
    *,
    check_input: NDArray[np.float32] | None = None,
) -> Model:
    """Write a network and everything that is known of it; the card comes last.

    Parameters
    ----------
    network
        Takes (n, channels, rows, columns) and gives logits (n, classes, rows, columns), both
        float32. It is put into evaluation.
    draft
        What is known of it.
    folder
        Made if it is not there; a model in it is replaced.
    check_input
        A typical patch, shape (1, channels, rows, columns), with which every engine will be
        tested; by default noise of a fixed seed, where engines differ most.

    Returns
    -------
    Model
        As it was read back from the disk.
    """
    import torch
    from safetensors.numpy import save
    from safetensors.torch import save as save_torch

    network.eval()
    x = _check_input(draft) if check_input is None else check_input
    with torch.inference_mode():
        logits = network(torch.from_numpy(x)).numpy()
    onnx = to_onnx(network, draft)
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    files = {
        ONNX_FILE: onnx,
        WEIGHTS_FILE: save_torch(state),
        CHECK_FILE: save({"x": x, "logits": np.ascontiguousarray(logits)}),
    }
    card = ModelCard(
        **draft.model_dump(),
        n_parameters=sum(parameter.numel() for parameter in network.parameters()),
        opset=OPSET,
        files={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        replace_file(folder / name, data)
    replace_file(folder / CARD_FILE, (card.model_dump_json(indent=2) + "\n").encode())
    polarity = "denser_is_brighter" if draft.polarity == "any" else draft.polarity
    return load_model(folder, polarity=polarity, classes=draft.classes)


def rewrite_card(folder: Path, **changes: object) -> None:
    """Change what the card of a model says; its files stay as they are, its name changes."""
    card = load_card(folder).model_copy(update=changes)
    replace_file(folder / CARD_FILE, (card.model_dump_json(indent=2) + "\n").encode())


def to_onnx(network: Any, draft: CardDraft) -> bytes:  # a torch.nn.Module
    """Export a network by torch's exporter, float32, all tensors within.

    The batch is free, and so are rows and columns unless the network takes one size only.
    """
    import torch

    n_channels = draft.inputs.inputs.n_channels
    # At the lowest level an edge of one pixel would be taken for a constant.
    edge = max(_check_edge(draft), 2 * draft.divisor)
    rows, columns = draft.tile_px if draft.is_fixed_size else (edge, edge)
    example = torch.zeros(2, n_channels, rows, columns)
    batch = torch.export.Dim("batch", min=1, max=256)
    shape: dict[int, Any] = {0: batch}
    if not draft.is_fixed_size:
        for axis, name in ((2, "rows"), (3, "columns")):
            shape[axis] = draft.divisor * torch.export.Dim(name, min=1, max=256)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torchvision, which is not needed
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=(shape,),
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    proto = program.model_proto
    # Where the network was written says nothing of it, and would make equal networks differ.
    for node in proto.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output):
        value.ClearField("metadata_props")
        value.ClearField("doc_string")
    proto.graph.ClearField("metadata_props")
    proto.ClearField("metadata_props")
    data: bytes = proto.SerializeToString(deterministic=True)
    check_graph(data, "export", n_channels=n_channels, n_classes=len(draft.classes))
    return data


def _check_edge(draft: CardDraft) -> int:
    return min(max(draft.tile_px[0], 1), -(-_CHECK_PX // draft.divisor) * draft.divisor)


def _check_input(draft: CardDraft) -> NDArray[np.float32]:
    rows, columns = draft.tile_px if draft.is_fixed_size else (_check_edge(draft),) * 2
    shape = (1, draft.inputs.inputs.n_channels, rows, columns)
    rng = np.random.default_rng(_SEED)
    return rng.normal(0.5, 0.5, shape).astype(np.float32)
