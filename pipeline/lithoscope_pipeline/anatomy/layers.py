"""From materials to anatomy: sides, plated and redeposited lithium, dendrites.

Information from earlier scans enters as small maps (z, x) in the reference frame, never as
volumes: how thick each side was, column by column.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.geometry import FloatImage, FloatVolume, LabelVolume, MaskVolume
from lithoscope_pipeline.labels import Label, NetworkClass
from lithoscope_pipeline.surface import dendrite_threshold

# The outer faces are flat foils: averaging over so many voxels finds them to a few hundredths.
_FACE_SIGMA_PX = 3.0
_REFERENCE_SIGMA_PX = 1.5
# Lithium must exceed the reference by this much, in the median of 3 x 3 columns, to be added
# lithium: rounding to voxels alone makes up to half a voxel.
_MIN_ADDED_PX = 0.75
_MEDIAN_PX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SideThickness:
    """Thickness of the unbroken lithium on each side, counted from its outer face.

    Parameters
    ----------
    stripping_px, plating_px
        In-plane maps, shape (n_z, n_x), voxels; smoothed outer face to last lithium voxel.
    """

    stripping_px: FloatImage
    plating_px: FloatImage


@dataclass(frozen=True, slots=True, kw_only=True)
class AnatomyReference:
    """What earlier scans say about each in-plane pixel.

    Parameters
    ----------
    plating_px, stripping_px
        Thickness of the pristine electrodes, shape (n_z, n_x), voxels.
    stripping_minimum_px
        Thickness of the stripping side at the end of its half-cycle, None before.
    """

    plating_px: FloatImage
    stripping_px: FloatImage
    stripping_minimum_px: FloatImage | None = None

    @classmethod
    def from_first_scan(cls, thickness: SideThickness) -> "AnatomyReference":
        """Take the sides of scan 0 for the electrodes; steps of whole voxels are smoothed."""
        return cls(
            plating_px=_smooth(thickness.plating_px, _REFERENCE_SIGMA_PX),
            stripping_px=_smooth(thickness.stripping_px, _REFERENCE_SIGMA_PX),
        )

    def with_stripped(self, thickness: SideThickness) -> "AnatomyReference":
        """Add what was left of the stripping side in the last scan of its half-cycle."""
        minimum = _smooth(thickness.stripping_px, _REFERENCE_SIGMA_PX)
        return replace(self, stripping_minimum_px=np.minimum(minimum, self.stripping_px))


def find_side_thickness(
    classes: LabelVolume, *, lithium_share: FloatVolume | None = None
) -> SideThickness:
    """Measure the unbroken lithium from each outer face inwards.

    Parameters
    ----------
    classes
        `NetworkClass` of each voxel, shape (z, y, x); y rises from the stripping side.
    lithium_share
        Share of lithium in each voxel, 0 to 1, same shape: where it passes one half, faces are
        found to a fraction of a voxel. Without it they lie on the edges of voxels.

    Returns
    -------
    SideThickness
        Maps in voxels.

    Raises
    ------
    ShapeError
        If the classes are not a volume.
    """
    sides = _find_sides(classes, lithium_share)
    return SideThickness(
        stripping_px=sides.stripping.height_px, plating_px=sides.plating.height_px
    )


def label_anatomy(
    classes: LabelVolume,
    reference: AnatomyReference | None,
    *,
    voxel_um: float,
    lithium_share: FloatVolume | None = None,
) -> LabelVolume:
    """Label the parts of the cell.

    Lithium that continues from the stripping side's outer face belongs to that side, as does a
    piece that touches it only; all other lithium belongs to the plating side. On each side, what
    exceeds the electrode of the reference is added lithium: redeposited, or deposited up to the
    height at which dendrites begin (see `dendrite_threshold`). Heights count from the side's own
    outer face, which moves. Detached lithium keeps the class that its height gives it.

    Parameters
    ----------
    classes
        `NetworkClass` of each voxel, shape (z, y, x); y rises from the stripping side.
    reference
        Maps of earlier scans; None for scan 0, whose electrodes are pristine by definition.
    voxel_um
        Edge of a voxel, micrometres.
    lithium_share
        As for `find_side_thickness`; heights in whole voxels blur where dendrites begin.

    Returns
    -------
    LabelVolume
        `Label` of each voxel. Pits are not told apart.

    Raises
    ------
    ShapeError
        If the classes are not a volume or the maps have another shape.
    """
    sides = _find_sides(classes, lithium_share)
    if reference is not None and reference.plating_px.shape != sides.plating.height_px.shape:
        msg = (
            f"reference maps have shape {reference.plating_px.shape}, classes need "
            f"{sides.plating.height_px.shape}; use one region of interest for all scans"
        )
        raise ShapeError(msg)
    labels = np.zeros(classes.shape, dtype=np.uint8)
    labels[classes == NetworkClass.ELECTROLYTE] = Label.ELECTROLYTE
    labels[classes == NetworkClass.VOID] = Label.VOID

    on_stripping = _lithium_of_stripping_side(classes == NetworkClass.LITHIUM, sides)
    on_plating = (classes == NetworkClass.LITHIUM) & ~on_stripping
    labels[on_stripping] = Label.STRIPPING_ELECTRODE
    labels[on_plating] = Label.PLATING_ELECTRODE
    if reference is None:
        return labels

    base_px = reference.stripping_minimum_px
    if base_px is None:
        base_px = reference.stripping_px
    added = _added(on_stripping, sides.stripping, base_px)
    labels[added] = Label.REDEPOSITED

    added = _added(on_plating, sides.plating, reference.plating_px)
    labels[added] = Label.DEPOSITED
    height_px = sides.plating.highest_px(added) - reference.plating_px
    height_um = (np.maximum(height_px, 0) * voxel_um).astype(np.float32)
    threshold_px = dendrite_threshold(height_um, voxel_um) / voxel_um
    labels[added & sides.plating.beyond(reference.plating_px + threshold_px)] = Label.DENDRITE
    return labels


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One side of the cell seen from its outer face: depths count inwards, in voxels."""

    face_px: FloatImage
    run: MaskVolume
    direction: int
    lithium_share: FloatVolume | None

    def beyond(self, depth_px: FloatImage) -> MaskVolume:
        """Mark the voxels whose centre is deeper than a map (z, x) of depths."""
        rows = np.arange(self.run.shape[1], dtype=np.float32)[None, :, None]
        limit_px = (self.face_px + self.direction * depth_px)[:, None, :]
        return rows > limit_px if self.direction > 0 else rows < limit_px

    def highest_px(self, mask: MaskVolume) -> FloatImage:
        """Give the depth at which the deepest marked voxel of each column ends, 0 if none."""
        ahead = mask[:, ::-1] if self.direction > 0 else mask
        row = ahead.argmax(axis=1)
        if self.direction > 0:
            row = mask.shape[1] - 1 - row
        end_px = self.direction * (row - self.face_px) + self._rest_px(row)
        return np.where(mask.any(axis=1), end_px, 0).astype(np.float32)

    def _rest_px(self, row: NDArray[np.intp]) -> FloatImage:
        """Give how far lithium reaches beyond the centre of its last voxel."""
        half = np.full(row.shape, 0.5, dtype=np.float32)
        share = self.lithium_share
        if share is None:
            return half
        rest, is_open = half, np.ones(row.shape, dtype=np.bool_)
        # A flat face is rounded to one of two voxels: the share may pass beside the last one.
        for step in (0, -1, 1):
            place = row + self.direction * step
            here, there = _at(share, place), _at(share, place + self.direction)
            is_face = is_open & (here >= 0.5) & (there < 0.5)
            part = np.divide(here - 0.5, here - there, out=np.zeros_like(half), where=is_face)
            rest = np.where(is_face, part + np.float32(step), rest)
            is_open &= ~is_face
        return rest

    @property
    def height_px(self) -> FloatImage:
        """Thickness of the unbroken lithium."""
        return self.highest_px(self.run)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    stripping: _Side
    plating: _Side


def _find_sides(classes: LabelVolume, lithium_share: FloatVolume | None) -> _Sides:
    if classes.ndim != 3 or classes.size == 0:
        msg = f"classes have shape {classes.shape}, a volume (z, y, x) is needed"
        raise ShapeError(msg)
    if lithium_share is not None and lithium_share.shape != classes.shape:
        msg = f"lithium_share has shape {lithium_share.shape}, classes {classes.shape}"
        raise ShapeError(msg)
    face_px, run = _follow(classes)
    turned_face_px, turned_run = _follow(classes[:, ::-1])
    return _Sides(
        stripping=_Side(face_px=face_px, run=run, direction=1, lithium_share=lithium_share),
        plating=_Side(
            face_px=classes.shape[1] - 1 - turned_face_px,
            run=turned_run[:, ::-1],
            direction=-1,
            lithium_share=lithium_share,
        ),
    )


def _follow(classes: LabelVolume) -> tuple[FloatImage, MaskVolume]:
    """Follow the lithium of each column from the first row that is not background."""
    rows = np.arange(classes.shape[1])[None, :, None]
    inside = classes != NetworkClass.BACKGROUND
    first = inside.argmax(axis=1)
    past = (classes != NetworkClass.LITHIUM) & (rows >= first[:, None, :])
    end = np.where(past.any(axis=1), past.argmax(axis=1), classes.shape[1])

    last_inside = classes.shape[1] - inside[:, ::-1].argmax(axis=1)
    is_bridge = inside.any(axis=1) & (end >= last_inside)
    if is_bridge.any() and not is_bridge.all():
        # The column is lithium from face to face: each side gets what its neighbours have.
        end = np.where(is_bridge, first + round(float(np.median((end - first)[~is_bridge]))), end)
    run = (rows >= first[:, None, :]) & (rows < end[:, None, :])
    run &= classes == NetworkClass.LITHIUM
    return _smooth((first - 0.5).astype(np.float32), _FACE_SIGMA_PX), run


def _lithium_of_stripping_side(lithium: MaskVolume, sides: _Sides) -> MaskVolume:
    """Mark the stripping side's run and the pieces that hang on it alone."""
    numbers, n_pieces = ndimage.label(lithium, ndimage.generate_binary_structure(3, 3))
    on_stripping = _touched(numbers, n_pieces, sides.stripping.run)
    on_plating = _touched(numbers, n_pieces, sides.plating.run)
    return sides.stripping.run | (on_stripping & ~on_plating)[numbers]


def _touched(
    numbers: NDArray[np.integer[Any]], n_pieces: int, mask: MaskVolume
) -> NDArray[np.bool_]:
    touched = np.zeros(n_pieces + 1, dtype=bool)
    touched[np.unique(numbers[mask])] = True
    touched[0] = False
    return touched


def _added(lithium: MaskVolume, side: _Side, base_px: FloatImage) -> MaskVolume:
    """Mark a side's lithium beyond its electrode, but not what is only rounded to the voxel."""
    beyond, well_beyond = side.beyond(base_px), side.beyond(base_px + 1)
    excess_px = ndimage.median_filter(side.height_px - base_px, size=_MEDIAN_PX, mode="nearest")
    # The first voxel is believed in a layer, and where the second one is lithium too.
    has_second = (lithium & well_beyond & ~side.beyond(base_px + 2)).any(axis=1)
    is_added = (excess_px >= _MIN_ADDED_PX) | has_second
    return lithium & beyond & (well_beyond | is_added[:, None, :])


def _at(volume: FloatVolume, row: NDArray[np.intp]) -> FloatImage:
    """Give the value of each column in a row of its own, that of the border beyond it."""
    index = np.clip(row, 0, volume.shape[1] - 1)[:, None]
    return np.take_along_axis(volume, index, axis=1)[:, 0]


def _smooth(image: FloatImage, sigma_px: float) -> FloatImage:
    return np.asarray(ndimage.gaussian_filter(image, sigma_px, mode="nearest"))
