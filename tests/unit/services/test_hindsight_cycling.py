"""Where scans stand in the cycling, against records that are written by hand."""

from pathlib import Path

import numpy as np
import pytest

from lithoscope_services.errors import SourceError
from lithoscope_services.hindsight.cycling import (
    CyclerRecord,
    find_pulses,
    phases_by_count,
    phases_by_pulses,
    read_cycler,
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


@pytest.mark.parametrize(
    "text",
    [
        "time_s,potential_V,current_mA\n0,3.4,0\n30,3.5,0.75\n",
        "time/s\tEwe/V\tI/mA\n0\t3.4\t0\n30\t3.5\t0.75\n",
        "time_h;voltage_V;current_A\n0;3,4;0\n0,0083333333;3,5;0,00075\n",
    ],
)
def test_tables_of_several_cyclers_are_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cycler.csv"
    path.write_text(text)

    record = read_cycler(path)

    np.testing.assert_allclose(record.time_s, [0.0, 30.0], rtol=1e-6)
    np.testing.assert_allclose(record.potential_V, [3.4, 3.5])
    np.testing.assert_allclose(record.current_mA, [0.0, 0.75])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("time_s,current_mA\n0,1\n1,1\n", "no potential"),
        ("time_s,potential_V,current_mA\n5,3,1\n1,3,1\n", "must rise"),
        ("time_s,potential_V,current_mA\n0,3,x\n1,3,1\n", "no number"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "cycler.csv"
    path.write_text(text)

    with pytest.raises(SourceError, match=problem):
        read_cycler(path)
