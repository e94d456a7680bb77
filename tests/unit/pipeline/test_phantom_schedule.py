"""The simulated experiment: when scans are taken and what the cycler records."""

import numpy as np
import pytest

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.phantom import (
    LITHIUM_UM3_PER_MAH,
    CellParameters,
    CyclingParameters,
    make_cell,
)
from lithoscope_pipeline.phantom.schedule import make_schedule


def test_twenty_five_scans_follow_each_pulse() -> None:
    schedule = make_cell(n_scans=25).schedule

    assert [point.pulse for point in schedule] == list(range(25))
    assert [point.half_cycle for point in schedule] == [0] * 13 + [1] * 12


@pytest.mark.parametrize(("n_scans", "pulses"), [(1, [0]), (2, [0, 24]), (3, [0, 12, 24])])
def test_few_scans_span_the_whole_cycle(n_scans: int, pulses: list[int]) -> None:
    assert [point.pulse for point in make_cell(n_scans=n_scans).schedule] == pulses


def test_many_scans_share_rests_and_stay_in_order() -> None:
    schedule = make_cell(n_scans=60).schedule
    times_s = np.array([point.time_s for point in schedule])
    cell = CellParameters(seed=0)
    period_s = cell.pulse_s + cell.rest_s

    assert (np.diff(times_s) > 0).all()
    # A rest follows each pulse, and one comes before the first.
    assert (times_s % period_s < cell.rest_s).all()


def test_charge_rises_through_twelve_pulses_and_returns_to_nothing() -> None:
    charge = [point.charge_mAh_cm2 for point in make_cell(n_scans=3).schedule]

    # 12 pulses of 1.5 mA/cm2 for a sixth of an hour are 3 mAh/cm2.
    np.testing.assert_allclose(charge, [0, 3, 0], atol=1e-9)


def test_the_current_integrates_to_the_charge_of_the_schedule() -> None:
    simulated = make_cell(n_scans=3)
    record = simulated.electrochemistry(0, 1)

    assert record.current_mA.sum() / 3600 == pytest.approx(
        simulated.schedule[1].charge_mAh, rel=1e-9
    )
    np.testing.assert_array_equal(np.diff(record.time_s), 1)


def test_windows_of_the_record_join_without_a_seam() -> None:
    simulated = make_cell(n_scans=5)
    whole = simulated.electrochemistry(0, 2)
    parts = [simulated.electrochemistry(0, 1), simulated.electrochemistry(1, 2)]

    joined = np.concatenate([part.potential_V for part in parts])

    np.testing.assert_array_equal(joined, whole.potential_V)


def test_the_potential_has_the_sign_of_the_current() -> None:
    record = make_cell(n_scans=3).electrochemistry(0, 2)
    is_on = record.current_mA != 0

    assert (np.sign(record.potential_V[is_on]) == np.sign(record.current_mA[is_on])).all()


def test_a_milliampere_hour_plates_the_published_volume() -> None:
    # 3.6 C/mAh * 6.94 g/mol / (96485 C/mol * 0.534 g/cm3)
    assert pytest.approx(3.6 * 6.94 / 96485.332 / 0.534 * 1e12, rel=1e-3) == LITHIUM_UM3_PER_MAH


def test_scans_before_the_first_pulse_each_have_a_rest_of_their_own() -> None:
    cell = CellParameters(seed=0, cycling=CyclingParameters(n_null_scans=4))
    schedule = make_cell(n_scans=28, cell=cell).schedule

    assert [point.pulse for point in schedule] == [0] * 4 + list(range(1, 25))
    times_s = np.array([point.time_s for point in schedule])
    np.testing.assert_allclose(np.diff(times_s[:4]), 4 * cell.rest_s / 5)
    # The first pulse begins after four rests.
    record = make_cell(n_scans=28, cell=cell).electrochemistry(0, 4)
    assert record.time_s[record.current_mA > 0][0] == 4 * cell.rest_s


def test_fewer_scans_than_those_before_the_first_pulse_are_refused() -> None:
    cell = CellParameters(seed=0, cycling=CyclingParameters(n_null_scans=4))

    with pytest.raises(ParameterError, match="at least 4"):
        make_cell(n_scans=3, cell=cell)


def test_later_cycles_charge_and_discharge_again() -> None:
    cell = CellParameters(seed=0, cycling=CyclingParameters(n_cycles=2))
    schedule = make_schedule(cell, 5)

    assert [point.pulse for point in schedule] == [0, 12, 24, 36, 48]
    assert [point.cycle for point in schedule] == [0, 0, 0, 1, 1]
    assert [point.half_cycle for point in schedule] == [0, 0, 1, 2, 3]
    np.testing.assert_allclose([point.charge_mAh_cm2 for point in schedule], [0, 3, 0, 3, 0])
    assert schedule[-1].throughput_mAh_cm2 == pytest.approx(12)


@pytest.mark.parametrize("n_scans", [0, -1])
def test_an_experiment_without_scans_is_refused(n_scans: int) -> None:
    with pytest.raises(ParameterError, match="at least 1"):
        make_cell(n_scans=n_scans)


def test_an_unknown_size_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ParameterError, match="tiny, small, medium, full"):
        make_cell("huge")  # type: ignore[arg-type]  # what a caller without types may do


def test_an_odd_number_of_pulses_is_refused() -> None:
    with pytest.raises(ParameterError, match="even"):
        make_cell(cell=CellParameters(seed=0, n_pulses=5))
