"""How well the angles of a scan cover the turn, in whatever order they were taken.

Parallel beams see the same from both sides, so that a half-turn is enough; but a scan all around
is also used with the axis off centre, where only the whole turn counts.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

EDGE_ON_WINDOW_DEG = 15.0
_ROUNDING_DEG = 1e-6
#: A scan whose views leave less than this free lies all around. A half-turn leaves 180 degrees,
#: with an overshoot at its ends somewhat less.
_FREE_ARC_DEG = 90.0
#: With some overshoot.
_ONE_TURN_DEG = 380.0
#: Steps that are looked at to tell where a missing view would have been.
_N_STEPS = 9
Angles = NDArray[np.float64]


def turn_of(thetas_deg: Angles) -> Literal[180, 360]:
    """Tell whether a scan went once all around, or views are to be compared on the half-turn.

    A stage that turns on and on takes interlaced half-turns, which make one half-turn together.
    """
    if len(thetas_deg) and np.ptp(thetas_deg) > _ONE_TURN_DEG:
        return 180
    gap_deg = largest_gap_deg(thetas_deg, 360.0)
    return 360 if gap_deg is not None and gap_deg < _FREE_ARC_DEG else 180


def largest_gap_deg(thetas_deg: Angles, turn_deg: float) -> float | None:
    """Give the largest step between neighbours on the turn, in which the first follows the last.

    Parameters
    ----------
    thetas_deg
        Shape (n_views,), in any order.
    turn_deg
        180 or 360.

    Returns
    -------
    float or None
        Degrees; None with less than two views.
    """
    if len(thetas_deg) < 2:
        return None
    around = np.sort(np.mod(thetas_deg, turn_deg))
    return float(np.diff(np.append(around, around[0] + turn_deg)).max())


def is_edge_on(thetas_deg: Angles, edge_on_deg: float) -> NDArray[np.bool_]:
    """Tell which views lie within 15 degrees of edge-on, from either side."""
    off_deg = np.abs(_wrapped(thetas_deg - edge_on_deg))
    found: NDArray[np.bool_] = off_deg <= EDGE_ON_WINDOW_DEG + _ROUNDING_DEG
    return found


def missing_thetas_deg(indices: NDArray[np.int64], thetas_deg: Angles, n_expected: int) -> Angles:
    """Estimate the angles of the views that are not there, modulo 180 degrees.

    Each is taken to lie where the steps before it (after it, at the begin) lead: exact for linear
    and golden-angle orders, interlaced ones and ones that go back and forth are missed by a view
    or two where they turn. What the steps of a gap do not add up to is spread over it.

    Parameters
    ----------
    indices
        Numbers of the views that are there, rising.
    thetas_deg
        Their angles.
    n_expected
        Views announced.

    Returns
    -------
    ndarray
        Shape (n_missing,); empty if less than two views are there.
    """
    if len(indices) < 2:
        return np.empty(0)
    missing = np.setdiff1d(np.arange(n_expected), indices)
    strides = np.diff(indices)
    pairs = np.flatnonzero(strides == strides.min())
    steps_deg = _wrapped(np.diff(thetas_deg)[pairs]) / strides.min()
    after = np.searchsorted(indices, missing)
    before = np.maximum(after - 1, 0)
    # The pairs up to the one that ends at ``before``; at the begin the first ones.
    last = np.maximum(np.searchsorted(pairs, before) - 1, 0)
    local_deg = np.array([_middle_step(steps_deg, int(n)) for n in last])
    run = missing - indices[before]
    found = thetas_deg[before] + run * local_deg
    is_inner = (after > 0) & (after < len(indices))
    end = np.minimum(after, len(indices) - 1)
    length = np.maximum(indices[end] - indices[before], 1)
    rest_deg = _wrapped(thetas_deg[end] - thetas_deg[before] - length * local_deg)
    return np.mod(found + np.where(is_inner, run / length * rest_deg, 0.0), 180.0)


def _middle_step(steps_deg: Angles, last: int) -> float:
    near = steps_deg[max(0, last + 1 - _N_STEPS) : last + 1]
    if last + 1 < _N_STEPS:
        near = steps_deg[:_N_STEPS]
    return float(near[-1] + np.median(_wrapped(near - near[-1])))


def _wrapped(angles_deg: Angles) -> Angles:
    """Give the angles modulo 180 degrees, in -90 to 90."""
    return np.mod(angles_deg + 90.0, 180.0) - 90.0
