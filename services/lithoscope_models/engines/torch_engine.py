"""PyTorch itself: the last resort, and what the others are compared with."""

from importlib.util import find_spec
from typing import Any

from lithoscope_models.engines.protocol import EngineName, EngineRequest, Patches, Precision
from lithoscope_models.errors import EngineUnavailableError, ModelRefusedError
from lithoscope_models.model_file import Model


class TorchEngine:
    """The network of a model with its weights, on the GPU if torch sees one."""

    name: EngineName = "torch"
    precision: Precision = "float32"

    def __init__(self, model: Model, request: EngineRequest) -> None:
        import torch

        self.library = f"torch {torch.__version__}"
        self._torch: Any = torch  # it has no types where it is not installed
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self.batch = request.batch if self._device == "cpu" else request.gpu_batch
        if self._device == "cpu":
            torch.set_num_threads(request.n_threads)
        self._network = load_network(model).to(self._device)

    def run(self, patches: Patches) -> Patches:
        """Give the logits of patches."""
        with self._torch.inference_mode():
            given = self._torch.from_numpy(patches).to(self._device)
            logits: Patches = self._network(given).cpu().numpy()
        return logits


class TorchBackend:
    """PyTorch in float32."""

    name: EngineName = "torch"

    def find_problem(self) -> str:
        """Say why it cannot work here; empty if it may."""
        return "" if find_spec("torch") else "not installed: pip install 'lithoscope[train]'"

    def open(self, model: Model, request: EngineRequest) -> TorchEngine:
        """Make an engine; see `Backend`."""
        if request.precision not in (None, "float32"):
            raise EngineUnavailableError("torch: computes in float32 alone here")
        return TorchEngine(model, request)


def load_network(model: Model) -> Any:  # a torch.nn.Module
    """Build the network of a model and give it its weights, from safetensors, never a pickle.

    Raises
    ------
    ModelRefusedError
        If the weights are not those of the network that the card names.
    """
    from safetensors.torch import load

    from lithoscope_pipeline.networks import build_network

    card = model.card
    network = build_network(
        card.architecture,
        card.inputs.inputs,
        n_classes=len(card.classes),
        arguments=card.arguments,
    )
    try:
        network.load_state_dict(load(model.weights()), strict=True)
    except RuntimeError as error:
        raise ModelRefusedError(
            f"{model.folder}: its weights are not those of {card.architecture}: "
            f"{' '.join(str(error).split())[:200]}"
        ) from error
    return network.eval()
