"""What can be found at best by somebody who knows a surface but for a small error."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from benchmarks.earlier_scans import SCORED, SEEDS, Case
from benchmarks.tables import Table
from lithoscope_models.data.cells import CellDraw, drawn_cell
from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.phantom.cell_truth import CellTruth

_PIT_SCANS: Final = (4, 8, 12)
_PIT_SEEDS: Final = (3201, 3202, 3203, 3301, 3302, 3303, 11, 12, 13)
_PIT_ERRORS_PX: Final = (0.0, 0.2, 0.3, 0.4)
_REACH_PX: Final = 10  # of the surface around a column that its pit is told from
_DEEPEST_PX: Final = 4
_EDGE_PX: Final = 60
_FADED_ERRORS_PX: Final = (0.1, 0.2, 0.3, 0.4, 0.5)
_NOISE_PX: Final = 1.0  # makes neighbours alike by 0.78; 0.72 to 0.84 was measured
_MIDDLE: Final = slice(30, 62)
_MARGIN: Final = slice(10, 22)

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def pits_from_surface(*, is_quick: bool) -> Table:
    """Tell pits from the true surface of the electrode with errors of several sizes."""
    rows = []
    for error_px in _PIT_ERRORS_PX[:1] if is_quick else _PIT_ERRORS_PX:
        rng = np.random.default_rng(0)
        seeds = _PIT_SEEDS[:1] if is_quick else _PIT_SEEDS
        taught = [_columns(s, scan, 12000, error_px, rng) for s in seeds for scan in _PIT_SCANS]
        asked = [_columns(s, scan, 6000, error_px, rng) for s in SEEDS for scan in _PIT_SCANS]
        depth = np.concatenate([each[1] for each in asked])
        found = _told(
            np.concatenate([each[0] for each in taught]),
            np.concatenate([each[1] for each in taught]),
            np.concatenate([each[0] for each in asked]),
            n_rounds=1 if is_quick else 8,
        )
        iou = np.minimum(found, depth).sum() / np.maximum(found, depth).sum()
        rows.append([f"{error_px:g}", f"{iou:.2f}", f"{found.sum() / depth.sum() - 1:+.0%}"])
    return Table(
        title="Pits told from the true surface of the stripping electrode",
        columns=("error of the surface, voxels", "IoU", "volume"),
        rows=rows,
    )


def _columns(
    seed: int, scan: int, n: int, error_px: float, rng: np.random.Generator
) -> tuple[Floats, Ints]:
    """Give the surface around some columns, and how many voxels of a pit each truly has."""
    cell = drawn_cell(CellDraw(seed=seed))
    truth = CellTruth(
        cell=cell.cell, detector=cell.detector, schedule=cell.schedule, growth=cell.growth
    )
    n_x, voxel_um = cell.detector.n_columns, cell.voxel_um
    box = Roi(z0=0, z1=cell.detector.n_volume_rows, y0=0, y1=n_x, x0=_EDGE_PX, x1=n_x - _EDGE_PX)
    surfaces = truth.maps(cell.schedule[scan], box).surfaces
    # Voxel centres lie half a voxel beside whole numbers of voxels from the axis.
    low_px = cell.planes(scan).outer_low_um / voxel_um - 0.5
    floor_px = surfaces.stripping_um / voxel_um
    mouth_px = floor_px + surfaces.pit_um / voxel_um
    depth = np.ceil(low_px + mouth_px) - np.ceil(low_px + floor_px)
    seen_px = floor_px + error_px * _wave(floor_px.shape, rng)
    z, x = (rng.integers(_REACH_PX, edge - _REACH_PX, n) for edge in floor_px.shape)
    middle_px = np.median(seen_px)
    steps = range(-_REACH_PX, _REACH_PX + 1)
    around = [
        seen_px[z + dz, x + dx] - middle_px
        for dz in steps
        for dx in steps
        if dz**2 + dx**2 <= _REACH_PX**2
        and (abs(dz) + abs(dx) <= _REACH_PX / 2 or (dz % 2 == 0 and dx % 2 == 0))
    ]
    above_px = low_px + seen_px[z, x]
    told = [*around, np.ceil(above_px) - above_px, np.full(n, scan / max(SCORED))]
    most = np.minimum(depth[z, x], _DEEPEST_PX).astype(np.int64)
    return np.stack(told, axis=1).astype(np.float32), most


def _wave(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw an error of unit size that hangs together as far as the noise of a volume does."""
    wave = gaussian_filter(rng.standard_normal(shape), _NOISE_PX)
    return np.asarray(wave / wave.std(), np.float64)


# ``Any`` below: torch has no types where it is not installed.
def _told(known: Floats, depth: Ints, asked: Floats, *, n_rounds: int) -> Ints:
    """Train a small network; give the likeliest depth of each column that is asked."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.manual_seed(0)
    mean, spread = known.mean(axis=0), known.std(axis=0) + np.float32(1e-6)
    network: Any = nn.Sequential(
        nn.Linear(known.shape[1], 128),
        nn.ReLU(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, _DEEPEST_PX + 1),
    )
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-2)
    x, y = torch.from_numpy((known - mean) / spread), torch.from_numpy(depth)
    for step in range(n_rounds):
        for part in torch.randperm(len(x)).split(256):
            optimiser.zero_grad()
            functional.cross_entropy(network(x[part]), y[part]).backward()
            optimiser.step()
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * (1 - (step + 1) / (n_rounds + 0.2))
    with torch.inference_mode():
        likely = network(torch.from_numpy((asked - mean) / spread)).argmax(dim=1)
    return np.asarray(likely.numpy(), np.int64)


def vanished_by_error(cases: Sequence[Case]) -> Table:
    """Count vanished dendrites that a finder without memory labels, by the error of surfaces."""
    rng = np.random.default_rng(3)
    counts = np.zeros((len(_FADED_ERRORS_PX), 2, 2), np.int64)
    for case in cases:
        if case.now.scan == SCORED[0]:
            continue  # charging: hardly any has gone
        now, before = (each.classes[_MIDDLE] for each in (case.now, case.previous))
        is_there, was_there = (each == SegmentClass.DENDRITE for each in (now, before))
        is_free = now == SegmentClass.ELECTROLYTE
        outside = distance_transform_edt(~is_there)
        # A voxel's centre lies anywhere from the surface to one voxel beyond it.
        beyond_px = outside - 0.5 + rng.random(now.shape) - 0.5
        wave = _wave(now.shape, rng)
        of = (was_there & is_free, ~was_there & is_free & (outside <= 1.0))
        for row, error_px in enumerate(_FADED_ERRORS_PX):
            is_labelled = beyond_px + error_px * wave < 0
            for column, each in enumerate(of):
                counts[row, column] += each[_MARGIN].sum(), (each & is_labelled)[_MARGIN].sum()
    return Table(
        title="Electrolyte that a finder without memory labels dendrite",
        columns=(
            "error of the surface, voxels",
            "of what was dendrite",
            "of what never was and touches one",
        ),
        rows=[
            [f"{error_px:g}", *(f"{wrong / max(int(n), 1):.1%}" for n, wrong in counts[row])]
            for row, error_px in enumerate(_FADED_ERRORS_PX)
        ],
    )
