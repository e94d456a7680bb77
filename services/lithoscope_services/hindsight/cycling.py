"""Where in the cycling each scan of a series stands: from the cycler's record, or by counting."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import ScanPhase
from lithoscope_services.errors import SourceError

#: Of the largest current, below which the cell rests.
REST_SHARE: Final = 0.02
#: A gap in the current that is shorter than this is none, s.
SHORTEST_REST_S: Final = 60.0
_TIMES = {"time_s": 1.0, "time/s": 1.0, "time_min": 60.0, "time_h": 3600.0, "time/h": 3600.0}
_POTENTIALS = {"potential_v": 1.0, "ewe/v": 1.0, "voltage_v": 1.0, "voltage(v)": 1.0}
_CURRENTS = {
    "current_ma": 1.0,
    "i/ma": 1.0,
    "<i>/ma": 1.0,
    "current(ma)": 1.0,
    "current_a": 1000.0,
    "current(a)": 1000.0,
}
Column = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CyclerRecord:
    """What a cycler wrote: three columns of equal length, the time rising."""

    time_s: Column
    potential_V: Column  # noqa: N815 - the unit is V
    current_mA: Column  # noqa: N815 - the unit is mA


@dataclass(frozen=True, slots=True)
class Pulse:
    """A run of current without a rest; ``sign`` is that of the current."""

    begin_s: float
    end_s: float
    sign: int
    current_mA: float  # noqa: N815 - the unit is mA


def read_cycler(path: Path) -> CyclerRecord:
    """Read a table with a heading: time, potential and current in any of the usual names.

    Parameters
    ----------
    path
        Text; columns between commas, semicolons or tabs, numbers with a point or a comma.

    Raises
    ------
    SourceError
        If a column is missing or is no numbers, or if the time falls.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read as text: {error}; export it as CSV") from error
    heading = text.splitlines()[0] if text else ""
    delimiter = next((d for d in ("\t", ";", ",") if d in heading), ",")
    rows = list(csv.reader(text.splitlines(), delimiter=delimiter))
    names = [name.strip().lower() for name in rows[0]] if rows else []
    columns = []
    for what, known in (("time", _TIMES), ("potential", _POTENTIALS), ("current", _CURRENTS)):
        place = next((n for n, name in enumerate(names) if name in known), None)
        if place is None:
            raise SourceError(
                f"{path}: no {what} among {', '.join(names)}; one column must be called "
                f"{' or '.join(list(known)[:3])}"
            )
        columns.append(known[names[place]] * _numbers(path, rows[1:], place))
    time_s, potential_v, current_ma = columns
    if time_s.size < 2 or (np.diff(time_s) < 0).any():
        raise SourceError(f"{path}: {time_s.size} samples whose time must rise; mend the table")
    return CyclerRecord(time_s=time_s, potential_V=potential_v, current_mA=current_ma)


def find_pulses(record: CyclerRecord) -> list[Pulse]:
    """Cut the record into runs of current of one sign."""
    largest = float(np.abs(record.current_mA).max())
    if largest == 0.0:
        return []
    sign = np.where(
        np.abs(record.current_mA) > REST_SHARE * largest, np.sign(record.current_mA), 0
    )
    edges = np.flatnonzero(np.diff(sign)) + 1
    pulses: list[Pulse] = []
    for run in np.split(np.arange(sign.size), edges):
        if sign[run[0]] == 0:
            continue
        begin_s = float(record.time_s[run[0]])
        end_s = float(record.time_s[run[-1]])
        mean_ma = float(record.current_mA[run].mean())
        before = pulses[-1] if pulses else None
        if (
            before is not None
            and before.sign == sign[run[0]]
            and begin_s - before.end_s < SHORTEST_REST_S
        ):
            pulses[-1] = Pulse(before.begin_s, end_s, before.sign, before.current_mA)
        else:
            pulses.append(Pulse(begin_s, end_s, int(sign[run[0]]), mean_ma))
    return pulses


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


def _numbers(path: Path, rows: Sequence[Sequence[str]], place: int) -> Column:
    try:
        return np.array(
            [float(row[place].strip().replace(",", ".")) for row in rows if any(row)], np.float64
        )
    except (ValueError, IndexError) as error:
        raise SourceError(f"{path}: column {place + 1} has no number: {error}; mend it") from error
