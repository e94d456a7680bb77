"""The fastest method that this machine can run, and why it is that one."""

import importlib.util
from dataclasses import dataclass
from typing import Final, cast, get_args

from lithoscope_pipeline.errors import MissingLibraryError, ParameterError
from lithoscope_pipeline.reconstruct.astra_backend import AstraBackend, AstraMethod
from lithoscope_pipeline.reconstruct.fourier import FourierBackend
from lithoscope_pipeline.reconstruct.protocol import Backend
from lithoscope_pipeline.reconstruct.tomopy_backend import TomopyBackend, TomopyMethod
from lithoscope_pipeline.truncation import Extension

FOURIER: Final = ("fourier", "fourier-cuda")
BACKEND_NAMES: Final = (
    *FOURIER,
    *("astra" if method == "fbp" else f"astra-{method}" for method in get_args(AstraMethod)),
    *(
        "tomopy" if method == "gridrec" else f"tomopy-{method}"
        for method in get_args(TomopyMethod)
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is installed and found here.

    Parameters
    ----------
    cuda_device
        Name of the device that PyTorch can compute on; empty if there is none.
    why_no_cuda
        Why not, for people; empty if there is one.
    has_astra, has_astra_cuda
        Whether ASTRA is installed, and whether it can compute on a device.
    has_tomopy
        Whether TomoPy is installed.
    """

    cuda_device: str = ""
    why_no_cuda: str = ""
    has_astra: bool = False
    has_astra_cuda: bool = False
    has_tomopy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendChoice:
    """A method and what to do when it runs out of memory.

    Parameters
    ----------
    backend
        To be used.
    fallback
        On the processor, for a backend on a device; None if it is there already.
    reason
        One line for people: which, and why.
    """

    backend: Backend
    fallback: Backend | None
    reason: str


def look_at_machine() -> Machine:
    """Find out which methods can run here; imports PyTorch and ASTRA if they are installed."""
    device, why_not = _cuda_device()
    has_astra = importlib.util.find_spec("astra") is not None
    return Machine(
        cuda_device=device,
        why_no_cuda=why_not,
        has_astra=has_astra,
        has_astra_cuda=has_astra and bool(device) and _astra_has_cuda(),
        has_tomopy=importlib.util.find_spec("tomopy") is not None,
    )


def choose_backend(
    wanted: str, machine: Machine, *, extension: Extension = "edge"
) -> BackendChoice:
    """Choose a reconstruction method.

    ``auto`` takes ours: on a device where there is one, else on the processor, where it is faster
    than the others at no larger error (see the table of the benchmark). The others are taken
    only by name; ASTRA's run on a device where they can.

    Parameters
    ----------
    wanted
        ``auto`` or one of `BACKEND_NAMES`.
    machine
        From :func:`look_at_machine`.
    extension
        How projections go on outside the detector.

    Raises
    ------
    ParameterError
        If there is no method of this name.
    MissingLibraryError
        If the method needs what is not here.
    """
    if wanted not in ("auto", *BACKEND_NAMES):
        raise ParameterError(f"no backend {wanted!r}; there are auto, {', '.join(BACKEND_NAMES)}")
    program, _, method = wanted.partition("-")
    match program:
        case "astra":
            return _astra(cast(AstraMethod, method or "fbp"), machine, extension)
        case "tomopy":
            return _tomopy(cast(TomopyMethod, method or "gridrec"), machine, extension)
        case _:
            return _fourier(wanted, machine, extension)


def _fourier(wanted: str, machine: Machine, extension: Extension) -> BackendChoice:
    on_processor = FourierBackend(extension=extension)
    if wanted == "fourier":
        return BackendChoice(backend=on_processor, fallback=None, reason="fourier: asked for")
    if not machine.cuda_device:
        if wanted == "fourier-cuda":
            raise MissingLibraryError(
                f"fourier-cuda cannot run: {machine.why_no_cuda}; take fourier, or install "
                "PyTorch with CUDA and a driver"
            )
        return BackendChoice(
            backend=on_processor,
            fallback=None,
            reason=f"fourier on the processor: {machine.why_no_cuda}",
        )
    from lithoscope_pipeline.reconstruct.fourier_cuda import FourierCudaBackend

    return BackendChoice(
        backend=FourierCudaBackend(extension=extension),
        fallback=on_processor,
        reason=f"fourier-cuda on {machine.cuda_device}",
    )


def _astra(method: AstraMethod, machine: Machine, extension: Extension) -> BackendChoice:
    on_processor = AstraBackend(method=method, extension=extension)
    if not machine.has_astra:
        raise MissingLibraryError(
            f"{on_processor.name} needs the package astra-toolbox; install it, or take auto"
        )
    if machine.has_astra_cuda:
        return BackendChoice(
            backend=AstraBackend(method=method, extension=extension, device="cuda"),
            fallback=on_processor,
            reason=f"{on_processor.name}: asked for, on {machine.cuda_device}",
        )
    return BackendChoice(
        backend=on_processor,
        fallback=None,
        reason=f"{on_processor.name}: asked for, on the processor",
    )


def _tomopy(method: TomopyMethod, machine: Machine, extension: Extension) -> BackendChoice:
    backend = TomopyBackend(method=method, extension=extension)
    if not machine.has_tomopy:
        raise MissingLibraryError(
            f"{backend.name} needs TomoPy, which conda installs; install it, or take auto"
        )
    return BackendChoice(
        backend=backend, fallback=None, reason=f"{backend.name}: asked for, on the processor"
    )


def _cuda_device() -> tuple[str, str]:
    """Name the device that PyTorch computes on, or say why there is none."""
    if importlib.util.find_spec("torch") is None:
        return "", "PyTorch is not installed"
    import torch

    if not torch.cuda.is_available():
        return "", "PyTorch finds no CUDA device"
    return str(torch.cuda.get_device_name(0)), ""


def _astra_has_cuda() -> bool:
    import astra

    return bool(astra.use_cuda())
