"""What charge a cycler's record allows where nothing was written for a time."""

import numpy as np
import pytest

from lithoscope_pipeline.measure import ChargeState
from lithoscope_services.stages.measure.charge_gaps import with_record_gaps
from lithoscope_store import Electrochemistry

HOUR_S = 3600.0


def record(*, without: tuple[float, float] | None = None) -> Electrochemistry:
    """A reading every ten seconds for two hours: 1 mA in the first half of each hour."""
    time_s = np.arange(0.0, 2 * HOUR_S + 1, 10.0)
    current_ma = np.where(time_s % HOUR_S < HOUR_S / 2, 1.0, 0.0)
    if without is not None:
        kept = (time_s <= without[0]) | (time_s >= without[1])
        time_s, current_ma = time_s[kept], current_ma[kept]
    steps_mah = np.diff(time_s) * (current_ma[1:] + current_ma[:-1]) / 2 / HOUR_S
    return Electrochemistry(
        time_s=time_s,
        potential_V=np.zeros_like(time_s),
        current_mA=current_ma,
        charge_mAh=np.concatenate([[0.0], np.cumsum(steps_mah)]),
    )


def charge(samples: Electrochemistry) -> ChargeState:
    return ChargeState(
        receiving_side="plating",
        charge_mAh=float(samples.charge_mAh[-1]),
        n_pulses=2,
        net_charge_mAh=float(samples.charge_mAh[-1]),
    )


def test_a_whole_record_leaves_the_charge_as_it_is() -> None:
    samples = record()

    assert with_record_gaps(charge(samples), samples, 0.0, 2 * HOUR_S) == charge(samples)


def test_a_gap_may_hide_all_the_current_or_none() -> None:
    # Nothing from 15 to 45 minutes: a quarter of an hour of current, and as long a rest.
    samples = record(without=(0.25 * HOUR_S, 0.75 * HOUR_S))

    bounded = with_record_gaps(charge(samples), samples, 0.0, 2 * HOUR_S)

    assert bounded.bounds_mAh is not None
    # 0.25 mAh before it and 0.5 mAh after; half an hour of 1 mA may lie between. A step of ten
    # seconds at the end of each pulse is worth 0.0014 mAh.
    assert bounded.bounds_mAh == pytest.approx((0.75, 1.25), abs=0.005)


def test_a_gap_before_the_charge_is_counted_does_not_matter() -> None:
    samples = record(without=(0.25 * HOUR_S, 0.75 * HOUR_S))

    bounded = with_record_gaps(charge(samples), samples, HOUR_S, 2 * HOUR_S)

    assert bounded.bounds_mAh is None
