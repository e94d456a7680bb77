"""Whether the clocks of cycler and detector agree: a scan is taken while no current flows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.setup_checks.finding import SetupFinding

_CHECK: Final = "clock"
#: Clocks that are set by hand agree better than this, and a plan may begin a scan so early.
_TOLERANCE_S: Final = 5.0
_SEARCH_S: Final = 1800.0
_STEP_S: Final = 5.0

Interval = tuple[float, float]
Column = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanTime:
    """When a scan was taken, by the clock of the scans.

    Parameters
    ----------
    scan
        Its number.
    begin_s, end_s
        First and last frame, in the time of the experiment.
    """

    scan: int
    begin_s: float
    end_s: float


def check_clock(scans: Sequence[ScanTime], pulses: Sequence[Interval]) -> SetupFinding:
    """Look for current during scans, and for the offset that takes it out of them.

    Parameters
    ----------
    scans
        Scans in the order of time.
    pulses
        Begin and end of each run of current by the cycler's clock, s.

    Returns
    -------
    SetupFinding
        ``wrong`` if current flows for more than 5 s during a scan; the evidence has the smallest
        offset that would end that. ``unknown`` without scans or pulses, or if none lies between
        others. An offset so small that scans stay in their rests is not seen.
    """
    if not scans or not pulses:
        text = "no current in the record yet" if scans else "no scan yet"
        return SetupFinding(check=_CHECK, verdict="unknown", text=text)
    hit = [scan for scan in scans if _overlap_s(scan, pulses, 0.0) > _TOLERANCE_S]
    if not hit:
        margin_s = min(_margin_s(scan, pulses) for scan in scans)
        return SetupFinding(
            check=_CHECK,
            verdict="right",
            text=f"all {len(scans)} scans lie in rests, at least {margin_s:.0f} s from a pulse",
            evidence={"margin_s": margin_s},
        )
    offset_s = _smallest_offset_s(scans, pulses)
    worst_s = max(_overlap_s(scan, pulses, 0.0) for scan in hit)
    numbers = ", ".join(str(scan.scan) for scan in hit[:6]) + (" …" if len(hit) > 6 else "")
    evidence = {"overlap_s": worst_s, "n_scans": float(len(hit))}
    advice = "let a marker pulse be seen by both clocks and set experiment.clock_offset_s"
    if offset_s is not None:
        evidence["offset_s"] = offset_s
        advice = (
            f"the cycler's clock is off by {abs(offset_s):.0f} s or more: add {offset_s:+.0f} s "
            "or more to its times (experiment.clock_offset_s); a marker pulse tells it exactly"
        )
    return SetupFinding(
        check=_CHECK,
        verdict="wrong",
        text=f"current flows for up to {worst_s:.0f} s during scan {numbers}",
        advice=advice,
        evidence=evidence,
    )


def find_marker(
    time_s: Column,
    current_mA: Column,  # noqa: N803 - the unit is mA
    *,
    longest_s: float = 60.0,
) -> float | None:
    """Find the marker: the first run of current that is short, by the cycler's clock.

    Parameters
    ----------
    time_s, current_mA
        The cycler's record, shape (n,), time rising.
    longest_s
        Runs that last longer are pulses.

    Returns
    -------
    float or None
        Time of its first reading with current, s; None if there is none.
    """
    largest = float(np.abs(current_mA).max(initial=0.0))
    if largest == 0.0:
        return None
    is_on = np.concatenate([[False], np.abs(current_mA) > 0.05 * largest, [False]])
    edges = np.flatnonzero(np.diff(is_on.astype(np.int8)))
    for begin, stop in edges.reshape(-1, 2):
        if time_s[stop - 1] - time_s[begin] <= longest_s:
            return float(time_s[begin])
    return None


def _overlap_s(scan: ScanTime, pulses: Sequence[Interval], offset_s: float) -> float:
    return sum(
        max(0.0, min(scan.end_s, end + offset_s) - max(scan.begin_s, begin + offset_s))
        for begin, end in pulses
    )


def _margin_s(scan: ScanTime, pulses: Sequence[Interval]) -> float:
    return max(0.0, min(max(begin - scan.end_s, scan.begin_s - end) for begin, end in pulses))


def _smallest_offset_s(scans: Sequence[ScanTime], pulses: Sequence[Interval]) -> float | None:
    """Give the offset nearest to zero that leaves no scan with current; None if none does."""
    steps = np.arange(_STEP_S, _SEARCH_S + _STEP_S, _STEP_S)
    for step in steps:
        for offset_s in (float(step), -float(step)):
            if all(_overlap_s(scan, pulses, offset_s) <= _TOLERANCE_S for scan in scans):
                return offset_s
    return None
