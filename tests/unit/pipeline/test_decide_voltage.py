"""A soft short is seen in the potential of its own pulse, and nothing sound is taken for one."""

from dataclasses import replace

import numpy as np
import pytest
from rule_histories import default_rule

from lithoscope_pipeline.decide import find_pulses, measure_voltage
from lithoscope_pipeline.errors import NonFiniteError
from lithoscope_pipeline.phantom import CellParameters
from lithoscope_pipeline.phantom.pulses import pulse_start_s
from lithoscope_pipeline.phantom.schedule import record_electrochemistry

SET_VALUE = default_rule("soft_short_voltage").set_value
CELL = CellParameters(seed=3)


def drops(cell: CellParameters, n_pulses: int) -> list[float]:
    """Measure the drop of the potential after each pulse of a simulated cell."""
    stop_s = pulse_start_s(cell, n_pulses)
    recorded = record_electrochemistry(cell, start_s=0, stop_s=stop_s)
    pulses = find_pulses(recorded.time_s, recorded.potential_V, recorded.current_mA)
    assert len(pulses) == n_pulses
    found = []
    for n in range(1, n_pulses + 1):
        metric = measure_voltage(pulses[:n], n_expected=n)["voltage_drop_share"]
        assert metric.high95 is not None
        found.append(metric.high95)
    return found


def test_a_constant_resistance_is_measured_and_does_not_drop() -> None:
    time_s = np.arange(1200.0)
    current = np.where((time_s % 400) < 200, 0.5, 0.0)

    pulses = find_pulses(time_s, current * 0.2, current)  # 0.2 V at 1 mA: 200 ohm
    found = measure_voltage(pulses, n_expected=3)

    assert [round(pulse.resistance_ohm) for pulse in pulses] == [200, 200, 200]
    assert found["voltage_drop_share"].value == pytest.approx(0, abs=1e-9)


def test_a_whole_cycle_of_a_sound_cell_stays_under_the_set_value() -> None:
    assert max(drops(CELL, CELL.n_all_pulses)) < SET_VALUE


@pytest.mark.parametrize("bridge", ["inside", "outside"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("at", [4.2, 7.7, 10.0])
def test_a_bridge_is_seen_after_its_pulse_wherever_it_is(
    bridge: str, share: float, at: float
) -> None:
    growth = replace(
        CELL.growth, bridge=bridge, bridge_pulse=at, short_share=share  # type: ignore[arg-type]
    )  # fmt: skip

    found = drops(replace(CELL, growth=growth), 12)

    first = next(i for i, drop in enumerate(found, start=1) if drop > SET_VALUE)
    assert first == int(at) + 1


def test_pulses_of_the_other_sign_are_pulses_too() -> None:
    pulses = find_pulses(
        np.arange(300.0),
        np.repeat([0.1, 0.0, -0.1], 100),
        np.repeat([0.5, 0.0, -0.5], 100),
    )

    assert [pulse.current_mA for pulse in pulses] == [0.5, -0.5]
    assert [round(pulse.resistance_ohm) for pulse in pulses] == [200, 200]


def test_missing_readings_are_said_and_not_guessed() -> None:
    none = measure_voltage((), n_expected=0)["voltage_drop_share"]
    never = measure_voltage((), n_expected=2)["voltage_drop_share"]
    one = find_pulses(np.arange(100.0), np.full(100, 0.1), np.full(100, 0.5))
    behind = measure_voltage(one, n_expected=2)["voltage_drop_share"]

    assert none.flags == ("no_pulse_yet",)
    assert never.flags == ("no_electrochemistry",)
    assert behind.flags == ("electrochemistry_behind",)


def test_a_reading_that_is_no_number_is_refused() -> None:
    with pytest.raises(NonFiniteError, match="no number"):
        find_pulses(np.arange(2.0), np.array([0.1, np.nan]), np.array([0.5, 0.5]))
