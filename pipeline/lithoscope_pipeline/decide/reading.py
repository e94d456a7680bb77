"""What a rule reads of a scan: the worse end of the worse interval, and what will become of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING, Final, Literal

from lithoscope_pipeline.decide.rule import Rule
from lithoscope_pipeline.decide.scan_record import ScanRecord
from lithoscope_pipeline.metric import SINGLE_SCAN_PREFIX

if TYPE_CHECKING:  # see scan_record.py
    from lithoscope_pipeline.metric import Metric

Compared = Literal["low95", "high95", "value"]

#: Scans that a slope is taken from: what a tip did longer ago says little of its next pulse.
_SLOPE_SCANS: Final = 4
_LATE_SCANS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The number that a rule compares.

    Parameters
    ----------
    name
        Metric that it was taken from: the rule's, or that of the labels of this scan alone.
    metric
        With its interval.
    compared
        Which end was taken; ``value`` if the interval is not modelled, less the allowance.
    bound
        That number.
    fall_per_pulse, n_pulses
        What a prediction took off for each pulse until the next scan, and how many those are.
    """

    name: str
    metric: "Metric"
    compared: Compared
    bound: float
    fall_per_pulse: float = 0.0
    n_pulses: float = 0.0

    @property
    def value(self) -> float:
        """The number that is compared with the set value."""
        return self.bound - self.fall_per_pulse * self.n_pulses


def read(rule: Rule, scans: Sequence[ScanRecord]) -> Reading | None:
    """Read what a rule watches in the last of some scans.

    A protective rule reads the labels of the scan alone too, where they were made, and takes the
    worse: so it does not depend on registration.

    Parameters
    ----------
    rule
        What is watched.
    scans
        One scan and those before it, in order; at least one.

    Returns
    -------
    Reading or None
        None if the scan has no such number.
    """
    names = [rule.metric]
    if rule.is_protective and rule.region == "view":
        names.append(SINGLE_SCAN_PREFIX + rule.metric)
    readings = [reading for name in names if (reading := _read_one(rule, name, scans)) is not None]
    if not readings:
        return None
    worst = min if rule.comparison == "below" else max
    return worst(readings, key=lambda reading: reading.value)


def _read_one(rule: Rule, name: str, scans: Sequence[ScanRecord]) -> Reading | None:
    metric = scans[-1].metrics.get(name)
    if metric is None or metric.value is None:
        return None
    end = metric.low95 if rule.bound == "low95" else metric.high95
    away = -rule.allowance if rule.bound == "low95" else rule.allowance
    fall, n_pulses = 0.0, 0.0
    if rule.prediction == "next_pulse":
        fall, n_pulses = predict_fall(name, scans), pulses_until_next_scan(scans)
    return Reading(
        name=name,
        metric=metric,
        compared="value" if end is None else rule.bound,
        bound=metric.value + away if end is None else end,
        fall_per_pulse=fall,
        n_pulses=n_pulses,
    )


def pulses_until_next_scan(scans: Sequence[ScanRecord]) -> float:
    """Give the pulses that will pass unseen: as many as between the last two scans, at least 1."""
    if len(scans) < 2:
        return 1.0
    return max(1.0, scans[-1].pulse - scans[-2].pulse)


def predict_fall(name: str, scans: Sequence[ScanRecord]) -> float:
    """Predict how far a metric falls in the next pulse, as fast as it did lately.

    The median of the slopes of all pairs of the last four scans [1]_, which one bad scan does not
    move, or the mean of the last two steps where that is more: growth in a narrowing gap
    accelerates. Scans count from where the current last turned. The result is scaled with the
    current, if that will be higher.

    Parameters
    ----------
    name
        The metric.
    scans
        In order of their number.

    Returns
    -------
    float
        Fall per pulse, not negative, in the unit of the metric; 0 if the next pulse goes the
        other way, or where there is nothing to compare with.

    References
    ----------
    .. [1] P. K. Sen, J. Am. Stat. Assoc. 63, 1379 (1968). doi:10.2307/2285891
    """
    newest = scans[-1]
    if newest.is_reversed_next:
        return 0.0
    points = _since_the_turn(name, scans)
    if len(points) < 2:
        return 0.0
    last = points[-_SLOPE_SCANS:]
    slopes = [(a[1] - b[1]) / (b[0] - a[0]) for a, b in combinations(last, 2)]
    (x0, y0), (x1, y1) = points[-_LATE_SCANS:][0], points[-1]
    found = (0.0, median(slopes), (y0 - y1) / (x1 - x0))
    return max(found) * newest.current_ratio


def _since_the_turn(name: str, scans: Sequence[ScanRecord]) -> list[tuple[float, float]]:
    """Give pulses and values of the scans since the current last turned, one a pulse."""
    points: list[tuple[float, float]] = []
    sign = scans[-1].last_current_mA
    for scan in reversed(scans):
        metric = scan.metrics.get(name)
        is_other_way = sign is not None and (scan.last_current_mA or sign) * sign < 0
        is_new = not points or scan.pulse < points[-1][0]
        if metric is not None and metric.value is not None and is_new:
            points.append((scan.pulse, metric.value))
        if is_other_way:
            break  # the last scan before the turn is where the new way begins
    return points[::-1]
