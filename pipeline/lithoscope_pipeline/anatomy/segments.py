"""From the classes of a network to the final labels, slab by slab.

What a whole volume must say first, where dendrites begin, enters as small maps (z, x). Every
voxel whose class is changed is counted under the name of its rule; nothing is removed, and
nothing is changed for being disconnected.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.geometry import FloatImage, LabelVolume
from lithoscope_pipeline.labels import Label, SegmentClass
from lithoscope_pipeline.surface import dendrite_threshold, smooth_face

#: Names of the rules, in the order in which they are applied.
RULES: Final = (
    "first_scan_is_pristine",
    "nothing_redeposited_before_discharge",
    "no_pit_on_the_plating_side_before_discharge",
    "high_is_dendrite",
    "low_is_deposited",
    "covered_pit_is_void",
)
_ELECTROLYTE, _ELECTRODE = int(SegmentClass.ELECTROLYTE), int(SegmentClass.ELECTRODE)
_DEPOSITED, _DENDRITE = int(SegmentClass.DEPOSITED), int(SegmentClass.DENDRITE)
_PIT, _VOID = int(SegmentClass.PIT), int(SegmentClass.VOID)
# numba takes plain numbers.
_L_STRIPPING, _L_PLATING = int(Label.STRIPPING_ELECTRODE), int(Label.PLATING_ELECTRODE)
_L_DEPOSITED, _L_REDEPOSITED = int(Label.DEPOSITED), int(Label.REDEPOSITED)
_L_DENDRITE, _L_ELECTROLYTE = int(Label.DENDRITE), int(Label.ELECTROLYTE)
_L_VOID = int(Label.VOID)
_TO_LABEL = np.array(
    [
        Label.BACKGROUND,
        Label.ELECTROLYTE,
        Label.PLATING_ELECTRODE,
        Label.DEPOSITED,
        Label.DENDRITE,
        Label.PIT,
        Label.VOID,
    ],
    dtype=np.uint8,
)
_HALF_SHARE = 127.5
# Heights are found to a fraction of a voxel, by the network as well: nearer to the limit than
# this its own word stands.
_TOLERANCE_PX = np.float32(1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMaps:
    """What the columns of a slab say, shape (n_z, n_x) each.

    Parameters
    ----------
    inner_px
        Row at which the plating electrode begins, NaN where a column has none.
    top_px
        Row, to a fraction, at which the highest lithium on it ends; that of the electrode
        where there is none.
    """

    inner_px: FloatImage
    top_px: FloatImage

    @classmethod
    def joined(cls, slabs: Sequence["ColumnMaps"]) -> "ColumnMaps":
        """Put the maps of all slabs together, in the order of z."""
        return cls(
            inner_px=np.concatenate([slab.inner_px for slab in slabs]),
            top_px=np.concatenate([slab.top_px for slab in slabs]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DendriteLimit:
    """Where dendrites begin in each column.

    Parameters
    ----------
    row_px
        Lithium on the plating side at smaller rows is dendrite, shape (n_z, n_x).
    """

    row_px: FloatImage

    def rows(self, z0: int, z1: int) -> "DendriteLimit":
        """Cut out the slices of a slab."""
        return DendriteLimit(row_px=self.row_px[z0:z1])


@dataclass(frozen=True, slots=True, kw_only=True)
class SlabAnatomy:
    """Final labels of a slab.

    Parameters
    ----------
    labels
        `Label` of each voxel, shape (n_z, n_y, n_x).
    relabelled
        Voxels that each of the `RULES` gave another class than the network.
    """

    labels: LabelVolume
    relabelled: Mapping[str, int]


def measure_columns(
    segments: LabelVolume, lithium_share: NDArray[np.uint8], *, middle_px: float
) -> ColumnMaps:
    """Measure the plating side of each column.

    Parameters
    ----------
    segments
        `SegmentClass` of each voxel, shape (n_z, n_y, n_x); y rises from the stripping side.
    lithium_share
        Probability that a voxel is lithium of any class, in 255ths, same shape: faces are found
        to a fraction of a voxel where it passes one half.
    middle_px
        Row that lies between the electrodes.

    Returns
    -------
    ColumnMaps
        Of these slices.

    Raises
    ------
    ShapeError
        If the arrays do not fit together.
    """
    if segments.ndim != 3 or segments.shape != lithium_share.shape:
        msg = f"segments {segments.shape} and lithium_share {lithium_share.shape} differ"
        raise ShapeError(msg)
    shape = segments.shape[0], segments.shape[2]
    inner_px, top_px = np.empty(shape, np.float32), np.empty(shape, np.float32)
    _measure(segments, lithium_share, int(np.ceil(middle_px)), inner_px, top_px)
    return ColumnMaps(inner_px=inner_px, top_px=top_px)


def find_dendrite_limit(columns: ColumnMaps, *, voxel_um: float) -> DendriteLimit:
    """Apply the rule of `lithoscope_pipeline.surface` to the heights of a whole volume.

    Parameters
    ----------
    columns
        Of the whole volume.
    voxel_um
        Edge of a voxel, micrometres.

    Returns
    -------
    DendriteLimit
        Heights count from the smoothed inner face of the plating electrode.
    """
    inner_px = smooth_face(columns.inner_px)
    top_px = np.where(np.isfinite(columns.top_px), columns.top_px, inner_px)
    height_um = (np.maximum(inner_px - top_px, 0) * voxel_um).astype(np.float32)
    limit_px = dendrite_threshold(height_um, voxel_um) / voxel_um
    return DendriteLimit(row_px=(inner_px - limit_px).astype(np.float32))


def label_slab(
    segments: LabelVolume,
    limit: DendriteLimit,
    *,
    middle_px: float,
    half_cycle: int,
    is_first_scan: bool = False,
) -> SlabAnatomy:
    """Give each voxel of a slab its final label.

    An electrode belongs to the side of the middle on which it lies. Added lithium on the plating
    side is dendrite more than a voxel beyond `DendriteLimit`, deposited more than a voxel below
    it, and what the network says between; on the stripping side it is
    redeposited, but dendrite stays dendrite. In the first scan nothing is added or lost, and in
    the first half-cycle neither redeposited lithium nor pits on the plating side: the nearest
    class takes their place. A pit under redeposited lithium is void.

    Parameters
    ----------
    segments, middle_px
        As for `measure_columns`.
    limit
        Of these slices.
    half_cycle
        Number of the half-cycle, from 0; before the first pulse as well.
    is_first_scan
        Whether this is the scan whose electrodes are pristine by definition.

    Returns
    -------
    SlabAnatomy
        Labels, and what each rule changed.

    Raises
    ------
    ShapeError
        If the limit is not one of these slices.
    """
    if limit.row_px.shape != (segments.shape[0], segments.shape[2]):
        msg = f"limit has shape {limit.row_px.shape}, segments have shape {segments.shape}"
        raise ShapeError(msg)
    labels = np.empty(segments.shape, np.uint8)
    counts = np.zeros(len(RULES), np.int64)
    _label(
        segments,
        limit.row_px.astype(np.float32),
        int(np.ceil(middle_px)),
        half_cycle,
        is_first_scan,
        _TO_LABEL,
        labels,
        counts,
    )
    return SlabAnatomy(
        labels=labels,
        relabelled={name: int(n) for name, n in zip(RULES, counts, strict=True)},
    )


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _measure(segments, share, middle, inner_px, top_px):  # type: ignore[no-untyped-def]  # for numba
    n_z, n_y, n_x = segments.shape
    for z in range(n_z):
        for x in range(n_x):
            n_electrode, outer, top = 0, -1, -1
            for y in range(n_y - 1, middle - 1, -1):
                if segments[z, y, x] == _ELECTRODE:
                    n_electrode += 1
                    if outer < 0:
                        outer = y
            for y in range(n_y):
                kind = segments[z, y, x]
                # Below the middle only a dendrite can be one of the plating side.
                if kind == _DENDRITE or (kind == _DEPOSITED and y >= middle):
                    top = y
                    break
            # Counted, not followed: a wrong voxel inside the foil shifts its face by one.
            inner_px[z, x] = outer + 0.5 - n_electrode if outer >= 0 else np.nan
            if top < 0:
                top_px[z, x] = inner_px[z, x]
                continue
            rest = np.float32(0.5)
            if top > 0:
                here, ahead = share[z, top, x], share[z, top - 1, x]
                if here >= _HALF_SHARE > ahead:
                    rest = (here - np.float32(_HALF_SHARE)) / np.float32(here - ahead)
            top_px[z, x] = top - rest


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _label(segments, limit, middle, half_cycle, is_first, to_label, labels, counts):  # type: ignore[no-untyped-def]  # for numba
    n_z, n_y, n_x = segments.shape
    for z in range(n_z):
        for x in range(n_x):
            covering = False
            for y in range(n_y - 1, -1, -1):
                kind = segments[z, y, x]
                on_plating = y >= middle
                label = to_label[kind]
                if kind == _ELECTRODE and not on_plating:
                    label = _L_STRIPPING
                elif kind in (_DEPOSITED, _DENDRITE):
                    if is_first:
                        counts[0] += 1
                        label = _L_PLATING if on_plating else _L_STRIPPING
                    elif on_plating:
                        label = _L_DENDRITE if kind == _DENDRITE else _L_DEPOSITED
                        if kind == _DEPOSITED and y < limit[z, x] - _TOLERANCE_PX:
                            label = _L_DENDRITE
                            counts[3] += 1
                        elif kind == _DENDRITE and y > limit[z, x] + _TOLERANCE_PX:
                            label = _L_DEPOSITED
                            counts[4] += 1
                    elif kind == _DEPOSITED:
                        label = _L_REDEPOSITED
                        if half_cycle == 0:
                            counts[1] += 1
                            label = _L_STRIPPING
                elif kind == _PIT:
                    if is_first:
                        counts[0] += 1
                        label = _L_PLATING if on_plating else _L_STRIPPING
                    elif on_plating and half_cycle == 0:
                        counts[2] += 1
                        label = _L_ELECTROLYTE
                    elif covering and not on_plating:
                        counts[5] += 1
                        label = _L_VOID
                if label == _L_REDEPOSITED:
                    covering = True
                labels[z, y, x] = label
