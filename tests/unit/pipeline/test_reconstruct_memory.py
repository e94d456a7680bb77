"""Memory is planned before it is taken, and the plan is what is then taken."""

import json
import subprocess
import sys

import pytest

from lithoscope_pipeline.correct import Correction
from lithoscope_pipeline.errors import OutOfMemoryError, ParameterError
from lithoscope_pipeline.reconstruct import FourierBackend, ScanSize, plan_rows, slab_memory

GIB = 2**30
FULL = ScanSize(n_angles=1500, n_columns=2560, size=2560, n_beam_frames=40)

PHASE = {"distance_mm": 100.0, "energy_keV": 20.0, "voxel_um": 1.0, "delta_beta": 1000.0}

# What a fresh process takes beyond its input; one small call first loads and compiles all code.
PROGRAM = """
import ctypes, dataclasses, gc, json, re, sys
import numpy as np
from lithoscope_pipeline.correct import Correction
from lithoscope_pipeline.phase_retrieval import PaganinFilter
from lithoscope_pipeline.reconstruct import (
    ScanSize, choose_backend, look_at_machine, reconstruct_slab, slab_memory,
)

name, correction, *shape = json.loads(sys.argv[1])
n_angles, n_rows, n_columns, size = shape
backend = choose_backend(name, look_at_machine()).backend
if hasattr(backend, "n_iterations"):
    backend = dataclasses.replace(backend, n_iterations=2)  # more take time and no memory
if correction is not None:
    phase = correction.pop("phase", None)
    phase = None if phase is None else PaganinFilter(**phase)
    correction = Correction(phase=phase, **correction)

def status(key):
    text = open("/proc/self/status").read()
    return 1024 * int(re.search(key + r":\\s+(\\d+)", text).group(1))

def run(n_angles, n_rows, n_columns, size):
    thetas = np.arange(n_angles) * (np.pi / n_angles)
    about = dict(rotation_axis_px=(n_columns - 1) / 2, voxel_um=1.0, size=size)
    shape = n_rows, n_columns
    if correction is None:
        attenuation = np.ones((n_angles, *shape), np.float32)
        before = fresh()
        kept = backend.reconstruct(attenuation, thetas, **about)
        need = backend.memory(n_angles=n_angles, n_rows=n_rows, n_columns=n_columns, size=size)
    else:
        before = fresh()
        beams = [np.full((4, *shape), counts, np.uint16) for counts in (60000, 100)]
        projections = np.full((n_angles, *shape), 40000, np.uint16)
        kept = reconstruct_slab(
            projections, *beams, thetas, backend=backend, correction=correction, **about
        )
        scan = ScanSize(n_angles=n_angles, n_columns=n_columns, size=size, n_beam_frames=8)
        need = slab_memory(backend, scan, n_rows, correction=correction)
    return status("VmHWM") - before, need.host_bytes

def fresh():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
    return status("VmRSS")

run(24, 3, 40, 40)
print(json.dumps(run(n_angles, n_rows, n_columns, size)))
"""


def taken_and_planned(name: str, correction: dict[str, object] | None, *shape: int) -> list[int]:
    """Bytes that a process took, and those that were planned."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the peak of a process is read from /proc; run this on Linux")
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        PROGRAM,
        json.dumps([name, correction, *shape]),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    pair: list[int] = json.loads(done.stdout)
    return pair


@pytest.mark.parametrize(
    ("name", "program", "shape"),
    [
        ("fourier", "numba", (300, 24, 640, 640)),
        ("astra", "astra", (720, 1, 512, 200)),
        ("astra-sirt", "astra", (500, 1, 160, 160)),
        ("astra-cgls", "astra", (500, 1, 160, 160)),
        ("tomopy", "tomopy", (400, 4, 300, 300)),
        ("tomopy-fbp", "tomopy", (400, 4, 400, 300)),
        ("tomopy-sirt", "tomopy", (60, 4, 300, 300)),
    ],
)
def test_a_backend_takes_what_its_formula_says(
    name: str, program: str, shape: tuple[int, int, int, int]
) -> None:
    pytest.importorskip(program, reason=f"{program} is not installed; install it to run this test")

    taken, planned = taken_and_planned(name, None, *shape)

    assert planned == pytest.approx(taken, rel=0.2)


@pytest.mark.parametrize(
    ("correction", "shape"),
    [
        pytest.param({}, (720, 32, 512, 512), id="slices are most of it"),
        pytest.param({"rings": "median"}, (2400, 32, 200, 200), id="counts are most of it"),
        pytest.param({"phase": PHASE}, (2400, 32, 200, 200), id="line integrals twice"),
    ],
)
def test_a_slab_from_counts_to_slices_takes_what_was_planned(
    correction: dict[str, object], shape: tuple[int, int, int, int]
) -> None:
    taken, planned = taken_and_planned("fourier", correction, *shape)

    assert planned == pytest.approx(taken, rel=0.2)


@pytest.mark.parametrize("correction", [Correction(), Correction(rings="median")])
def test_a_full_size_slab_stays_below_six_gibibytes(correction: Correction) -> None:
    need = slab_memory(FourierBackend(), FULL, 64, correction=correction)

    # Counts 0.5, line integrals 0.9 and slices 1.6 GiB are there in any case.
    assert 3.0 * GIB < need.host_bytes < 6.0 * GIB


def test_a_full_size_slab_takes_less_than_six_gibibytes(is_soak: bool) -> None:
    if not is_soak:
        pytest.skip("it takes 4 GiB and some ten seconds; run with --soak")

    taken, planned = taken_and_planned("fourier", {}, 1500, 64, 2560, 2560)

    assert taken < 6 * GIB
    assert planned == pytest.approx(taken, rel=0.2)


def test_as_many_rows_as_asked_for_are_taken_where_memory_is_plenty() -> None:
    plan = plan_rows(lambda rows: rows * GIB, free_bytes=100 * GIB, most_rows=32)

    assert plan.n_rows == 32
    assert plan.reason == "32 rows at a time (as many as asked for): 32 GiB of 1e+02 GiB free"


def test_rows_are_halved_until_they_fit_into_the_share() -> None:
    plan = plan_rows(lambda rows: rows * GIB, free_bytes=20 * GIB, most_rows=64, usable_share=0.5)

    assert plan.n_rows == 8
    assert plan.bytes_needed == 8 * GIB


def test_the_last_row_may_take_all_that_is_free() -> None:
    plan = plan_rows(lambda rows: rows * GIB, free_bytes=int(1.5 * GIB), most_rows=5)

    assert plan.n_rows == 1


def test_what_does_not_fit_at_all_is_refused_before_it_is_tried() -> None:
    with pytest.raises(OutOfMemoryError, match="one row needs 3 GiB and 2 GiB are free"):
        plan_rows(lambda rows: (rows + 2) * GIB, free_bytes=2 * GIB, most_rows=16)


def test_no_rows_are_no_plan() -> None:
    with pytest.raises(ParameterError, match="most_rows is 0"):
        plan_rows(lambda rows: rows, free_bytes=GIB, most_rows=0)


def test_what_only_phase_retrieval_needs_counts_for_its_line_integrals() -> None:
    scan = ScanSize(n_angles=900, n_columns=1024, size=1024)

    alone = slab_memory(FourierBackend(), scan, 16, correction=Correction())
    with_halo = slab_memory(FourierBackend(), scan, 16, correction=Correction(), n_halo_rows=20)

    # 20 rows of 2-byte counts and 4-byte line integrals.
    assert with_halo.host_bytes - alone.host_bytes == 20 * 900 * 1024 * 6
