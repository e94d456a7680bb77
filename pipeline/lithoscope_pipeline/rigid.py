"""Rigid transforms from the reference frame to a scan."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Triple = tuple[float, float, float]
Points = NDArray[np.float64]
TransformVerdict = Literal["resolved", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RigidTransform:
    """Where a point of the reference frame lies in a scan.

    With points as columns (x, y, z), ``scan = R (point - centre) + centre + shift`` and
    ``R = Rz Rx Ry``: right-handed rotations about the axes, first about y, then x, then z.

    Parameters
    ----------
    rotation_deg
        Rotation about the axes (z, y, x).
    shift_px
        Shift along (z, y, x), in voxels.
    centre_px
        Fixed point of the rotation (z, y, x), in voxels of the scan.
    residual_px
        What parts of the volume, each by itself, would still move; 0 for a given transform.
    verdict
        ``failed``: the volumes do not match under any transform in reach; the numbers are the
        initial ones.
    """

    rotation_deg: Triple = (0.0, 0.0, 0.0)
    shift_px: Triple = (0.0, 0.0, 0.0)
    centre_px: Triple
    residual_px: float = 0.0
    verdict: TransformVerdict = "resolved"

    @property
    def matrix(self) -> Points:
        """Rotation of points written (z, y, x), shape (3, 3)."""
        about_z, about_y, about_x = np.deg2rad(self.rotation_deg)
        cz, sz = np.cos(about_z), np.sin(about_z)
        cy, sy = np.cos(about_y), np.sin(about_y)
        cx, sx = np.cos(about_x), np.sin(about_x)
        rz = np.array([[cz, -sz, 0.0], [sz, cz, 0.0], [0.0, 0.0, 1.0]])
        ry = np.array([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
        rx = np.array([[1.0, 0.0, 0.0], [0.0, cx, -sx], [0.0, sx, cx]])
        return np.ascontiguousarray((rz @ rx @ ry)[::-1, ::-1])

    def to_scan(self, points_px: Points) -> Points:
        """Move points (z, y, x), shape (..., 3), from the reference frame to the scan."""
        centre = np.array(self.centre_px)
        moved: Points = (points_px - centre) @ self.matrix.T + centre + np.array(self.shift_px)
        return moved

    def to_reference(self, points_px: Points) -> Points:
        """Move points (z, y, x), shape (..., 3), from the scan to the reference frame."""
        centre = np.array(self.centre_px)
        moved: Points = (points_px - centre - np.array(self.shift_px)) @ self.matrix + centre
        return moved


def angles_deg(matrix: Points) -> Triple:
    """Rotations about (z, y, x) of a rotation matrix for points (z, y, x), shape (3, 3)."""
    r = matrix[::-1, ::-1]
    about_x = float(np.arcsin(np.clip(r[2, 1], -1.0, 1.0)))
    about_y = float(np.arctan2(-r[2, 0], r[2, 2]))
    about_z = float(np.arctan2(-r[0, 1], r[1, 1]))
    return float(np.rad2deg(about_z)), float(np.rad2deg(about_y)), float(np.rad2deg(about_x))
