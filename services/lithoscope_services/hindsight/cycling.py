"""Where in the cycling each scan of a series stands: from the cycler's record, or by counting."""

from collections.abc import Sequence
from itertools import pairwise

from lithoscope_messages import ScanPhase
from lithoscope_pipeline.cycler_clock import Pulse
from lithoscope_services.electrochemistry import CyclerRecord, find_pulses
from lithoscope_services.errors import SourceError


def phases_by_pulses(
    scans: Sequence[int], record: CyclerRecord, interval_s: float | None
) -> dict[int, ScanPhase]:
    """Place scans in the cycler's record: at equal intervals, or one in each rest.

    Parameters
    ----------
    scans
        Numbers, counted from the first of the series.
    record
        From before the first scan on.
    interval_s
        Time from scan to scan; None if one scan was taken in each rest.

    Raises
    ------
    SourceError
        If there are not as many rests as scans.
    """
    pulses = find_pulses(record)
    n_series = max(scans) + 1
    if interval_s is None and n_series != len(pulses) + 1:
        raise SourceError(
            f"{n_series} scans (missing ones counted) and {len(pulses)} pulses of current: one "
            "scan in each rest would be one more than pulses; say how far apart scans are with "
            "--interval-min"
        )
    phases = {}
    for scan in scans:
        if interval_s is not None:
            time_s = float(record.time_s[0]) + scan * interval_s
        elif scan < len(pulses):
            time_s = pulses[scan].begin_s
        else:
            time_s = float(record.time_s[-1])
        phases[scan] = _phase_at(time_s, pulses)
    return phases


def phases_by_count(
    scans: Sequence[int], turns: Sequence[int], interval_s: float
) -> dict[int, ScanPhase]:
    """Place scans without a record: a pulse between each two, the sign turned after some scans.

    Parameters
    ----------
    scans
        Numbers, counted from the first of the series.
    turns
        Last scans of the half-cycles but the last one.
    interval_s
        Time from scan to scan.
    """
    phases = {}
    for scan in scans:
        half_cycle = sum(scan > turn for turn in turns)
        phases[scan] = ScanPhase(
            experiment_time_s=scan * interval_s,
            cycle=half_cycle // 2,
            half_cycle=half_cycle,
            pulse=scan,
        )
    return phases


def _phase_at(time_s: float, pulses: Sequence[Pulse]) -> ScanPhase:
    # A pulse that begins at this very moment has not run.
    before = [pulse for pulse in pulses if pulse.begin_s < time_s]
    signs = [pulse.sign for pulse in before]
    half_cycle = sum(a != b for a, b in pairwise(signs))
    coming = [pulse for pulse in pulses if pulse.begin_s >= time_s]
    return ScanPhase(
        experiment_time_s=time_s,
        cycle=half_cycle // 2,
        half_cycle=half_cycle,
        pulse=len(before),
        next_current_mA=coming[0].current_mA if coming else None,
    )
