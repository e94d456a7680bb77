"""Where the outer faces of both electrodes lie in a scan, and how far they have moved."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.faces.match import FaceTemplate, Matches, make_template, match_faces
from lithoscope_pipeline.faces.patches import PatchGrid, sample_profiles
from lithoscope_pipeline.faces.smooth import Map, smooth_map
from lithoscope_pipeline.geometry import FloatStack
from lithoscope_pipeline.resample import VolumeSource
from lithoscope_pipeline.rigid import RigidTransform

Side = Literal["stripping", "plating"]
SideVerdict = Literal["resolved", "unresolved"]
SIDES: tuple[Side, Side] = ("stripping", "plating")

TEMPLATE_UM = 24.0  # on either side of a face: blur and fringes, and no other face
# A face is sharper than a pixel, and its fringes are: what is seen of them depends on where in a
# pixel the face lies, which moved places by up to 0.25 voxel. This takes out what is so fine.
_ACROSS_SIGMA_PX = 2.0
_ACROSS_REACH_PX = 8
_MIN_TEMPLATE_PX = 8  # a shorter one sees little but what is fine
STATIONARY_REACH_PX = 8.0  # what registration may leave
_INWARD_UM = 25.0  # a plating side that shrinks
_NEAR_PX = 3.0  # from the smooth map, for the second look
_MIN_CORRELATION = 0.6
_MIN_GOOD_SHARE = 0.5
_MAX_SCATTER_PX = 1.0
_OUTLIER_PX = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SideReference:
    """An outer face in the first scan.

    Parameters
    ----------
    template
        What the grey values look like across it.
    y_px
        Where it lies in the mean, y in voxels of the reference frame.
    face_px
        Where it lies in each patch, shape of the grid, float64.
    weights
        How far each patch is trusted, 0 to 1, same shape.
    reach_px
        How far down and up it is looked for in later scans.
    """

    template: FaceTemplate
    y_px: float
    face_px: Map
    weights: Map
    reach_px: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceReference:
    """Both outer faces in the first scan: what later scans are compared with.

    Parameters
    ----------
    grid
        Patches of the electrode plane.
    stripping, plating
        The faces; the stripping electrode is the stationary one.
    """

    grid: PatchGrid
    stripping: SideReference
    plating: SideReference

    def side(self, name: Side) -> SideReference:
        """Return one of the faces."""
        return self.stripping if name == "stripping" else self.plating


@dataclass(frozen=True, slots=True, kw_only=True)
class SideDisplacement:
    """How far an outer face has moved along y since the first scan.

    Parameters
    ----------
    map_px
        Smooth displacement of each patch, voxels, up is positive; shape of the grid.
    good
        Patches that it rests on.
    mean_px
        Mean of the map.
    scatter_px
        Robust standard deviation of single patches about the map.
    good_share
        Share of patches that agree with it.
    verdict, reason
        ``unresolved``: the face was not found, and the map must not be used; the reason says
        what was seen.
    """

    map_px: Map
    good: NDArray[np.bool_]
    mean_px: float
    scatter_px: float
    good_share: float
    verdict: SideVerdict
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swelling:
    """What has moved between the first scan and this one, in the reference frame.

    Parameters
    ----------
    grid
        Patches that the maps are given on.
    stripping, plating
        Displacement of the outer faces. That of the stripping side, which is what scans are
        registered by, shows what registration left.
    stack_px, stack_change_px
        Mean distance of the outer faces, and its change since the first scan; None unless both
        sides are resolved.
    """

    grid: PatchGrid
    stripping: SideDisplacement
    plating: SideDisplacement
    stack_px: float | None
    stack_change_px: float | None

    def side(self, name: Side) -> SideDisplacement:
        """Return one of the faces."""
        return self.stripping if name == "stripping" else self.plating


def reference_faces(
    source: VolumeSource,
    transform: RigidTransform,
    grid: PatchGrid,
    *,
    outer_px: tuple[float, float],
    voxel_um: float,
    growth_px: float,
) -> FaceReference:
    """Learn the outer faces of the first scan.

    Parameters
    ----------
    source
        First scan, axes (z, y, x); only bands around the faces are read.
    transform
        Reference frame to that scan.
    grid
        Patches.
    outer_px
        Where both faces lie, y in voxels of the reference frame, to a few voxels.
    voxel_um
        Edge of a voxel.
    growth_px
        How far out the plating side may move in later scans.

    Returns
    -------
    FaceReference
        Templates and places.

    Raises
    ------
    ParameterError
        If ``outer_px`` are not in the order stripping, plating.
    """
    if not outer_px[0] < outer_px[1]:
        raise ParameterError(f"outer_px {outer_px} must rise from stripping to plating side")
    half = max(_MIN_TEMPLATE_PX, round(TEMPLATE_UM / voxel_um))
    reaches = (
        (STATIONARY_REACH_PX, STATIONARY_REACH_PX),
        (_INWARD_UM / voxel_um, growth_px),
    )
    sides = []
    for y_px, reach in zip(outer_px, reaches, strict=True):
        y0 = int(np.floor(y_px)) - half - int(STATIONARY_REACH_PX) - 2
        y1 = int(np.ceil(y_px)) + half + int(STATIONARY_REACH_PX) + 3
        profiles = _profiles(source, transform, grid, y0=y0, y1=y1)
        template = make_template(profiles, face_px=y_px - y0, half_px=half)
        found = _two_looks(profiles, template, (y_px - y0, STATIONARY_REACH_PX))
        face_px = found.face_px + y0
        weights = np.where(
            _is_seen(source, transform, grid, (y0, y1), y_px, half), _weights(found), 0
        )
        smooth = smooth_map(face_px, weights, limit=_OUTLIER_PX)
        sides.append(
            SideReference(
                template=template,
                y_px=float(smooth.values.mean()),
                face_px=face_px,
                weights=weights * smooth.good,
                reach_px=reach,
            )
        )
    return FaceReference(grid=grid, stripping=sides[0], plating=sides[1])


def _is_seen(
    source: VolumeSource,
    transform: RigidTransform,
    grid: PatchGrid,
    rows: tuple[int, int],
    y_px: float,
    half: int,
) -> NDArray[np.bool_]:
    """Say which patches show the face in what is not smoothed: smooth noise is like anything."""
    raw = sample_profiles(source, transform, grid, y0=rows[0], y1=rows[1])
    template = make_template(raw, face_px=y_px - rows[0], half_px=half)
    found = _two_looks(raw, template, (y_px - rows[0], STATIONARY_REACH_PX))
    seen: NDArray[np.bool_] = _weights(found) > 0
    return seen


def measure_swelling(
    source: VolumeSource, transform: RigidTransform, reference: FaceReference
) -> Swelling:
    """Find the outer faces of a later scan and how far they have moved.

    Places are compared patch by patch with those of the first scan, so that the roughness of a
    face, which moves with it, cancels; the differences are then smoothed.

    Parameters
    ----------
    source
        The scan, axes (z, y, x); only bands around the faces are read.
    transform
        Reference frame to that scan.
    reference
        The faces of the first scan.

    Returns
    -------
    Swelling
        A map and a verdict for each side.
    """
    stripping = _displacement(source, transform, reference.grid, reference.stripping)
    plating = _displacement(source, transform, reference.grid, reference.plating)
    change = None
    stack = None
    if stripping.verdict == plating.verdict == "resolved":
        change = plating.mean_px - stripping.mean_px
        stack = reference.plating.y_px - reference.stripping.y_px + change
    return Swelling(
        grid=reference.grid,
        stripping=stripping,
        plating=plating,
        stack_px=stack,
        stack_change_px=change,
    )


def _profiles(
    source: VolumeSource, transform: RigidTransform, grid: PatchGrid, *, y0: int, y1: int
) -> FloatStack:
    """Average patches, and take out what is finer along y than pixels can tell."""
    reach = _ACROSS_REACH_PX
    seen = sample_profiles(source, transform, grid, y0=y0 - reach, y1=y1 + reach)
    smooth: FloatStack = gaussian_filter1d(
        seen, _ACROSS_SIGMA_PX, axis=2, mode="nearest", truncate=reach / _ACROSS_SIGMA_PX
    )
    return smooth[..., reach:-reach]


def _displacement(
    source: VolumeSource, transform: RigidTransform, grid: PatchGrid, side: SideReference
) -> SideDisplacement:
    down, up = side.reach_px
    ahead = len(side.template.values) - side.template.face
    y0 = int(np.floor(side.y_px - down - side.template.face)) - 2
    y1 = int(np.ceil(side.y_px + up + ahead)) + 3
    profiles = _profiles(source, transform, grid, y0=y0, y1=y1)
    middle, reach = side.y_px + (up - down) / 2 - y0, (up + down) / 2
    found = _two_looks(profiles, side.template, (middle, reach))
    moved = found.face_px + y0 - side.face_px
    weights = _weights(found) * side.weights
    smooth = smooth_map(moved, weights, limit=_OUTLIER_PX)
    share = float(np.count_nonzero(smooth.good) / smooth.good.size)
    mean_px = float(smooth.values.mean())
    reason = _reason(share, smooth.scatter, mean_px, (down, up))
    return SideDisplacement(
        map_px=smooth.values,
        good=smooth.good,
        mean_px=mean_px,
        scatter_px=smooth.scatter,
        good_share=share,
        verdict="unresolved" if reason else "resolved",
        reason=reason,
    )


def _reason(share: float, scatter: float, mean_px: float, reach: tuple[float, float]) -> str:
    """Say why a face counts as not found; empty when it was found."""
    if share < _MIN_GOOD_SHARE:
        return f"{share:.0%} of the patches show the face, {_MIN_GOOD_SHARE:.0%} are needed"
    if scatter > _MAX_SCATTER_PX:
        return f"patches scatter by {scatter:.2f} voxel, at most {_MAX_SCATTER_PX:g} is allowed"
    if not -reach[0] + 1.0 < mean_px < reach[1] - 1.0:
        return f"the face lies {mean_px:.1f} voxel away, at the end of where it was looked for"
    return ""


def _two_looks(
    profiles: FloatStack, template: FaceTemplate, where: tuple[float, float]
) -> Matches:
    """Look everywhere in the mean of neighbours, then near the smooth map in each patch."""
    middle, reach = where
    mean = np.median(profiles, axis=(0, 1))[None, :].astype(np.float32)
    coarse = float(match_faces(mean, template, near_px=middle, reach_px=reach).face_px[0])
    first = match_faces(profiles, template, near_px=middle, reach_px=reach)
    # A patch that matches elsewhere pulls less than one where the mean does.
    near = 1.0 / (1.0 + ((first.face_px - coarse) / (2.0 * _NEAR_PX)) ** 2)
    smooth = smooth_map(first.face_px, _weights(first) * near)
    expected = np.clip(smooth.values, middle - reach, middle + reach)
    return match_faces(profiles, template, near_px=expected, reach_px=_NEAR_PX)


def _weights(found: Matches) -> Map:
    """Trust in a match: none below a correlation, then rising with the share it explains."""
    c = np.clip(found.correlation, 0.0, 1.0)
    return np.where(c >= _MIN_CORRELATION, c**2, 0.0)
