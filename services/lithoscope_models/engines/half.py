"""The float16 graph of a model, made from the float32 one: the only source there is."""

import warnings

import onnx

from lithoscope_models.errors import EngineUnavailableError
from lithoscope_models.model_file import Model


def half_graph(model: Model) -> bytes:
    """Give the graph with float16 weights and arithmetic; input and output stay float32.

    Strongly typed libraries take the precision from the graph. float16, not bfloat16: its error
    is an eighth, and bfloat16 transposed convolutions are refused by TensorRT.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights that round to zero
        graph = convert_float_to_float16(
            onnx.load_model_from_string(model.onnx), keep_io_types=True
        )
    _sort_nodes(graph.graph)
    onnx.checker.check_model(graph)
    data: bytes = graph.SerializeToString(deterministic=True)
    return data


def _sort_nodes(graph: onnx.GraphProto) -> None:
    """Put each node behind those that it needs: the converter appends its casts at the end."""
    known = {""} | {value.name for value in graph.input}
    known |= {tensor.name for tensor in graph.initializer}
    waiting = list(graph.node)
    ordered: list[onnx.NodeProto] = []
    while waiting:
        ready = [node for node in waiting if known.issuperset(node.input)]
        if not ready:
            raise EngineUnavailableError("the float16 graph has a loop; take float32")
        ordered += ready
        known.update(name for node in ready for name in node.output)
        done = {id(node) for node in ready}
        waiting = [node for node in waiting if id(node) not in done]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in ordered]
    del graph.node[:]
    graph.node.extend(copies)
