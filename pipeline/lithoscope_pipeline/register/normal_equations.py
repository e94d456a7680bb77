"""What each part of a comparison knows of the transform, and what it still asks for.

The slope is made of the gradients of the fixed scan alone. How it changes with the transform is
the product of the gradients of both scans: there noise cancels, while in their squares, which
Gauss-Newton takes by default, it looks like structure and makes steps too short. The squares say
how much the noise shakes the slope.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.register.grey_match import GreyMatch
from lithoscope_pipeline.register.kernels import N_ALL, N_RIGID, add_curvature, add_slope
from lithoscope_pipeline.register.points import ComparedPoints
from lithoscope_pipeline.rigid import Points

# Where the gradients of both scans have less than this share of their power in common, there is
# nothing but noise.
MIN_SHARED = 0.03
# Scans that do not lie on each other yet have little in common: short steps are safe.
STEP_SHARED = 0.25
_MAX_SHARED = 1.5
_MIN_AGREEMENT_PX = 0.1  # parts that agree so well are all trusted alike
_NOISE_ALLOWANCE = 6.0  # twice what noise makes of three axes, each in its own variance
_WEAK_PX = 8.0  # what a part may ask for where it knows nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Equations:
    """Normal equations of each part about (shift, rotation, lift).

    Parameters
    ----------
    curvature
        Change of the slope, shape (n_parts, 9, 9), symmetric.
    power
        Covariance of the slope, same shape.
    slope
        What is asked for, shape (n_parts, 9).
    precisions
        Of each pair, with which all three were made: they must go together.
    """

    curvature: Points
    power: Points
    slope: Points
    precisions: tuple[float, ...]

    @classmethod
    def add_up(
        cls,
        points: ComparedPoints,
        lever: NDArray[np.float32],
        match: GreyMatch,
        theirs: NDArray[np.float32] | None,
    ) -> "Equations":
        """Add the products of gradients; ``theirs`` are those of the moving scan, if known."""
        n_parts = len(points.is_lifted)
        power = np.zeros((n_parts, N_ALL, N_ALL))
        mine, weights = points.gradients, _weighed(points, match, match.precisions)
        up = np.array(points.lift_direction)
        add_curvature(lever, mine, mine, points.place, points.part, up, weights, power)
        curvature = power
        if theirs is not None:
            scaled = theirs.copy()
            for part, factor in zip(points.pair_slices, match.factors, strict=True):
                scaled[part] *= np.float32(factor)
            curvature = np.zeros_like(power)
            add_curvature(lever, mine, scaled, points.place, points.part, up, weights, curvature)
            curvature = 0.5 * (curvature + curvature.transpose(0, 2, 1))
        return cls(
            curvature=curvature,
            power=power,
            slope=np.zeros((n_parts, N_ALL)),
            precisions=match.precisions,
        )

    def with_slope(
        self, points: ComparedPoints, lever: NDArray[np.float32], match: GreyMatch
    ) -> "Equations":
        """Add what is asked for at new differences."""
        slope = np.zeros_like(self.slope)
        add_slope(
            lever,
            points.gradients,
            points.place,
            points.part,
            np.array(points.lift_direction),
            _weighed(points, match, self.precisions),
            match.values,
            slope,
        )
        return replace(self, slope=slope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """Equations of each part about (shift, rotation), its lift left open where it has one.

    Parameters
    ----------
    curvature, power
        Shape (n_parts, 6, 6).
    slope
        Shape (n_parts, 6).
    free
        Which of (shift, rotation) can be known at all, shape (6,).
    """

    curvature: Points
    power: Points
    slope: Points
    free: NDArray[np.bool_]

    def curvature_of_all(self, trust: Points, *, least: float = MIN_SHARED) -> Points:
        """Curvature of the trusted parts together, at least a share of the power, (6, 6)."""
        return _positive(
            np.einsum("p,pij->ij", trust, self.curvature),
            np.einsum("p,pij->ij", trust, self.power),
            least=least,
        )

    def information_of_all(self, trust: Points) -> Points:
        """Inverse covariance of the transform from noise alone, shape (6, 6)."""
        curvature = self.curvature_of_all(trust)
        power = np.einsum("p,pij->ij", trust, self.power)
        ridge = np.diag(np.maximum(np.diag(power), 1.0e-12)) * 1.0e-9
        return np.asarray(curvature @ np.linalg.inv(power + ridge) @ curvature)

    def asked_shifts_px(self) -> tuple[Points, Points]:
        """Shift (z, y, x) that each part by itself asks for, and its information, (n_parts, 3)."""
        shifts = np.zeros((len(self.slope), 3))
        information = np.zeros_like(shifts)
        axes = np.flatnonzero(self.free[:3])
        weak = np.eye(len(axes)) * _WEAK_PX**-2.0
        power = self.power[:, axes][:, :, axes]
        inverse = np.linalg.inv(_positive(self.curvature[:, axes][:, :, axes], power) + weak)
        shifts[:, axes] = -(inverse @ self.slope[:, axes, None])[:, :, 0]
        variance = np.diagonal(inverse @ (power + weak) @ inverse, axis1=1, axis2=2)
        information[:, axes] = np.maximum(1.0 / variance - _WEAK_PX**-2.0, 0.0)
        return shifts, information


def _weighed(
    points: ComparedPoints, match: GreyMatch, precisions: tuple[float, ...]
) -> NDArray[np.float32]:
    weights = match.weights.copy()
    for part, precision in zip(points.pair_slices, precisions, strict=True):
        weights[part] *= np.float32(precision)
    return weights


def reduced(
    equations: Equations, is_lifted: NDArray[np.bool_], free: NDArray[np.bool_]
) -> Reduced:
    """Leave the lifts of lifted parts open (Schur complement)."""
    curvature = equations.curvature[:, :N_RIGID, :N_RIGID].copy()
    power = equations.power[:, :N_RIGID, :N_RIGID].copy()
    slope = equations.slope[:, :N_RIGID].copy()
    part = np.flatnonzero(is_lifted)
    if len(part):
        full = equations.curvature[part]
        cross = full[:, :N_RIGID, N_RIGID:]
        carried = cross @ _lift_inverse(equations, part)
        left = np.concatenate(
            [np.broadcast_to(np.eye(N_RIGID), (len(part), N_RIGID, N_RIGID)), -carried], axis=2
        )
        curvature[part] -= carried @ np.swapaxes(cross, 1, 2)
        power[part] = left @ equations.power[part] @ np.swapaxes(left, 1, 2)
        slope[part] = (left @ equations.slope[part][:, :, None])[:, :, 0]
    return Reduced(curvature=curvature, power=power, slope=slope, free=free)


def lift_steps(
    equations: Equations, is_lifted: NDArray[np.bool_], delta: Points, *, longest_px: float
) -> Points:
    """Change of the lift of each part, voxels, that goes with a step of the transform."""
    steps = np.zeros((len(is_lifted), N_ALL - N_RIGID))
    part = np.flatnonzero(is_lifted)
    if len(part):
        cross = equations.curvature[part, N_RIGID:, :N_RIGID]
        asked = equations.slope[part, N_RIGID:] + cross @ delta
        wanted = (_lift_inverse(equations, part) @ asked[:, :, None])[:, :, 0]
        steps[part] = np.clip(wanted, -longest_px, longest_px)
    return steps


def parts_trust(known: Reduced) -> Points:
    """Weigh parts by how little they disagree with all, noise aside."""
    shifts, information = known.asked_shifts_px()
    weight = information.sum(axis=1)
    beyond_noise = np.maximum((shifts**2 * information).sum(axis=1) - _NOISE_ALLOWANCE, 0.0)
    size = np.sqrt(beyond_noise / np.maximum(weight, 1.0e-30))
    median = float(np.median(size[weight > 0.0])) if (weight > 0.0).any() else 0.0
    scale = max(_MIN_AGREEMENT_PX, 2.0 * median)
    trust: Points = 1.0 / (1.0 + (size / scale) ** 2)
    return trust


def _lift_inverse(equations: Equations, part: NDArray[np.intp]) -> Points:
    own = _positive(
        equations.curvature[part, N_RIGID:, N_RIGID:], equations.power[part, N_RIGID:, N_RIGID:]
    )
    return np.asarray(np.linalg.inv(own + np.eye(N_ALL - N_RIGID) * _WEAK_PX**-2.0))


def _positive(curvature: Points, power: Points, *, least: float = MIN_SHARED) -> Points:
    """Keep what both scans share between a little and all of the power; shape (..., n, n)."""
    scale = np.sqrt(np.maximum(np.diagonal(power, axis1=-2, axis2=-1), 1.0e-30))
    units = scale[..., :, None] * scale[..., None, :]
    values, vectors = np.linalg.eigh(power / units + 1.0e-9 * np.eye(power.shape[-1]))
    roots = np.sqrt(np.maximum(values, 1.0e-12))[..., None, :]
    turned = np.swapaxes(vectors, -1, -2)
    root, inverse_root = (vectors * roots) @ turned, (vectors / roots) @ turned
    shared = inverse_root @ (curvature / units) @ inverse_root
    shares, axes = np.linalg.eigh(0.5 * (shared + np.swapaxes(shared, -1, -2)))
    clipped = np.clip(shares, least, _MAX_SHARED)[..., None, :]
    kept = (axes * clipped) @ np.swapaxes(axes, -1, -2)
    return np.asarray(root @ kept @ root * units)
