"""One label volume, read once: all that its metrics, maps and objects are made from."""

from dataclasses import dataclass

import numpy as np

from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure.cavities import FlatScan, flatten_scan
from lithoscope_pipeline.measure.columns import ColumnCounts, Faces, count_columns, find_faces
from lithoscope_pipeline.measure.components import Pieces, connect_runs, runs_of
from lithoscope_pipeline.measure.runs import LabelRuns, LabelSource, encode_runs
from lithoscope_pipeline.measure.side_heights import (
    SideHeights,
    find_offsets,
    halfway_offsets,
    measure_side_heights,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How label volumes are read; memory and time go with it, the results do not.

    Parameters
    ----------
    slab_slices
        Slices that are read together.
    n_workers
        Threads that read; each has a slab of its own.
    """

    slab_slices: int = 64
    n_workers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadScan:
    """A label volume as it was read; y rises from the stripping to the plating side.

    Parameters
    ----------
    runs, counts, faces
        Its voxels, how many there are along y, and the faces of its columns.
    heights
        Of both sides.
    voxel_um
        Edge of a voxel.
    """

    runs: LabelRuns
    counts: ColumnCounts
    faces: Faces
    heights: SideHeights
    voxel_um: float

    def from_above(self) -> FlatScan:
        """Look at it from above."""
        return flatten_scan(self.runs, self.counts, self.heights.stripping_outer_um)

    def pieces_of(self, label: Label) -> Pieces:
        """Find the 26-connected pieces of a class."""
        return connect_runs(self.runs, runs_of(self.runs, (label,)))


def read_scan(
    labels: LabelSource,
    *,
    voxel_um: float,
    lithium_share: LabelSource | None = None,
    reading: Reading | None = None,
) -> ReadScan:
    """Read a label volume slab by slab.

    Parameters
    ----------
    labels
        Final labels, shape (z, y, x), either direction of y.
    voxel_um
        Edge of a voxel, micrometres.
    lithium_share
        Probability of lithium in 255ths, same shape: faces are then found to a fraction of a
        voxel.
    reading
        How it is read.

    Raises
    ------
    ShapeError
        If the labels are not a volume of known classes.
    """
    reading = Reading() if reading is None else reading
    runs = encode_runs(labels, slab_slices=reading.slab_slices, n_workers=reading.n_workers)
    counts = count_columns(runs)
    faces = find_faces(runs)
    is_turned = _is_turned_over(faces)
    if is_turned:
        runs = runs.turned_over()
        faces = find_faces(runs)
    # The network's labels lie one way only: nothing says how its probabilities were turned.
    offsets = (
        halfway_offsets(faces)
        if lithium_share is None or is_turned
        else find_offsets(faces, lithium_share, slab_slices=reading.slab_slices)
    )
    heights = measure_side_heights(counts, faces, offsets, voxel_um=voxel_um)
    return ReadScan(runs=runs, counts=counts, faces=faces, heights=heights, voxel_um=voxel_um)


def _is_turned_over(faces: Faces) -> bool:
    """Say whether the stripping electrode lies at the high end of y."""
    has_stripping, has_plating = faces.stripping_outer >= 0, faces.plating_outer >= 0
    if not has_stripping.any() or not has_plating.any():
        return False
    stripping = (faces.stripping_outer + faces.stripping_inner)[has_stripping].mean()
    plating = (faces.plating_outer + faces.plating_inner)[has_plating].mean()
    return bool(np.greater(stripping, plating))
