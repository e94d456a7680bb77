"""By how much a cycler's clock is off that of an experiment, and how that is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from lithoscope_pipeline.cycler_clock import (
    ClockOffset,
    ScanPlace,
    offset_by_current,
    offset_by_pulses,
)
from lithoscope_pipeline.setup_checks import find_marker
from lithoscope_services.electrochemistry.errors import AttachError
from lithoscope_services.electrochemistry.pulses import find_pulses
from lithoscope_services.electrochemistry.record import CyclerRecord
from lithoscope_services.history import History
from lithoscope_store import Electrochemistry

#: Of the scans, or of the current, that must fit.
_ENOUGH = 0.8
#: Clocks of the wall at the beginnings of scans must agree with their times so well.
_STEADY_S = 60.0
_SAY = "say it with --clock-offset-s, or with --marker-at-s if the record has a marker pulse"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFinding:
    """What is added to the times of the cycler.

    Parameters
    ----------
    offset_s
        To be added.
    uncertainty_s
        Half of what is possible; None if it was given.
    how
        How it is known, for people.
    """

    offset_s: float
    uncertainty_s: float | None
    how: str


def find_offset(
    record: CyclerRecord,
    history: History,
    stored: Electrochemistry,
    *,
    given_s: float | None,
    marker_at_s: float | None,
) -> ClockFinding:
    """Find the offset: as given, by a marker, by stored samples, by pulses, by the wall clock.

    Parameters
    ----------
    record
        By the clock of the cycler.
    history, stored
        Of the experiment.
    given_s
        What a person says; nothing else is looked at then.
    marker_at_s
        When the marker pulse of the record began, by the clock of the experiment.

    Raises
    ------
    AttachError
        If nothing tells it for certain.
    """
    if given_s is not None:
        return ClockFinding(offset_s=given_s, uncertainty_s=None, how="as given")
    if marker_at_s is not None:
        return _by_marker(record, marker_at_s)
    if stored.n_samples > 1 and np.abs(stored.current_mA).max() > 0:
        offset = offset_by_current(
            record.time_s, record.current_mA, stored.time_s, stored.current_mA
        )
        return _checked(offset, "the current that is stored already")
    scans = scan_places(history)
    if any(scan.n_pulses for scan in scans):
        offset = offset_by_pulses(find_pulses(record), scans)
        return _checked(offset, f"the pulses before each of {len(scans)} scans")
    return _by_wall_clock(record, history)


def scan_places(history: History) -> list[ScanPlace]:
    """List when scans began, and what they say of the pulses before them."""
    phases = [scan.started.phase for scan in history.in_order() if scan.started is not None]
    return [
        ScanPlace(
            time_s=phase.experiment_time_s, n_pulses=phase.pulse, half_cycle=phase.half_cycle
        )
        for phase in phases
    ]


def _by_marker(record: CyclerRecord, marker_at_s: float) -> ClockFinding:
    found_s = find_marker(record.time_s, record.current_mA)
    if found_s is None:
        raise AttachError(
            "no marker in the record: a run of current of under a minute; leave --marker-at-s "
            "out, or say the offset with --clock-offset-s"
        )
    before = record.time_s[record.time_s < found_s]
    step_s = float(found_s - before[-1]) if before.size else 0.0
    return ClockFinding(
        offset_s=marker_at_s - found_s,
        uncertainty_s=step_s,
        how=f"the marker pulse at {found_s:g} s of the record",
    )


def _checked(offset: ClockOffset, what: str) -> ClockFinding:
    if offset.agreement < _ENOUGH:
        raise AttachError(
            f"the record does not fit {what}: at best {offset.agreement:.0%} agree; check that "
            f"it is of this cell, and if so, what its clock is off: {_SAY}"
        )
    if not offset.is_unique:
        raise AttachError(
            f"{what} fit the record at several places, for its pulses are alike; {_SAY}"
        )
    return ClockFinding(
        offset_s=offset.offset_s,
        uncertainty_s=offset.uncertainty_s,
        how=f"{what}, {offset.agreement:.0%} of which agree",
    )


def _by_wall_clock(record: CyclerRecord, history: History) -> ClockFinding:
    zeros = [
        scan.started.time_ns / 1e9 - scan.started.phase.experiment_time_s
        for scan in history.in_order()
        if scan.started is not None
    ]
    if record.start_unix_s is None or not zeros or _spread(zeros) > _STEADY_S:
        raise AttachError(
            "nothing tells what the clock of the cycler is off: the scans count no pulses, and "
            f"no samples are stored; {_SAY}"
        )
    return ClockFinding(
        offset_s=record.start_unix_s - median(zeros),
        uncertainty_s=_spread(zeros),
        how="the clocks of both computers, which nothing else confirms",
    )


def _spread(values: Sequence[float]) -> float:
    return max(values) - min(values)
