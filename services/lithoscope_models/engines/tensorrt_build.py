"""Building TensorRT engines: two libraries with one API, `tensorrt` and `tensorrt_rtx`.

`tensorrt` is for data-centre GPUs; `tensorrt_rtx` for RTX GPUs, and it builds for them on a
machine that has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Literal

from lithoscope_models.engines.gpu import Gpu
from lithoscope_models.errors import EngineMismatchError, EngineUnavailableError
from lithoscope_models.onnx_check import INPUT, OUTPUT

LibraryName = Literal["tensorrt", "tensorrt_rtx"]
#: What TensorRT for RTX builds for; Hopper and other data-centre GPUs are not among them.
RTX_CAPABILITIES: Final = ((7, 5), (8, 6), (8, 9), (12, 0), (12, 1))
_WEIGHTED: Final = ("CONVOLUTION", "DECONVOLUTION", "MATRIX_MULTIPLY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An engine that was built, and what the library made of the graph.

    Parameters
    ----------
    data
        The engine, serialised.
    ends
        Of its input and its output: shape and dtype, such as ``float32``.
    layer_dtypes
        How many layers with weights give which dtype.
    """

    data: bytes
    ends: Mapping[str, tuple[tuple[int, ...], str]]
    layer_dtypes: Mapping[str, int]


def find_library(gpu: Gpu) -> LibraryName | None:
    """Say which of the libraries is installed and drives a GPU, None if neither."""
    if find_spec("tensorrt") is not None:
        return "tensorrt"
    is_rtx = gpu.capability in RTX_CAPABILITIES
    return "tensorrt_rtx" if is_rtx and find_spec("tensorrt_rtx") is not None else None


class Messages:
    """What the library said of warnings and errors; it answers failures with None alone.

    Parameters
    ----------
    library
        The module; its logger is a class to inherit from.
    """

    def __init__(self, library: Any) -> None:  # it has no types
        lines: list[str] = []

        class Logger(library.ILogger):  # type: ignore[misc]  # it has no types
            def __init__(self) -> None:
                library.ILogger.__init__(self)

            def log(self, severity: Any, text: str) -> None:
                if severity in (library.ILogger.ERROR, library.ILogger.INTERNAL_ERROR):
                    lines.append(text)

        self._lines = lines
        self.logger: Any = Logger()

    @property
    def text(self) -> str:
        """The last of them, in one line."""
        return " ".join(" ".join(self._lines[-2:]).split())[:300] or "it does not say why"


def build_plan(
    library_name: LibraryName,
    graph: bytes,
    shape: tuple[int, int, int, int],
    *,
    precision: str,
    capability: tuple[int, int] | None = None,
) -> Plan:
    """Build an engine for one shape.

    Parameters
    ----------
    library_name
        Which of the libraries.
    graph
        ONNX with the precision in it: networks are strongly typed.
    shape
        Of the input; least, usual and largest are the same, so that kernels are chosen for it
        and a CUDA graph can hold it.
    precision
        That the graph should have; flags that asked for it are gone, and an engine in float32
        would be built without a word.
    capability
        Compute capability to build for without that GPU, by `tensorrt_rtx` alone; None builds
        for the GPU of this machine.

    Raises
    ------
    EngineUnavailableError
        If the library cannot build it; the text has its reason.
    EngineMismatchError
        If what it built is not what was asked for.
    """
    library: Any = import_module(library_name)
    messages = Messages(library)
    builder = library.Builder(messages.logger)
    if builder is None:
        raise EngineUnavailableError(f"{library_name}: {messages.text}")
    network = builder.create_network(_strongly_typed(library))
    parser = library.OnnxParser(network, messages.logger)
    if not parser.parse(graph):
        reasons = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise EngineUnavailableError(f"{library_name}: graph not taken: {reasons[:300]}")
    config = builder.create_builder_config()
    profile = builder.create_optimization_profile()
    profile.set_shape(INPUT, shape, shape, shape)
    config.add_optimization_profile(profile)
    if capability is not None:
        _set_capability(library, config, capability)
    ends, layer_dtypes = _describe(network)
    data = builder.build_serialized_network(network, config)
    if data is None:
        raise EngineUnavailableError(f"{library_name}: not built: {messages.text}")
    plan = Plan(data=bytes(data), ends=ends, layer_dtypes=layer_dtypes)
    _check_plan(plan, shape, precision, library_name)
    return plan


def _strongly_typed(library: Any) -> int:
    # From version 11 on all networks are, and the flag may go.
    flag = getattr(library.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _set_capability(library: Any, config: Any, capability: tuple[int, int]) -> None:
    name = f"SM{capability[0]}{capability[1]}"
    target = getattr(getattr(library, "ComputeCapability", None), name, None)
    if target is None:
        raise EngineUnavailableError(f"{library.__name__} builds for no GPU of capability {name}")
    config.num_compute_capabilities = 1
    config.set_compute_capability(target, 0)


def _describe(network: Any) -> tuple[dict[str, tuple[tuple[int, ...], str]], dict[str, int]]:
    tensors = [network.get_input(i) for i in range(network.num_inputs)]
    tensors += [network.get_output(i) for i in range(network.num_outputs)]
    ends = {tensor.name: (tuple(tensor.shape), _dtype(tensor)) for tensor in tensors}
    counts: dict[str, int] = {}
    for i in range(network.num_layers):
        layer = network.get_layer(i)
        if layer.type.name in _WEIGHTED:
            dtype = _dtype(layer.get_output(0))
            counts[dtype] = counts.get(dtype, 0) + 1
    return ends, counts


def _dtype(tensor: Any) -> str:
    names = {"FLOAT": "float32", "HALF": "float16", "BF16": "bfloat16"}
    name = str(tensor.dtype.name)
    return names.get(name, name.lower())


def _check_plan(plan: Plan, shape: tuple[int, ...], precision: str, library_name: str) -> None:
    """Refuse an engine that is silently another one: float32, or with other ends."""
    if set(plan.ends) != {INPUT, OUTPUT} or plan.ends[INPUT][0][1] != shape[1]:
        raise EngineMismatchError(f"{library_name}: built with ends {dict(plan.ends)}")
    if {dtype for _, dtype in plan.ends.values()} != {"float32"}:
        raise EngineMismatchError(f"{library_name}: ends are not float32: {dict(plan.ends)}")
    if set(plan.layer_dtypes) != {precision}:
        raise EngineMismatchError(
            f"{library_name}: layers compute in {dict(plan.layer_dtypes)}, not in {precision}"
        )
