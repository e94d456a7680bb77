"""ONNX Runtime, on the processor and with CUDA."""

from importlib.util import find_spec
from typing import Any

from lithoscope_models.engines.gpu import find_gpu
from lithoscope_models.engines.half import half_graph
from lithoscope_models.engines.protocol import (
    EngineName,
    EngineRequest,
    Patches,
    Precision,
)
from lithoscope_models.errors import EngineMismatchError, EngineUnavailableError
from lithoscope_models.model_file import Model
from lithoscope_models.onnx_check import INPUT, OUTPUT

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_ERRORS_ONLY = 3


class OnnxRuntimeEngine:
    """A session of ONNX Runtime that runs where it was asked to.

    Parameters
    ----------
    graph
        ONNX, with the precision in it.
    name, precision
        For the record.
    provider, options
        The execution provider, and its options.
    batch
        Patches at once.
    n_threads
        On the processor.

    Raises
    ------
    EngineMismatchError
        If ONNX Runtime fell back to another provider.
    """

    def __init__(
        self,
        graph: bytes,
        *,
        name: EngineName,
        precision: Precision,
        provider: str,
        options: dict[str, str],
        batch: int,
        n_threads: int,
    ) -> None:
        import onnxruntime

        self.name: EngineName = name
        self.precision: Precision = precision
        self.batch = batch
        self.library = f"onnxruntime {onnxruntime.__version__}"
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = n_threads
        settings.inter_op_num_threads = 1
        settings.log_severity_level = _ERRORS_ONLY
        settings.use_deterministic_compute = True
        # Idle threads that spin would take the core of the stages beside this one.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if provider != _CPU:
            settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        try:
            self._session: Any = onnxruntime.InferenceSession(  # it has no types
                graph, settings, providers=[(provider, options)]
            )
        except _failures() as error:
            raise EngineUnavailableError(f"{name}: {_line(error)}") from error
        used = self._session.get_providers()
        if used[0] != provider:
            raise EngineMismatchError(
                f"{name}: ONNX Runtime runs on {used[0]} instead of {provider}; look at the "
                "driver and at the CUDA libraries of onnxruntime-gpu"
            )

    def run(self, patches: Patches) -> Patches:
        """Give the logits of patches."""
        logits: Patches = self._session.run([OUTPUT], {INPUT: patches})[0]
        return logits


class OnnxRuntimeBackend:
    """ONNX Runtime on the processor: it comes with Lithoscope."""

    name: EngineName = "onnxruntime"

    def find_problem(self) -> str:
        """Say why it cannot work here; empty if it may."""
        return "" if find_spec("onnxruntime") else "not installed: pip install onnxruntime"

    def open(self, model: Model, request: EngineRequest) -> OnnxRuntimeEngine:
        """Make an engine; see `Backend`."""
        if request.precision not in (None, "float32"):
            raise EngineUnavailableError(f"{self.name}: computes in float32 alone here")
        return OnnxRuntimeEngine(
            model.onnx,
            name=self.name,
            precision="float32",
            provider=_CPU,
            options={},
            batch=request.batch,
            n_threads=request.n_threads,
        )


class OnnxRuntimeCudaBackend:
    """ONNX Runtime with CUDA."""

    name: EngineName = "onnxruntime-cuda"

    def find_problem(self) -> str:
        """Say why it cannot work here; empty if it may."""
        if find_spec("onnxruntime") is None:
            return "not installed: pip install onnxruntime-gpu"
        if find_gpu() is None:
            return "no NVIDIA GPU with a driver"
        import onnxruntime

        if _CUDA not in onnxruntime.get_available_providers():
            return "this onnxruntime has no CUDA: pip install onnxruntime-gpu instead of it"
        return ""

    def open(self, model: Model, request: EngineRequest) -> OnnxRuntimeEngine:
        """Make an engine; see `Backend`."""
        precision = request.precision or "float16"
        if precision == "bfloat16":
            raise EngineUnavailableError(f"{self.name}: computes in float16 or float32")
        return OnnxRuntimeEngine(
            half_graph(model) if precision == "float16" else model.onnx,
            name=self.name,
            precision=precision,
            provider=_CUDA,
            # Heuristics, not trials: trials may choose another kernel at each start.
            options={"cudnn_conv_algo_search": "HEURISTIC"},
            batch=request.gpu_batch,
            n_threads=request.n_threads,
        )


def _failures() -> tuple[type[Exception], ...]:
    """Give the errors of ONNX Runtime, which have no family of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("EPFail", "EngineError", "Fail", "InvalidGraph", "NotImplemented", "RuntimeException")
    own = [getattr(state, name) for name in names if hasattr(state, name)]
    return (*own, RuntimeError, ValueError)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
