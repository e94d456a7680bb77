"""Which backend is taken where, and what is said about it."""

from typing import get_args

import numpy as np
import pytest

from lithoscope_pipeline.errors import MissingLibraryError, ParameterError
from lithoscope_pipeline.reconstruct import (
    BACKEND_NAMES,
    AstraBackend,
    FourierBackend,
    Machine,
    choose_backend,
    look_at_machine,
)
from lithoscope_services.settings.backends import BackendName

BARE = Machine(why_no_cuda="PyTorch is not installed")
FULL = Machine(why_no_cuda="PyTorch finds no CUDA device", has_astra=True, has_tomopy=True)
DEVICE = Machine(cuda_device="NVIDIA H100", has_astra=True, has_astra_cuda=True)


def test_auto_takes_ours_on_the_processor_where_there_is_no_device() -> None:
    choice = choose_backend("auto", FULL, extension="cosine")

    assert choice.backend == FourierBackend(extension="cosine")
    assert choice.fallback is None
    assert choice.reason == "fourier on the processor: PyTorch finds no CUDA device"


def test_auto_takes_the_device_where_there_is_one_and_keeps_the_processor_in_hand() -> None:
    pytest.importorskip("torch", reason="install PyTorch to run this test")

    choice = choose_backend("auto", DEVICE, extension="zero")

    assert choice.backend.name == "fourier-cuda"
    assert choice.fallback == FourierBackend(extension="zero")
    assert choice.reason == "fourier-cuda on NVIDIA H100"


def test_who_asks_for_the_processor_gets_it() -> None:
    assert choose_backend("fourier", DEVICE).backend == FourierBackend()


def test_astra_runs_on_a_device_where_it_can_and_falls_back_to_the_processor() -> None:
    choice = choose_backend("astra-sirt", DEVICE)

    assert choice.backend == AstraBackend(method="sirt", device="cuda")
    assert choice.fallback == AstraBackend(method="sirt")


@pytest.mark.parametrize("name", [n for n in BACKEND_NAMES if n != "fourier-cuda"])
def test_each_name_gives_the_backend_of_that_name(name: str) -> None:
    choice = choose_backend(name, FULL)

    assert choice.backend.name == name
    assert name in choice.reason


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("astra", "astra-toolbox"),
        ("tomopy-sirt", "conda"),
        ("fourier-cuda", "PyTorch is not installed"),
    ],
)
def test_what_is_not_here_is_refused_with_what_it_takes(name: str, what: str) -> None:
    with pytest.raises(MissingLibraryError, match=what):
        choose_backend(name, BARE)


def test_an_unknown_name_is_answered_with_those_known() -> None:
    with pytest.raises(ParameterError, match=r"no backend 'gridrec'.*tomopy"):
        choose_backend("gridrec", FULL)


def test_settings_take_the_same_names() -> None:
    assert get_args(BackendName) == ("auto", *BACKEND_NAMES)


def test_a_look_at_this_machine_tells_why_there_is_no_device_if_there_is_none() -> None:
    machine = look_at_machine()

    assert bool(machine.cuda_device) != bool(machine.why_no_cuda)
    assert choose_backend("auto", machine).reason.startswith("fourier")


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("name", "tolerance"), [("fourier-cuda", 1e-4), ("astra", 0.03), ("astra-sirt", 0.03)]
)
def test_a_device_gives_what_the_processor_gives(name: str, tolerance: float) -> None:
    machine = look_at_machine()
    if not machine.cuda_device or (name.startswith("astra") and not machine.has_astra_cuda):
        pytest.skip(f"{name} finds no CUDA device; run this test where there is one")
    choice = choose_backend(name, machine, extension="zero")
    fallback = choice.fallback
    thetas = np.arange(90) * (np.pi / 90)
    s = np.arange(48) - 22.3
    along = 6.0 * np.cos(thetas) - 4.0 * np.sin(thetas)
    attenuation = np.exp(-0.125 * (s - along[:, None]) ** 2).astype(np.float32)[:, None]

    found, expected = (
        each.reconstruct(attenuation, thetas, rotation_axis_px=22.3, voxel_um=4.5)
        for each in (choice.backend, fallback)
        if each is not None
    )

    # ASTRA's projectors on a device interpolate otherwise.
    assert np.abs(found - expected).max() < tolerance * expected.max()
