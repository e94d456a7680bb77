"""Find the electrodes in the first scan and the frame that all scans are compared in."""

import numpy as np

from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.faces import (
    MAX_LINES,
    SIDES,
    FaceReference,
    make_patches,
    reference_faces,
)
from lithoscope_pipeline.geometry import Roi, field_axis_px
from lithoscope_pipeline.reference_frame.frame import ReferenceFrame
from lithoscope_pipeline.reference_frame.layers import find_planes
from lithoscope_pipeline.reference_frame.level import (
    cross_profiles,
    find_lean_deg,
    find_plane_angle_deg,
    refined_level,
    sample_slices,
    turned,
    without_needless_turn,
)
from lithoscope_pipeline.reference_frame.region import (
    MARGIN_PX,
    Region,
    square_region,
    stack_region,
    without_poor_edges,
)
from lithoscope_pipeline.resample import VolumeSource
from lithoscope_pipeline.rigid import RigidTransform

GROWTH_UM = 60.0  # room for the plating side, which moves out by 39 um in the reference cell
_ROUNDS = 3
_LEVEL_LINES = 12  # of patches: two slopes need no more
_MIN_AGREEMENT = 0.5  # of profiles at different heights: layers are everywhere the same
_MIN_GOOD_SHARE = 0.5  # of the patches must show a face, or what was found is no plane
_MIN_SLICE_PX = 16


def find_reference_frame(
    source: VolumeSource,
    voxel_um: float,
    *,
    field_radius_px: float | None = None,
    growth_um: float = GROWTH_UM,
    level_deg: tuple[float, float] | None = None,
) -> ReferenceFrame:
    """Find the electrodes of the first scan, make them level, and choose the region to compare in.

    The direction of the layers in the slices is searched over all angles, their lean along the
    rotation axis up to 6 degrees; planes through the outer faces of both electrodes then fix both
    rotations. The stationary side is the one at low y.

    Parameters
    ----------
    source
        First scan, 1/cm, shape (n_rows, n, n), axes (z, y, x), rotation axis in the middle.
        Denser is brighter. An array, or what reads boxes of a stored volume: a few rows at a time
        are asked for, never all.
    voxel_um
        Edge of a voxel.
    field_radius_px
        Distance from the rotation axis to the nearer border of the detector; the half width of
        the slice by default.
    growth_um
        Room left beyond the outer face of the plating side.
    level_deg
        Rotations about z and x by hand, instead of those found.

    Returns
    -------
    ReferenceFrame
        Levelling, region, planes, faces and verdict.

    Raises
    ------
    ShapeError
        If the volume has no three dimensions or slices of under 16 voxels.
    ParameterError
        If ``voxel_um`` is not above zero.
    NonFiniteError
        If a slice that is looked at holds NaN or infinity.
    """
    shape = source.shape
    if len(shape) != 3 or min(shape[1:]) < _MIN_SLICE_PX or shape[0] < 1:
        raise ShapeError(f"volume of shape {shape} given, (z, y, x) from (1, 16, 16) needed")
    if not voxel_um > 0.0:
        raise ParameterError(f"voxel_um is {voxel_um}, it must be above 0")
    slices = sample_slices(source)
    if not all(np.isfinite(each).all() for each in slices):
        raise NonFiniteError("volume holds NaN or infinity; reconstruct it again")

    radius = field_axis_px(min(shape[1:])) if field_radius_px is None else field_radius_px
    if level_deg is None:
        level = turned(shape, about_z_deg=find_plane_angle_deg(slices, radius))
        lean_deg = find_lean_deg(cross_profiles(source, level, radius))
        level = turned(shape, about_z_deg=level.rotation_deg[0], about_x_deg=lean_deg)
    else:
        level = turned(shape, about_z_deg=level_deg[0], about_x_deg=level_deg[1])
    frame = _Finder(source, voxel_um, radius, growth_um / voxel_um)
    return frame.find(level, is_given=level_deg is not None)


class _Finder:
    """The steps from a nearly level volume to its frame; holds what they share.

    Parameters
    ----------
    source, voxel_um
        The first scan.
    radius_px, growth_px
        Circle and room to grow.
    """

    def __init__(
        self, source: VolumeSource, voxel_um: float, radius_px: float, growth_px: float
    ) -> None:
        self._source = source
        self._voxel_um = voxel_um
        self._radius_px = radius_px
        self._growth_px = growth_px

    def find(self, level: RigidTransform, *, is_given: bool) -> ReferenceFrame:
        """Refine the level, then give the frame."""
        planes = self._planes(level)
        if planes is None:
            return self._no_layers()
        if not is_given:
            for _ in range(_ROUNDS):
                roi = self._region(level, planes).roi
                faces = self._faces(level, planes, roi, max_lines=_LEVEL_LINES)
                level = refined_level(level, faces)
            level = without_needless_turn(level, roi.shape[0] / 2, roi.shape[2] / 2)
            planes = self._planes(level) or planes
        region = self._region(level, planes)
        faces = self._faces(level, planes, region.roi)
        if min(np.mean(faces.side(name).weights > 0) for name in SIDES) < _MIN_GOOD_SHARE:
            return self._no_layers()
        trimmed = without_poor_edges(region, faces)
        if trimmed.roi != region.roi:
            faces = self._faces(level, planes, trimmed.roi)
        return ReferenceFrame(
            transform=level,
            roi=trimmed.roi,
            y_outer_px=faces.stripping.y_px,
            planes_px=(
                planes[0],
                faces.stripping.y_px,
                *planes[2:4],
                faces.plating.y_px,
                planes[5],
            ),
            edge_on_change_deg=level.rotation_deg[0],
            faces=faces,
            margin_px=trimmed.margin_px,
            flags=(*trimmed.flags, *(("level_by_hand",) if is_given else ())),
            verdict="resolved",
        )

    def _no_layers(self) -> ReferenceFrame:
        shape = self._source.shape
        return ReferenceFrame(
            transform=turned(shape),
            roi=square_region(shape, self._radius_px),
            y_outer_px=field_axis_px(shape[1]),
            planes_px=(),
            verdict="no_layers",
            reason="no pouch, electrode, electrolyte, electrode, pouch in this order in any "
            "direction; check that the sample is a layered cell, or give the rotations by hand",
        )

    def _planes(self, level: RigidTransform) -> tuple[float, ...] | None:
        profiles = cross_profiles(self._source, level, self._radius_px)
        if profiles.agreement < _MIN_AGREEMENT:
            return None
        return find_planes(profiles.mean, self._voxel_um)

    def _region(self, level: RigidTransform, planes: tuple[float, ...]) -> Region:
        return stack_region(
            self._source.shape,
            (planes[1], planes[4]),
            level,
            radius_px=self._radius_px,
            growth_px=self._growth_px,
        )

    def _faces(
        self,
        level: RigidTransform,
        planes: tuple[float, ...],
        roi: Roi,
        *,
        max_lines: int = MAX_LINES,
    ) -> FaceReference:
        return reference_faces(
            self._source,
            level,
            make_patches(roi, self._voxel_um, max_lines=max_lines),
            outer_px=(planes[1], planes[4]),
            voxel_um=self._voxel_um,
            growth_px=max(MARGIN_PX, self._growth_px),
        )
