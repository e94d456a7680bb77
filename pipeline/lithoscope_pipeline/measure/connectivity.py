"""Which lithium hangs on which electrode, and how far the two are from a short."""

from dataclasses import dataclass
from typing import NamedTuple

import cc3d
import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.geometry import FloatImage, FloatVolume, LabelVolume, MaskVolume
from lithoscope_pipeline.labels import LITHIUM, PLATING_SIDE, Label
from lithoscope_pipeline.measure.layers import first_along_y
from lithoscope_pipeline.measure.metric import Metric, measured, not_measured
from lithoscope_pipeline.surface import plated_surface

# A filament of 3 x 3 x 3 voxels is the smallest object whose distance is believed.
_MIN_OBJECT_VOXELS = 27
# A smaller part of an electrode's voxels in a piece of its own is not the electrode.
_MIN_ELECTRODE_SHARE = 0.05


class Objects(NamedTuple):
    """26-connected objects, numbered from 1, and the voxels of each; number 0 is the rest."""

    numbers: NDArray[np.uint32]
    sizes: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connectivity:
    """All lithium by the electrode that it is connected to.

    Parameters
    ----------
    stripping, plating
        Lithium connected to each electrode, bool (z, y, x). A component that touches both is
        shared out by class: its deposited lithium and dendrites belong to the plating side.
    disconnected
        Lithium connected to neither, components cut by the border of the region included.
    dead
        The part of it whose components lie wholly inside the region.
    is_bridged
        Whether one component touches both electrodes.
    """

    stripping: MaskVolume
    plating: MaskVolume
    disconnected: MaskVolume
    dead: MaskVolume
    is_bridged: bool


def connected_objects(mask: MaskVolume) -> Objects:
    """Find the 26-connected components of a mask (z, y, x) and number them."""
    numbers, n_objects = cc3d.connected_components(
        mask, connectivity=26, return_N=True, out_dtype=np.uint32
    )
    return Objects(numbers, np.bincount(numbers.ravel(), minlength=n_objects + 1))


def connect_lithium(labels: LabelVolume) -> Connectivity:
    """Sort all lithium by the electrode to which it is 26-connected.

    Parameters
    ----------
    labels
        Final labels, shape (z, y, x).

    Returns
    -------
    Connectivity
        Masks of the same shape.
    """
    objects = connected_objects(np.isin(labels, LITHIUM))
    numbers = objects.numbers
    on_stripping = _holding(objects, labels == Label.STRIPPING_ELECTRODE)
    on_plating = _holding(objects, labels == Label.PLATING_ELECTRODE)
    on_border = np.zeros(len(objects.sizes), dtype=bool)
    for axis in range(3):
        for end in (0, -1):
            on_border[np.unique(np.take(numbers, end, axis=axis))] = True

    on_none = ~on_stripping & ~on_plating
    on_none[0] = False
    on_both = on_stripping & on_plating
    stripping = (on_stripping & ~on_both)[numbers]
    plating = (on_plating & ~on_both)[numbers]
    if on_both.any():
        is_plating_class = np.isin(labels, (*PLATING_SIDE, Label.DENDRITE))
        stripping |= on_both[numbers] & ~is_plating_class
        plating |= on_both[numbers] & is_plating_class
    return Connectivity(
        stripping=stripping,
        plating=plating,
        disconnected=on_none[numbers],
        dead=(on_none & ~on_border)[numbers],
        is_bridged=bool(on_both.any()),
    )


def measure_gap(
    labels: LabelVolume, connectivity: Connectivity, *, voxel_um: float
) -> tuple[dict[str, Metric], FloatImage]:
    """Measure the shortest way from the lithium of one electrode to that of the other.

    Dendrites under 27 voxels and single voxels that stick out of a face are left out, so that
    noise cannot fake a filament; one of 3 x 3 voxels keeps its length.

    Parameters
    ----------
    labels
        Final labels, shape (z, y, x).
    connectivity
        The lithium of the same labels, from `connect_lithium`.
    voxel_um
        Edge of a voxel, micrometres.

    Returns
    -------
    tuple
        ``remaining_gap_um`` and ``remaining_gap_any_um``; and the map (z, x) of the shortest way
        from the plating side's lithium of each column, NaN where it has none.

    Notes
    -----
    The way is the straight line between the two nearest voxels, less one voxel for the halves
    that belong to lithium; it is not led around voids. With detached lithium it may break its
    journey at one detached object, inside which it costs nothing.
    """
    dendrites = connected_objects(labels == Label.DENDRITE)
    is_small = dendrites.sizes < _MIN_OBJECT_VOXELS
    is_small[0] = False
    plating = _without_bumps(connectivity.plating & ~is_small[dendrites.numbers])
    stripping = _without_bumps(connectivity.stripping)
    if not plating.any() or not stripping.any():
        missing = not_measured("um", "one_electrode_missing")
        empty = np.full((labels.shape[0], labels.shape[2]), np.nan, dtype=np.float32)
        return {"remaining_gap_um": missing, "remaining_gap_any_um": missing}, empty

    to_stripping = _distance_px(stripping)
    gap_map = _gap_map_um(to_stripping, plating, voxel_um=voxel_um)
    flags = ("bridged",) if connectivity.is_bridged else ()
    gap_px = 0.0 if flags else max(0.0, float(to_stripping[plating].min()) - 1)
    any_px = min(gap_px, _stepping_stone_px(connectivity.disconnected, to_stripping, plating))

    voxels = int(plating.sum())
    return {
        "remaining_gap_um": measured(gap_px * voxel_um, "um", voxels=voxels, flags=flags),
        "remaining_gap_any_um": measured(any_px * voxel_um, "um", voxels=voxels, flags=flags),
    }, gap_map


def measure_dead_lithium(connectivity: Connectivity, *, voxel_um: float) -> Metric:
    """Measure the lithium that hangs on neither electrode; what the border cuts is unknown."""
    voxels = int(connectivity.dead.sum())
    unknown = int(connectivity.disconnected.sum()) - voxels
    flags = ("cut_by_border",) if unknown else ()
    return measured(voxels * voxel_um**3, "um3", voxels=voxels, flags=flags)


def tip_height_px(labels: LabelVolume, *, voxel_um: float) -> tuple[float, int]:
    """Find the highest dendrite above the plated surface.

    Parameters
    ----------
    labels
        Final labels, shape (z, y, x); y rises towards the plating side.
    voxel_um
        Edge of a voxel, micrometres.

    Returns
    -------
    tuple
        Height of the tip above the mode of the lithium surface around it, in voxels, and the
        voxels of its object; (0, 0) when no dendrite has at least 27 voxels.
    """
    objects = connected_objects(labels == Label.DENDRITE)
    is_large = objects.sizes >= _MIN_OBJECT_VOXELS
    is_large[0] = False
    large = is_large[objects.numbers]
    if not large.any():
        return 0.0, 0
    n_y = labels.shape[1]
    lithium = np.isin(labels, (*PLATING_SIDE, Label.DENDRITE))
    height_px = np.where(lithium.any(axis=1), n_y - first_along_y(lithium), 0)
    surface = plated_surface((height_px * voxel_um).astype(np.float32), voxel_um)

    tip_px = n_y - first_along_y(large) - surface.mode_um / voxel_um
    tip_px = np.where(large.any(axis=1), tip_px, -np.inf)
    z, x = np.unravel_index(int(np.argmax(tip_px)), tip_px.shape)
    tip_object = objects.numbers[z, first_along_y(large)[z, x], x]
    return max(0.0, float(tip_px[z, x])), int(objects.sizes[tip_object])


def _holding(objects: Objects, electrode: MaskVolume) -> NDArray[np.bool_]:
    """Tell of each object whether it holds a part of an electrode, and not just a splinter."""
    shares = np.bincount(objects.numbers[electrode], minlength=len(objects.sizes))
    shares[0] = 0
    return (shares > 0) & (shares >= _MIN_ELECTRODE_SHARE * shares.sum())


def _without_bumps(lithium: MaskVolume) -> MaskVolume:
    """Drop voxels with no more lithium around them than a single one on a flat face has: 9."""
    # A mean over 27 voxels is exact to far less than one voxel's share, 1 / 27.
    filled = ndimage.uniform_filter(lithium.astype(np.float32), 3, mode="nearest")
    return np.asarray(lithium & (filled > 10.5 / 27))


def _distance_px(mask: MaskVolume) -> FloatVolume:
    """Give the distance of each voxel centre from the nearest marked voxel's centre."""
    distance: FloatVolume = edt.edt(~mask, black_border=False, parallel=1)
    return distance


def _gap_map_um(to_stripping: FloatVolume, plating: MaskVolume, *, voxel_um: float) -> FloatImage:
    nearest_px = np.where(plating, to_stripping, np.inf).min(axis=1)
    gap_um = np.maximum(nearest_px - 1, 0) * voxel_um
    return np.where(np.isfinite(gap_um), gap_um, np.nan).astype(np.float32)


def _stepping_stone_px(
    disconnected: MaskVolume, to_stripping: FloatVolume, plating: MaskVolume
) -> float:
    """Find the shortest way that touches one detached object of at least 27 voxels."""
    objects = connected_objects(disconnected)
    stones = np.flatnonzero(objects.sizes[1:] >= _MIN_OBJECT_VOXELS) + 1
    if not len(stones):
        return np.inf
    to_plating = _distance_px(plating)
    first = ndimage.minimum(to_stripping, objects.numbers, stones)
    second = ndimage.minimum(to_plating, objects.numbers, stones)
    way = np.maximum(np.asarray(first) - 1, 0) + np.maximum(np.asarray(second) - 1, 0)
    return float(way.min())
