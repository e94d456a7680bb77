"""A simulated cell to be painted on: its truth, grey values of another material, strokes.

Lithium is brighter than the electrolyte here, mossy lithium a little less so, and the noise is
that of a coarse detector.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from dashboard_instance import NAME, SHA, Instance, fetch
from numpy.typing import NDArray
from scipy import ndimage
from waiting import until

from lithoscope_pipeline.labels import UNLABELLED, SegmentClass, segments_of
from lithoscope_pipeline.phantom import make_cell
from lithoscope_store import LabelClass, volumes

Plane = NDArray[np.uint8]
VOXEL_UM = 2.0
N_SLICES = 22
_STROKE_PX = 40
_LEVELS = {
    SegmentClass.BACKGROUND: 0.1,
    SegmentClass.ELECTROLYTE: 0.3,
    SegmentClass.ELECTRODE: 0.8,
    SegmentClass.DEPOSITED: 0.65,
    SegmentClass.DENDRITE: 0.72,
    SegmentClass.PIT: 0.3,
    SegmentClass.VOID: 0.0,
}


@dataclass(frozen=True, slots=True)
class Stroke:
    """A straight stroke along a row, between two columns."""

    value: int
    row: int
    left: int
    right: int


@cache
def truth() -> NDArray[np.uint8]:
    """Classes of the scan, (z, y, x), as networks tell them apart."""
    cell = make_cell("tiny", seed=5)
    return segments_of(cell.labels(8, cell.roi))[:N_SLICES]


def grey() -> NDArray[np.float32]:
    """Grey values of the same voxels."""
    levels = np.array([_LEVELS[each] for each in SegmentClass], np.float32)
    noise = np.random.default_rng(11).normal(size=truth().shape)
    coarse = ndimage.gaussian_filter(noise, 0.7)
    return np.asarray(levels[truth()] + 0.12 * coarse / coarse.std(), np.float32)


@cache
def strokes(z: int, brush: int, per_class: int = 2) -> tuple[Stroke, ...]:
    """Strokes of a brush that stay within their class, anywhere in it, apart."""
    found: list[Stroke] = []
    rng = np.random.default_rng([z, brush])
    for value in np.unique(truth()[z]):
        inside = truth()[z] == value
        # Where the whole brush fits.
        row, column = np.indices((brush, brush)) - brush // 2
        free = ndimage.binary_erosion(inside, 4 * (row**2 + column**2) <= brush**2)
        for _ in range(per_class):
            runs = list(_runs(free))
            longest = max((last - first for _, first, last in runs), default=0)
            long = [each for each in runs if 2 * (each[2] - each[1]) >= longest]
            if not long:
                break
            at, first, last = long[rng.integers(len(long))]
            left = int(rng.integers(first, max(last - _STROKE_PX, first) + 1))
            found.append(Stroke(int(value), at, left, min(last, left + _STROKE_PX)))
            free[max(at - 2 * brush, 0) : at + 2 * brush + 1] = False
    return tuple(found)


def longest_run(mask: NDArray[np.bool_]) -> tuple[int, int, int]:
    """Row, first and last column of the longest run of true pixels along a row."""
    return max(_runs(mask), key=lambda each: each[2] - each[1])


def _runs(free: NDArray[np.bool_]) -> Iterator[tuple[int, int, int]]:
    for row in np.flatnonzero(free.any(axis=1)):
        pieces, n_pieces = ndimage.label(free[row])
        for place in ndimage.find_objects(pieces, n_pieces):
            yield int(row), place[0].start, place[0].stop - 1


def painted(shape: tuple[int, int], made: Iterable[Stroke], brush: int) -> Plane:
    """Paint as geometry has it: pixels within half a brush of the line between the ends."""
    plane = np.full(shape, UNLABELLED, np.uint8)
    rows, columns = np.indices(shape)
    for each in made:
        beside = columns - np.clip(columns, each.left, each.right)
        plane[4 * ((rows - each.row) ** 2 + beside**2) <= brush**2] = each.value
    return plane


def add_volume(instance: Instance, scan: int = 0) -> None:
    """Store the volume with labels, as the segment stage does, and say so."""
    shape = truth().shape
    volume = instance.paths.volume(scan, SHA)
    info = volumes.create_volume(volume, shape=shape, voxel_um=VOXEL_UM, name="painted")
    volumes.create_labels(volume, "cell", (LabelClass(7, "electrolyte", (240, 228, 66, 255)),))
    for z0 in range(0, shape[0], info.slab_slices):
        slab = grey()[z0 : z0 + info.slab_slices]
        volumes.write_slab(volume, z0, slab)
        volumes.write_slab(volume, z0, np.full(slab.shape, 7, np.uint8), label="cell")
    volumes.finish_volume(volume)
    fact: dict[str, Any] = {
        **{"type": "LabelsReady", "role": "segment", "key": f"labels:{scan}", "scan": scan},
        **{"work_key": SHA, "path": instance.paths.relative(volume), "shape": shape},
        **{"voxel_um": VOXEL_UM, "sha256": "a" * 64, "model": "test"},
    }
    instance.append(fact)


@contextmanager
def label_service(instance: Instance) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the service that stores what is painted, and answers."""
    settings = instance.runtime_dir / "settings.json"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "lithoscope_services.process", "label"),
            *("--store", str(instance.store.root), "--runtime-dir", str(instance.runtime_dir)),
            *("--settings", str(settings)),
        ],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def wait_for_scan(instance: Instance) -> None:
    """Wait until the page knows the volume."""
    address = f"{instance.url}api/v1/volume/{NAME}/0.json"
    until(lambda: fetch(address)[0] == 200, timeout_s=60, what="the volume on the page")
