"""What a detector sees of a cell: columns, angles, and where the cell stands."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.phantom.drift import RigidDrift

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the detector sees: columns, angles, and where the cell stands in the scan.

    Parameters
    ----------
    n_columns
        Detector columns.
    rotation_axis_px
        Column of the rotation axis.
    thetas_rad
        Angle in the middle of each exposure, shape (n_angles,).
    exposure_rad
        Angle that the sample turns by during an exposure.
    drift
        Where the scan finds the cell.
    motion_px
        How far the sample has moved from there at each angle: (x, y, z), shape (n_angles, 3).
        None for a sample at rest.
    """

    n_columns: int
    rotation_axis_px: float
    thetas_rad: Array
    exposure_rad: float
    drift: RigidDrift
    motion_px: Array | None = None

    @property
    def in_plane(self) -> Array:
        """Matrix from in-plane cell coordinates (x, y) to the scan's, at a fixed row."""
        r = self.drift.matrix
        return np.asarray(r[:2, :2] - np.outer(r[:2, 2], r[2, :2]) / r[2, 2])

    @property
    def rise_px(self) -> Array:
        """How far the sample has moved along z at each angle, shape (n_angles,)."""
        if self.motion_px is None:
            return np.zeros(len(self.thetas_rad))
        return np.asarray(self.motion_px[:, 2])

    def origins_px(self, heights_px: Array) -> Array:
        """Return where the cell's axis crosses rows at these scan heights, shape (n_rows, 2)."""
        r, shift = self.drift.matrix, self.drift.shift_xyz_px
        return np.outer(heights_px - shift[2], r[:2, 2] / r[2, 2]) + shift[:2]

    def slopes(self, thetas_rad: Array) -> Array:
        """Return the detector coordinate per cell coordinate (x, y), shape (..., 2)."""
        return np.asarray(directions(thetas_rad) @ self.in_plane)

    def offsets_px(self, angle: int, turned_rad: Array, heights_px: Array) -> Array:
        """Return the detector column of the cell's axis while the sample turns.

        Parameters
        ----------
        angle
            Number of the angle.
        turned_rad
            Angles from the middle of the exposure, shape (n_steps,).
        heights_px
            Height of each row above the centre of the volume, shape (n_rows,).

        Returns
        -------
        Array
            Shape (n_steps, n_rows).
        """
        towards = directions(self.thetas_rad[angle] + turned_rad)
        origins = self.origins_px(heights_px)
        if self.motion_px is not None:
            origins = origins + self.motion_px[angle, :2]
        return np.asarray(towards @ origins.T + self.rotation_axis_px)


def directions(thetas_rad: Array) -> Array:
    """Return the direction of the columns at each angle, shape (..., 2)."""
    return np.stack([np.cos(thetas_rad), np.sin(thetas_rad)], axis=-1)
