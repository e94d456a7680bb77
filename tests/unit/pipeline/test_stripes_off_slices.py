"""Stripes taken off slices that were begun before they were known."""

import importlib

import numpy as np
import pytest

from lithoscope_pipeline.correct import RingMethod, Stripes, find_stripes, remove_rings
from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.geometry import FloatStack, FloatVolume
from lithoscope_pipeline.reconstruct import (
    AstraBackend,
    Backend,
    FourierAccumulator,
    FourierBackend,
    FourierPlan,
    TomopyBackend,
)

N_ANGLES, N_ROWS, N_COLUMNS = 60, 11, 48
THETAS = np.arange(N_ANGLES) * (np.pi / N_ANGLES)
AXIS_PX = 25.3
STRIPED: FloatStack = np.random.default_rng(2).normal(size=(N_ANGLES, N_ROWS, N_COLUMNS)).astype(
    np.float32
) + np.random.default_rng(3).normal(size=(N_ROWS, N_COLUMNS)).astype(np.float32)


def on_processor() -> Backend:
    # Imported late: the module needs PyTorch.
    module = importlib.import_module("lithoscope_pipeline.reconstruct.fourier_cuda")
    made: Backend = module.FourierCudaBackend(device="cpu", rows_at_once=4)
    return made


def slices(backend: Backend, attenuation: FloatStack, stripes: Stripes | None) -> FloatVolume:
    return backend.reconstruct(
        attenuation, THETAS, rotation_axis_px=AXIS_PX, voxel_um=2.0, stripes=stripes
    )


def found(method: RingMethod) -> Stripes:
    stripes = find_stripes(STRIPED, method=method)
    assert stripes is not None
    return stripes


@pytest.mark.parametrize("method", ["median", "titarenko"])
@pytest.mark.parametrize("backend", ["fourier", "torch", "astra", "tomopy"])
def test_slices_are_those_of_projections_without_stripes(backend: str, method: RingMethod) -> None:
    pytest.importorskip(backend if backend != "fourier" else "numba", reason=f"needs {backend}")
    ours = {
        "fourier": FourierBackend,
        "torch": on_processor,
        "astra": AstraBackend,
        "tomopy": TomopyBackend,
    }[backend]()

    taken_off = slices(ours, STRIPED, found(method))

    expected = slices(ours, remove_rings(STRIPED, method=method), None)
    np.testing.assert_allclose(taken_off, expected, atol=1e-5 * np.abs(expected).max())


def test_sums_that_grow_have_the_bytes_of_the_whole() -> None:
    stripes = found("median")
    plan = FourierPlan.make(THETAS, n_columns=N_COLUMNS, rotation_axis_px=AXIS_PX, voxel_um=2.0)
    slab = FourierAccumulator(plan, n_rows=N_ROWS)

    slab.add(0, STRIPED[:20])
    slab.add(20, STRIPED[20 : stripes.n_asked])
    slab.subtract_standing(stripes.image[:8])
    slab.subtract_standing(stripes.image[8:], first_row=8)
    slab.add(stripes.n_asked, STRIPED[stripes.n_asked :])

    whole = slices(FourierBackend(), STRIPED, stripes)
    assert slab.volume().tobytes() == whole.tobytes()


@pytest.mark.parametrize(
    ("shape", "first_row"), [((8, N_COLUMNS), 4), ((8, N_COLUMNS), 8), ((8, 40), 0)]
)
def test_rows_that_are_not_of_the_slab_are_refused(shape: tuple[int, int], first_row: int) -> None:
    plan = FourierPlan.make(THETAS, n_columns=N_COLUMNS, rotation_axis_px=AXIS_PX, voxel_um=2.0)
    slab = FourierAccumulator(plan, n_rows=N_ROWS)

    with pytest.raises(ShapeError, match="from a multiple of 8 below 11"):
        slab.subtract_standing(np.zeros(shape, np.float32), first_row=first_row)
