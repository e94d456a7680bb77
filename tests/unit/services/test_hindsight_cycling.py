"""Where scans stand in the cycling, against records that are written by hand."""

import numpy as np
import pytest

from lithoscope_services.electrochemistry import CyclerRecord, find_pulses
from lithoscope_services.errors import SourceError
from lithoscope_services.hindsight.cycling import (
    phases_by_count,
    phases_by_pulses,
)


def record_of(*signs: int) -> CyclerRecord:
    """Ten minutes of 0.75 mA and twenty of rest for each sign, a sample each 30 s."""
    time_s = np.arange(0.0, 1800.0 * len(signs) + 600.0, 30.0)
    current = np.zeros_like(time_s)
    for number, sign in enumerate(signs):
        begin_s = 600.0 + 1800.0 * number
        current[(time_s >= begin_s) & (time_s < begin_s + 600.0)] = 0.75 * sign
    return CyclerRecord(time_s=time_s, potential_V=np.full_like(time_s, 3.4), current_mA=current)


def test_pulses_are_runs_of_current() -> None:
    pulses = find_pulses(record_of(1, 1, -1))

    assert [(p.begin_s, p.end_s, p.sign) for p in pulses] == [
        (600.0, 1170.0, 1),
        (2400.0, 2970.0, 1),
        (4200.0, 4770.0, -1),
    ]


def test_a_scan_in_each_rest_knows_its_pulses_and_half_cycle() -> None:
    phases = phases_by_pulses([0, 1, 2, 3, 4], record_of(1, 1, -1, -1), None)

    said = [(p.pulse, p.half_cycle, p.cycle, p.next_current_mA) for p in phases.values()]
    assert said == [
        (0, 0, 0, 0.75),
        (1, 0, 0, 0.75),
        (2, 0, 0, -0.75),
        (3, 1, 0, -0.75),
        (4, 1, 0, None),
    ]
    assert [p.experiment_time_s for p in phases.values()] == [
        600.0,
        2400.0,
        4200.0,
        6000.0,
        7770.0,
    ]


def test_a_missing_scan_leaves_its_rest_free() -> None:
    phases = phases_by_pulses([0, 2, 3], record_of(1, 1, -1), None)

    assert {scan: p.pulse for scan, p in phases.items()} == {0: 0, 2: 2, 3: 3}


def test_scans_at_equal_intervals_need_no_rests() -> None:
    phases = phases_by_pulses([0, 1, 2], record_of(1, -1), 1500.0)

    assert [(p.pulse, p.half_cycle) for p in phases.values()] == [(0, 0), (1, 0), (2, 1)]


def test_other_numbers_of_scans_and_rests_are_refused() -> None:
    with pytest.raises(SourceError, match="--interval-min"):
        phases_by_pulses([0, 1, 2], record_of(1, 1, 1), None)


def test_without_a_record_a_pulse_lies_between_scans() -> None:
    phases = phases_by_count([0, 1, 3, 4], [1, 3], 1800.0)

    assert [(p.pulse, p.half_cycle, p.cycle) for p in phases.values()] == [
        (0, 0, 0),
        (1, 0, 0),
        (3, 1, 0),
        (4, 2, 1),
    ]
