"""One time step of the simulated cell: time on two cores, and memory of a wide slab.

Run by itself, with a size and a number of rows, it simulates once and prints what that took: each
measurement has a process of its own, for the most memory that a process ever had cannot be reset.
"""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace

from benchmarks.tables import ROOT, Report, Table
from lithoscope_pipeline.phantom import SIZES, SimulatedCell, SizeName, make_cell
from lithoscope_pipeline.phantom.acquisition_parameters import AcquisitionParameters

WIDE_COLUMNS, WIDE_ROWS = 2048, 64
_LIMIT_S, _LIMIT_GIB = 20.0, 4.0
_SCAN = 1  # fully charged: dendrites and all


def measure(*, is_quick: bool) -> Report:
    """Simulate time steps of two sizes, and a slab."""
    steps = [_child("tiny"), _child("tiny", n_threads=1)]
    if not is_quick:
        steps += [_child("small"), _child("small", n_threads=1)]
    slab = _child("full", n_columns=WIDE_COLUMNS, n_rows=4 if is_quick else WIDE_ROWS)
    return Report(
        title="A time step of the simulated cell",
        method=(
            "Scan 1 of 3, fully charged, with all defaults: structure, phase contrast, "
            "drift. Seconds by the clock, in a process of its own that has made one slice before, "
            "of the line integrals, and of a whole step with all its frames. The limit is "
            f"{_LIMIT_S:.0f} s for `small` on two cores.",
            "Peak memory is the largest resident set of the process, interpreter and libraries "
            f"included; the limit is {_LIMIT_GIB:.0f} GiB for {WIDE_ROWS} rows of "
            f"{WIDE_COLUMNS} columns.",
        ),
        tables=(
            _table("Time steps", steps),
            _table("A slab of the full size", [slab]),
        ),
        packages=("lithoscope", "finufft", "numpy", "scipy"),
    )


def _table(title: str, found: list[dict[str, float | str]]) -> Table:
    return Table(
        title=title,
        columns=(
            "size",
            "rows x columns x angles",
            "threads",
            "line integrals, s",
            "with frames, s",
            "peak GiB",
        ),
        rows=[
            (
                str(one["size"]),
                f"{one['n_rows']} x {one['n_columns']} x {one['n_angles']}",
                str(one["n_threads"]),
                f"{one['line_integrals_s']:.1f}",
                f"{one['step_s']:.1f}" if one["step_s"] else "",
                f"{one['peak_gib']:.2f}",
            )
            for one in found
        ],
    )


def _child(
    size: SizeName, *, n_threads: int = 2, n_columns: int = 0, n_rows: int = 0
) -> dict[str, float | str]:
    words = [size, str(n_threads), str(n_columns), str(n_rows)]
    command = [sys.executable, "-m", "benchmarks.simulate", *words]
    # BLAS would start threads of its own beside ours.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    found: dict[str, float | str] = json.loads(done.stdout)
    return found


def _simulate(size: SizeName, *, n_threads: int, n_columns: int, n_rows: int) -> None:
    detector = SIZES[size]
    if n_columns:
        detector = replace(
            detector, n_rows=n_rows, n_columns=n_columns, acquisition=AcquisitionParameters()
        )
    cell = make_cell(size, seed=1, n_scans=3, detector=detector)
    make_cell("tiny", seed=1, n_scans=3).line_integrals(_SCAN, n_rows=1)
    begin_s = time.perf_counter()
    cell.line_integrals(_SCAN, n_rows=detector.n_rows, n_threads=n_threads)
    line_integrals_s = time.perf_counter() - begin_s
    step_s = 0.0 if n_columns else _step_s(cell)
    found = {
        "size": size,
        "n_rows": detector.n_rows,
        "n_columns": detector.n_columns,
        "n_angles": detector.n_angles,
        "n_threads": n_threads,
        "line_integrals_s": line_integrals_s,
        "step_s": step_s,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }
    print(json.dumps(found))


def _step_s(cell: SimulatedCell) -> float:
    """Time a whole time step, line integrals included."""
    begin_s = time.perf_counter()
    for _ in cell.frames(_SCAN):
        pass
    return time.perf_counter() - begin_s


if __name__ == "__main__":
    _simulate(
        sys.argv[1],  # type: ignore[arg-type]  # written above
        n_threads=int(sys.argv[2]),
        n_columns=int(sys.argv[3]),
        n_rows=int(sys.argv[4]),
    )
