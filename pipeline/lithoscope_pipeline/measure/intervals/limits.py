"""What a cell that has not changed looks like: limits of detection and of quantification.

Scans before the first pulse all show the same. What a metric does there is nothing that the cell
did: mean + 3.3 sd is detected, mean + 10 sd is quantified.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lithoscope_pipeline.metric import Metric

#: Scans before the first pulse from which a spread is taken.
LEAST_SCANS: Final = 4
BELOW_DETECTION: Final = "below_detection_limit"
BELOW_QUANTIFICATION: Final = "below_quantification_limit"
_DETECTED: Final = 3.3
_QUANTIFIED: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NullSpread:
    """A metric while nothing happens.

    Parameters
    ----------
    mean, sd
        Over the scans before the first pulse, in the unit of the metric.
    n_scans
        How many they are.
    """

    mean: float
    sd: float
    n_scans: int

    @property
    def detection(self) -> float:
        """Limit of detection."""
        return self.mean + _DETECTED * self.sd

    @property
    def quantification(self) -> float:
        """Limit of quantification."""
        return self.mean + _QUANTIFIED * self.sd

    def flags(self, value: float) -> tuple[str, ...]:
        """Say which limits a value does not reach."""
        if value < self.detection:
            return (BELOW_DETECTION, BELOW_QUANTIFICATION)
        if value < self.quantification:
            return (BELOW_QUANTIFICATION,)
        return ()


def null_spread(scans: Sequence[Mapping[str, Metric]]) -> dict[str, NullSpread]:
    """Measure the spread of each metric over scans in which nothing happens.

    Parameters
    ----------
    scans
        Metrics of the scans before the first pulse; a rest later on is no null, lithium moves
        in it.

    Returns
    -------
    dict
        By name, for the metrics that at least four of the scans have.
    """
    values: dict[str, list[float]] = {}
    for metrics in scans:
        for name, metric in metrics.items():
            if metric.value is not None:
                values.setdefault(name, []).append(metric.value)
    return {
        name: NullSpread(
            mean=float(np.mean(each)), sd=float(np.std(each, ddof=1)), n_scans=len(each)
        )
        for name, each in values.items()
        if len(each) >= LEAST_SCANS
    }
