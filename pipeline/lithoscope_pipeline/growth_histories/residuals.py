"""Errors of a gap that is measured scan after scan: trajectories, for they hang together.

The same tip is seen with the same blur in each scan, so an error stays from one scan to the next.
Errors drawn one by one would average out in any slope, and promise too much.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualModel:
    """Where there are no trajectories of image-level experiments to draw from.

    Parameters
    ----------
    bias_um
        Spread of what an experiment has in all its scans.
    drift_um
        Spread of what stays from scan to scan by the share ``memory``.
    memory
        Between 0 and 1.
    """

    bias_um: float = 4.0
    drift_um: float = 5.0
    memory: float = 0.6

    def __post_init__(self) -> None:
        if not 0 <= self.memory < 1:
            raise ParameterError(f"memory is {self.memory}; give 0 or more, and less than 1")

    def draw(self, n_scans: int, rng: np.random.Generator) -> Vector:
        """Draw the errors of one experiment, micrometres, shape (n_scans,)."""
        steps = rng.standard_normal(n_scans)
        errors = np.empty(n_scans)
        now = steps[0]
        for i, step in enumerate(steps):
            now = step if i == 0 else self.memory * now + np.sqrt(1 - self.memory**2) * step
            errors[i] = now
        return self.bias_um * rng.standard_normal() + self.drift_um * errors

    @property
    def half_width_um(self) -> float:
        """Half of the 95 % interval."""
        return float(_NORMAL_95 * np.hypot(self.bias_um, self.drift_um))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResiduals:
    """Whole trajectories of image-level experiments, drawn with replacement.

    Parameters
    ----------
    trajectories_um
        Measured less true gap of each scan of each experiment, micrometres.
    """

    trajectories_um: tuple[Vector, ...]

    def __post_init__(self) -> None:
        if not self.trajectories_um or not all(map(len, self.trajectories_um)):
            raise ParameterError("no trajectory of errors is there; give one for each experiment")

    def draw(self, n_scans: int, rng: np.random.Generator) -> Vector:
        """Draw the errors of one experiment; one that is too short goes on backwards."""
        one = self.trajectories_um[int(rng.integers(len(self.trajectories_um)))]
        there_and_back: Sequence[Vector] = (one, one[::-1])
        n_needed = -(-n_scans // len(one))
        longer = np.concatenate([there_and_back[i % 2] for i in range(n_needed)])
        return longer[:n_scans]

    @property
    def half_width_um(self) -> float:
        """Half of the interval that holds 95 % of all errors."""
        errors = np.abs(np.concatenate(self.trajectories_um))
        return float(np.quantile(errors, _COVERAGE, method="higher"))


Residuals = ResidualModel | StoredResiduals
_COVERAGE: Final = 0.95
_NORMAL_95: Final = 1.96
