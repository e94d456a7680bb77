"""Profiles across the cell, averaged over patches of the electrode plane."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatStack, Roi
from lithoscope_pipeline.resample import VolumeSource, resample_region
from lithoscope_pipeline.rigid import RigidTransform

Positions = NDArray[np.float64]

# Noise of a voxel is as large as the step at a face: a patch of 12 x 8 voxels finds it to 0.1.
PATCH_UM = 36.0
_MIN_COLUMNS = 8
_MAX_ROWS = 8
MAX_LINES = 48  # of patches: a face is smooth; a full-size scan need not be read whole for it


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchGrid:
    """Patches of the electrode plane, in voxels of the reference frame.

    Parameters
    ----------
    z0_px
        First row of each line of patches, shape (n_z,).
    n_rows
        Rows of a patch.
    x0_px, n_x, n_columns
        First column of the first patch, patches along x, columns of a patch; they touch.
    """

    z0_px: tuple[int, ...]
    n_rows: int
    x0_px: int
    n_x: int
    n_columns: int

    @property
    def shape(self) -> tuple[int, int]:
        """Patches along (z, x)."""
        return len(self.z0_px), self.n_x

    @property
    def z_px(self) -> Positions:
        """Middle of the patches along z, shape (n_z,)."""
        return np.array(self.z0_px, dtype=np.float64) + (self.n_rows - 1) / 2

    @property
    def x_px(self) -> Positions:
        """Middle of the patches along x, shape (n_x,)."""
        first = self.x0_px + (self.n_columns - 1) / 2
        return first + self.n_columns * np.arange(self.n_x, dtype=np.float64)


def make_patches(
    roi: Roi, voxel_um: float, *, patch_um: float = PATCH_UM, max_lines: int = MAX_LINES
) -> PatchGrid:
    """Divide the electrode plane of a region into patches.

    Parameters
    ----------
    roi
        Region in the reference frame.
    voxel_um
        Edge of a voxel.
    patch_um
        Edge of a patch; at least 8 columns are taken.
    max_lines
        Lines of patches along z at most. Of tall regions evenly spread lines of 8 rows stand for
        the rest.

    Returns
    -------
    PatchGrid
        At least one patch.
    """
    n_z, _, n_x = roi.shape
    n_columns = min(max(_MIN_COLUMNS, round(patch_um / voxel_um)), n_x)
    across = max(1, n_x // n_columns)
    step = max(1, min(_MAX_ROWS, round(patch_um / voxel_um)))
    n_rows = min(step, n_z)
    lines = max(1, min(max_lines, n_z // n_rows))
    starts = np.linspace(roi.z0, roi.z1 - n_rows, lines)
    if lines == 1:
        starts = np.array([(roi.z0 + roi.z1 - n_rows) // 2])
    return PatchGrid(
        z0_px=tuple(round(float(z)) for z in starts),
        n_rows=n_rows,
        x0_px=roi.x0 + (n_x - across * n_columns) // 2,
        n_x=across,
        n_columns=n_columns,
    )


def sample_profiles(
    source: VolumeSource, transform: RigidTransform, grid: PatchGrid, *, y0: int, y1: int
) -> FloatStack:
    """Average the grey values of each patch along the planes.

    Parameters
    ----------
    source
        A scan, axes (z, y, x), float32. A box around each line of patches is read.
    transform
        Reference frame to scan.
    grid
        Patches.
    y0, y1
        First row across the planes and one past the last, in voxels of the reference frame.

    Returns
    -------
    FloatStack
        Shape (n_z, n_x, y1 - y0), the unit of the scan.
    """
    out = np.empty((*grid.shape, y1 - y0), dtype=np.float32)
    width = grid.n_x * grid.n_columns
    for line, z0 in enumerate(grid.z0_px):
        box = Roi(z0=z0, z1=z0 + grid.n_rows, y0=y0, y1=y1, x0=grid.x0_px, x1=grid.x0_px + width)
        part = resample_region(source, transform, roi=box).volume
        rows = part.mean(axis=0, dtype=np.float64)
        out[line] = rows.reshape(y1 - y0, grid.n_x, grid.n_columns).mean(axis=2).T
    return out
