"""TensorRT: engines that are built here once, with static buffers and CUDA graphs."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import numpy as np

from lithoscope_models.engines.cache import EngineCache
from lithoscope_models.engines.gpu import Gpu, find_gpu
from lithoscope_models.engines.half import half_graph
from lithoscope_models.engines.protocol import EngineName, EngineRequest, Patches, Precision
from lithoscope_models.engines.tensorrt_build import (
    LibraryName,
    Messages,
    build_plan,
    find_library,
)
from lithoscope_models.errors import EngineUnavailableError
from lithoscope_models.model_file import Model
from lithoscope_models.onnx_check import INPUT, OUTPUT


class TensorRtBackend:
    """TensorRT, or TensorRT for RTX where the GPU is one."""

    name: EngineName = "tensorrt"

    def find_problem(self) -> str:
        """Say why it cannot work here; empty if it may."""
        gpu = find_gpu()
        if gpu is None:
            return "no NVIDIA GPU with a driver"
        if find_library(gpu) is None:
            return (
                f"no TensorRT for {gpu.name}: use the container of deploy/, or on an RTX GPU "
                "pip install tensorrt-rtx-cu13"
            )
        if find_spec("torch") is None:
            return "needs torch with CUDA for its buffers: pip install 'lithoscope[gpu]'"
        return ""

    def open(self, model: Model, request: EngineRequest) -> "TensorRtEngine":
        """Make an engine; see `Backend`."""
        gpu = find_gpu()
        library_name = None if gpu is None else find_library(gpu)
        if gpu is None or library_name is None:
            raise EngineUnavailableError(f"tensorrt: {self.find_problem()}")
        precision = request.precision or "float16"
        if precision == "bfloat16":
            raise EngineUnavailableError(
                "tensorrt: refuses bfloat16 transposed convolutions; take float16"
            )
        return TensorRtEngine(model, request, gpu, library_name, precision)


def engine_key(
    model: Model,
    shape: tuple[int, ...],
    *,
    gpu: Gpu,
    library: str,
    precision: Precision,
) -> dict[str, object]:
    """Give all that a built engine depends on."""
    return {
        "onnx": model.card.files["model.onnx"],
        "library": library,
        "gpu": gpu.name,
        "capability": gpu.capability,
        "driver": gpu.driver,
        "precision": precision,
        "profile": shape,
    }


class TensorRtEngine:
    """An engine on the GPU; halves of a batch go through it on two streams at once.

    While one half is computed, the other is copied. Buffers never move, so that each half is one
    CUDA graph.
    """

    name: EngineName = "tensorrt"

    def __init__(
        self,
        model: Model,
        request: EngineRequest,
        gpu: Gpu,
        library_name: LibraryName,
        precision: Precision,
    ) -> None:
        self.precision: Precision = precision
        self.library = f"{library_name} {_version(library_name)}"
        self.batch = request.gpu_batch
        n_slots = 2 if self.batch % 2 == 0 else 1
        shape = (self.batch // n_slots, *request.patch)
        library: Any = import_module(library_name)  # it has no types
        self._messages = Messages(library)
        self._runtime = library.Runtime(self._messages.logger)
        engine = EngineCache(request.cache).load_or_build(
            engine_key(model, shape, gpu=gpu, library=self.library, precision=precision),
            build=lambda: (
                build_plan(
                    library_name,
                    half_graph(model) if precision == "float16" else model.onnx,
                    shape,
                    precision=precision,
                ).data
            ),
            load=self._runtime.deserialize_cuda_engine,
        )
        n_classes = len(model.card.classes)
        self._slots = [_Slot(engine, shape, n_classes) for _ in range(n_slots)]

    def run(self, patches: Patches) -> Patches:
        """Give the logits of patches."""
        n = len(patches) // len(self._slots)
        for i, slot in enumerate(self._slots):
            slot.start(patches[i * n : (i + 1) * n])
        return np.concatenate([slot.finish() for slot in self._slots])


class _Slot:
    """One context with its stream, its buffers and its CUDA graph."""

    def __init__(self, engine: Any, shape: tuple[int, int, int, int], n_classes: int) -> None:
        import torch

        self._torch: Any = torch
        out_shape = (shape[0], n_classes, shape[2], shape[3])
        self._context = engine.create_execution_context()
        if self._context is None:
            raise EngineUnavailableError("tensorrt: no memory for an execution context")
        self._given = torch.empty(shape, pin_memory=True)
        self._taken = torch.empty(out_shape, pin_memory=True)
        self._input = torch.zeros(shape, device="cuda")
        self._output = torch.zeros(out_shape, device="cuda")
        self._context.set_input_shape(INPUT, shape)
        self._context.set_tensor_address(INPUT, self._input.data_ptr())
        self._context.set_tensor_address(OUTPUT, self._output.data_ptr())
        self._stream = torch.cuda.Stream()
        self._graph = self._captured()

    def start(self, patches: Patches) -> None:
        """Begin to work on patches."""
        self._stream.synchronize()
        self._given.numpy()[...] = patches
        with self._torch.cuda.stream(self._stream):
            if self._graph is None:
                self._enqueue()
            else:
                self._graph.replay()

    def finish(self) -> Patches:
        """Wait for the logits."""
        self._stream.synchronize()
        logits: Patches = self._taken.numpy().copy()
        return logits

    def _enqueue(self) -> None:
        self._input.copy_(self._given, non_blocking=True)
        if not self._context.execute_async_v3(self._torch.cuda.current_stream().cuda_stream):
            raise EngineUnavailableError("tensorrt: the GPU did not take the work")
        self._taken.copy_(self._output, non_blocking=True)

    def _captured(self) -> Any:
        """Record the work as a CUDA graph after one run of it; None where that is not possible."""
        with self._torch.cuda.stream(self._stream):
            self._enqueue()
            self._stream.synchronize()
            is_capturable = getattr(self._context, "is_stream_capturable", None)
            if is_capturable is not None and not is_capturable(self._stream.cuda_stream):
                return None
        graph = self._torch.cuda.CUDAGraph()
        with self._torch.cuda.graph(graph, stream=self._stream):
            self._enqueue()
        return graph


def _version(library_name: str) -> str:
    try:
        return version(library_name)
    except PackageNotFoundError:
        return str(import_module(library_name).__version__)
