"""What ``FourierBackend`` is made of, and how its time grows with slices and width."""

import math
import time

import numpy as np

from benchmarks.tables import Table
from benchmarks.timing import Timed, interleave, processor_s
from lithoscope_pipeline.correct import correct
from lithoscope_pipeline.geometry import Angles, FloatStack, field_axis_px
from lithoscope_pipeline.reconstruct import (
    FourierAccumulator,
    FourierBackend,
    FourierPlan,
    reconstruct_slab,
)
from lithoscope_pipeline.reconstruct.gridding import LANES, WIDTH

_ANGLES_AT_ONCE = 8


def half_turn_rad(n_angles: int) -> Angles:
    """Give even steps over half a turn."""
    return np.arange(n_angles) * (np.pi / n_angles)


def fourier_plan(n_columns: int, n_angles: int) -> FourierPlan:
    """Prepare a scan whose axis is in the middle."""
    return FourierPlan.make(
        half_turn_rad(n_angles),
        n_columns=n_columns,
        rotation_axis_px=field_axis_px(n_columns),
        voxel_um=1.0,
    )


def parts_table(n_columns: int, n_angles: int) -> Table:
    """Split the time of eight slices, beside what the core can do."""
    plan = fourier_plan(n_columns, n_angles)
    attenuation = _noise(n_angles, LANES, n_columns)
    grid = plan.grid.empty()
    parts: dict[str, Timed] = {
        "filter rows": lambda: processor_s(lambda: _filter(plan, attenuation)),
        "spread on the grid": lambda: _spread_s(plan, attenuation, grid),
        "transform the grid": lambda: processor_s(lambda: plan.grid.slices(grid)),
    }
    roof: dict[str, Timed] = {"copy": _copy_s, "multiply matrices": _multiply_s}
    timings = interleave({**parts, **roof}, repeats=5)
    copy_gb_s = 2 * _COPIED_BYTES / timings.median_s("copy") / 1e9
    gflop_s = 2 * _MATRIX**3 / timings.median_s("multiply matrices") / 1e9
    work = dict(zip(parts, _work(plan), strict=True))
    rows = []
    for name in parts:
        slice_s = timings.median_s(name) / LANES
        mflop, megabytes = work[name]
        at_least_ms = max(mflop / gflop_s, megabytes / copy_gb_s)
        rows.append(
            (
                name,
                f"{1e3 * slice_s:.1f}",
                f"{mflop:.0f}",
                f"{megabytes:.0f}",
                f"{1e-3 * mflop / slice_s:.0f}",
                f"{1e-3 * megabytes / slice_s:.1f}",
                f"{100 * at_least_ms / (1e3 * slice_s):.0f} %",
            )
        )
    return Table(
        title=(
            f"Where the time goes: {n_angles} angles of {n_columns} columns, a slice; this core "
            f"copies {copy_gb_s:.1f} GB/s (read and written) and multiplies matrices at "
            f"{gflop_s:.0f} Gflop/s; bytes are those that must come from and go to memory, "
            "operations those of the textbook (5 n log2 n a transform), the last column is what "
            "these two rates allow over the time taken"
        ),
        columns=("part", "ms", "Mflop", "MB", "Gflop/s", "GB/s", "of what is possible"),
        rows=rows,
    )


def live_table(*, is_quick: bool) -> Table:
    """Compare what is left after the last projection with the reconstruction of a slab."""
    sizes = [(256, 240, 16)] if is_quick else [(1024, 750, 32), (2048, 1500, 16)]
    rows = []
    for n_columns, n_angles, n_rows in sizes:
        rng = np.random.default_rng(3)
        counts = rng.integers(1000, 4000, (n_angles, n_rows, n_columns), np.uint16)
        flats = np.full((10, n_rows, n_columns), 4000, np.uint16)
        darks = np.full((10, n_rows, n_columns), 100, np.uint16)
        plan = fourier_plan(n_columns, n_angles)
        slab = FourierAccumulator(plan, n_rows=n_rows)
        slab.add(0, correct(counts[:-1], flats, darks))
        timings = interleave(
            {
                "batch": _batch(counts, flats, darks),
                "left": _left(slab, counts[-1:], flats, darks),
                "arriving": _arriving(plan, counts[:16], flats, darks),
            },
            repeats=3,
        )
        rows.append(
            (
                f"{n_angles} x {n_rows} x {n_columns}",
                f"{timings.median_s('batch'):.2f}",
                f"{timings.median_s('left'):.2f}",
                timings.ratio_text("left", "batch"),
                "0.33",
                f"{1e3 * timings.median_s('arriving') / 16:.1f}",
            )
        )
    return Table(
        title=(
            "Live: from counts to slices after the scan, and what is left of it after the last "
            "projection (to correct and add that one, and to transform the grids), processor time"
        ),
        columns=("angles x rows x columns", "batch, s", "left, s", "left / batch", "bar",
                 "while it runs, ms a projection"),
        rows=rows,
    )  # fmt: skip


def slices_table(*, is_quick: bool) -> Table:
    """Show what a slice costs, however many there are."""
    n_columns, n_angles = (128, 90) if is_quick else (512, 375)
    numbers = (16, 32) if is_quick else (16, 32, 64, 128, 256, 512)
    attenuation = _noise(n_angles, numbers[-1], n_columns)
    result_bytes = {n: 4 * n * n_columns**2 for n in numbers}
    time.sleep(0.0 if is_quick else _IDLE_S)
    idle_s, used_s = _touch_s(result_bytes[numbers[-1]]), _touch_s(result_bytes[numbers[-1]])
    timings = interleave(
        {str(n): _in_used_memory(attenuation[:, :n], result_bytes[n]) for n in numbers},
        repeats=1 if is_quick else 5,
    )
    per_slice = {n: timings.median_s(str(n)) / n for n in numbers}
    mean = sum(per_slice.values()) / len(per_slice)
    return Table(
        title=(
            f"Cost of a slice, {n_angles} angles of {n_columns} columns (bar: flat within 15 %). "
            "The memory of a result was in use just before: a virtual machine may give pages back "
            "that idle for seconds, and to have them again is not the program's work. Here the "
            f"pages of a slice take {1e3 * idle_s / numbers[-1]:.2f} ms to touch after "
            f"{_IDLE_S:.0f} s, {1e3 * used_s / numbers[-1]:.2f} ms at once"
        ),
        columns=("slices", "ms a slice", "against the mean"),
        rows=[
            (str(n), f"{1e3 * value:.2f}", f"{100 * (value / mean - 1):+.0f} %")
            for n, value in per_slice.items()
        ],
    )


def widths_table(*, is_quick: bool) -> Table:
    """Show how the time grows with the width, the number of angles with it."""
    widths = (128, 256) if is_quick else (512, 1024, 2048)
    stacks = {n: _noise(3 * n // 4, 16, n) for n in widths}
    timings = interleave(
        {str(n): _reconstruct(stack) for n, stack in stacks.items()}, repeats=1 if is_quick else 3
    )
    law = {n: timings.median_s(str(n)) / (16 * n**2 * math.log2(n)) for n in widths}
    return Table(
        title="Cost of a slice over its width N, 3 N / 4 angles, 16 slices (law: N² log N)",
        columns=("N", "ms a slice", "ns / (N² log2 N)", "against the first"),
        rows=[
            (
                str(n),
                f"{1e3 * timings.median_s(str(n)) / 16:.1f}",
                f"{1e9 * value:.2f}",
                f"{value / law[widths[0]]:.2f}",
            )
            for n, value in law.items()
        ],
    )


_IDLE_S = 10.0
_PAGE_BYTES = 4096


def _touch_s(n_bytes: int) -> float:
    """Time the first write to each page of fresh memory."""
    return processor_s(lambda: np.empty(n_bytes, np.uint8)[::_PAGE_BYTES].fill(1))


def _in_used_memory(attenuation: FloatStack, result_bytes: int) -> Timed:
    timed = _reconstruct(attenuation)

    def run() -> float:
        _touch_s(result_bytes)
        return timed()

    return run


_COPIED_BYTES = 256 * 2**20
_MATRIX = 1024


def _copy_s() -> float:
    source = np.ones(_COPIED_BYTES // 4, np.float32)
    target = np.zeros_like(source)
    np.copyto(target, source)
    return processor_s(lambda: np.copyto(target, source))


def _multiply_s() -> float:
    matrix = np.ones((_MATRIX, _MATRIX), np.float32)
    return processor_s(lambda: matrix @ matrix)


def _noise(n_angles: int, n_rows: int, n_columns: int) -> FloatStack:
    rng = np.random.default_rng(1)
    one = rng.standard_normal((n_angles, 1, n_columns), np.float32)
    return np.ascontiguousarray(np.repeat(one, n_rows, axis=1))


def _filter(plan: FourierPlan, attenuation: FloatStack) -> None:
    for first in range(0, plan.n_angles, _ANGLES_AT_ONCE):
        plan.rows.spectra(attenuation[first : first + _ANGLES_AT_ONCE])


def _spread_s(plan: FourierPlan, attenuation: FloatStack, grid: FloatStack) -> float:
    spectra = plan.rows.spectra(attenuation[:_ANGLES_AT_ONCE])

    def work() -> None:
        for first in range(0, plan.n_angles - _ANGLES_AT_ONCE + 1, _ANGLES_AT_ONCE):
            angles = slice(first, first + _ANGLES_AT_ONCE)
            plan.grid.add(grid, spectra, plan.factors[angles], first)

    return processor_s(work)


def _work(plan: FourierPlan) -> tuple[tuple[float, float], ...]:
    """Millions of operations and megabytes of a slice: filtering, spreading, transforming."""
    length, n_kept, n_angles = plan.rows.length, plan.rows.n_kept, plan.n_angles
    size, edge, half = plan.grid.size, plan.grid.edge, plan.grid.half
    n_samples = n_angles * plan.factors.shape[1]
    rows = n_angles * (5.0 * length * math.log2(length) + 2.5 * n_kept * math.log2(n_kept))
    spread = n_samples * (8 + 2 * WIDTH + 4 * WIDTH**2)
    lines = (half + 0.5 * size) * 5.0 * edge * math.log2(edge)
    # Attenuation once; the grid read and written once; it, its lines twice and the slice.
    moved = (4 * n_angles * plan.n_columns, 16 * edge * half, 8 * half * (edge + 2 * size))
    filtering, spreading, transforming = moved
    return (
        (1e-6 * rows, 1e-6 * filtering),
        (1e-6 * spread, 1e-6 * spreading),
        (1e-6 * lines, 1e-6 * (transforming + 4 * size**2)),
    )


def _reconstruct(attenuation: FloatStack) -> Timed:
    n_angles, _, n_columns = attenuation.shape
    return lambda: processor_s(
        lambda: FourierBackend().reconstruct(
            attenuation,
            half_turn_rad(n_angles),
            rotation_axis_px=field_axis_px(n_columns),
            voxel_um=1.0,
        )
    )


Counts = np.ndarray[tuple[int, ...], np.dtype[np.uint16]]


def _batch(counts: Counts, flats: Counts, darks: Counts) -> Timed:
    n_angles, _, n_columns = counts.shape
    return lambda: processor_s(
        lambda: reconstruct_slab(
            *(counts, flats, darks, half_turn_rad(n_angles)),
            rotation_axis_px=field_axis_px(n_columns),
            voxel_um=1.0,
        )
    )


def _left(slab: FourierAccumulator, last: Counts, flats: Counts, darks: Counts) -> Timed:
    def run() -> float:
        twin = slab.copy()

        def work() -> None:
            twin.add(twin.next_index, correct(last, flats, darks))
            twin.volume()

        return processor_s(work)

    return run


def _arriving(plan: FourierPlan, counts: Counts, flats: Counts, darks: Counts) -> Timed:
    def run() -> float:
        slab = FourierAccumulator(plan, n_rows=counts.shape[1])
        return processor_s(lambda: slab.add(0, correct(counts, flats, darks)))

    return run
