"""How far the lithium of one electrode is from that of the other: as a whole, and by object."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.measure.components import Pieces, connect_runs
from lithoscope_pipeline.measure.connectivity import NONE, PLATING, STRIPPING, Connectivity
from lithoscope_pipeline.measure.nearest import (
    FAR,
    Target,
    make_target,
    nearest_of_columns,
    nearest_of_groups,
    way_px,
)
from lithoscope_pipeline.measure.runs import LabelRuns
from lithoscope_pipeline.measure.solids import Solid, make_solid
from lithoscope_pipeline.metric import Metric, measured, not_measured

# A filament of 3 x 3 x 3 voxels is the smallest object whose distance is believed.
MIN_OBJECT_VOXELS: Final = 27


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """Ways from the lithium of the plating side to that of the stripping side.

    Parameters
    ----------
    metrics
        ``remaining_gap_um``, ``remaining_gap_any_um`` and ``gap_objects``.
    map_um
        Shortest way from each column, shape (n_z, n_x); NaN where it has no plated lithium.
    of_dendrites_um
        Shortest way from each dendrite, shape (n_dendrites + 1,); NaN for what is smaller than
        27 voxels or does not hang on the plating side.
    """

    metrics: dict[str, Metric]
    map_um: FloatImage
    of_dendrites_um: NDArray[np.float64]


def measure_gaps(
    runs: LabelRuns, connectivity: Connectivity, dendrites: Pieces, *, voxel_um: float
) -> Gaps:
    """Measure the shortest way from the lithium of one electrode to that of the other.

    Dendrites under 27 voxels and single voxels that stick out of a face are left out, so that
    noise cannot fake a filament; one of 3 x 3 voxels keeps its length.

    Parameters
    ----------
    runs
        Final labels.
    connectivity
        The lithium of the same labels, from `connect_lithium`.
    dendrites
        26-connected pieces of the dendrites of the same labels.
    voxel_um
        Edge of a voxel, micrometres.

    Returns
    -------
    Gaps
        ``gap_objects`` is the number of dendrites that have a way of their own;
        ``remaining_gap_um`` is the least of theirs and of that of the layer they stand on.

    Notes
    -----
    The way is the straight line between the two nearest voxels, less one voxel for the halves
    that belong to lithium; it is not led around voids. With detached lithium it may break its
    journey at one detached object, inside which it costs nothing.
    """
    is_small = dendrites.voxels < MIN_OBJECT_VOXELS
    is_small[0] = False
    is_believed = ~dendrites.mark(is_small, len(runs.rows))
    plated = make_solid(runs, (connectivity.side == PLATING) & is_believed, without_bumps=True)
    del is_believed
    stripped = make_solid(runs, connectivity.side == STRIPPING, without_bumps=True)
    if not plated.n_voxels or not stripped.n_voxels:
        return _no_gaps(runs, dendrites)

    target = make_target(stripped)
    squares, stretches = nearest_of_columns(plated, target)
    of_dendrites = _of_dendrites(plated, dendrites, target, squares, stretches)
    gap_px = way_px(int(squares.min()))
    any_px = min(gap_px, _stepping_stone_px(runs, connectivity, target, plated))
    flags: tuple[str, ...] = ()
    if connectivity.is_bridged:
        flags, gap_px, any_px = ("bridged",), 0.0, 0.0
    voxels = plated.n_voxels
    map_px = np.maximum(np.sqrt(np.where(squares == FAR, np.nan, squares)) - 1, 0)
    n_objects = int(np.isfinite(of_dendrites).sum())
    return Gaps(
        metrics={
            "remaining_gap_um": measured(gap_px * voxel_um, "um", voxels=voxels, flags=flags),
            "remaining_gap_any_um": measured(any_px * voxel_um, "um", voxels=voxels, flags=flags),
            "gap_objects": measured(n_objects, "1", voxels=_voxels_of(dendrites, of_dendrites)),
        },
        map_um=(map_px * voxel_um).astype(np.float32),
        of_dendrites_um=of_dendrites * voxel_um,
    )


def _no_gaps(runs: LabelRuns, dendrites: Pieces) -> Gaps:
    missing = not_measured("um", "one_electrode_missing")
    return Gaps(
        metrics={
            "remaining_gap_um": missing,
            "remaining_gap_any_um": missing,
            "gap_objects": not_measured("1", "one_electrode_missing"),
        },
        map_um=np.full(runs.plane, np.nan, np.float32),
        of_dendrites_um=np.full(dendrites.n + 1, np.nan),
    )


def _of_dendrites(
    plated: Solid,
    dendrites: Pieces,
    target: Target,
    squares: NDArray[np.int64],
    stretches: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Give the way from each dendrite, voxels; columns whose own way begins at it are known."""
    groups = dendrites.of(plated.run)
    known = np.full(dendrites.n + 1, FAR, np.int64)
    begun = stretches >= 0
    np.minimum.at(known, groups[stretches[begun]], squares[begun])
    groups[stretches[begun]] = 0
    found = nearest_of_groups(plated, groups, target, known)
    found[0] = FAR
    return np.maximum(np.sqrt(np.where(found == FAR, np.nan, found)) - 1, 0)


def _voxels_of(dendrites: Pieces, ways_px: NDArray[np.float64]) -> int:
    return int(dendrites.voxels[np.isfinite(ways_px)].sum())


def _stepping_stone_px(
    runs: LabelRuns, connectivity: Connectivity, target: Target, plated: Solid
) -> float:
    """Find the shortest way that touches one detached object of at least 27 voxels."""
    stones = connect_runs(runs, connectivity.side == NONE)
    is_large = stones.voxels >= MIN_OBJECT_VOXELS
    is_large[0] = False
    if not is_large.any():
        return np.inf
    solid = make_solid(runs, stones.mark(is_large, len(runs.rows)))
    groups = stones.of(solid.run)
    unknown = np.full(stones.n + 1, FAR, np.int64)
    ahead = nearest_of_groups(solid, groups, target, unknown)
    behind = nearest_of_groups(solid, groups, make_target(plated), unknown)
    return min(
        way_px(int(ahead[stone])) + way_px(int(behind[stone]))
        for stone in np.flatnonzero(is_large)
    )
