"""How near the lithium of one electrode is to that of the other, and what hangs on neither."""

from typing import Final

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import csgraph

from lithoscope_pipeline.phantom.bodies import Index, Segments
from lithoscope_pipeline.phantom.growth import Surfaces
from lithoscope_pipeline.phantom.texture import Map

_CANDIDATES: Final = 64  # columns with the smallest gap along y: the shortest starts there
_TOUCH_UM: Final = 1.0e-6
# Half of the eight neighbours: each pair of columns once.
_NEIGHBOURS: Final = ((0, 1), (1, -1), (1, 0), (1, 1))


def gap_metrics(
    surfaces: Surfaces, *, low_um: Map, inner_um: Map, mode_um: Map, voxel_um: float
) -> dict[str, float]:
    """Measure gaps, the highest tip and detached lithium.

    Parameters
    ----------
    surfaces
        The region's columns.
    low_um, inner_um
        Place along y of the stripping side's surface and of the plating electrode's inner face,
        shape (n_z, n_x).
    mode_um
        Height of the plated layer around each column, same shape.
    voxel_um
        Distance of the columns.

    Returns
    -------
    dict
        ``remaining_gap_um``, ``remaining_gap_any_um``, ``tip_height_um`` and
        ``dead_lithium_disconnected_volume_um3``.
    """
    bodies, floor_um = surfaces.bodies, surfaces.floor_um
    objects = connected_objects(bodies, floor_um, voxel_um)
    is_dead = objects > 0
    held, dead = bodies.chosen(~is_dead), bodies.chosen(is_dead)
    held_top_um = held.top_um(floor_um)
    remaining_um = _shortest_um(low_um, inner_um - held_top_um, voxel_um)
    any_um = remaining_um
    if is_dead.any():
        any_um = min(
            remaining_um,
            _by_way_um(dead, objects[is_dead], low_um, inner_um, held_top_um, voxel_um),
        )
    dead_um3 = float((dead.high_um - dead.low_um).sum()) * voxel_um**2
    return {
        "remaining_gap_um": remaining_um,
        "remaining_gap_any_um": any_um,
        "tip_height_um": max(0.0, float((surfaces.top_um - mode_um).max())),
        "dead_lithium_disconnected_volume_um3": dead_um3,
    }


def connected_objects(bodies: Segments, floor_um: Map, voxel_um: float) -> Index:
    """Find the object that each piece of a column belongs to.

    Parameters
    ----------
    bodies
        Disjoint pieces of columns.
    floor_um
        Surface of what holds them, shape (n_z, n_x).
    voxel_um
        Pieces of neighbouring columns hang together where they are so close along y: the
        26 neighbours of a voxel.

    Returns
    -------
    Index
        Its number, shape (n,); 0 for what hangs on the floor, which is one object.
    """
    n = len(bodies.column)
    if n == 0:
        return np.empty(0, np.intp)
    around_um = ndimage.maximum_filter(floor_um, size=3, mode="nearest")
    on_floor = bodies.low_um <= around_um.ravel()[bodies.column] + voxel_um
    pairs = [_touching(bodies, dz, dx, voxel_um) for dz, dx in _NEIGHBOURS]
    first = np.concatenate([np.flatnonzero(on_floor) + 1, *(a + 1 for a, _ in pairs)])
    second = np.concatenate([np.zeros(int(on_floor.sum()), np.intp), *(b + 1 for _, b in pairs)])
    graph = sparse.coo_array((np.ones(len(first), bool), (first, second)), shape=(n + 1, n + 1))
    _, numbers = csgraph.connected_components(graph, directed=False)
    # The floor is node 0: what is connected to it gets number 0.
    return np.asarray(np.where(numbers[1:] == numbers[0], 0, numbers[1:] + 1), np.intp)


def _touching(bodies: Segments, dz: int, dx: int, near_um: float) -> tuple[Index, Index]:
    """Return the pairs of pieces that are near along y, the second in a neighbouring column."""
    n_z, n_x = bodies.shape
    z, x = np.divmod(bodies.column, n_x)
    inside = np.flatnonzero((z + dz < n_z) & (x + dx >= 0) & (x + dx < n_x))
    neighbour = bodies.column[inside] + dz * n_x + dx
    stride_um = float(bodies.high_um.max() - bodies.low_um.min()) + 4.0 * near_um
    lows, highs = (ends + bodies.column * stride_um for ends in (bodies.low_um, bodies.high_um))
    # Pieces of a column are sorted and disjoint: those that overlap another are a run.
    places_um = neighbour * stride_um
    first = np.searchsorted(highs, bodies.low_um[inside] - near_um + places_um, side="left")
    last = np.searchsorted(lows, bodies.high_um[inside] + near_um + places_um, side="right")
    counts = np.maximum(last - first, 0)
    starts = np.cumsum(counts) - counts
    others = np.arange(int(counts.sum())) - np.repeat(starts - first, counts)
    return np.repeat(inside, counts), others


def _by_way_um(
    dead: Segments, objects: Index, low_um: Map, inner_um: Map, held_top_um: Map, voxel_um: float
) -> float:
    """Return the shortest way that breaks its journey at one detached object."""
    top_place_um = inner_um.ravel()[dead.column] - dead.high_um
    ahead_um = top_place_um - low_um.ravel()[dead.column]
    behind_um = np.maximum(dead.low_um - held_top_um.ravel()[dead.column], 0.0)
    numbers = np.unique(objects)
    ahead = np.asarray(ndimage.minimum(ahead_um, objects, numbers))
    behind = np.asarray(ndimage.minimum(behind_um, objects, numbers))
    best = int(np.argmin(ahead + behind))
    chosen = dead.chosen(objects == numbers[best])
    tips_um = np.full(low_um.shape, np.inf)
    tips_um.ravel()[chosen.column] = inner_um.ravel()[chosen.column] - chosen.high_um
    return _shortest_um(low_um, tips_um, voxel_um) + float(behind[best])


def _shortest_um(low_um: Map, high_um: Map, voxel_um: float) -> float:
    """Return the shortest distance between two facing surfaces, 0 where they touch."""
    gap_um = high_um - low_um
    if gap_um.min() <= _TOUCH_UM:
        return 0.0
    nearest = np.argpartition(gap_um, min(_CANDIDATES, gap_um.size - 1), axis=None)[:_CANDIDATES]
    along_z, along_x = (np.arange(n) * voxel_um for n in gap_um.shape)
    shortest = np.inf
    for z, x in zip(*np.unravel_index(nearest, gap_um.shape), strict=True):
        in_plane = (along_z - along_z[z])[:, None] ** 2 + (along_x - along_x[x]) ** 2
        shortest = min(shortest, float((in_plane + (high_um[z, x] - low_um) ** 2).min()))
    return float(np.sqrt(shortest))
