"""How far the clock of a cycler is off that of an experiment, from currents and pulses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate

Column = NDArray[np.float64]
#: The second-best place must be worse by so much, or the best is not the only one.
_AMBIGUOUS = 0.98
_LONGEST = 2**20


@dataclass(frozen=True, slots=True)
class Pulse:
    """A run of current without a rest; ``sign`` is that of the current."""

    begin_s: float
    end_s: float
    sign: int
    current_mA: float  # noqa: N815 - the unit is mA


@dataclass(frozen=True, slots=True)
class ScanPlace:
    """When a scan began, and what is known to have flowed before it."""

    time_s: float
    n_pulses: int
    half_cycle: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOffset:
    """What is to be added to the times of the cycler.

    Parameters
    ----------
    offset_s
        In the middle of what is possible.
    uncertainty_s
        Half of what is possible.
    agreement
        Share of what was compared that fits, 0..1.
    is_unique
        Whether no other offset fits about as well.
    """

    offset_s: float
    uncertainty_s: float
    agreement: float
    is_unique: bool


def offset_by_pulses(pulses: Sequence[Pulse], scans: Sequence[ScanPlace]) -> ClockOffset:
    """Find the offset at which each scan lies in the rest after the pulses that it counts.

    Each scan allows one stretch of offsets, from the end of the last pulse before it to the begin
    of the next; what most scans allow is taken. The first pulses of the record may have come
    before those that the scans count: all such shifts are tried, and those are left out in which
    the current turns between other scans.

    Parameters
    ----------
    pulses
        By the cycler's clock, in order.
    scans
        By the clock of the experiment.
    """
    spare = max(0, len(pulses) - max((scan.n_pulses for scan in scans), default=0))
    found = [_offset_of_shift(pulses, scans, skipped) for skipped in range(spare + 1)]
    found.sort(key=lambda each: (-each.agreement, each.uncertainty_s, abs(each.offset_s)))
    first = found[0]
    is_unique = all(each.agreement < first.agreement for each in found[1:])
    return replace(first, is_unique=is_unique)


def _offset_of_shift(
    pulses: Sequence[Pulse], scans: Sequence[ScanPlace], skipped: int
) -> ClockOffset:
    first_s = pulses[0].begin_s if pulses else 0.0
    last_s = pulses[-1].end_s if pulses else 0.0
    stretches, signs = [], []
    for scan in scans:
        number = scan.n_pulses + skipped
        # Before the first pulse and after the last one there is as much room as the record has.
        end_s, begin_s = 2 * first_s - last_s, 2 * last_s - first_s
        if 0 < number <= len(pulses):
            end_s = pulses[number - 1].end_s
            if scan.n_pulses:
                signs.append(pulses[number - 1].sign * (-1) ** scan.half_cycle)
        if number < len(pulses):
            begin_s = pulses[number].begin_s
        stretches.append((scan.time_s - begin_s, scan.time_s - end_s))
    low, high, n_inside = _most_common(stretches)
    n_turned = min(signs.count(1), signs.count(-1))
    return ClockOffset(
        offset_s=(low + high) / 2,
        uncertainty_s=(high - low) / 2,
        agreement=max(0, n_inside - n_turned) / max(1, len(stretches)),
        is_unique=True,
    )


def _most_common(stretches: Sequence[tuple[float, float]]) -> tuple[float, float, int]:
    """Give the part of the line that lies in most of the stretches, and in how many."""
    edges = sorted([(low, 0) for low, _ in stretches] + [(high, 1) for _, high in stretches])
    best, inside, found = 0, 0, (0.0, 0.0)
    for number, (place, kind) in enumerate(edges):
        inside += 1 if kind == 0 else -1
        if kind == 0 and inside > best:
            best, found = inside, (place, edges[number + 1][0])
    return *found, best


def offset_by_current(
    time_s: Column, current_ma: Column, known_time_s: Column, known_current_ma: Column
) -> ClockOffset:
    """Find the offset at which two records of a current agree best, by their cross-correlation.

    The grid is that of the finer record; the readings at which the current steps in both then tell
    the rest. Where a step lies between readings is all that is left uncertain.

    Parameters
    ----------
    time_s, current_ma
        The record whose clock is off.
    known_time_s, known_current_ma
        That of the experiment; both with rising times.
    """
    step_s = _step_s(time_s, known_time_s)
    ours = _on_grid(time_s, current_ma, step_s)
    known = _on_grid(known_time_s, known_current_ma, step_s)
    products = correlate(known, ours, mode="full", method="fft")
    lags = np.arange(-(len(ours) - 1), len(known))
    place = int(np.argmax(products))
    largest = float(products[place])
    energy = float(np.sqrt((ours**2).sum() * (known**2).sum()))
    shared = float(min((ours**2).sum(), (known**2).sum()))
    n_side = max(2, round(_pulse_s(known, step_s) / step_s))
    away = np.ones(len(products), bool)
    away[max(0, place - n_side) : place + n_side + 1] = False
    second = float(products[away].max(initial=0.0))
    coarse_s = float(known_time_s[0] - time_s[0] + lags[place] * step_s)
    ours_s, known_s = _steps_s(time_s, current_ma), _steps_s(known_time_s, known_current_ma)
    return ClockOffset(
        offset_s=coarse_s + _rest_s(ours_s + coarse_s, known_s, 2.0 * step_s),
        uncertainty_s=step_s,
        agreement=0.0 if energy == 0.0 else min(1.0, largest / shared),
        is_unique=energy > 0.0 and second < _AMBIGUOUS * largest,
    )


def _steps_s(time_s: Column, current_ma: Column) -> Column:
    """Give the readings at which the current is another one by half of its largest value."""
    change = np.abs(np.diff(current_ma))
    largest = float(np.abs(current_ma).max(initial=0.0))
    return time_s[1:][change > 0.5 * largest] if largest else time_s[:0]


def _rest_s(ours_s: Column, known_s: Column, reach_s: float) -> float:
    """Give the median way from our steps to the known ones beside them."""
    if not ours_s.size or not known_s.size:
        return 0.0
    ways = known_s[:, None] - ours_s[None, :]
    nearest = ways[np.arange(len(known_s)), np.abs(ways).argmin(axis=1)]
    beside = nearest[np.abs(nearest) <= reach_s]
    return float(np.median(beside)) if beside.size else 0.0


def _step_s(*times_s: Column) -> float:
    finest = min(float(np.median(np.diff(time_s))) for time_s in times_s)
    span_s = max(float(time_s[-1] - time_s[0]) for time_s in times_s)
    return max(finest, span_s / _LONGEST, 1e-3)


def _on_grid(time_s: Column, current_ma: Column, step_s: float) -> Column:
    """Sample a current that keeps its value until the next reading."""
    grid = np.arange(time_s[0], time_s[-1] + step_s / 2, step_s)
    places = np.clip(np.searchsorted(time_s, grid, side="right") - 1, 0, len(time_s) - 1)
    return current_ma[places]


def _pulse_s(current_ma: Column, step_s: float) -> float:
    """Give the length of the shortest run of current."""
    is_on = np.abs(current_ma) > 0.02 * np.abs(current_ma).max(initial=0.0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_on, [False]]).astype(np.int8)))
    runs = edges[1::2] - edges[::2]
    return float(runs.min(initial=len(current_ma))) * step_s
