"""Rates from the last scans of an experiment, and how many pulses a short is away."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Final

import numpy as np

from lithoscope_pipeline.metric import Z95, Metric, measured, not_measured

#: A 95 % interval is so many standard deviations to either side.
#: Scans that rates are taken from, and those that say how fast a gap closes now.
RATE_SCANS: Final = 5
_CLOSING_SCANS: Final = 4
_LATE_SCANS: Final = 3
#: How much faster than the last pulses the next one may close a gap. On 2800 histories, tuned on
#: three growth laws and judged on the fourth: benchmarks/results/short_warning.md.
_FASTER: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PastScan:
    """What one scan measured, and how much current had flowed before it.

    Parameters
    ----------
    pulses
        Pulses before it.
    charge_mAh_cm2
        Charge before it on the active area, of either sign; None where it is not known.
    metrics
        By name, with their intervals where they have some.
    """

    pulses: float
    charge_mAh_cm2: float | None  # noqa: N815 - a unit, spelt as units are
    metrics: Mapping[str, Metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComingPulse:
    """What is known of the next pulse.

    Parameters
    ----------
    strips_plated_side
        Whether it takes lithium from the plating side, or the pulse before did.
    current_ratio
        Its current over that of the pulse before; 1 where it is not known.
    """

    strips_plated_side: bool = False
    current_ratio: float = 1.0


def measure_history(
    scans: Sequence[PastScan], *, coming: ComingPulse | None = None, k: int = RATE_SCANS
) -> dict[str, Metric]:
    """Measure what only several scans can tell.

    Parameters
    ----------
    scans
        Since the current last turned, the scan at the turn included, oldest first; the last one
        is the present one.
    coming
        The next pulse; None if nothing is known of it.
    k
        Scans that rates are taken from, at most.

    Returns
    -------
    dict
        ``plating_rate_um_per_pulse``, ``stripping_rate_um_per_pulse``,
        ``dendrite_growth_um3_per_pulse``, ``tip_speed_um_per_mAh_cm2`` and ``short_eta_pulses``.
    """
    pulses = [scan.pulses for scan in scans]
    charges = [scan.charge_mAh_cm2 for scan in scans]

    def rate(name: str, unit: str) -> Metric:
        return measure_rate([scan.metrics.get(name) for scan in scans], pulses, k=k, unit=unit)

    return {
        "plating_rate_um_per_pulse": rate("plating_side_thickness_um", "um"),
        "stripping_rate_um_per_pulse": rate("stripping_side_thickness_um", "um"),
        "dendrite_growth_um3_per_pulse": rate("dendrite_volume_um3", "um3"),
        "tip_speed_um_per_mAh_cm2": _tip_speed(scans, charges, k),
        "short_eta_pulses": measure_short_eta(
            [scan.metrics.get("remaining_gap_um") for scan in scans], pulses, coming=coming
        ),
    }


def measure_rate(
    values: Sequence[Metric | None], steps: Sequence[float], *, k: int = RATE_SCANS, unit: str
) -> Metric:
    """Measure the change of a metric per pulse, or per charge, over the last ``k`` scans.

    The slope is the median of the slopes of all pairs of scans [1]_, which one bad scan in four
    does not move. It runs against pulses, not time: current flows in a third of the time only.

    Parameters
    ----------
    values
        The metric at each scan, oldest first; None or without a value where it was not measured.
    steps
        Pulses, or charge, before each scan.
    k
        Scans to use at most.
    unit
        Unit of the values; the rate is this unit per step.

    Returns
    -------
    Metric
        Slope, or no value with the flag ``too_few_scans`` under two scans at different charge.
        Its interval is that of a straight line through scans whose errors are independent; errors
        that scans share change no slope, so it is rather too wide.

    References
    ----------
    .. [1] P. K. Sen, J. Am. Stat. Assoc. 63, 1379 (1968). doi:10.2307/2285891
    """
    known = _known(values, steps)[-k:]
    if len({step for step, _ in known}) < 2:
        return not_measured(unit, "too_few_scans")
    # Half a second to import, and the stages of other services import this module too.
    from scipy import stats

    x = [step for step, _ in known]
    slope = float(stats.theilslopes([m.value for _, m in known], x).slope)
    voxels = known[-1][1].voxels
    half = _slope_half_width(known)
    if half is None:
        return measured(slope, unit, voxels=voxels)
    return Metric(
        value=slope + 0.0, unit=unit, low95=slope - half, high95=slope + half, voxels=voxels
    )


def measure_short_eta(
    gaps: Sequence[Metric | None],
    pulses: Sequence[float],
    *,
    coming: ComingPulse | None = None,
) -> Metric:
    """Tell in how many pulses a tip may bridge the gap, at the earliest.

    Parameters
    ----------
    gaps
        ``remaining_gap_um`` at each scan since the current last turned, oldest first.
    pulses
        Pulses before each scan.
    coming
        The next pulse.

    Returns
    -------
    Metric
        Lower bound of the gap over the upper bound of how far it closes in a pulse at the coming
        current. No value with ``current_strips_that_side`` while lithium is taken from where the
        tips grow, with ``too_few_scans`` or ``no_gap`` when it cannot be told, and with
        ``gap_not_closing`` where even the upper bound does not close it.

    Notes
    -----
    How the gap closes is taken from the gap itself, so that what the other side loses or gains
    counts: the median of the slopes of all pairs of the last four scans, or the mean of the last
    two steps where that is more, for growth in a narrowing gap accelerates; the half width of its
    interval on top, and half as much again, for pulses differ and tips are seen after the fact.
    """
    coming = ComingPulse() if coming is None else coming
    if coming.strips_plated_side:
        return not_measured("1", "current_strips_that_side")
    now = gaps[-1] if gaps else None
    if now is None or now.value is None:
        return not_measured("1", "no_gap")
    if "bridged" in now.flags:
        return Metric(value=0.0, unit="1", voxels=now.voxels, flags=("bridged",))
    known = _known(gaps, pulses)[-_CLOSING_SCANS:]
    if len({step for step, _ in known}) < 2:
        return not_measured("1", "too_few_scans")
    closing, half = _closing(known), _slope_half_width(known)
    most, least = (
        coming.current_ratio * factor * (closing + sign * (half or 0.0))
        for factor, sign in ((_FASTER, 1), (1.0, -1))
    )
    if most <= 0:
        return not_measured("1", "gap_not_closing")
    low = now.value if now.low95 is None else now.low95
    eta = max(low, 0.0) / most
    if half is None:
        return measured(eta, "1", voxels=now.voxels)
    high = None if now.high95 is None or least <= 0 else max(now.high95 / least, eta)
    flags = () if high is not None else ("no_upper_bound",)
    return Metric(value=eta, unit="1", low95=eta, high95=high, voxels=now.voxels, flags=flags)


def _tip_speed(scans: Sequence[PastScan], charges: Sequence[float | None], k: int) -> Metric:
    """Give how fast the highest tip grows against the charge on the active area."""
    if any(charge is None for charge in charges):
        return not_measured("um/(mAh/cm2)", "no_electrochemistry")
    steps = [abs(charge - charges[0]) for charge in charges]  # type: ignore[operator] # checked
    tips = [scan.metrics.get("tip_height_um") for scan in scans]
    return measure_rate(tips, steps, k=k, unit="um/(mAh/cm2)")


def _known(values: Sequence[Metric | None], steps: Sequence[float]) -> list[tuple[float, Metric]]:
    pairs = zip(steps, values, strict=True)
    return [(step, m) for step, m in pairs if m is not None and m.value is not None]


def _closing(known: Sequence[tuple[float, Metric]]) -> float:
    """Give how far a gap closes in a pulse; negative where it opens."""
    points = [(step, m.value or 0.0) for step, m in known]
    slopes = [(a[1] - b[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if b[0] > a[0]]
    first, last = points[-_LATE_SCANS:][0], points[-1]
    late = (first[1] - last[1]) / (last[0] - first[0]) if last[0] > first[0] else -math.inf
    return max(median(slopes), late)


def _slope_half_width(known: Sequence[tuple[float, Metric]]) -> float | None:
    """Give half the 95 % interval of a slope; None if a scan has no interval."""
    widths = [m.high95 - m.low95 for _, m in known if m.low95 is not None and m.high95 is not None]
    if len(widths) < len(known):
        return None
    x = np.array([step for step, _ in known], np.float64)
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    sd = np.array(widths) / (2 * Z95)
    return float(Z95 * np.sqrt((weights**2 * sd**2).sum()))
