"""All engines, the fastest first."""

from typing import Final

from lithoscope_models.engines.onnx_runtime import OnnxRuntimeBackend, OnnxRuntimeCudaBackend
from lithoscope_models.engines.openvino_engine import OpenVinoBackend
from lithoscope_models.engines.protocol import Backend, EngineName
from lithoscope_models.engines.tensorrt_engine import TensorRtBackend
from lithoscope_models.engines.torch_engine import TorchBackend

BACKENDS: Final[dict[EngineName, Backend]] = {
    backend.name: backend
    for backend in (
        TensorRtBackend(),
        OnnxRuntimeCudaBackend(),
        OpenVinoBackend(),
        OnnxRuntimeBackend(),
        TorchBackend(),
    )
}
