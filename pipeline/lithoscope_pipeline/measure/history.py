"""Rates from the last scans of an experiment."""

from collections.abc import Sequence

from scipy import stats

from lithoscope_pipeline.measure.metric import Metric, measured, not_measured


def measure_rate(
    values: Sequence[float | None], pulses: Sequence[float], *, k: int = 5, unit: str = "um"
) -> Metric:
    """Measure the change of a value per pulse over the last ``k`` scans.

    The slope is the median of the slopes of all pairs of scans [1]_, which one bad scan in four
    does not move. It runs against pulses, not time: current flows in a third of the time only.

    Parameters
    ----------
    values
        Value at each scan, oldest first; None where it was not measured.
    pulses
        Number of pulses before each scan, rising.
    k
        Scans to use at most.
    unit
        Unit of the values; the metric is this unit per pulse.

    Returns
    -------
    Metric
        Slope, or no value with the flag ``too_few_scans`` under two scans at different charge.

    References
    ----------
    .. [1] P. K. Sen, J. Am. Stat. Assoc. 63, 1379 (1968). doi:10.2307/2285891
    """
    known = [
        (pulse, value) for pulse, value in zip(pulses, values, strict=True) if value is not None
    ]
    last = known[-k:]
    if len({pulse for pulse, _ in last}) < 2:
        return not_measured(unit, "too_few_scans")
    slope = stats.theilslopes([value for _, value in last], [pulse for pulse, _ in last]).slope
    return measured(float(slope), unit)
