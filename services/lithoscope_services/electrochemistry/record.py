"""A cycler's record: three columns, whatever file they came from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]
_SECONDS_PER_HOUR = 3600.0
#: A step of so many usual ones is a gap, if it is longer than the time below.
_GAP_STEPS = 20.0
_SHORTEST_GAP_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time of which the cycler wrote nothing.

    Parameters
    ----------
    begin_s, end_s
        Last reading before and first one after.
    charge_mAh
        Charge that counts for it: a straight line between both currents.
    """

    begin_s: float
    end_s: float
    charge_mAh: float  # noqa: N815 - the unit is mAh


@dataclass(frozen=True, slots=True, kw_only=True)
class CyclerRecord:
    """What a cycler wrote: three columns of equal length, the time not falling.

    Parameters
    ----------
    time_s
        By the clock of the cycler.
    potential_V, current_mA
        Of the cell.
    start_unix_s
        When ``time_s`` was 0, if the file says so.
    notes
        What was done to the file to read it, for people.
    """

    time_s: Column
    potential_V: Column  # noqa: N815 - the unit is V
    current_mA: Column  # noqa: N815 - the unit is mA
    start_unix_s: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def charge_mAh(self) -> float:  # noqa: N802 - the unit is mAh
        """Signed charge of all of it, by trapezoids."""
        return float(_charges_mah(self.time_s, self.current_mA).sum())


def find_gaps(record: CyclerRecord) -> tuple[Gap, ...]:
    """List the times of which nothing was written: steps far longer than the usual one."""
    steps_s = np.diff(record.time_s)
    real_s = steps_s[steps_s > 0]
    if not real_s.size:
        return ()
    limit_s = max(_SHORTEST_GAP_S, _GAP_STEPS * float(np.median(real_s)))
    charges = _charges_mah(record.time_s, record.current_mA)
    return tuple(
        Gap(
            begin_s=float(record.time_s[n]),
            end_s=float(record.time_s[n + 1]),
            charge_mAh=float(charges[n]),
        )
        for n in np.flatnonzero(steps_s > limit_s)
    )


def current_from_charge(time_s: Column, charge_mah: Column) -> Column:
    """Give the mean current of the step that ends at each reading, mA.

    Parameters
    ----------
    time_s, charge_mah
        Shape (n,), the time not falling. Readings at the same moment share a current.
    """
    steps_s = np.diff(time_s)
    moves = steps_s > 1e-3
    rates = np.divide(
        np.diff(charge_mah) * _SECONDS_PER_HOUR, steps_s, where=moves, out=np.zeros_like(steps_s)
    )
    # The step before, for a reading that the cycler wrote twice.
    last = np.maximum.accumulate(np.where(moves, np.arange(steps_s.size), -1))
    known = np.where(last >= 0, rates[np.maximum(last, 0)], 0.0)
    return np.concatenate([known[:1], known]) if known.size else np.zeros_like(time_s)


def _charges_mah(time_s: Column, current_ma: Column) -> Column:
    steps: Column = np.diff(time_s) * (current_ma[1:] + current_ma[:-1]) / 2.0 / _SECONDS_PER_HOUR
    return steps
