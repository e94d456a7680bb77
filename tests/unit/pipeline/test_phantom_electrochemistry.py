"""The potential of the simulated cell, pulses and their efficiency, and the mark of a bridge."""

from dataclasses import replace

import numpy as np
import pytest

from lithoscope_pipeline.phantom import CellParameters, CyclingParameters
from lithoscope_pipeline.phantom.electrochemistry import (
    Electrochemistry,
    record_electrochemistry,
)
from lithoscope_pipeline.phantom.growth_parameters import Bridge, GrowthParameters
from lithoscope_pipeline.phantom.ledger import lithium_after
from lithoscope_pipeline.phantom.pulses import leak_during, pulse_start_s, pulses_of

CELL = CellParameters(seed=4)
HALF_CYCLE_S = CELL.rest_s + 12 * (CELL.pulse_s + CELL.rest_s)


def bridged(kind: Bridge = "inside", pulse: float = 7.5, share: float = 0.6) -> CellParameters:
    growth = GrowthParameters(bridge=kind, bridge_pulse=pulse, short_share=share)
    return replace(CELL, growth=growth)


def of_pulse(cell: CellParameters, pulse: int, *, with_rest: bool = False) -> Electrochemistry:
    start_s = pulse_start_s(cell, pulse)
    length_s = cell.pulse_s + (cell.rest_s if with_rest else 0.0)
    return record_electrochemistry(cell, start_s=start_s, stop_s=start_s + length_s)


def test_the_potential_steps_builds_up_and_relaxes() -> None:
    potential = of_pulse(CELL, 5, with_rest=True).potential_V

    # 60 ohm cm2 and 1.5 mA/cm2 are 90 mV.
    assert potential[0] == pytest.approx(0.090, abs=0.005)
    assert potential[0] < potential[60] < potential[599] < 0.2
    # The ohmic step comes back at once, the slow rest by exp(-1200 / 400).
    assert potential[599] - potential[601] > 0.085
    assert 0.01 < potential[602] < 0.06
    assert abs(potential[-1]) < 0.05 * potential[599]


def test_each_half_cycle_begins_with_a_peak_that_later_pulses_lack() -> None:
    def early_V(pulse: int) -> float:  # noqa: N802 - the unit is V
        return float(np.abs(of_pulse(CELL, pulse).potential_V[5:30]).mean())

    assert early_V(0) > early_V(3) + 0.01
    assert early_V(12) > early_V(15)


def test_voids_raise_the_resistance_through_a_discharge() -> None:
    first, last = (np.abs(of_pulse(CELL, pulse).potential_V[500:]).mean() for pulse in (14, 23))

    assert last > 1.05 * first


def test_later_cycles_need_more_potential() -> None:
    cell = replace(CELL, cycling=CyclingParameters(n_cycles=3))

    means = [of_pulse(cell, pulse).potential_V.mean() for pulse in (5, 29, 53)]

    assert means[0] < means[1] < means[2]


def test_a_symmetric_cell_shows_noise_alone_before_the_first_pulse() -> None:
    rest = record_electrochemistry(CELL, start_s=0, stop_s=CELL.rest_s)

    assert np.abs(rest.potential_V).max() < 1.5e-3
    assert rest.potential_V.std() == pytest.approx(2e-4, rel=0.1)


@pytest.mark.parametrize("kind", ["inside", "outside"])
def test_a_bridge_makes_the_potential_collapse_within_its_pulse(kind: Bridge) -> None:
    usual, short = of_pulse(CELL, 7).potential_V, of_pulse(bridged(kind), 7).potential_V

    # The bridge forms half-way, 300 s into the pulse.
    np.testing.assert_allclose(short[:300], usual[:300], atol=1e-12)
    assert 0 < short[301] < 0.15 * usual[301]


def test_a_bridged_cell_recovers_in_part_and_only_in_part() -> None:
    usual, short = of_pulse(CELL, 7).potential_V, of_pulse(bridged(), 7).potential_V
    ratio = short[300:] / usual[300:]

    # 1 - 0.564 of the step, its square of the rest.
    assert ratio[-60:].mean() > ratio[:5].mean() + 0.2
    assert ratio.max() < 0.5


def test_pulses_of_a_bridged_cell_are_flat() -> None:
    def rise(cell: CellParameters) -> float:
        potential = of_pulse(cell, 9).potential_V
        return float(potential[-30:].mean() / potential[150:180].mean() - 1)

    assert 0 < rise(bridged()) < 0.6 * rise(CELL)


def test_the_potential_of_a_bridged_cell_relaxes_less() -> None:
    usual, short = (of_pulse(cell, 9, with_rest=True).potential_V for cell in (CELL, bridged()))

    assert short[605:700].mean() < 0.7 * usual[605:700].mean()


def test_a_bridge_makes_the_potential_noisy_while_current_flows() -> None:
    def noise_V(cell: CellParameters) -> float:  # noqa: N802 - the unit is V
        return float(np.diff(of_pulse(cell, 9).potential_V, 2)[300:].std())

    assert noise_V(bridged()) > 3 * noise_V(CELL)


def test_a_short_that_carries_nothing_leaves_no_mark() -> None:
    usual, short = of_pulse(CELL, 9), of_pulse(bridged(share=0.0), 9)

    np.testing.assert_array_equal(short.potential_V, usual.potential_V)


def test_the_current_does_not_know_of_the_bridge() -> None:
    usual, short = (
        record_electrochemistry(cell, start_s=0, stop_s=HALF_CYCLE_S) for cell in (CELL, bridged())
    )

    np.testing.assert_array_equal(short.current_mA, usual.current_mA)
    np.testing.assert_array_equal(short.charge_mAh, usual.charge_mAh)


def test_the_truth_states_what_each_pulse_moves() -> None:
    pulses = pulses_of(CELL)

    assert [pulse.pulse for pulse in pulses] == list(range(24))
    assert {pulse.charge_mAh_cm2 for pulse in pulses} == {0.25, -0.25}
    # 1.2128 um for 10 minutes at 1.5 mA/cm2, of which 0.7668 count: 0.93 um.
    assert pulses[3].moved_um == pytest.approx(0.93, abs=0.001)
    assert not any(pulse.is_bridged for pulse in pulses)


def test_a_bridge_takes_its_share_from_the_efficiency() -> None:
    pulses = pulses_of(bridged(pulse=7.5, share=0.6))

    assert pulses[6].efficiency == pytest.approx(0.7668)
    assert pulses[7].efficiency == pytest.approx(0.7668 * (1 - 0.3))
    assert pulses[8].efficiency == pytest.approx(0.7668 * 0.4)
    assert [pulse.is_bridged for pulse in pulses] == [False] * 7 + [True] * 17


@pytest.mark.parametrize("pulse", [7, 8, 20])
def test_the_leak_adds_up_to_what_the_efficiency_says(pulse: int) -> None:
    cell = bridged(share=0.9)
    since_s = (np.arange(60_000) + 0.5) / 60_000 * cell.pulse_s

    leaked = leak_during(cell, pulse, since_s).mean()

    lost = 1 - pulses_of(cell)[pulse].efficiency / cell.growth.efficiency
    assert leaked == pytest.approx(lost, abs=1e-4)
    assert leak_during(cell, pulse, since_s).max() <= 0.98


@pytest.mark.parametrize("kind", ["none", "inside"])
@pytest.mark.parametrize("n_pulses", [5, 8, 12, 17, 24, 30])
def test_pulses_add_up_to_the_lithium_that_the_cell_has_moved(kind: Bridge, n_pulses: int) -> None:
    cell = replace(bridged(kind), cycling=CyclingParameters(n_cycles=2))

    moved_um = sum(
        np.sign(pulse.charge_mAh_cm2) * pulse.moved_um for pulse in pulses_of(cell)[:n_pulses]
    )

    assert moved_um == pytest.approx(lithium_after(cell, n_pulses).missing_um, rel=1e-9, abs=1e-9)
