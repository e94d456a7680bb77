"""Gauss-Newton on grey values that are matched linearly, inverse-compositional [1]_.

All sub-volumes share one rigid transform; each part adds its own normal equations, so that parts
that disagree can be told apart and places that lift along y can say what they know of the rest.

References
----------
.. [1] S. Baker and I. Matthews, Int. J. Comput. Vis. 56, 221 (2004).
   doi:10.1023/B:VISI.0000011205.11775.fd
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.register.grey_match import match_grey, moving_gradients
from lithoscope_pipeline.register.normal_equations import (
    STEP_SHARED,
    Equations,
    Reduced,
    lift_steps,
    parts_trust,
    reduced,
)
from lithoscope_pipeline.register.numerics import Numerics
from lithoscope_pipeline.register.pairs import Comparison
from lithoscope_pipeline.register.points import ComparedPoints, PairLevel
from lithoscope_pipeline.rigid import Points, RigidTransform, angles_deg

MAX_STEPS = 40
STEP_PX = 1.0e-3  # a smaller step ends the search at the finest level
# What a step may be where the data say nothing: it holds still what planes leave open.
PRIOR_PX = 8.0
PRIOR_RAD = np.deg2rad(1.5)
_LONGEST_STEP = 2.0  # of a corner, voxels of the level: what is farther is not seen
_LIFT_STEPS, _LIFT_DAMPING = 8, 0.7  # steps of free lifts; what the next may be of the one before
_REFRESHED = (1, 4)  # steps before which the gradients of the moving scan are looked up


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Where a search stands.

    Parameters
    ----------
    transform
        Fixed scan to moving scan.
    lifts
        Lift of each part along y and its slopes along (z, x), voxels, shape (n_parts, 3).
    reduced
        What each part knows of the rigid transform and still asks of it.
    trust
        Weight of each part, shape (n_parts,).
    correlation
        Of the grey values that are trusted, all pairs.
    overlap
        Share of the points that stay that lie inside the moving scan and its field.
    is_settled
        Whether the steps came to an end.
    """

    transform: RigidTransform
    lifts: Points
    reduced: Reduced
    trust: Points
    correlation: float
    overlap: float
    is_settled: bool


def gauss_newton(
    levels: Sequence[PairLevel],
    points: ComparedPoints,
    numerics: Numerics,
    comparison: Comparison,
    *,
    start: RigidTransform,
    lifts: Points | None = None,
    max_steps: int = MAX_STEPS,
) -> Fit:
    """Follow the grey values from a start to where they match best.

    Parameters
    ----------
    levels, points, numerics
        Pairs at one level, the points of it to compare, and who holds the volumes.
    comparison
        Field of the moving scan.
    start
        Within about two voxels of the level of the answer.
    lifts
        Where lifted parts are thought to be; in place by default.
    max_steps
        Largest number of steps; 0 looks where the start stands.
    """
    lifted = np.zeros((len(points.is_lifted), 3)) if lifts is None else lifts.copy()
    transform, trust = start, np.ones(len(points.is_lifted))
    lever = (points.at_px - np.array(start.centre_px)).astype(np.float32)
    free = free_parameters(comparison)
    end_px = STEP_PX * levels[0].factor ** 2
    reach_px = float(np.abs(comparison.corners_px - np.array(start.centre_px)).max())
    most_px = 1.5 * comparison.max_lift_px + 2.0
    n_steps, is_settled = 0, max_steps == 0
    equations: Equations | None = None
    while True:
        at_px = transform.to_scan(lifted_px(points, lifted))
        match = match_grey(levels, points, numerics, comparison.field, at_px)
        is_last = is_settled or n_steps == max_steps
        if equations is None or n_steps in _REFRESHED or is_last:
            theirs = None
            if equations is not None or is_last:
                theirs = moving_gradients(levels, points, numerics, at_px, transform.matrix)
            equations = Equations.add_up(points, lever, match, theirs)
        equations = equations.with_slope(points, lever, match)
        known = reduced(equations, points.is_lifted, free)
        if n_steps > 2:
            trust = parts_trust(known)
        if is_last:
            break
        delta = _step(known, trust, free)
        moved_px = np.abs(delta[:3]).max() + np.abs(delta[3:]).max() * reach_px
        delta *= min(1.0, _LONGEST_STEP * levels[0].factor / max(float(moved_px), 1.0e-30))
        transform = _composed(transform, delta)
        # A part that sees hardly anything may jump to and fro for ever, and all others with it.
        shorter = _LIFT_DAMPING ** max(0, n_steps - _LIFT_STEPS)
        lifted += lift_steps(
            equations, points.is_lifted, delta, longest_px=_LONGEST_STEP * shorter
        )
        np.clip(lifted, -most_px, most_px, out=lifted)
        n_steps += 1
        is_settled = bool(moved_px < end_px) and n_steps > _REFRESHED[-1]
    return Fit(
        transform=transform,
        lifts=lifted,
        reduced=known,
        trust=trust,
        correlation=match.correlation,
        overlap=match.overlap,
        is_settled=is_settled,
    )


def free_parameters(comparison: Comparison) -> NDArray[np.bool_]:
    """Tell which of (shift, rotation) can be known: not across volumes of a few slices."""
    free = np.ones(6, dtype=np.bool_)
    for axis in range(3):
        if comparison.thin_axes[axis]:
            free[axis] = False
            free[[3 + other for other in range(3) if other != axis]] = False
    return free


def lifted_px(points: ComparedPoints, lifts: Points) -> Points:
    """Places of the fixed scan, those that move along y by themselves moved."""
    if not points.is_lifted.any():
        return points.at_px
    own = lifts[points.part]
    rise = own[:, 0] + (own[:, 1:] * points.place).sum(axis=1)
    return np.asarray(points.at_px + rise[:, None] * np.array(points.lift_direction))


def _step(known: Reduced, trust: Points, free: NDArray[np.bool_]) -> Points:
    """Small transform of the fixed scan that takes the differences away."""
    total = known.curvature_of_all(trust, least=STEP_SHARED)
    total += np.diag([PRIOR_PX**-2.0] * 3 + [PRIOR_RAD**-2.0] * 3)
    delta = np.zeros(6)
    asked = trust @ known.slope
    delta[free] = -np.linalg.solve(total[np.ix_(free, free)], asked[free])
    return delta


def _composed(transform: RigidTransform, delta: Points) -> RigidTransform:
    """Follow the inverse of a small transform (shift, rotation about z, y, x) by the transform."""
    small = RigidTransform(
        rotation_deg=tuple(np.rad2deg(delta[3:]).tolist()), centre_px=transform.centre_px
    )
    matrix = transform.matrix @ small.matrix.T
    shift = np.array(transform.shift_px) - matrix @ delta[:3]
    return replace(transform, rotation_deg=angles_deg(matrix), shift_px=tuple(shift.tolist()))
