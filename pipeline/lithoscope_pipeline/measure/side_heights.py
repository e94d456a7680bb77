"""How much lithium each side holds, column by column, to a fraction of a voxel."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.labels import PLATING_SIDE, STRIPPING_SIDE, Label
from lithoscope_pipeline.measure.columns import ColumnCounts, Faces
from lithoscope_pipeline.measure.runs import LabelSource
from lithoscope_pipeline.surface import smooth_face

_HALF_SHARE: Final = 127.5
#: From the centre of the last voxel to the face, where nothing tells better.
_HALF_VOXEL: Final = np.float32(0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceOffsets:
    """How far lithium reaches beyond the centre of its last voxel, shape (n_z, n_x), 0 to 1.

    Parameters
    ----------
    stripping, plating
        At the surface of each side.
    """

    stripping: FloatImage
    plating: FloatImage


@dataclass(frozen=True, slots=True, kw_only=True)
class SideHeights:
    """Surfaces and heights of both sides, micrometres, shape (n_z, n_x), NaN without lithium.

    Parameters
    ----------
    stripping_surface_um, plating_surface_um
        Place of the facing surface above the lower face of the volume.
    stripping_um, plating_um
        Lithium of the side along y, dendrites with the plating side, counted from the smoothed
        outer face.
    stripping_outer_um, plating_outer_um
        Place of the smoothed outer face of each electrode, everywhere.
    """

    stripping_surface_um: FloatImage
    plating_surface_um: FloatImage
    stripping_um: FloatImage
    plating_um: FloatImage
    stripping_outer_um: FloatImage
    plating_outer_um: FloatImage


def halfway_offsets(faces: Faces) -> FaceOffsets:
    """Put each face on the edge of its last voxel: all that labels can say."""
    half = np.full(faces.stripping_surface.shape, _HALF_VOXEL, np.float32)
    return FaceOffsets(stripping=half, plating=half)


def find_offsets(
    faces: Faces, lithium_share: LabelSource, *, slab_slices: int = 64
) -> FaceOffsets:
    """Find the faces where the probability of lithium passes one half.

    Parameters
    ----------
    faces
        From the labels.
    lithium_share
        Probability of lithium of any class in 255ths, shape (z, y, x).
    slab_slices
        Slices that are read together.

    Returns
    -------
    FaceOffsets
        Half a voxel where the probability does not pass one half between the last voxel of a
        face and the next.

    Raises
    ------
    ShapeError
        If the probabilities are not those of the same volume.
    """
    n_z, n_x = faces.stripping_surface.shape
    shape = lithium_share.shape
    if (shape[0], shape[2]) != (n_z, n_x):
        msg = f"lithium_share has shape {shape}, labels have {n_z} and {n_x} columns in the plane"
        raise ShapeError(msg)
    offsets = FaceOffsets(
        stripping=np.empty((n_z, n_x), np.float32), plating=np.empty((n_z, n_x), np.float32)
    )
    for z0 in range(0, n_z, slab_slices):
        z1 = min(z0 + slab_slices, n_z)
        slab = lithium_share[slice(z0, z1), slice(None), slice(None)]
        offsets.stripping[z0:z1] = _offset(slab, faces.stripping_surface[z0:z1], 1)
        offsets.plating[z0:z1] = _offset(slab, faces.plating_surface[z0:z1], -1)
    return offsets


def measure_side_heights(
    counts: ColumnCounts, faces: Faces, offsets: FaceOffsets, *, voxel_um: float
) -> SideHeights:
    """Measure surfaces and heights of both sides.

    Parameters
    ----------
    counts, faces
        Of the labels; y rises from the stripping to the plating side.
    offsets
        From `find_offsets`, or `halfway_offsets`.
    voxel_um
        Edge of a voxel, micrometres.

    Returns
    -------
    SideHeights
        The outer faces are smoothed: a step of a whole voxel in a flat foil moves no lithium.
    """
    has_stripping, has_plating = faces.stripping_surface >= 0, faces.plating_surface >= 0
    outer_low = _smooth_where(faces.stripping_outer - 0.5, faces.stripping_outer >= 0)
    outer_high = _smooth_where(faces.plating_outer + 0.5, faces.plating_outer >= 0)

    stripping = counts.columns[list(STRIPPING_SIDE)].sum(axis=0) + offsets.stripping - 0.5
    shows = faces.stripping_outer >= 0
    stripping = np.where(shows, stripping + (faces.stripping_outer - 0.5) - outer_low, stripping)
    plating = counts.columns[[*PLATING_SIDE, Label.DENDRITE]].sum(axis=0) + offsets.plating - 0.5
    shows = faces.plating_outer >= 0
    plating = np.where(shows, plating + outer_high - (faces.plating_outer + 0.5), plating)

    def in_um(px: NDArray[np.floating], known: NDArray[np.bool_]) -> FloatImage:
        return np.where(known, px * voxel_um, np.nan).astype(np.float32)

    everywhere = np.ones_like(has_stripping)
    return SideHeights(
        stripping_surface_um=in_um(faces.stripping_surface + offsets.stripping, has_stripping),
        plating_surface_um=in_um(faces.plating_surface - offsets.plating, has_plating),
        stripping_um=in_um(stripping, has_stripping),
        plating_um=in_um(plating, has_plating),
        stripping_outer_um=in_um(outer_low, everywhere),
        plating_outer_um=in_um(outer_high, everywhere),
    )


def _offset(slab: NDArray[np.uint8], rows: NDArray[np.int32], step: int) -> NDArray[np.float32]:
    n_y = slab.shape[1]
    z, x = np.ogrid[: rows.shape[0], : rows.shape[1]]
    ahead_rows = rows + step
    is_inside = (rows >= 0) & (ahead_rows >= 0) & (ahead_rows < n_y)
    here = slab[z, np.clip(rows, 0, n_y - 1), x].astype(np.float32)
    ahead = slab[z, np.clip(ahead_rows, 0, n_y - 1), x].astype(np.float32)
    passes = is_inside & (here >= _HALF_SHARE) & (ahead < _HALF_SHARE)
    drop = np.where(passes, here - ahead, 1.0)
    return np.where(passes, (here - _HALF_SHARE) / drop, _HALF_VOXEL).astype(np.float32)


def _smooth_where(rows: NDArray[np.floating], known: NDArray[np.bool_]) -> FloatImage:
    return smooth_face(np.where(known, rows, np.nan).astype(np.float32))
