"""Memory of a slab, from counts to slices: what is planned and what a process then takes."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from benchmarks.peak_memory import peak_from_now
from benchmarks.tables import Report, Table
from lithoscope_pipeline.correct import Correction, RingMethod
from lithoscope_pipeline.reconstruct import (
    Backend,
    Machine,
    ScanSize,
    choose_backend,
    reconstruct_slab,
    slab_memory,
)

ROOT = Path(__file__).resolve().parents[1]
GIBIBYTE = 2**30
N_BEAMS = 20
HERE = Machine(why_no_cuda="not asked for", has_astra=True, has_tomopy=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A slab: its backend, ring removal, angles, rows and columns."""

    backend: str
    rings: str = "none"
    n_angles: int
    n_rows: int
    n_columns: int


FULL = Job(backend="fourier", n_angles=1500, n_rows=64, n_columns=2560)
JOBS = (
    FULL,
    Job(backend="fourier", rings="median", n_angles=1500, n_rows=64, n_columns=2560),
    Job(backend="fourier", n_angles=1500, n_rows=8, n_columns=2560),
    Job(backend="fourier", n_angles=900, n_rows=64, n_columns=1024),
    Job(backend="astra", n_angles=900, n_rows=2, n_columns=512),
    Job(backend="tomopy", n_angles=900, n_rows=16, n_columns=512),
)
QUICK = (
    Job(backend="fourier", n_angles=400, n_rows=32, n_columns=512),
    Job(backend="fourier", rings="median", n_angles=400, n_rows=32, n_columns=512),
)


def measure(*, is_quick: bool) -> Report:
    """Run each job in a process of its own."""
    jobs = [job for job in (QUICK if is_quick else JOBS) if _can_run(job.backend)]
    return Report(
        title="Memory of a slab, from counts to slices",
        method=(
            "Each job is a process of its own that first does a small one, so that compiled code "
            "does not count. Taken is the highest resident memory above that before: counts "
            "(uint16), flats and darks, line integrals, slices and all that lies between. Planned "
            "is what `slab_memory` says beforehand, by one formula a backend. The bar is 20 % "
            "either way, and 6 GiB for a slab of the full size (2560 columns, 1500 angles, 64 "
            "rows).",
        ),
        tables=(
            Table(
                title="Jobs",
                columns=(
                    "backend", "rings", "angles x rows x columns", "planned, GiB", "taken, GiB",
                    "planned / taken",
                ),
                rows=[_row(job) for job in jobs],
            ),
        ),
        packages=("lithoscope", "numba", "numpy", "scipy"),
    )  # fmt: skip


def _row(job: Job) -> tuple[str, ...]:
    values = [job.backend, job.rings, str(job.n_angles), str(job.n_rows), str(job.n_columns)]
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.slab_memory", *values]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    planned, taken = json.loads(done.stdout.splitlines()[-1])
    return (
        job.backend,
        job.rings,
        f"{job.n_angles} x {job.n_rows} x {job.n_columns}",
        f"{planned / GIBIBYTE:.2f}",
        f"{taken / GIBIBYTE:.2f}",
        f"{planned / taken:.2f}",
    )


def _can_run(name: str) -> bool:
    program = {"astra": "astra", "tomopy": "tomopy"}.get(name.partition("-")[0], "numpy")
    return importlib.util.find_spec(program) is not None


def _main(backend: str, rings: str, n_angles: str, n_rows: str, n_columns: str) -> None:
    chosen = choose_backend(backend, HERE).backend
    correction = Correction(rings=cast(RingMethod, rings))
    _run(chosen, correction, 24, 3, 40)
    print(json.dumps(_run(chosen, correction, int(n_angles), int(n_rows), int(n_columns))))


def _run(
    backend: Backend, correction: Correction, n_angles: int, n_rows: int, n_columns: int
) -> tuple[int, int]:
    peak_bytes = peak_from_now()
    shape = n_rows, n_columns
    flats = np.full((N_BEAMS, *shape), 60000, np.uint16)
    darks = np.full((N_BEAMS, *shape), 100, np.uint16)
    projections = np.full((n_angles, *shape), 40000, np.uint16)
    kept = reconstruct_slab(
        projections,
        flats,
        darks,
        np.arange(n_angles) * (np.pi / n_angles),
        rotation_axis_px=(n_columns - 1) / 2,
        voxel_um=1.0,
        backend=backend,
        correction=correction,
    )
    taken = peak_bytes()
    scan = ScanSize(
        n_angles=n_angles, n_columns=n_columns, size=kept.shape[1], n_beam_frames=2 * N_BEAMS
    )
    return slab_memory(backend, scan, n_rows, correction=correction).host_bytes, taken


if __name__ == "__main__":
    _main(*sys.argv[1:])
