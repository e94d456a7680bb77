"""The reference frame as a value, and what in it never moves."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lithoscope_pipeline.faces import FaceReference
from lithoscope_pipeline.geometry import MaskVolume, Roi, field_axis_px
from lithoscope_pipeline.rigid import RigidTransform

FrameVerdict = Literal["resolved", "no_layers"]

SEEN_SHARE = 0.95  # of the circle that is seen at all angles: its rim is blurred
STATIONARY_ELECTRODE_SHARE = 0.5  # of the stripping electrode: what is below is never stripped
_AIR_PX = 2.0  # of air belong to it: the outer face of the pouch is as good a plane as any


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceFrame:
    """The levelled grid in which all scans are compared, and the planes of the first one.

    Parameters
    ----------
    transform
        Reference frame to first scan: the rotation that makes the planes of the electrodes level
        (normal along y), about the middle of the volume. No rotation if the scan is level.
    roi
        Region in voxels of the reference frame: the extent of both electrodes with room to move.
    y_outer_px
        Outer face of the stationary (stripping) electrode; the origin of y. In voxels of the
        reference frame, to a fraction. Middle of the volume if there are no layers.
    planes_px
        The six planes along y in the reference frame, lower pouch face first; empty if there are
        no layers.
    edge_on_change_deg
        What to add to the angle that was taken for edge-on to get the true one.
    faces
        Outer faces of both electrodes, patch by patch; None if there are no layers.
    margin_px
        Voxels of the region below the stripping and above the plating electrode.
    flags
        ``small_margin``: the volume ends less than 40 voxels from an electrode;
        ``edges_excluded``: parts of the view do not show both electrodes;
        ``level_by_hand``: the rotation was given.
    verdict, reason
        ``no_layers``: the profile across the electrodes is not that of a cell; the region is then
        the largest square inside the circle.
    """

    transform: RigidTransform
    roi: Roi
    y_outer_px: float
    planes_px: tuple[float, ...]
    edge_on_change_deg: float = 0.0
    faces: FaceReference | None = None
    margin_px: tuple[float, float] = (0.0, 0.0)
    flags: tuple[str, ...] = ()
    verdict: FrameVerdict
    reason: str = ""


def stationary_mask(
    frame: ReferenceFrame,
    shape: tuple[int, int, int],
    *,
    origin_px: tuple[int, int, int] = (0, 0, 0),
    field_radius_px: float | None = None,
) -> MaskVolume:
    """Mark what stays put: the stationary pouch and the outer half of its electrode.

    Parameters
    ----------
    frame
        Frame with verdict ``resolved``; with ``no_layers`` its region is marked.
    shape
        Shape of the first scan, or of a box of it, (z, y, x).
    origin_px
        First voxel of the box in the scan.
    field_radius_px
        As for `find_reference_frame`. Needed for a box: by default the shape is taken for that
        of the scan.

    Returns
    -------
    MaskVolume
        Shape ``shape``, inside 0.95 of the reconstructed circle.
    """
    centre = np.array(frame.transform.centre_px)
    z, y, x = (np.arange(n) + first for n, first in zip(shape, origin_px, strict=True))
    if frame.verdict == "no_layers":
        inside = [
            (places >= first) & (places < stop)
            for places, first, stop in zip(
                (z, y, x),
                (frame.roi.z0, frame.roi.y0, frame.roi.x0),
                (frame.roi.z1, frame.roi.y1, frame.roi.x1),
                strict=True,
            )
        ]
        return inside[0][:, None, None] & inside[1][:, None] & inside[2]
    radius = field_axis_px(min(shape[1:])) if field_radius_px is None else field_radius_px
    pouch, outer, surface = frame.planes_px[:3]
    last = outer + STATIONARY_ELECTRODE_SHARE * (surface - outer)
    # Row y of the inverse rotation: where a voxel of the scan lies across the levelled planes.
    across = frame.transform.matrix[:, 1]
    offset = centre[1] - across @ (centre + np.array(frame.transform.shift_px))
    in_slice = across[1] * y[:, None] + across[2] * x[None, :] + offset
    square = (y - centre[1])[:, None] ** 2 + (x - centre[2])[None, :] ** 2
    in_circle = square < (SEEN_SHARE * radius) ** 2
    mask = np.empty(shape, dtype=np.bool_)
    for index, row in enumerate(z):
        height = in_slice + across[0] * row
        mask[index] = (height >= pouch - _AIR_PX) & (height <= last) & in_circle
    return mask
