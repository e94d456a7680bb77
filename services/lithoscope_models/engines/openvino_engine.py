"""OpenVINO on the processor."""

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from lithoscope_models.engines.protocol import EngineName, EngineRequest, Patches, Precision
from lithoscope_models.errors import EngineMismatchError, EngineUnavailableError
from lithoscope_models.model_file import Model

# OpenVINO takes bfloat16 by itself where the processor has it, so the precision is always said.
_HINTS: Final[dict[Precision, str]] = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoEngine:
    """A model compiled for the processor, for one shape."""

    name: EngineName = "openvino"

    def __init__(self, model: Model, request: EngineRequest, precision: Precision) -> None:
        openvino = _import_openvino()
        self.precision: Precision = precision
        self.batch = request.batch
        self.library = f"openvino {openvino.__version__.split('-')[0]}"
        core: Any = openvino.Core()  # it has no types
        graph = core.read_model(model.onnx)
        graph.reshape([request.batch, *request.patch])
        compiled = core.compile_model(
            graph,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": _HINTS[precision],
                "INFERENCE_NUM_THREADS": request.n_threads,
                "NUM_STREAMS": 1,
                "PERFORMANCE_HINT": "LATENCY",
                "ENABLE_CPU_PINNING": False,
            },
        )
        used = str(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())
        if used != _HINTS[precision]:
            raise EngineMismatchError(f"openvino: computes in {used}, not in {precision}")
        self._request = compiled.create_infer_request()

    def run(self, patches: Patches) -> Patches:
        """Give the logits of patches."""
        self._request.infer([patches], share_inputs=True, share_outputs=True)
        # The memory of the output is used again by the next call.
        logits: Patches = self._request.get_output_tensor(0).data.copy()
        return logits


def _import_openvino() -> Any:  # it has no types
    """Import OpenVINO without its telemetry, which sends an event at each import."""
    if "openvino" not in sys.modules:
        # None makes the import fail, for which OpenVINO has a stand-in that says nothing.
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # as Python allows
    return import_module("openvino")


class OpenVinoBackend:
    """OpenVINO on the processor, float32 unless bfloat16 is asked for."""

    name: EngineName = "openvino"

    def find_problem(self) -> str:
        """Say why it cannot work here; empty if it may."""
        return "" if find_spec("openvino") else "not installed: pip install openvino"

    def open(self, model: Model, request: EngineRequest) -> OpenVinoEngine:
        """Make an engine; see `Backend`."""
        precision = request.precision or "float32"
        if precision not in _HINTS:
            raise EngineUnavailableError("openvino: computes in float32 or bfloat16 here")
        try:
            return OpenVinoEngine(model, request, precision)
        except RuntimeError as error:
            if isinstance(error, EngineMismatchError):
                raise
            line = " ".join(str(error).split())[:200]
            raise EngineUnavailableError(f"openvino: {line}") from error
