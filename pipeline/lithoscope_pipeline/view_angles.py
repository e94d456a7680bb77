"""Where the views of a scan lie on the turn, in whatever order they were taken.

Parallel beams see the same from both sides, so that a half-turn is enough; but a scan all around
is also used with the axis off centre, where only the whole turn counts.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

HALF_TURN_RAD: Final = np.pi
WHOLE_TURN_RAD: Final = 2.0 * np.pi
#: Where the beam runs along the layers; see :mod:`~lithoscope_pipeline.geometry`.
EDGE_ON_RAD: Final = 0.5 * np.pi
EDGE_ON_WINDOW_RAD: Final = float(np.deg2rad(15.0))
ROUNDING_RAD: Final = 1e-7
#: A scan whose views leave less than this free lies all around. A half-turn leaves 180 degrees,
#: with an overshoot at its ends somewhat less.
_FREE_ARC_RAD: Final = np.deg2rad(90.0)
#: With some overshoot.
_ONE_TURN_RAD: Final = np.deg2rad(380.0)
#: Steps that are looked at to tell where a missing view would have been.
_N_STEPS: Final = 9

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]


def goes_all_around(thetas_rad: Vector) -> bool:
    """Tell whether a scan went once all around, or views are to be compared on the half-turn.

    A stage that turns on and on takes interlaced half-turns, which make one half-turn together.
    """
    if len(thetas_rad) and np.ptp(thetas_rad) > _ONE_TURN_RAD:
        return False
    gap_rad = largest_gap_rad(thetas_rad, WHOLE_TURN_RAD)
    return gap_rad is not None and gap_rad < _FREE_ARC_RAD


def largest_gap_rad(thetas_rad: Vector, turn_rad: float) -> float | None:
    """Give the largest step between neighbours on the turn, in which the first follows the last.

    Parameters
    ----------
    thetas_rad
        Shape (n_views,), in any order.
    turn_rad
        Pi or two pi.

    Returns
    -------
    float or None
        None with less than two views.
    """
    if len(thetas_rad) < 2:
        return None
    around = np.sort(np.mod(thetas_rad, turn_rad))
    return float(np.diff(np.append(around, around[0] + turn_rad)).max())


def is_edge_on(thetas_rad: Vector, edge_on_rad: float = EDGE_ON_RAD) -> Mask:
    """Tell which views lie within 15 degrees of edge-on, from either side."""
    off_rad = np.abs(_wrapped(thetas_rad - edge_on_rad))
    found: Mask = off_rad <= EDGE_ON_WINDOW_RAD + ROUNDING_RAD
    return found


def edge_on_gap_rad(thetas_rad: Vector, edge_on_rad: float = EDGE_ON_RAD) -> float:
    """Give the largest step between neighbours that lies near edge-on, in part at least.

    Views from either side count; with less than two views the step is a half-turn.
    """
    if len(thetas_rad) < 2:
        return HALF_TURN_RAD
    off_rad = np.sort(_wrapped(thetas_rad - edge_on_rad))
    ends = np.append(off_rad, off_rad[0] + HALF_TURN_RAD)
    steps = np.diff(ends)
    is_near = (ends[1:] >= -EDGE_ON_WINDOW_RAD) & (ends[:-1] <= EDGE_ON_WINDOW_RAD)
    # The last step goes on beyond a quarter turn, where the first one came from.
    is_near |= ends[1:] >= HALF_TURN_RAD - EDGE_ON_WINDOW_RAD
    return float(steps[is_near].max())


def missing_thetas_rad(indices: Numbers, thetas_rad: Vector, n_expected: int) -> Vector:
    """Estimate the angles of the views that are not there, modulo the half-turn.

    Each is taken to lie where the steps before it (after it, at the begin) lead: exact for linear
    and golden-angle orders, interlaced ones and ones that go back and forth are missed by a view
    or two where they turn. What the steps of a gap do not add up to is spread over it.

    Parameters
    ----------
    indices
        Numbers of the views that are there, rising.
    thetas_rad
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
    steps_rad = _wrapped(np.diff(thetas_rad)[pairs]) / strides.min()
    after = np.searchsorted(indices, missing)
    before = np.maximum(after - 1, 0)
    # The pairs up to the one that ends at ``before``; at the begin the first ones.
    last = np.maximum(np.searchsorted(pairs, before) - 1, 0)
    local_rad = np.array([_middle_step(steps_rad, int(n)) for n in last])
    run = missing - indices[before]
    found = thetas_rad[before] + run * local_rad
    is_inner = (after > 0) & (after < len(indices))
    end = np.minimum(after, len(indices) - 1)
    length = np.maximum(indices[end] - indices[before], 1)
    rest_rad = _wrapped(thetas_rad[end] - thetas_rad[before] - length * local_rad)
    return np.mod(found + np.where(is_inner, run / length * rest_rad, 0.0), HALF_TURN_RAD)


def edge_on_counts(
    indices: Numbers, thetas_rad: Vector, n_expected: int, edge_on_rad: float
) -> tuple[int, float]:
    """Count the views near edge-on: those that are there, and those that were expected.

    Parameters
    ----------
    indices, thetas_rad
        Numbers of the views that are there, rising, and their angles.
    n_expected
        Views announced.
    edge_on_rad
        Angle at which the beam runs along the layers.

    Returns
    -------
    int, float
        With less than two views nobody knows their steps: then a sixth of all is expected there.
    """
    n_there = int(np.count_nonzero(is_edge_on(thetas_rad, edge_on_rad)))
    if len(indices) < 2:
        return n_there, max(float(n_there), n_expected / 6)
    missing = missing_thetas_rad(indices, thetas_rad, n_expected)
    return n_there, float(n_there + np.count_nonzero(is_edge_on(missing, edge_on_rad)))


def _middle_step(steps_rad: Vector, last: int) -> float:
    near = steps_rad[max(0, last + 1 - _N_STEPS) : last + 1]
    if last + 1 < _N_STEPS:
        near = steps_rad[:_N_STEPS]
    return float(near[-1] + np.median(_wrapped(near - near[-1])))


def _wrapped(angles_rad: Vector) -> Vector:
    """Give the angles modulo the half-turn, from minus to plus a quarter turn."""
    return np.mod(angles_rad + 0.5 * np.pi, HALF_TURN_RAD) - 0.5 * np.pi
