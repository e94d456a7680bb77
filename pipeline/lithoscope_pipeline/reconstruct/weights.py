"""Share of the half turn that each projection stands for."""

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import AngularRangeError, NonFiniteError, ShapeError
from lithoscope_pipeline.geometry import Angles

# A wider hole leaves no image of what lies along it; refusing is kinder than a smooth guess.
MAX_GAP_RAD = np.pi / 4
# What an encoder or float32 leaves of even steps; the sum does not notice the difference.
_EVEN_WITHIN = 1e-3


def angular_weights_rad(thetas_rad: Angles) -> NDArray[np.float64]:
    """Weigh each projection by half the way to its two neighbours on the half turn.

    Views half a turn apart are mirror images, so angles are folded to ``0 <= theta < pi``. Uniform
    scans over 180 degrees, with or without the end point, and over 360 degrees come out right, and
    a missing projection is stood in for by its neighbours. Weights within a thousandth of whole
    and half steps are taken to be those: where steps are even, weights are equal to the bit,
    whether angles were planned or read back.

    Parameters
    ----------
    thetas_rad
        Shape (n_angles,), any order, any number of turns.

    Returns
    -------
    NDArray[np.float64]
        Weights in rad, shape (n_angles,), sum pi.

    Raises
    ------
    ShapeError
        If ``thetas_rad`` is not a vector.
    NonFiniteError
        If an angle is NaN or infinite.
    AngularRangeError
        If a hole wider than 45 degrees remains after folding.
    """
    if thetas_rad.ndim != 1 or thetas_rad.size == 0:
        raise ShapeError(f"thetas_rad of shape {thetas_rad.shape} given, a vector is needed")
    if not np.isfinite(thetas_rad).all():
        raise NonFiniteError("thetas_rad holds NaN or infinity; give one angle a projection")
    folded = np.mod(thetas_rad.astype(np.float64), np.pi)
    order = np.argsort(folded, kind="stable")
    ahead = np.diff(folded[order], append=folded[order[0]] + np.pi)
    if ahead.max() > MAX_GAP_RAD:
        raise AngularRangeError(
            f"the angles leave a hole of {np.rad2deg(ahead.max()):.1f} deg in the half turn, at "
            f"most {np.rad2deg(MAX_GAP_RAD):.0f} deg are accepted; wait for more projections"
        )
    weights = np.empty_like(folded)
    weights[order] = 0.5 * (ahead + np.roll(ahead, 1))
    half_step = 0.5 * float(np.median(weights))
    halves = np.round(weights / half_step) if half_step > 0.0 else weights
    if np.abs(weights - half_step * halves).max() <= _EVEN_WITHIN * half_step:
        return halves * (np.pi / halves.sum())
    return weights
