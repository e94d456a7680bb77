"""``FourierCudaBackend`` on a CUDA device: time, memory and share of the bandwidth."""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.reconstruct_parts import fourier_plan, half_turn_rad
from benchmarks.tables import Report, Table
from lithoscope_pipeline.geometry import FloatStack, FloatVolume, field_axis_px
from lithoscope_pipeline.reconstruct import Backend, FourierBackend
from lithoscope_pipeline.reconstruct.gridding import WIDTH

_SIZES = ((512, 375), (1024, 750), (2048, 1500))
_N_ROWS = 64
_WHOLE = (2576, 1500, 3977)  # columns, angles and rows of a full scan: 26 gigavoxels
_COPIED_BYTES = 2**30


def measure(*, is_quick: bool) -> Report:
    """Time slabs of growing width; needs PyTorch and a CUDA device."""
    try:
        import torch
    except ImportError:
        sys.exit("reconstruct_gpu needs PyTorch: pip install '.[gpu]'")
    if not torch.cuda.is_available():
        sys.exit("reconstruct_gpu needs a CUDA device; PyTorch finds none")
    device = torch.cuda.get_device_name(0)
    return Report(
        title=f"Sinograms to slices on {device}",
        method=(
            f"Noise, {_N_ROWS} rows at a time, float32: milliseconds a slice by the clock, from "
            "line integrals in the host's memory to slices there, medians of 5 after one that "
            "makes the geometry. Bytes are what each step must read and write of the device's "
            "memory: line integrals, their spectra, the sparse matrix once a pass, the grid "
            "four times, slices. The processor's time is that of one core for eight slices; "
            "the difference is the largest, over the largest value.",
        ),
        tables=tables("cuda", _SIZES[:2] if is_quick else _SIZES, is_whole=not is_quick),
        packages=("lithoscope", "torch", "numpy", "scipy", "numba"),
    )


def tables(
    device: str, sizes: tuple[tuple[int, int], ...], *, is_whole: bool
) -> tuple[Table, ...]:
    """Measure on a device of PyTorch."""
    copy_gb_s = _copy_gb_s(device)
    rows = [_row(device, *size, copy_gb_s) for size in sizes]
    found = [
        Table(
            title=f"{_N_ROWS} rows; the device copies {copy_gb_s:.0f} GB/s (read and written)",
            columns=("columns x angles", "ms a slice", "first slab, s", "device memory, GB",
                     "said", "GB a slice", "share of copy", "processor, ms", "ratio",
                     "difference"),
            rows=rows,
        )
    ]  # fmt: skip
    if is_whole:
        found.append(_whole_scan(device))
    return tuple(found)


def _row(device: str, n_columns: int, n_angles: int, copy_gb_s: float) -> tuple[str, ...]:
    backend, attenuation = _backend(device), _noise(n_angles, n_columns)
    _reset_peak(device)
    first_s = _clock_s(lambda: _run(backend, attenuation))
    slice_s = statistics.median(_clock_s(lambda: _run(backend, attenuation)) for _ in range(5))
    slice_s /= _N_ROWS
    memory = backend.memory(n_angles=n_angles, n_rows=_N_ROWS, n_columns=n_columns, size=n_columns)
    few = attenuation[:, :8]
    expected = _run(FourierBackend(), few)
    processor_s = _clock_s(lambda: _run(FourierBackend(), few)) / 8
    difference = np.abs(_run(backend, few) - expected).max() / np.abs(expected).max()
    gigabytes = _moved_gb(n_columns, n_angles)
    return (
        f"{n_columns} x {n_angles}",
        f"{1e3 * slice_s:.2f}",
        f"{first_s:.2f}",
        f"{_peak_gb(device):.2f}",
        f"{1e-9 * memory.device_bytes:.2f}",
        f"{gigabytes:.3f}",
        f"{100 * gigabytes / slice_s / copy_gb_s:.0f} %",
        f"{1e3 * processor_s:.1f}",
        f"{slice_s / processor_s:.3f}",
        f"{difference:.1e}",
    )


def _whole_scan(device: str) -> Table:
    n_columns, n_angles, n_rows = _WHOLE
    backend, attenuation = _backend(device), _noise(n_angles, n_columns)
    first_s = _clock_s(lambda: _run(backend, attenuation))
    slab_s = statistics.median(_clock_s(lambda: _run(backend, attenuation)) for _ in range(3))
    total_s = first_s + slab_s * (n_rows / _N_ROWS - 1)
    return Table(
        title="A full scan, from the time of its slabs",
        columns=("voxels", "angles", "first slab, s", "a slab, s", "whole scan, s"),
        rows=[
            (
                f"{n_rows} x {n_columns} x {n_columns}",
                str(n_angles),
                f"{first_s:.2f}",
                f"{slab_s:.3f}",
                f"{total_s:.0f}",
            )
        ],
    )


def _backend(device: str) -> Backend:
    from lithoscope_pipeline.reconstruct.fourier_cuda import FourierCudaBackend

    return FourierCudaBackend(device=device)


def _noise(n_angles: int, n_columns: int) -> FloatStack:
    rng = np.random.default_rng(1)
    return rng.standard_normal((n_angles, _N_ROWS, n_columns), np.float32)


def _run(backend: Backend, attenuation: FloatStack) -> FloatVolume:
    n_angles, _, n_columns = attenuation.shape
    return backend.reconstruct(
        attenuation,
        half_turn_rad(n_angles),
        rotation_axis_px=field_axis_px(n_columns),
        voxel_um=1.0,
    )


def _clock_s(work: Callable[[], object]) -> float:
    """Time what ends with its result in the host's memory, so that nothing is outstanding."""
    begin_s = time.perf_counter()
    work()
    return time.perf_counter() - begin_s


def _copy_gb_s(device: str) -> float:
    import torch

    source = torch.ones(_COPIED_BYTES // 4, device=device)
    target = torch.empty_like(source)

    def copy() -> None:
        for _ in range(10):
            target.copy_(source)
        target[0].item()  # waits for the device

    copy()
    return 1e-9 * 20 * _COPIED_BYTES / statistics.median(_clock_s(copy) for _ in range(5))


def _moved_gb(n_columns: int, n_angles: int) -> float:
    plan = fourier_plan(n_columns, n_angles)
    grid, n_samples = plan.grid, n_angles * plan.factors.shape[1]
    matrix = 8 * n_samples * WIDTH**2 / 16  # shared by the rows that are summed at once
    line_integrals = 2 * 4 * n_angles * (n_columns + 2 * plan.rows.length)
    points = 4 * 8 * grid.edge * grid.half
    return 1e-9 * (line_integrals + 4 * 8 * n_samples + matrix + points + 2 * 4 * grid.size**2)


def _reset_peak(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()


def _peak_gb(device: str) -> float:
    import torch

    return 1e-9 * torch.cuda.max_memory_allocated() if device == "cuda" else 0.0
