"""Rigid drift of the sample between scans."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class RigidDrift:
    """Where a scan finds the cell of scan 0.

    A point at ``p`` from the centre of the volume in scan 0 lies at ``R p + shift`` in the scan,
    with ``p = (x, y, z)`` as a column and ``R = Rz Rx Ry``, right-handed rotations about the
    axes: the order that SimpleITK's Euler transform uses by default.

    Parameters
    ----------
    shift_px
        Shift along (z, y, x), voxels.
    rotation_deg
        Rotation about (z, y, x), degrees.
    """

    shift_px: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def matrix(self) -> Matrix:
        """Rotation of points written (x, y, z), shape (3, 3)."""
        about_z, about_y, about_x = np.radians(self.rotation_deg)
        cz, sz = np.cos(about_z), np.sin(about_z)
        cy, sy = np.cos(about_y), np.sin(about_y)
        cx, sx = np.cos(about_x), np.sin(about_x)
        rz = np.array([[cz, -sz, 0.0], [sz, cz, 0.0], [0.0, 0.0, 1.0]])
        ry = np.array([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
        rx = np.array([[1.0, 0.0, 0.0], [0.0, cx, -sx], [0.0, sx, cx]])
        return np.asarray(rz @ rx @ ry)

    @property
    def shift_xyz_px(self) -> Matrix:
        """Shift written (x, y, z), shape (3,)."""
        return np.array(self.shift_px[::-1])

    def to_scan(self, points_px: Matrix) -> Matrix:
        """Move points (x, y, z) from the cell to the scan.

        Parameters
        ----------
        points_px
            Voxels from the centre of the volume, shape (..., 3).

        Returns
        -------
        Matrix
            The same points in the scan, shape (..., 3).
        """
        return np.asarray(points_px @ self.matrix.T + self.shift_xyz_px)


def draw_drift(
    rng: np.random.Generator, *, shift_px: tuple[float, float, float], rotation_deg: float
) -> RigidDrift:
    """Draw a drift that is uniform between the limits and their negatives."""
    u = rng.uniform(-1.0, 1.0, 6)
    z, y, x = (limit * float(v) for limit, v in zip(shift_px, u[:3], strict=True))
    about_z, about_y, about_x = (rotation_deg * float(v) for v in u[3:])
    return RigidDrift(shift_px=(z, y, x), rotation_deg=(about_z, about_y, about_x))


def motion_px(rng: np.random.Generator, n_angles: int, *, largest_px: float) -> Matrix:
    """Draw how a sample moves during a scan: evenly, and at rest about its middle.

    Parameters
    ----------
    rng
        Makes the choice.
    n_angles
        Angles of the scan, in the order in which they are taken.
    largest_px
        Limit of the whole way along each axis.

    Returns
    -------
    Matrix
        Distance (x, y, z) from where the sample is in the middle of the scan, voxels, shape
        (n_angles, 3).
    """
    way = largest_px * rng.uniform(-1.0, 1.0, 3)
    return np.outer((np.arange(n_angles) + 0.5) / n_angles - 0.5, way)
