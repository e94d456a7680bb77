"""The backend of PyTorch against the one without it: on a device, and on PyTorch's processor."""

import importlib

import numpy as np
import pytest

from lithoscope_pipeline.errors import NonFiniteError, ShapeError
from lithoscope_pipeline.geometry import FloatStack
from lithoscope_pipeline.reconstruct import Backend, FourierBackend

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install '.[train]' or '.[gpu]'")
N_ANGLES, N_ROWS, N_COLUMNS = 90, 5, 48
THETAS = np.arange(N_ANGLES) * (2.0 * np.pi / N_ANGLES)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> str:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return str(request.param)


def noise(seed: int = 0) -> FloatStack:
    values = np.random.default_rng(seed).normal(size=(N_ANGLES, N_ROWS, N_COLUMNS))
    return values.astype(np.float32)


def backend(device: str, *, rows_at_once: int = 3) -> Backend:
    # Imported late: the module needs PyTorch.
    module = importlib.import_module("lithoscope_pipeline.reconstruct.fourier_cuda")
    made: Backend = module.FourierCudaBackend(device=device, rows_at_once=rows_at_once)
    return made


@pytest.mark.parametrize(("size", "axis_px"), [(48, 23.5), (49, 20.2), (30, 25.0)])
def test_slices_equal_those_of_the_processor(device: str, size: int, axis_px: float) -> None:
    found, expected = (
        each.reconstruct(noise(), THETAS, size=size, rotation_axis_px=axis_px, voxel_um=4.5)
        for each in (backend(device), FourierBackend())
    )

    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_more_angles_than_one_matrix_holds_are_all_summed(device: str) -> None:
    thetas = np.arange(1100) * (np.pi / 1100)
    attenuation = np.random.default_rng(5).normal(size=(1100, 1, 24)).astype(np.float32)

    found = backend(device).reconstruct(attenuation, thetas, rotation_axis_px=11.5, voxel_um=1.0)

    expected = FourierBackend().reconstruct(
        attenuation, thetas, rotation_axis_px=11.5, voxel_um=1.0
    )
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_a_kept_geometry_is_not_used_for_another(device: str) -> None:
    kept = backend(device)
    first = kept.reconstruct(noise(), THETAS, rotation_axis_px=23.5, voxel_um=1.0)
    kept.reconstruct(noise(), THETAS, rotation_axis_px=21.0, voxel_um=2.0)

    again = kept.reconstruct(noise(), THETAS, rotation_axis_px=23.5, voxel_um=1.0)

    np.testing.assert_allclose(again, first, atol=1e-5 * np.abs(first).max())


def test_broken_contracts_are_named(device: str) -> None:
    attenuation = noise()

    with pytest.raises(ShapeError, match="89 angles for 90 projections"):
        backend(device).reconstruct(attenuation, THETAS[:-1], rotation_axis_px=23.5, voxel_um=1.0)
    attenuation[3, 1, 4] = np.nan
    with pytest.raises(NonFiniteError, match="NaN"):
        backend(device).reconstruct(attenuation, THETAS, rotation_axis_px=23.5, voxel_um=1.0)


@pytest.mark.gpu
def test_a_device_takes_the_memory_that_was_said() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    n_angles, n_rows, n_columns = 900, 32, 1024
    thetas = np.arange(n_angles) * (np.pi / n_angles)
    attenuation = np.ones((n_angles, n_rows, n_columns), np.float32)
    whole = backend("cuda", rows_at_once=16)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()

    whole.reconstruct(attenuation, thetas, rotation_axis_px=511.5, voxel_um=1.0)

    said = whole.memory(n_angles=n_angles, n_rows=n_rows, n_columns=n_columns, size=n_columns)
    taken = torch.cuda.max_memory_allocated() - before
    assert taken == pytest.approx(said.device_bytes, rel=0.2)
