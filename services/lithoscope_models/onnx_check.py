"""Looking at an ONNX graph before anything runs it: an untrusted file may name other files."""

import math
from collections.abc import Iterator

import onnx
from google.protobuf.message import DecodeError

from lithoscope_models.errors import ModelRefusedError

INPUT, OUTPUT = "x", "logits"
MAX_BYTES = 1 << 30
_STANDARD = ("", "ai.onnx")
#: Operators that would run code of their own or reach beyond their tensors.
_FORBIDDEN = frozenset({"Loop", "Scan", "If", "SequenceMap", "StringConcat", "StringSplit"})


def check_graph(data: bytes, where: str, *, n_channels: int, n_classes: int) -> onnx.ModelProto:
    """Read a graph and refuse what must not, or cannot, be used.

    Parameters
    ----------
    data
        The file; it is never opened by its path, so that it cannot name its neighbours.
    where
        For the text of a refusal.
    n_channels, n_classes
        Channels of the only input ``x`` (n, c, rows, columns) and the only output ``logits``.

    Returns
    -------
    ModelProto
        The graph.

    Raises
    ------
    ModelRefusedError
        If it is no ONNX graph, keeps tensors in other files, has operators that are not
        standard, or other inputs and outputs.
    """
    if len(data) > MAX_BYTES:
        raise ModelRefusedError(f"{where}: has {len(data)} bytes, {MAX_BYTES} are the most")
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise ModelRefusedError(f"{where}: no ONNX graph; export it again") from error
    for tensor in _tensors(model):
        if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelRefusedError(
                f"{where}: tensor {tensor.name!r} lies in another file; export with "
                "external_data=False"
            )
    _check_operators(model, where)
    _check_ends(model.graph, where, n_channels=n_channels, n_classes=n_classes)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ModelRefusedError(f"{where}: no valid ONNX graph: {_line(error)}") from error
    return model


def count_parameters(model: onnx.ModelProto) -> int:
    """Count the numbers in the weights of a graph."""
    return sum(math.prod(tensor.dims) for tensor in model.graph.initializer)


def _check_operators(model: onnx.ModelProto, where: str) -> None:
    if model.functions:
        raise ModelRefusedError(f"{where}: defines functions of its own; export it again")
    for node in model.graph.node:
        if node.domain not in _STANDARD:
            raise ModelRefusedError(
                f"{where}: operator {node.domain}.{node.op_type} is not a standard one"
            )
        if node.op_type in _FORBIDDEN:
            raise ModelRefusedError(f"{where}: operator {node.op_type} is not allowed")


def _check_ends(graph: onnx.GraphProto, where: str, *, n_channels: int, n_classes: int) -> None:
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    ends = ((inputs, INPUT, n_channels), (list(graph.output), OUTPUT, n_classes))
    for values, name, channels in ends:
        if [value.name for value in values] != [name]:
            names = [value.name for value in values]
            raise ModelRefusedError(f"{where}: has {names}, one tensor {name!r} is needed")
        tensor = values[0].type.tensor_type
        dims = [dim.dim_value or dim.dim_param for dim in tensor.shape.dim]
        if tensor.elem_type != onnx.TensorProto.FLOAT:
            raise ModelRefusedError(f"{where}: {name!r} is not float32")
        if len(dims) != 4 or dims[1] != channels:
            raise ModelRefusedError(
                f"{where}: {name!r} has shape {dims}, {channels} channels are needed"
            )


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    graphs = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    while graphs:
        graph = graphs.pop()
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        nodes += graph.node
        while nodes:
            for attribute in nodes.pop().attribute:
                yield attribute.t
                yield from attribute.tensors
                for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                    yield from (sparse.values, sparse.indices)
                graphs += [attribute.g, *attribute.graphs]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
