"""Angles as files have them, in degrees."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FULL_TURN_RAD = 2 * np.pi


def in_degrees(angles: NDArray[Any], units: str) -> NDArray[np.float64]:
    """Convert angles to degrees.

    Parameters
    ----------
    angles
        As stored, shape (n_angles,); any number of turns.
    units
        As stored; may be empty.

    Returns
    -------
    NDArray[np.float64]
        Degrees. What is taken where the file does not say:

        1. a unit that begins with ``rad``: radians; one that begins with ``deg`` or is ``°``:
           degrees;
        2. without a unit, a range from three quarters of a half turn to a full turn if read as
           radians: radians, because in degrees it would cover no more than seven;
        3. degrees otherwise.
    """
    thetas = np.asarray(angles, dtype=np.float64).ravel()
    unit = units.strip().lower()
    if unit.startswith("rad"):  # case 1
        return np.rad2deg(thetas)
    if unit.startswith("deg") or unit == "°" or thetas.size == 0:
        return thetas
    step = np.median(np.abs(np.diff(thetas))) if thetas.size > 1 else 0.0
    covered = float(np.ptp(thetas)) + step
    if 0.75 * np.pi <= covered <= 1.02 * FULL_TURN_RAD:  # case 2
        return np.rad2deg(thetas)
    return thetas
