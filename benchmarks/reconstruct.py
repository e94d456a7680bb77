"""Sinograms to slices: ``FourierBackend`` against other programs, on one core."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.ellipses import line_integrals, true_slice
from benchmarks.peers import (
    algotom_dfi,
    algotom_fbp,
    astra_fbp,
    finufft_type1,
    skimage_iradon,
    tomopy_gridrec,
)
from benchmarks.reconstruct_parts import live_table, parts_table, slices_table, widths_table
from benchmarks.tables import Report, Table
from benchmarks.timing import Timed, Timings, interleave, one_core, processor_s
from lithoscope_pipeline.geometry import Angles, FloatImage, FloatStack, FloatVolume, field_axis_px
from lithoscope_pipeline.reconstruct import FourierBackend

OURS = "FourierBackend"
VOXEL_UM = 1.0e4  # 1 cm: attenuation a voxel and in 1/cm are the same number
FINUFFT = "finufft type 1"
DFI = "algotom dfi"
GRIDREC = "tomopy gridrec, padded twice"
#: The time of ours over theirs that is aimed at.
BARS = {
    FINUFFT: {1023: 0.8, 2047: 1.0},
    "astra FBP (linear, CPU)": {1023: 0.05},
    DFI: {1023: 0.1, 2047: 0.1},
    GRIDREC: {1023: 0.35, 2047: 0.35},
}
_COMPARED = 0.95  # of the radius of the field


_METHOD = (
    "Shepp and Logan's head (Toft's values, peak 1), exact line integrals averaged over the "
    "pixels of the detector, no noise; the head ends inside the field. Truth is averaged over "
    f"voxels. RMSE is that of one slice within {_COMPARED} of the radius, as it comes and after "
    "the best factor and offset; edges make most of it, since no method shows more than the "
    "pixels do. Filters are plain ramps, padding is each program's own (ours: the width of the "
    "detector on either side; finufft's: half of it).",
    "Milliseconds of processor for a slice, one thread on one core: medians of interleaved "
    "rounds, from the attenuation in memory to the slices in memory, the stated number of "
    "slices at a time (programs slower than 100 ms a slice: one). Geometry that a program can "
    "keep from scan to scan is made before; what it makes anew on each call counts, ours "
    "included. Ratios are those of ours to a program, in brackets the least and the largest of "
    "a round; `bar` is what is aimed at.",
    "finufft is given all it can use: the tolerance 1e-3, its smaller grid (1.25), eight slices "
    "a call, sorted points, and only the samples of the width of the detector, a third fewer "
    "than ours, which reach the corners of the slice. algotom's direct Fourier inversion is made "
    "for angles from 0 to 180 degrees, both included, and gets one projection more. TomoPy is "
    "compared where it is installed.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A scan: odd widths, for then all programs have their axis in the same place.

    Those that take above a hundred milliseconds a slice get one, and at the largest width
    only those do that work in Fourier space.
    """

    n_columns: int
    n_angles: int
    n_slices: int
    repeats: int
    has_slow: bool = True


def measure(*, is_quick: bool) -> Report:
    """Reconstruct the same head by all programs."""
    sizes = (
        [Size(n_columns=255, n_angles=240, n_slices=8, repeats=3)]
        if is_quick
        else [
            Size(n_columns=383, n_angles=360, n_slices=8, repeats=7),
            Size(n_columns=1023, n_angles=750, n_slices=32, repeats=5),
            Size(n_columns=2047, n_angles=1500, n_slices=8, repeats=5, has_slow=False),
        ]
    )
    with one_core():
        tables = (
            *(_table(size) for size in sizes),
            *(parts_table(size.n_columns, size.n_angles) for size in sizes[-2:]),
            live_table(is_quick=is_quick),
            slices_table(is_quick=is_quick),
            widths_table(is_quick=is_quick),
        )
    return Report(
        title="Sinograms to slices, on one core",
        method=_METHOD,
        tables=tables,
        packages=("lithoscope", "finufft", "scikit-image", "astra-toolbox", "algotom", "numba"),
    )


def _table(size: Size) -> Table:
    sinograms = _sinograms(size)
    programs = _programs(size)
    timings = interleave(
        {name: _timed(run, sinograms, name) for name, run in programs.items()},
        repeats=size.repeats,
    )
    slices = {name: run(sinograms[:, :1])[0] for name, run in programs.items()}
    n_columns, n_angles = size.n_columns, size.n_angles
    return Table(
        title=(
            f"{n_angles} angles of {n_columns} columns, {size.n_slices} slices at a time, "
            f"{size.repeats} rounds; {1e-6 * n_angles * n_columns**2:.0f} million updates a "
            "slice for a direct back-projection"
        ),
        columns=("program", "ms a slice", "ours / theirs", "bar", "RMSE", "/ ours", "fitted"),
        rows=_rows(timings, slices, n_columns),
    )


def _programs(size: Size) -> dict[str, Callable[[FloatStack], FloatVolume]]:
    thetas_rad: Angles = np.arange(size.n_angles, dtype=np.float64) * (np.pi / size.n_angles)
    axis_px = field_axis_px(size.n_columns)

    def ours(sinograms: FloatStack) -> FloatVolume:
        return FourierBackend().reconstruct(
            sinograms[:-1], thetas_rad, rotation_axis_px=axis_px, voxel_um=VOXEL_UM
        )

    gridrec = tomopy_gridrec(thetas_rad, axis_px)
    fast = {
        OURS: ours,
        FINUFFT: finufft_type1(thetas_rad, size.n_columns, axis_px),
        **({GRIDREC: gridrec} if gridrec else {}),
        DFI: algotom_dfi(thetas_rad, axis_px),
    }
    if not size.has_slow:
        return fast
    return {
        **fast,
        "algotom fbp (numba)": algotom_fbp(thetas_rad, axis_px),
        "astra FBP (linear, CPU)": astra_fbp(thetas_rad, size.n_columns),
        "scikit-image iradon": skimage_iradon(thetas_rad),
    }


def _sinograms(size: Size) -> FloatStack:
    """Give the head once a slice, shape (n_angles + 1, n_slices, n_columns)."""
    thetas_rad = np.arange(size.n_angles + 1) * (np.pi / size.n_angles)
    one = line_integrals(size.n_columns, thetas_rad)
    return np.ascontiguousarray(np.repeat(one[:, None, :], size.n_slices, axis=1))


def _timed(run: Callable[[FloatStack], FloatVolume], sinograms: FloatStack, name: str) -> Timed:
    part = sinograms if name in (OURS, FINUFFT, GRIDREC) else sinograms[:, :1]
    return lambda: processor_s(lambda: run(part)) / part.shape[1]


def _rows(
    timings: Timings, slices: Mapping[str, FloatImage], n_columns: int
) -> list[tuple[str, ...]]:
    ours, _ = _errors(slices[OURS])
    rows: list[tuple[str, ...]] = []
    for name, image in slices.items():
        plain, fitted = _errors(image)
        rows.append(
            (
                name,
                f"{1e3 * timings.median_s(name):.1f}",
                "1" if name == OURS else timings.ratio_text(OURS, name, digits=3),
                f"{BARS.get(name, {}).get(n_columns, '')}",
                f"{plain:.4f}",
                f"{plain / ours:.2f}",
                f"{fitted:.4f}",
            )
        )
    return rows


def _errors(image: FloatImage) -> tuple[float, float]:
    """Give the root mean square error of a slice, plain and after the best straight line."""
    n = image.shape[0]
    truth = true_slice(n, middle_px=field_axis_px(n))
    y, x = np.indices(image.shape) - field_axis_px(n)
    inside = np.hypot(x, y) < _COMPARED * n / 2
    found, true = image[inside].astype(np.float64), truth[inside].astype(np.float64)
    fitted = np.polyval(np.polyfit(found, true, 1), found)
    return _rms(found - true), _rms(fitted - true)


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))
