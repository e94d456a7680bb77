"""A simulated channel: it answers as the record of the simulated cell does."""

import asyncio
import itertools
import math

import numpy as np

from lithoscope_pipeline.phantom import CellParameters
from lithoscope_pipeline.phantom.schedule import record_electrochemistry
from lithoscope_services.beamline.cycler_backend import CyclerSample, CyclerStep

# For currents that the schedule does not know: about what the cell shows at those it knows.
_RESISTANCE_OHM_CM2 = 85.0
_RELAXATION_S = 180.0
_S_PER_H = 3600.0


class SimulatedCycler:
    """The channel that the simulated cell hangs on, with a clock of its own.

    While the current is that of the cell's schedule, readings are those of the schedule, to the
    last digit, and the cell goes on. At any other current the cell stands still, as if that time
    had not been, and potential and charge follow from a plain resistance: a hold, or a current of
    somebody's own. The clock counts both.

    Parameters
    ----------
    cell
        What it hangs on.
    stop_s
        End of the schedule, seconds since the experiment began.
    start_s
        Where in the schedule the channel begins, for an experiment that goes on.
    seconds_per_s
        Seconds of the experiment in a second; None goes as fast as it is read.
    """

    def __init__(
        self,
        cell: CellParameters,
        *,
        stop_s: float,
        start_s: float = 0.0,
        seconds_per_s: float | None = None,
    ) -> None:
        self._record = record_electrochemistry(cell, start_s=0.0, stop_s=stop_s + 1.0)
        self._area_cm2 = cell.active_area_cm2
        self._seconds_per_s = seconds_per_s
        self._cell_s = math.ceil(start_s)
        self._extra_s = 0
        self._extra_mAh = 0.0
        self._demand_mA = 0.0
        self._polarisation_V = 0.0

    @property
    def sample_period_s(self) -> float:
        """One second."""
        return 1.0

    @property
    def cell_time_s(self) -> int:
        """How far the cell is in its schedule: seconds that have passed of it."""
        return self._cell_s

    async def connect(self) -> None:
        """Do nothing: it is always there."""

    async def set_current(self, current_mA: float) -> None:  # noqa: N803 - the unit is mA
        """Pass a current from now on."""
        self._demand_mA = current_mA

    async def read(self) -> CyclerSample:
        """Give the reading as it is now; the clock stands still meanwhile."""
        if self._follows_schedule:
            return self._scheduled(self._cell_s)
        return self._own()

    async def next_sample(self) -> CyclerSample:
        """Let a second pass and give the reading at its beginning."""
        if self._seconds_per_s is not None:
            await asyncio.sleep(1.0 / self._seconds_per_s)
        if self._follows_schedule:
            sample = self._scheduled(self._cell_s)
            self._cell_s += 1
            self._polarisation_V = 0.0
            return sample
        self._relax()
        sample = self._own()
        self._extra_s += 1
        self._extra_mAh += self._demand_mA / _S_PER_H
        return sample

    @property
    def _follows_schedule(self) -> bool:
        if self._cell_s >= len(self._record.time_s):
            return False
        return math.isclose(float(self._record.current_mA[self._cell_s]), self._demand_mA)

    def _scheduled(self, second: int) -> CyclerSample:
        record = self._record
        return CyclerSample(
            time_s=float(record.time_s[second]) + self._extra_s,
            potential_V=float(record.potential_V[second]),
            current_mA=float(record.current_mA[second]),
            charge_mAh=float(record.charge_mAh[second]) + self._extra_mAh,
        )

    def _own(self) -> CyclerSample:
        last = min(self._cell_s, len(self._record.time_s) - 1)
        ohmic = self._demand_mA / self._area_cm2 * _RESISTANCE_OHM_CM2 * 1e-3
        return CyclerSample(
            time_s=float(self._cell_s + self._extra_s),
            potential_V=ohmic + self._polarisation_V,
            current_mA=self._demand_mA,
            charge_mAh=float(self._record.charge_mAh[last]) + self._extra_mAh,
        )

    def _relax(self) -> None:
        if self._extra_s == 0 and self._cell_s > 0 and self._polarisation_V == 0.0:
            before = self._scheduled(self._cell_s - 1)
            ohmic = before.current_mA / self._area_cm2 * _RESISTANCE_OHM_CM2 * 1e-3
            self._polarisation_V = before.potential_V - ohmic
        self._polarisation_V *= math.exp(-1.0 / _RELAXATION_S)


def steps_between(cell: CellParameters, start_s: float, stop_s: float) -> tuple[CyclerStep, ...]:
    """Give the steps of the schedule between two times, cut at whole seconds.

    Parameters
    ----------
    cell
        Whose schedule it is.
    start_s, stop_s
        Seconds since the experiment began.
    """
    current = record_electrochemistry(cell, start_s=start_s, stop_s=stop_s).current_mA
    if not len(current):
        return ()
    edges = [0, *(np.flatnonzero(np.diff(current)) + 1).tolist(), len(current)]
    return tuple(
        CyclerStep(current_mA=float(current[first]), duration_s=float(last - first))
        for first, last in itertools.pairwise(edges)
    )
