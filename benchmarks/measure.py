"""The core set of metrics with the same counts by hand-called cc3d, edt and numpy.bincount."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cc3d
import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.peak_memory import peak_from_now
from benchmarks.tables import Report, Table
from benchmarks.timing import Timings, interleave, one_core, processor_s
from lithoscope_pipeline.labels import LITHIUM, PLATING_SIDE, STRIPPING_SIDE, Label
from lithoscope_pipeline.measure import Reading, measure_labels

ROOT = Path(__file__).resolve().parents[1]
MEBIBYTE = 2**20
VOXEL_UM = 1.33
SLAB = 64
OURS, BY_HAND = "measure_labels", "cc3d, edt, bincount"
_METHOD = (
    "A made cell: two electrodes with rough surfaces, pits in one, a rough plated layer, 400 "
    "dendrites and 40 detached pieces on the other, and a share of all voxels with a label drawn "
    "at random. The bars: at most 1.5 times the processor time of the same counts by hand, on one "
    "core, and at most four slabs of 64 slices of labels plus the maps.",
    "By hand, on the whole array in memory: `numpy.bincount` over class and column for counts, "
    "thicknesses, coverages and thickness maps; `cc3d` (26) over lithium, dendrites and pits, and "
    "a `bincount` of each for the sizes; `edt` from the stripping side for the gap and its map, "
    "and from the plating side for the way over detached pieces. Ours reads the labels slab by "
    "slab from a file in memory and gives all metrics, maps and the table of objects. Seconds "
    "of processor, medians of interleaved rounds.",
    "Memory is the highest resident memory of a process above that after a small volume, so that "
    "compiled code does not count; `allowed` is four slabs of labels and the maps.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Edge of the volume in voxels, and the share of voxels with a label drawn at random."""

    edge: int
    speckle: float


FULL = (
    Case(edge=256, speckle=0.002),
    Case(edge=512, speckle=0.002),
    Case(edge=512, speckle=0.01),
)
QUICK = (Case(edge=160, speckle=0.002),)


class LabelFile:
    """Labels in a plain file, read slab by slab.

    Parameters
    ----------
    path, shape
        C-ordered bytes, voxels (z, y, x).
    """

    def __init__(self, path: Path, shape: tuple[int, int, int]) -> None:
        self._path = path
        self.shape: tuple[int, ...] = shape

    def __getitem__(self, box: tuple[slice, slice, slice], /) -> NDArray[np.uint8]:
        """Read some slices."""
        z0, z1, _ = box[0].indices(self.shape[0])
        plane = self.shape[1] * self.shape[2]
        slab = np.fromfile(self._path, np.uint8, count=(z1 - z0) * plane, offset=z0 * plane)
        return slab.reshape(z1 - z0, *self.shape[1:])


def measure(*, is_quick: bool) -> Report:
    """Time the core set and take its memory."""
    cases = QUICK if is_quick else FULL
    with one_core():
        rows = [_row(case, repeats=2) for case in cases]
    return Report(
        title="The core set of metrics",
        method=_METHOD,
        tables=(
            Table(
                title="Time and memory",
                columns=(
                    "voxels", "speckle", f"{OURS}, s", f"{BY_HAND}, s", "ratio (bar 1.5)",
                    "peak, MiB", "allowed, MiB", "peak / allowed",
                ),
                rows=rows,
            ),
        ),
        packages=("lithoscope", "numba", "numpy", "scipy", "connected-components-3d", "edt"),
    )  # fmt: skip


def _row(case: Case, *, repeats: int) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = Path(folder) / "labels.raw"
        timings = _times(case, path, repeats=repeats)
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.measure", str(path)]
        done = subprocess.run(
            [*command, str(case.edge)], cwd=ROOT, capture_output=True, text=True, check=True
        )
    peak, maps = json.loads(done.stdout.splitlines()[-1])
    allowed = 4 * min(SLAB, case.edge) * case.edge**2 + maps
    return (
        f"{case.edge}³",
        f"{100 * case.speckle:g} %",
        f"{timings.median_s(OURS):.2f}",
        f"{timings.median_s(BY_HAND):.2f}",
        timings.ratio_text(OURS, BY_HAND),
        f"{peak / MEBIBYTE:.0f}",
        f"{allowed / MEBIBYTE:.0f}",
        f"{peak / allowed:.2f}",
    )


def _times(case: Case, path: Path, *, repeats: int) -> Timings:
    """Write the labels and time both; what is by hand has them in memory."""
    labels = make_labels(case)
    labels.tofile(path)
    source = LabelFile(path, (case.edge, case.edge, case.edge))
    return interleave(
        {
            OURS: lambda: processor_s(lambda: _by_us(source)),
            BY_HAND: lambda: processor_s(lambda: count_by_hand(labels)),
        },
        repeats=repeats,
    )


def make_labels(case: Case) -> NDArray[np.uint8]:
    """Make a cell with all classes."""
    rng = np.random.default_rng(20261122)
    n = case.edge
    rows = np.arange(n)[None, :, None]

    def rough(sigma: float, height: float) -> NDArray[np.intp]:
        noise = ndimage.gaussian_filter(rng.standard_normal((n, n)), sigma, mode="wrap")
        return np.rint(noise / noise.std() * height).astype(np.intp)[:, None, :]

    labels = np.full((n, n, n), Label.ELECTROLYTE, np.uint8)
    low, high = n // 4, 3 * n // 4
    pit, deposited = np.maximum(rough(6.0, n / 60), 0), n // 25 + rough(4.0, n / 150)
    labels[np.broadcast_to(rows < low, labels.shape)] = Label.STRIPPING_ELECTRODE
    labels[(rows < low) & (rows >= low - pit)] = Label.PIT
    labels[(rows >= high - deposited) & (rows < high)] = Label.DEPOSITED
    labels[np.broadcast_to(rows >= high, labels.shape)] = Label.PLATING_ELECTRODE
    labels[:, : n // 16], labels[:, -(n // 16) :] = Label.BACKGROUND, Label.BACKGROUND
    for z, x, width, height in rng.integers((0, 0, 3, n // 20), (n, n, 16, n // 3), (400, 4)):
        labels[z : z + width, high - height : high - n // 25, x : x + width] = Label.DENDRITE
    for z, x, width in rng.integers((0, 0, 3), (n, n, 10), (40, 3)):
        labels[z : z + width, n // 2 - width : n // 2, x : x + width] = Label.DEPOSITED
    for z in range(n):
        is_speckle = rng.random((n, n), np.float32) < case.speckle
        labels[z, is_speckle] = rng.integers(0, len(Label), int(is_speckle.sum()))
    return labels


def count_by_hand(labels: NDArray[np.uint8]) -> tuple[float, float]:
    """Count what the core set counts, with one call for each."""
    n_z, _, n_x = labels.shape
    places = np.arange(n_x, dtype=np.int64) * len(Label)
    columns = [
        np.bincount((image + places).ravel(), minlength=n_x * len(Label)) for image in labels
    ]
    thickness = np.stack(columns).reshape(n_z, n_x, len(Label))
    volumes = thickness.sum(axis=(0, 1))
    for chosen in ((Label.DENDRITE,), (Label.PIT,)):
        pieces = cc3d.connected_components(
            np.isin(labels, chosen), connectivity=26, out_dtype=np.uint32
        )
        np.bincount(pieces.ravel())
    lithium = cc3d.connected_components(
        np.isin(labels, LITHIUM), connectivity=26, out_dtype=np.uint32
    )
    sizes = np.bincount(lithium.ravel())
    plated = (lithium > 0) & np.isin(labels, (*PLATING_SIDE, Label.DENDRITE))
    stripped = (lithium > 0) & np.isin(labels, STRIPPING_SIDE)
    to_stripped = edt.edt(~stripped, black_border=False, parallel=1)
    gap = np.where(plated, to_stripped, np.inf).min(axis=1)
    is_detached = sizes < sizes[1:].max() // 2
    is_detached[0] = False
    to_plated = edt.edt(~plated, black_border=False, parallel=1)
    way = (to_stripped + to_plated)[is_detached[lithium]]
    return float(gap.min()), float(way.min()) + float(volumes[0])


def _by_us(source: LabelFile) -> int:
    found = measure_labels(source, voxel_um=VOXEL_UM, reading=Reading(slab_slices=SLAB))
    return sum(image.nbytes for image in found.maps.values())


def _main(path: str, edge: str) -> None:
    n = int(edge)
    measure_labels(make_labels(Case(edge=48, speckle=0.002)), voxel_um=VOXEL_UM)
    peak_bytes = peak_from_now()
    n_bytes = _by_us(LabelFile(Path(path), (n, n, n)))
    print(json.dumps([peak_bytes(), n_bytes]))


if __name__ == "__main__":
    _main(*sys.argv[1:])
