"""Which way the electrodes lie: the rotations that make their planes level.

In the slices the direction is that along which the mean changes most across: a search over all
angles, so that no angle of the stage need be known. The lean along the rotation axis follows from
how far profiles at different heights are shifted; planes through the outer faces refine both.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from lithoscope_pipeline.faces import (
    FaceReference,
    FaceTemplate,
    PatchGrid,
    fit_plane,
    match_faces,
    sample_profiles,
)
from lithoscope_pipeline.geometry import FloatImage, field_axis_px
from lithoscope_pipeline.resample import VolumeSource, spread_order
from lithoscope_pipeline.rigid import RigidTransform

Matrix = NDArray[np.float64]

_N_SLICES = 4
_SLICE_ROWS = 8
_COARSE_EDGE_PX = 128
_FINE_EDGE_PX = 512
_SQUARE_SHARE = 0.66  # half edge of the square that is turned, in radii: it stays in the circle
_N_HEIGHTS = 16
_PROFILE_SHARE = 0.3  # of the radius: columns near the axis, where every y is inside the circle
_MAX_LEAN_DEG = 6.0
_LEVEL_PX = 0.25  # a scan that is level to this at its rim is left alone


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossProfiles:
    """Mean grey values across the cell at several heights.

    Parameters
    ----------
    z_px
        Heights, shape (n,), voxels of the reference frame.
    values
        Shape (n, n_y), y in voxels of the reference frame from 0.
    """

    z_px: Matrix
    values: Matrix

    @property
    def mean(self) -> Matrix:
        """Mean over all heights, shape (n_y,)."""
        return np.asarray(self.values.mean(axis=0))

    @property
    def agreement(self) -> float:
        """Correlation of the means of every other height: near 0 for noise; 1 for one height."""
        if len(self.values) < 2:
            return 1.0
        even, odd = self.values[::2].mean(axis=0), self.values[1::2].mean(axis=0)
        even, odd = even - even.mean(), odd - odd.mean()
        norm = float(np.sqrt((even @ even) * (odd @ odd)))
        return float(even @ odd) / norm if norm > 0 else 0.0


def turned(
    shape: tuple[int, ...], *, about_z_deg: float = 0.0, about_x_deg: float = 0.0
) -> RigidTransform:
    """Rotate about the middle of a volume: reference frame to scan."""
    z, y, x = (field_axis_px(n) for n in shape)
    return RigidTransform(rotation_deg=(about_z_deg, 0.0, about_x_deg), centre_px=(z, y, x))


def sample_slices(source: VolumeSource) -> list[FloatImage]:
    """Average a few rows at a few heights, spread evenly; shape (n_y, n_x) each."""
    n_z = source.shape[0]
    n_rows = min(_SLICE_ROWS, n_z)
    n_slices = min(_N_SLICES, n_z // n_rows)
    starts = np.linspace(0, n_z - n_rows, n_slices + 2)[1:-1]
    slices = []
    for start in starts:
        z0 = round(float(start))
        rows = source[slice(z0, z0 + n_rows), slice(None), slice(None)]
        slices.append(np.asarray(rows.mean(axis=0, dtype=np.float64), np.float32))
    return slices


def find_plane_angle_deg(slices: list[FloatImage], radius_px: float) -> float:
    """Find the direction of the layers in slices normal to the rotation axis.

    Parameters
    ----------
    slices
        Slices, shape (n_y, n_x) each.
    radius_px
        Radius of the reconstructed circle.

    Returns
    -------
    float
        Angle from the x axis to the layers, towards y, in (-90, 90] degrees, to about a tenth.
    """
    coarse_deg = np.arange(-89.0, 91.0)
    energy = sum(
        _energy(_shrunk(each, _COARSE_EDGE_PX), radius_px / each.shape[1], coarse_deg)
        for each in slices
    )
    best_deg = float(coarse_deg[int(np.argmax(energy))])
    fine_deg = best_deg + np.linspace(-1.0, 1.0, 21)
    energy = sum(
        _energy(_shrunk(each, _FINE_EDGE_PX), radius_px / each.shape[1], fine_deg)
        for each in slices
    )
    angle_deg = float(fine_deg[int(np.argmax(energy))])
    return angle_deg if angle_deg <= 90.0 else angle_deg - 180.0


def _energy(image: FloatImage, radius_share: float, angles_deg: Matrix) -> Matrix:
    """How much the mean along each direction changes across it."""
    n_y, n_x = image.shape
    half = _SQUARE_SHARE * radius_share * n_x
    steps = np.arange(-half, half + 0.5)
    v, u = np.meshgrid(steps, steps, indexing="ij")
    energies = []
    for angle in np.deg2rad(angles_deg):
        c, s = np.cos(angle), np.sin(angle)
        at = np.stack([field_axis_px(n_y) + s * u + c * v, field_axis_px(n_x) + c * u - s * v])
        profile = map_coordinates(image, at, order=1, mode="nearest").mean(axis=1)
        energies.append(float((np.diff(profile) ** 2).sum()))
    return np.array(energies)


def _shrunk(image: FloatImage, edge_px: int) -> FloatImage:
    """Average blocks of pixels until the image is about as wide as asked for."""
    step = max(1, round(image.shape[1] / edge_px))
    if step == 1:
        return np.asarray(gaussian_filter(image, 0.7), np.float32)
    n_y, n_x = (n // step for n in image.shape)
    cut_y, cut_x = ((n - m * step) // 2 for n, m in zip(image.shape, (n_y, n_x), strict=True))
    part = image[cut_y : cut_y + n_y * step, cut_x : cut_x + n_x * step]
    blocks = part.reshape(n_y, step, n_x, step).mean(axis=(1, 3), dtype=np.float64)
    return np.asarray(blocks, np.float32)


def cross_profiles(
    source: VolumeSource, transform: RigidTransform, radius_px: float
) -> CrossProfiles:
    """Average the columns near the rotation axis at heights spread over the volume."""
    n_z, n_y, n_x = source.shape
    half = min(max(4, int(_PROFILE_SHARE * radius_px)), (n_x - 1) // 2)
    n_rows = min(_SLICE_ROWS, max(1, n_z // _N_HEIGHTS))
    n_heights = min(_N_HEIGHTS, n_z // n_rows)
    starts = np.linspace(0, n_z - n_rows, n_heights).round().astype(int)
    grid = PatchGrid(
        z0_px=tuple(int(z) for z in starts),
        n_rows=n_rows,
        x0_px=n_x // 2 - half,
        n_x=1,
        n_columns=2 * half + 1,
    )
    values = sample_profiles(source, transform, grid, y0=0, y1=n_y)[:, 0]
    return CrossProfiles(z_px=grid.z_px, values=values.astype(np.float64))


def find_lean_deg(profiles: CrossProfiles) -> float:
    """Find the rotation about x from the shift of profiles at different heights.

    Parameters
    ----------
    profiles
        In a frame in which the layers lie along x.

    Returns
    -------
    float
        Rotation of the planes about x, right-handed, degrees; 0 for a single height.
    """
    n, n_y = profiles.values.shape
    if n < 3:
        return 0.0
    extent = float(profiles.z_px[-1] - profiles.z_px[0])
    reach = int(np.clip(np.ceil(np.tan(np.deg2rad(_MAX_LEAN_DEG)) * extent / 2), 3, n_y // 4))
    middle = spread_order(n)[0]
    template = FaceTemplate(
        values=profiles.values[middle, reach : n_y - reach].astype(np.float32), face=0.0
    )
    found = match_faces(profiles.values.astype(np.float32), template)
    fit = fit_plane(
        found.face_px[:, None],
        profiles.z_px - profiles.z_px.mean(),
        np.zeros(1),
        np.maximum(found.correlation, 0.0)[:, None],
    )
    return -float(np.rad2deg(np.arctan(fit.slope_z)))


def refined_level(transform: RigidTransform, faces: FaceReference) -> RigidTransform:
    """Turn a frame so that planes through both outer faces become level.

    Parameters
    ----------
    transform
        Reference frame to scan: nearly level.
    faces
        The outer faces found in it.

    Returns
    -------
    RigidTransform
        About the same centre.
    """
    slopes = np.zeros(2)
    total = np.zeros(2)
    grid = faces.grid
    for side in (faces.stripping, faces.plating):
        fit = fit_plane(
            side.face_px,
            grid.z_px - grid.z_px.mean(),
            grid.x_px - grid.x_px.mean(),
            side.weights,
        )
        for axis, (slope, sd) in enumerate(
            ((fit.slope_z, fit.slope_z_sd), (fit.slope_x, fit.slope_x_sd))
        ):
            trust = 1.0 / sd**2 if np.isfinite(sd) and sd > 0.0 else 0.0
            slopes[axis] += trust * slope
            total[axis] += trust
    slope_z, slope_x = np.divide(slopes, total, out=np.zeros(2), where=total > 0)
    normal = transform.matrix @ np.array([-slope_z, 1.0, -slope_x])
    normal /= np.linalg.norm(normal)
    about_z = np.rad2deg(np.arctan2(-normal[2], normal[1]))
    about_x = np.rad2deg(np.arcsin(np.clip(normal[0], -1.0, 1.0)))
    return RigidTransform(
        rotation_deg=(float(about_z), 0.0, float(about_x)), centre_px=transform.centre_px
    )


def without_needless_turn(
    transform: RigidTransform, half_z: float, half_x: float
) -> RigidTransform:
    """Give no rotation where it would move nothing by a quarter of a voxel.

    Parameters
    ----------
    transform
        A levelling.
    half_z, half_x
        Half the extent of the region, voxels.
    """
    about_z, _, about_x = np.deg2rad(np.abs(transform.rotation_deg))
    if max(about_z * half_x, about_x * half_z) >= _LEVEL_PX:
        return transform
    return RigidTransform(centre_px=transform.centre_px)
