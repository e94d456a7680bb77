"""Memory said before it is taken, against what a fresh process then takes."""

import subprocess
import sys

import pytest

from lithoscope_pipeline.reconstruct import accumulator_bytes, fourier_bytes

PROGRAM = """
import re, sys
from pathlib import Path
import numpy as np, psutil
from lithoscope_pipeline.reconstruct import FourierAccumulator, FourierBackend, FourierPlan

what, (n_angles, n_rows, n_columns, size) = sys.argv[1], map(int, sys.argv[2:])
MiB = 2**20

def run(n_angles, n_rows, n_columns, size):
    attenuation = np.ones((n_angles, n_rows, n_columns), np.float32)
    before = psutil.Process().memory_info().rss
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    thetas = np.arange(n_angles) * (np.pi / n_angles)
    geometry = dict(rotation_axis_px=(n_columns - 1) / 2, voxel_um=1.0, size=size)
    if what == "batch":
        kept = FourierBackend().reconstruct(attenuation, thetas, **geometry)
    else:
        slab = FourierAccumulator(
            FourierPlan.make(thetas, n_columns=n_columns, **geometry), n_rows=n_rows
        )
        slab.add(0, attenuation)
        kept = slab.volume()
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) * 1024 - before

for rows in (1, 9):  # compiled code, which is another for parts of an array, is not counted
    run(20, rows, 16, 16)
print(run(n_angles, n_rows, n_columns, size))
"""
SHAPES = [
    pytest.param((200, 16, 1024, 1024), id="wide"),
    pytest.param((1500, 8, 512, 400), id="many angles"),
    pytest.param((90, 100, 512, 512), id="many rows"),
]


def taken_bytes(what: str, shape: tuple[int, ...]) -> int:
    command = [sys.executable, "-c", PROGRAM, what, *map(str, shape)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_reconstruction_takes_what_was_said(shape: tuple[int, int, int, int]) -> None:
    assert taken_bytes("batch", shape) == pytest.approx(fourier_bytes(*shape), rel=0.2)


@pytest.mark.parametrize("shape", SHAPES[::2])
def test_an_accumulator_takes_what_was_said(shape: tuple[int, int, int, int]) -> None:
    assert taken_bytes("live", shape) == pytest.approx(accumulator_bytes(*shape), rel=0.2)
