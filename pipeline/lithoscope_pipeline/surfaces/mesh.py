"""One class to triangles: smoothed within its voxels, marching cubes, fewer triangles.

Marching cubes after Lewiner et al., J. Graph. Tools 8, 1 (2003), by scikit-image; decimation by
quadric errors after Garland and Heckbert, SIGGRAPH 97, by fast-simplification.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, gaussian_filter

from lithoscope_pipeline.surfaces.grid import MeshGrid

MAX_TRIANGLES = 300_000
#: A quarter of the triangles shows smoothed labels as well as all of them do; few are all kept.
_KEPT_SHARE = 0.25
_ALWAYS_KEPT = 20_000
_SMOOTHING_CELLS = 0.8
_MARGIN = 3
# Where a class is thin: voxels that touch along an edge are joined; of blocks a quarter will do.
_THIN_LEVEL, _THIN_LEVEL_OF_BLOCKS = 0.4, 0.25
# How far the smoothing stays on the side of the label: no voxel changes sides.
_HOLD = 0.25
_FULL = np.float32(255)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Triangles around a class.

    Parameters
    ----------
    vertices_um
        Places (x, y, z), shape (n, 3), float32; voxel centres lie at multiples of the voxel edge.
    triangles
        Numbers of vertices, shape (m, 3), int32, anticlockwise seen from outside.
    """

    vertices_um: NDArray[np.float32]
    triangles: NDArray[np.int32]

    @property
    def volume_um3(self) -> float:
        """What it encloses, by the divergence theorem."""
        a, b, c = (self.vertices_um[self.triangles[:, n]].astype(np.float64) for n in range(3))
        return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)


def mesh_class(
    shares: NDArray[np.uint8],
    grid: MeshGrid,
    *,
    voxel_um: float,
    keeps_thin: bool = False,
    max_triangles: int = MAX_TRIANGLES,
) -> Surface | None:
    """Lay a closed surface around a class.

    Where cells are voxels, the field that is cut is smoothed, but no voxel changes sides: what is
    connected stays so, and nothing is joined. Where cells are blocks, the share of the class in
    them is cut at one half.

    Parameters
    ----------
    shares
        From :func:`~lithoscope_pipeline.surfaces.grid.pool_shares`, shape ``grid.cells``.
    grid
        That it lies on.
    voxel_um
        Edge of a voxel of the labels.
    keeps_thin
        Cut lower, so that voxels which touch along an edge stay joined, and that of a filament
        half as wide as a block something is seen.
    max_triangles
        No more than these.

    Returns
    -------
    Surface or None
        None if the class fills no cell as far as that.
    """
    from skimage.measure import marching_cubes

    level = 0.5
    if keeps_thin:
        level = _THIN_LEVEL if grid.factor == 1 else _THIN_LEVEL_OF_BLOCKS
    box = find_objects((shares >= level * _FULL).view(np.uint8))
    if not box or box[0] is None:
        return None
    where = tuple(
        slice(max(0, part.start - _MARGIN), min(length, part.stop + _MARGIN))
        for part, length in zip(box[0], shares.shape, strict=True)
    )
    field = _field(shares[where], is_voxels=grid.factor == 1)
    # Air around it closes the surface where the region ends, at the face of the last cells.
    vertices, triangles, _, _ = marching_cubes(np.pad(field, 1), level)
    vertices, triangles = _decimate(vertices, triangles, max_triangles)
    first = np.array([part.start for part in where], np.float64) - 1
    cells = vertices + first
    voxels = cells * grid.factor + (grid.factor - 1) / 2
    ends = np.array(grid.shape, np.float64) - 0.5
    places = np.clip(voxels, -0.5, ends) * voxel_um
    return Surface(
        vertices_um=np.ascontiguousarray(places[:, ::-1], np.float32),
        triangles=np.ascontiguousarray(triangles, np.int32),
    )


def _field(shares: NDArray[np.uint8], *, is_voxels: bool) -> NDArray[np.float32]:
    field = shares.astype(np.float32) / _FULL
    if not is_voxels:
        return field
    inside = shares > 0
    field = gaussian_filter(field, _SMOOTHING_CELLS, truncate=_MARGIN, mode="nearest")
    field[inside] = np.maximum(field[inside], 0.5 + _HOLD)
    field[~inside] = np.minimum(field[~inside], 0.5 - _HOLD)
    return field


def _decimate(
    vertices: NDArray[np.float32], triangles: NDArray[np.int32], max_triangles: int
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    import fast_simplification

    wanted = min(max_triangles, max(_ALWAYS_KEPT, int(_KEPT_SHARE * len(triangles))))
    if wanted >= len(triangles):
        return vertices.astype(np.float64), triangles
    return fast_simplification.simplify(vertices, triangles, target_count=wanted)
