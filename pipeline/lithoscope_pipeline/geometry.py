"""Conventions of the pipeline, stated once: axes, units, angles, the rotation axis.

- Data are (angle, row, column), volumes (z, y, x), row-major; z runs along the detector rows.
- Pixel centres are integers from 0, so the axis of a perfectly centred detector is at
  ``(n_columns - 1) / 2``.
- A point (x, y), in voxels from the rotation axis, is seen at detector column
  ``rotation_axis_px + x cos(theta) + y sin(theta)``. At ``theta = 0`` the beam runs along y
  (face-on to the electrodes, for y is the thickness of the cell), at ``pi / 2`` along x (edge-on).
- Attenuation coefficients are in 1/cm, lengths in micrometres or voxels as the name says.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatVector = NDArray[np.float32]
Angles = NDArray[np.float32] | NDArray[np.float64]
FloatImage = NDArray[np.float32]
FloatStack = NDArray[np.float32]
FloatVolume = NDArray[np.float32]
LabelVolume = NDArray[np.uint8]
MaskVolume = NDArray[np.bool_]

UM_PER_CM = 1.0e4


@dataclass(frozen=True, slots=True, kw_only=True)
class Roi:
    """A box of voxels, half open: ``z0 <= z < z1`` and so on.

    Parameters
    ----------
    z0, z1, y0, y1, x0, x1
        First voxel and one past the last, in voxels of the frame it is used in.
    """

    z0: int
    z1: int
    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along (z, y, x)."""
        return self.z1 - self.z0, self.y1 - self.y0, self.x1 - self.x0

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Index of the box in a volume of its frame."""
        return slice(self.z0, self.z1), slice(self.y0, self.y1), slice(self.x0, self.x1)


def field_axis_px(n: int) -> float:
    """Position of the rotation axis in a field of ``n`` pixels that it divides in the middle."""
    return (n - 1) / 2
