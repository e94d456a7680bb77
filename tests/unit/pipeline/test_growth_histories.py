"""Histories close as their law says, their errors hang together, and the gap rule is early."""

import numpy as np
import pytest
from rule_histories import default_rule

from lithoscope_pipeline.decide import backtest, decide
from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.growth_histories import (
    LAWS,
    GrowthHistory,
    GrowthLaw,
    ResidualModel,
    StoredResiduals,
    as_records,
    close_gap,
    make_history,
)

RESIDUALS = ResidualModel()


def histories(law: GrowthLaw, fate: str, n: int) -> list[GrowthHistory]:
    return [
        make_history(
            law,
            fate,  # type: ignore[arg-type]  # one of Fate
            residuals=RESIDUALS,
            rng=np.random.default_rng([LAWS.index(law), k]),
        )
        for k in range(n)
    ]


@pytest.mark.parametrize("law", LAWS)
def test_a_gap_never_opens_and_is_closed_about_when_it_should(law: GrowthLaw) -> None:
    for seed in range(20):
        course = close_gap(
            law,
            start_um=270,
            close_pulses=15,
            n_pulses=40,
            rng=np.random.default_rng(seed),
        )

        assert course.gap_um[0] == 270
        assert (np.diff(course.gap_um) <= 0).all()
        assert course.bridge_pulse is not None
        assert 10 < course.bridge_pulse < 22
        assert course.gap_um[int(np.ceil(course.bridge_pulse))] == 0


def test_growth_that_stops_leaves_what_it_should() -> None:
    course = close_gap(
        "linear",
        start_um=200,
        close_pulses=10,
        n_pulses=30,
        rng=np.random.default_rng(1),
        stop_um=80,
    )

    assert course.bridge_pulse is None
    assert course.gap_um.min() == 80


def test_an_accelerating_tip_is_fastest_at_last_and_a_stalling_one_is_not_steady() -> None:
    def steps(law: GrowthLaw) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        course = close_gap(
            law, start_um=270, close_pulses=20, n_pulses=20, rng=np.random.default_rng(3)
        )
        return -np.diff(course.gap_um)

    fast = steps("accelerating")

    assert fast.max() > 1.7 * fast[:5].mean()
    assert steps("stall_and_jump").std() > 3 * steps("linear").std()


def test_errors_of_a_history_hang_together() -> None:
    rng = np.random.default_rng(0)
    errors = np.array([RESIDUALS.draw(40, rng) for _ in range(400)])

    between = np.corrcoef(errors[:, :-1].ravel(), errors[:, 1:].ravel())[0, 1]
    inside = np.abs(errors) < RESIDUALS.half_width_um

    # Of a bias of 4 and a drift of 5 that keeps 0.6: (16 + 0.6 * 25) / (16 + 25).
    assert between == pytest.approx(31 / 41, abs=0.05)
    assert inside.mean() == pytest.approx(0.95, abs=0.015)


def test_stored_trajectories_are_drawn_whole() -> None:
    stored = StoredResiduals(trajectories_um=(np.array([1.0, 2.0, 3.0]), np.array([-1.0, -2.0])))
    drawn = [tuple(stored.draw(4, np.random.default_rng(seed))) for seed in range(20)]

    assert set(drawn) == {(1, 2, 3, 3), (-1, -2, -2, -1)}
    assert stored.half_width_um == 3
    with pytest.raises(ParameterError, match="one for each experiment"):
        StoredResiduals(trajectories_um=())


def test_equal_seeds_give_equal_histories() -> None:
    (one,), (other,) = histories("overtaking", "inside", 1), histories("overtaking", "inside", 1)

    assert np.array_equal(one.gap_um, other.gap_um)
    assert one.bridge_pulse == other.bridge_pulse


@pytest.mark.parametrize("law", LAWS)
def test_the_default_gap_rule_holds_before_most_bridges_and_seldom_for_nothing(
    law: GrowthLaw, is_soak: bool
) -> None:
    n = 400 if is_soak else 40
    rule = default_rule("remaining_gap")
    bridging, sound = histories(law, "inside", n), histories(law, "none", n)

    held = [backtest(as_records(each), [rule])[0].first_pulse for each in bridging]
    early = [
        pulse is not None and each.bridge_pulse is not None and pulse < each.bridge_pulse
        for pulse, each in zip(held, bridging, strict=True)
    ]
    false = [backtest(as_records(each), [rule])[0].first_pulse is not None for each in sound]

    assert np.mean(early) >= 0.85  # bridges within one pulse are among them
    assert np.mean(false) <= 0.1


def test_a_bridge_outside_the_view_is_found_by_its_potential_alone() -> None:
    voltage = default_rule("soft_short_voltage")

    for history in histories("linear", "outside", 20):
        result = backtest(as_records(history), [voltage])[0]

        assert history.bridge_pulse is not None
        assert result.first_pulse is not None
        assert 0 <= result.first_pulse - history.bridge_pulse < 2
        assert result.pulses_to_short is None or result.pulses_to_short <= 1


def test_a_backtest_says_what_the_rule_said_live() -> None:
    (history,) = histories("accelerating", "inside", 1)
    records = as_records(history)
    rule = default_rule("remaining_gap")

    result = backtest(records, [rule])[0]
    live = [
        verdict.scan
        for i in range(len(records))
        for verdict in decide(records[: i + 1], [rule], mode="propose", time_s=records[i].time_s)
        if verdict.has_fired
    ]

    assert [verdict.scan for verdict in result.verdicts if verdict.has_fired] == live
    assert result.pulses_forgone == records[-1].pulse - (result.first_pulse or 0)
