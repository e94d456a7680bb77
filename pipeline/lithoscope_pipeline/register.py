"""Rigid registration of a scan to the first one, on what does not move.

SimpleITK finds the neighbourhood by correlation on smoothed volumes [1]_; Gauss-Newton steps on
the intensity differences then follow every direction as far as the data go, which gradient descent
does not where planes fix one direction a thousand times better than the others [2]_. Changing
places get small weights.

References
----------
.. [1] B. C. Lowekamp et al., Front. Neuroinform. 7, 45 (2013). doi:10.3389/fninf.2013.00045
.. [2] S. Baker and I. Matthews, Int. J. Comput. Vis. 56, 221 (2004).
   doi:10.1023/B:VISI.0000011205.11775.fd
"""

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name it goes by
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from lithoscope_pipeline.errors import NonFiniteError, ShapeError
from lithoscope_pipeline.geometry import FloatVolume, MaskVolume
from lithoscope_pipeline.rigid import (
    Points,
    Resampled,
    RigidTransform,
    Triple,
    angles_deg,
    resample_rigid,
    rows_needed,
)

__all__ = ["Resampled", "RigidTransform", "register_rigid", "resample_rigid", "rows_needed"]

COARSE_SIGMAS_PX = (3.0, 1.5)
FINE_SIGMA_PX = 1.0
COARSE_POINTS = 20_000
FINE_POINTS = 100_000
MARGIN_PX = 12  # kept around the mask: what can move into it, and what smoothing needs
SEED = 20230801  # of SimpleITK's sampling: any fixed number
MIN_POINTS = 500
MAX_STEPS = 25
STEP_PX = 1.0e-3
MIN_CORRELATION = 0.3
MAX_RESIDUAL_PX = 1.0
# Drift that is likely between scans; holds still what the data say nothing about.
PRIOR_PX = 4.0
PRIOR_RAD = np.deg2rad(0.5)


def register_rigid(
    fixed: FloatVolume,
    moving: FloatVolume,
    *,
    mask: MaskVolume | None = None,
    initial: RigidTransform | None = None,
    origin_px: Triple = (0.0, 0.0, 0.0),
    centre_px: Triple | None = None,
    max_shift_px: float = 15.0,
) -> RigidTransform:
    """Find the rigid transform that takes the fixed volume to the moving one.

    Parameters
    ----------
    fixed, moving
        Volumes of equal shape (z, y, x), cut from their scans at the same place; any grey scale,
        related linearly, finite.
    mask
        Voxels of ``fixed`` to compare: what does not move against the reference. All by default.
    initial
        Where to start, e.g. the transform of the previous scan; identity by default.
    origin_px
        Position of voxel (0, 0, 0) in the scan.
    centre_px
        Fixed point of the rotation (z, y, x) in the scan; the middle of the volume by default.
    max_shift_px
        A transform that moves a masked voxel farther from where it started has failed.

    Returns
    -------
    RigidTransform
        Maps points of the fixed scan to the moving scan. Directions in which the mask holds no
        structure stay as they were at the start.

    Raises
    ------
    ShapeError
        If shapes differ or fewer than 500 voxels are left to compare.
    NonFiniteError
        If a volume holds NaN or infinity.
    """
    if fixed.ndim != 3 or fixed.shape != moving.shape:
        raise ShapeError(
            f"fixed has shape {fixed.shape} and moving {moving.shape}; cut both alike"
        )
    used = np.ones(fixed.shape, dtype=np.bool_) if mask is None else mask
    if used.shape != fixed.shape or np.count_nonzero(used) < MIN_POINTS:
        raise ShapeError(
            f"mask of shape {used.shape} with {np.count_nonzero(used)} voxels given; shape "
            f"{fixed.shape} and at least {MIN_POINTS} voxels are needed"
        )
    if not (np.isfinite(fixed).all() and np.isfinite(moving).all()):
        raise NonFiniteError("fixed or moving holds NaN or infinity")

    middle = tuple(o + (n - 1) / 2 for o, n in zip(origin_px, fixed.shape, strict=True))
    centre = centre_px or (middle[0], middle[1], middle[2])
    start = _recentred(initial, centre) if initial else RigidTransform(centre_px=centre)
    box, corner = _box_of(used)
    local = _moved_origin(start, np.array(origin_px) + corner, -1.0)
    parts = [np.ascontiguousarray(v[box], dtype=np.float32) for v in (fixed, moving)]
    near = _coarse(parts[0], parts[1], used[box], local)
    matched, correlation = _fine(parts[0], parts[1], used[box], near)

    voxels = np.argwhere(used[box])[:: max(1, np.count_nonzero(used) // 1000)].astype(np.float64)
    travel = np.linalg.norm(matched.to_scan(voxels) - local.to_scan(voxels), axis=1).max()
    found = _moved_origin(matched, np.array(origin_px) + corner, 1.0)
    if (
        correlation < MIN_CORRELATION
        or travel > max_shift_px
        or found.residual_px > MAX_RESIDUAL_PX
    ):
        return replace(start, residual_px=found.residual_px, verdict="failed")
    return found


def _box_of(mask: MaskVolume) -> tuple[tuple[slice, ...], Points]:
    """Smallest box around the mask with some margin, and its first voxel."""
    slices = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        touched = np.flatnonzero(mask.any(axis=others))
        slices.append(slice(max(int(touched[0]) - MARGIN_PX, 0), int(touched[-1]) + MARGIN_PX + 1))
    return tuple(slices), np.array([s.start for s in slices], dtype=np.float64)


def _recentred(transform: RigidTransform, centre_px: Triple) -> RigidTransform:
    """Write the same transform about another centre."""
    centre = np.array(centre_px)
    shift = transform.to_scan(centre[None, :])[0] - centre
    return RigidTransform(
        rotation_deg=transform.rotation_deg, shift_px=_triple(shift), centre_px=centre_px
    )


def _moved_origin(transform: RigidTransform, origin_px: Points, sign: float) -> RigidTransform:
    centre = np.array(transform.centre_px) + sign * origin_px
    return replace(transform, centre_px=_triple(centre))


def _triple(values: Points) -> Triple:
    return float(values[0]), float(values[1]), float(values[2])


def _coarse(
    fixed: FloatVolume, moving: FloatVolume, mask: MaskVolume, start: RigidTransform
) -> RigidTransform:
    """Bring the volumes within about a voxel of each other."""
    share = min(1.0, COARSE_POINTS / np.count_nonzero(mask))
    euler = sitk.Euler3DTransform()
    euler.SetCenter(start.centre_px[::-1])
    about_z, about_y, about_x = np.deg2rad(start.rotation_deg)
    euler.SetRotation(float(about_x), float(about_y), float(about_z))
    euler.SetTranslation(start.shift_px[::-1])
    for sigma_px in COARSE_SIGMAS_PX:
        method = sitk.ImageRegistrationMethod()
        method.SetNumberOfThreads(1)
        method.SetMetricAsCorrelation()
        method.SetMetricFixedMask(sitk.GetImageFromArray(mask.astype(np.uint8)))
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(share, SEED)
        method.SetInterpolator(sitk.sitkLinear)
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=sigma_px, minStep=0.02, numberOfIterations=40, relaxationFactor=0.6
        )
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetInitialTransform(euler, inPlace=True)
        images = [sitk.GetImageFromArray(gaussian_filter(v, sigma_px)) for v in (fixed, moving)]
        method.Execute(*images)
    return RigidTransform(
        rotation_deg=_triple(
            np.rad2deg([euler.GetAngleZ(), euler.GetAngleY(), euler.GetAngleX()])
        ),
        shift_px=_triple(np.array(euler.GetTranslation()[::-1])),
        centre_px=start.centre_px,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Differences:
    """Fixed minus matched moving grey values at the points, and how far to trust each."""

    values: Points
    weights: Points
    noise: float
    correlation: float


def _fine(
    fixed: FloatVolume, moving: FloatVolume, mask: MaskVolume, start: RigidTransform
) -> tuple[RigidTransform, float]:
    """Gauss-Newton to convergence on the points of the mask, inverse-compositional."""
    smooth_fixed = gaussian_filter(fixed, FINE_SIGMA_PX)
    smooth_moving = gaussian_filter(moving, FINE_SIGMA_PX)
    points = _points(mask)
    index = tuple(points.astype(np.intp).T)
    gradients = _gradients(smooth_fixed, index)
    # Smoothing makes neighbours share their noise: fewer independent values than points.
    sharing = (2.0 * np.sqrt(np.pi) * FINE_SIGMA_PX) ** 3
    grey = smooth_fixed[index].astype(np.float64)
    jacobian = _jacobian(gradients, points, np.array(start.centre_px))
    transform = start
    differences = _differences(grey, smooth_moving, transform.to_scan(points))
    for _ in range(MAX_STEPS):
        delta = _step(jacobian, differences, sharing)
        transform = _composed(transform, delta)
        differences = _differences(grey, smooth_moving, transform.to_scan(points))
        turn_px = np.abs(delta[3:]).max() * max(fixed.shape) / 2
        if np.abs(delta[:3]).max() + turn_px < STEP_PX:
            break
    residual_px = _residual_px(gradients, points, differences, sharing)
    return replace(transform, residual_px=residual_px), differences.correlation


def _gradients(volume: FloatVolume, index: tuple[NDArray[np.intp], ...]) -> Points:
    """Central differences along (z, y, x) at some voxels, shape (n, 3)."""
    gradients = []
    for axis in range(3):
        before, after = list(index), list(index)
        before[axis] = np.maximum(index[axis] - 1, 0)
        after[axis] = np.minimum(index[axis] + 1, volume.shape[axis] - 1)
        span = np.maximum(after[axis] - before[axis], 1)
        gradients.append((volume[tuple(after)] - volume[tuple(before)]) / span)
    return np.stack(gradients, axis=1).astype(np.float64)


def _points(mask: MaskVolume) -> Points:
    """Masked voxels with a full neighbourhood, at an even stride if there are too many."""
    inner = mask.copy()
    for axis in range(3):
        if mask.shape[axis] > 4:
            edge = np.moveaxis(inner, axis, 0)
            edge[:1] = False
            edge[-1:] = False
    points = np.argwhere(inner)
    stride = max(1, -(-len(points) // FINE_POINTS))
    return points[::stride].astype(np.float64)


def _jacobian(gradients: Points, points: Points, centre: Points) -> Points:
    """Change of grey value with shift (z, y, x) and rotation about (z, y, x), shape (n, 6)."""
    z, y, x = (points - centre).T
    gz, gy, gx = gradients.T
    return np.stack([gz, gy, gx, x * gy - y * gx, z * gx - x * gz, y * gz - z * gy], axis=1)


def _differences(grey: Points, moving: FloatVolume, at: Points) -> _Differences:
    """Compare grey values after a linear match, with Cauchy weights."""
    seen = map_coordinates(moving, at.T, order=1, mode="nearest").astype(np.float64)
    is_inside = np.all((at >= 0.0) & (at <= np.array(moving.shape) - 1.0), axis=1)
    weights = is_inside.astype(np.float64)
    values: Points = np.zeros_like(grey)
    noise = 1.0
    for _ in range(3):
        total = max(weights.sum(), 1.0e-300)
        mean_seen, mean_grey = (weights * seen).sum() / total, (weights * grey).sum() / total
        spread = (weights * (seen - mean_seen) ** 2).sum()
        shared = (weights * (seen - mean_seen) * (grey - mean_grey)).sum()
        values = grey - mean_grey - shared / max(spread, 1.0e-300) * (seen - mean_seen)
        noise = max(1.4826 * float(np.median(np.abs(values))), 1.0e-30)
        weights = is_inside / (1.0 + (values / (2.4 * noise)) ** 2)
    own = (weights * (grey - mean_grey) ** 2).sum()
    correlation = float(shared / np.sqrt(max(spread * own, 1.0e-300)))
    return _Differences(values=values, weights=weights, noise=noise, correlation=correlation)


def _step(jacobian: Points, differences: _Differences, sharing: float) -> Points:
    """Solve for the small transform of the fixed volume that takes the differences away."""
    weighted = jacobian * differences.weights[:, None]
    prior = np.array([PRIOR_PX] * 3 + [PRIOR_RAD] * 3)
    damping = sharing * differences.noise**2 / prior**2
    curvature = weighted.T @ jacobian + np.diag(damping)
    return np.asarray(np.linalg.solve(curvature, -weighted.T @ differences.values), dtype=float)


def _composed(transform: RigidTransform, delta: Points) -> RigidTransform:
    """Follow the inverse of a small transform (shift, rotation about z, y, x) by the transform."""
    small = RigidTransform(
        shift_px=_triple(delta[:3]),
        rotation_deg=_triple(np.rad2deg(delta[3:])),
        centre_px=transform.centre_px,
    )
    matrix = transform.matrix @ small.matrix.T
    shift = np.array(transform.shift_px) - matrix @ delta[:3]
    return replace(transform, rotation_deg=angles_deg(matrix), shift_px=_triple(shift))


def _residual_px(
    gradients: Points, points: Points, differences: _Differences, sharing: float
) -> float:
    """Shift that parts of the mask still ask for each by itself: rms, weighed by structure."""
    half_z = np.searchsorted(np.quantile(points[:, 0], [0.5]), points[:, 0])
    third_x = np.searchsorted(np.quantile(points[:, 2], [1 / 3, 2 / 3]), points[:, 2])
    part: NDArray[np.intp] = 3 * half_z + third_x
    asked, structure = 0.0, 0.0
    damping = np.eye(3) * sharing * differences.noise**2 / PRIOR_PX**2
    for number in range(6):
        chosen = part == number
        weighted = gradients[chosen] * differences.weights[chosen, None]
        curvature = weighted.T @ gradients[chosen]
        shift = np.linalg.solve(curvature + damping, weighted.T @ differences.values[chosen])
        asked += float(shift @ curvature @ shift)
        structure += float(np.trace(curvature)) / 3.0
    return float(np.sqrt(asked / max(structure, 1.0e-300)))
