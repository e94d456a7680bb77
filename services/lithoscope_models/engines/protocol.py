"""What an engine is: something that turns patches into logits, always of one shape."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.model_file import Model

EngineName = Literal["tensorrt", "onnxruntime-cuda", "openvino", "onnxruntime", "torch"]
#: The fastest first, as measured; a machine takes the first that works on it.
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
Precision = Literal["float32", "float16", "bfloat16"]
Patches = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRequest:
    """What an engine is opened for.

    Parameters
    ----------
    patch
        Channels, rows and columns of a patch: the only ones it will take.
    batch, gpu_batch
        Patches that are given at once, on the processor, which gains nothing from many, and on
        a GPU.
    n_threads
        Threads of an engine on the processor.
    precision
        Of the arithmetic; None takes what the engine is known to be right and fast with.
    cache
        Folder for engines that are built; None takes that of the user.
    """

    patch: tuple[int, int, int]
    batch: int = 1
    gpu_batch: int = 16
    n_threads: int = 1
    precision: Precision | None = None
    cache: Path | None = None


class Engine(Protocol):
    """A network that is ready to run."""

    @property
    def name(self) -> EngineName:
        """Which of the engines it is."""

    @property
    def precision(self) -> Precision:
        """Of its arithmetic."""

    @property
    def library(self) -> str:
        """Library and version, for the record."""

    @property
    def batch(self) -> int:
        """Patches that it takes at once, neither more nor fewer."""

    def run(self, patches: Patches) -> Patches:
        """Give the logits of as many patches as its batch, both float32."""


class Backend(Protocol):
    """A way to make engines."""

    @property
    def name(self) -> EngineName:
        """Which of the engines it makes."""

    def find_problem(self) -> str:
        """Say why it cannot work here, without loading anything that might end the process.

        Empty if it may work.
        """

    def open(self, model: Model, request: EngineRequest) -> Engine:
        """Make an engine.

        Raises
        ------
        EngineUnavailableError
            If it cannot run here.
        EngineMismatchError
            If it would run elsewhere than asked.
        """
