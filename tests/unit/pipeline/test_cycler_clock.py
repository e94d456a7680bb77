"""Offsets of clocks, against records that are shifted by a known time."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.cycler_clock import (
    Pulse,
    ScanPlace,
    offset_by_current,
    offset_by_pulses,
)

OFFSET_S = -1234.5
#: Scans every half hour, ten minutes of current before each but the first.
SCANS = [ScanPlace(1800.0 * n, n, int(n > 4)) for n in range(9)]


def pulses(*, before: int = 0, after: int = 0, turn: int = 4) -> list[Pulse]:
    """Pulses by the cycler's clock; some more before the first scan and after the last."""
    found = []
    for n in range(-before, 8 + after):
        begin_s = 1800.0 * n + 1000.0 - OFFSET_S
        sign = 1 if n < turn else -1
        found.append(Pulse(begin_s, begin_s + 600.0, sign, 0.75 * sign))
    return found


@pytest.mark.parametrize(("before", "after"), [(0, 0), (3, 0), (0, 2), (2, 3)])
def test_pulses_between_scans_tell_the_offset(before: int, after: int) -> None:
    found = offset_by_pulses(pulses(before=before, after=after), SCANS)

    # Each scan begins 200 s after a pulse and 1000 s before the next.
    assert found.agreement == 1.0
    assert abs(found.offset_s - OFFSET_S) <= found.uncertainty_s
    assert found.uncertainty_s == pytest.approx(600.0, abs=200.0)
    assert found.is_unique


def test_pulses_that_are_all_alike_tell_nothing_for_certain() -> None:
    scans = [ScanPlace(1800.0 * n, n, 0) for n in range(5)]

    assert not offset_by_pulses(pulses(after=3, turn=99), scans).is_unique


def test_pulses_of_another_cell_do_not_agree() -> None:
    others = [Pulse(5000.0 * n, 5000.0 * n + 4000.0, 1, 0.1) for n in range(8)]

    assert offset_by_pulses(others, SCANS).agreement < 0.8


def current(time_s: NDArray[np.float64], *, offset_s: float = 0.0) -> NDArray[np.float64]:
    """Pulses of different lengths: a marker that no shift takes for itself."""
    values = np.zeros_like(time_s)
    for begin_s, length_s, level in (
        (300.0, 40.0, 0.5),
        (900.0, 600.0, 0.75),
        (2700.0, 350.0, -0.6),
    ):
        begin_s -= offset_s
        values[(time_s >= begin_s) & (time_s < begin_s + length_s)] = level
    return values


@pytest.mark.parametrize("step_s", [1.0, 7.3])
def test_two_records_of_one_current_tell_the_offset_to_a_reading(step_s: float) -> None:
    known_s = np.arange(0.0, 4000.0, 1.0)
    ours_s = np.arange(0.0, 6000.0, step_s) + 11.7
    rng = np.random.default_rng(4)
    noisy = current(ours_s, offset_s=OFFSET_S) + rng.normal(0, 0.01, ours_s.size)

    found = offset_by_current(ours_s, noisy, known_s, current(known_s))

    assert found.is_unique
    assert found.agreement > 0.9
    assert found.offset_s == pytest.approx(OFFSET_S, abs=step_s + 1.0)


def test_a_record_without_current_tells_nothing() -> None:
    time_s = np.arange(0.0, 4000.0, 1.0)

    found = offset_by_current(time_s, np.zeros_like(time_s), time_s, current(time_s))

    assert found.agreement == 0.0
    assert not found.is_unique
