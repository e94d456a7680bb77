"""Rigid transforms one after the other, turned round, and averaged."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.rigid import Points, RigidTransform, Triple, angles_deg

_ROUNDS = 10
_AGREEMENT_PX = 0.1  # transforms that agree so well are all trusted alike


def recentred(transform: RigidTransform, centre_px: Triple) -> RigidTransform:
    """Write the same transform about another fixed point of the rotation (z, y, x)."""
    centre = np.array(centre_px)
    return _about(transform.matrix, transform.to_scan(centre[None])[0] - centre, centre_px)


def composed(first: RigidTransform, then: RigidTransform) -> RigidTransform:
    """Give the transform that does one and then the other, about the centre of the first.

    Parameters
    ----------
    first
        From A to B.
    then
        From B to C.

    Returns
    -------
    RigidTransform
        From A to C; the residual is the root of the sum of squares.
    """
    centre = np.array(first.centre_px)
    moved = then.to_scan(first.to_scan(centre[None]))[0] - centre
    both = _about(then.matrix @ first.matrix, moved, first.centre_px)
    residual_px = float(np.hypot(first.residual_px, then.residual_px))
    is_good = first.verdict == then.verdict == "resolved"
    return replace(both, residual_px=residual_px, verdict="resolved" if is_good else "failed")


def inverse(transform: RigidTransform) -> RigidTransform:
    """Turn a transform round: from scan to reference frame, about the same centre."""
    centre = np.array(transform.centre_px)
    moved = transform.to_reference(centre[None])[0] - centre
    turned = _about(transform.matrix.T, moved, transform.centre_px)
    return replace(turned, residual_px=transform.residual_px, verdict=transform.verdict)


def distance_px(one: RigidTransform, other: RigidTransform, points_px: Points) -> float:
    """Farthest that two transforms put any of some points (z, y, x), shape (n, 3), apart."""
    apart = np.linalg.norm(one.to_scan(points_px) - other.to_scan(points_px), axis=1)
    return float(apart.max())


def combined(
    transforms: Sequence[RigidTransform], information: Sequence[Points], points_px: Points
) -> RigidTransform:
    """Average transforms by what each knows, with less trust in those that disagree.

    Parameters
    ----------
    transforms
        All from one scan to another, rotations of a few degrees at most.
    information
        Inverse covariance of each about its centre: shift (z, y, x), voxels, and rotation about
        (z, y, x), radians; shape (6, 6).
    points_px
        Where agreement counts (z, y, x), shape (n, 3).

    Returns
    -------
    RigidTransform
        About the centre of the first; its residual is the spread over ``points_px``.

    Raises
    ------
    ParameterError
        If there are none, or not as many information matrices.
    """
    if not transforms or len(transforms) != len(information):
        raise ParameterError(
            f"{len(transforms)} transforms and {len(information)} information matrices given; "
            "one of each is needed"
        )
    centre = transforms[0].centre_px
    values = [_parameters(recentred(each, centre)) for each in transforms]
    known = [
        _moved(each, np.array(centre) - np.array(transform.centre_px))
        for each, transform in zip(information, transforms, strict=True)
    ]
    trust = np.ones(len(transforms))
    mean = transforms[0]
    for _ in range(_ROUNDS):
        total = sum(t * each for t, each in zip(trust, known, strict=True))
        asked = sum(t * each @ v for t, each, v in zip(trust, known, values, strict=True))
        found = np.linalg.solve(total + 1.0e-12 * np.trace(total) * np.eye(6), asked)
        mean = _of_parameters(found, centre)
        apart = np.array([distance_px(mean, each, points_px) for each in transforms])
        scale = max(_AGREEMENT_PX, 2.0 * float(np.median(apart)))
        trust = 1.0 / (1.0 + (apart / scale) ** 2)
    spread = float(np.sqrt(np.average(apart**2, weights=trust)))
    return replace(mean, residual_px=spread)


def _about(matrix: Points, shift: Points, centre_px: Triple) -> RigidTransform:
    z, y, x = (float(value) for value in shift)
    return RigidTransform(rotation_deg=angles_deg(matrix), shift_px=(z, y, x), centre_px=centre_px)


def _parameters(transform: RigidTransform) -> Points:
    return np.concatenate([transform.shift_px, np.deg2rad(transform.rotation_deg)])


def _of_parameters(values: Points, centre_px: Triple) -> RigidTransform:
    z, y, x, about_z, about_y, about_x = (float(value) for value in values)
    return RigidTransform(
        rotation_deg=(
            float(np.rad2deg(about_z)),
            float(np.rad2deg(about_y)),
            float(np.rad2deg(about_x)),
        ),
        shift_px=(z, y, x),
        centre_px=centre_px,
    )


def _moved(information: Points, by_px: Points) -> Points:
    """Write information about a centre that lies elsewhere: small rotations shift it."""
    z, y, x = by_px
    # Shift of the old centre for a rotation about the new one, to first order.
    turn = np.array([[0.0, x, -y], [-x, 0.0, z], [y, -z, 0.0]])
    change = np.eye(6)
    change[:3, 3:] = turn
    return np.asarray(change.T @ information @ change)
