"""Rules fire once, reset with hysteresis, and decide the same whatever the order of facts."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithoscope_pipeline.decide import (
    Decision,
    Rule,
    ScanMeasurement,
    decide,
    default_rules,
)
from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.measure import Metric, measured, not_measured

GAP = default_rules()


def scans(gaps_um: Sequence[float | None]) -> list[ScanMeasurement]:
    """Make a history from remaining gaps."""
    return [
        ScanMeasurement(
            scan=i,
            time_s=1800.0 * i,
            metrics={
                "remaining_gap_um": measured(gap, "um")
                if gap is not None
                else not_measured("um", "one_electrode_missing")
            },
        )
        for i, gap in enumerate(gaps_um)
    ]


def decisions(gaps_um: Sequence[float | None], rules: Sequence[Rule] = GAP) -> list[Decision]:
    """Decide after each scan of a history."""
    history = scans(gaps_um)
    return [
        decide(history[: i + 1], rules, mode="propose", time_s=history[i].time_s)
        for i in range(len(history))
    ]


def fired_at(gaps_um: Sequence[float | None], rules: Sequence[Rule] = GAP) -> list[int]:
    """List the scans at which the first rule fired."""
    return [firing.scan for decision in decisions(gaps_um, rules) for firing in decision.fired]


def test_a_gap_that_closes_fires_once() -> None:
    assert fired_at([280, 200, 119, 90, 60, 90]) == [2]


def test_a_rule_fires_again_only_after_its_reset_value() -> None:
    assert fired_at([280, 110, 130, 110, 151, 110]) == [1, 5]


def test_a_wide_gap_decides_nothing() -> None:
    assert decisions([280, 200, 121]) == [Decision()] * 3


def test_a_firing_proposes_its_action_until_it_expires() -> None:
    (proposal,) = decisions([280, 100])[1].proposals

    assert proposal.action == "hold"
    assert proposal.made_time_s == 1800
    assert proposal.expires_time_s == 3000
    assert proposal.firing.rule_id == "remaining_gap"


def test_a_reason_says_that_the_interval_is_not_modelled() -> None:
    (firing,) = decisions([100])[0].fired

    assert firing.compared == "value"
    assert "interval is not modelled" in firing.reason
    assert "100 um" in firing.reason


def test_the_bound_of_the_interval_is_compared_when_there_is_one() -> None:
    gap = Metric(value=140, unit="um", low95=110, high95=170)
    history = [ScanMeasurement(scan=0, time_s=0, metrics={"remaining_gap_um": gap})]

    (firing,) = decide(history, GAP, mode="propose", time_s=0).fired

    assert firing.compared == "low95"
    assert firing.value == 110


def test_a_rule_may_compare_the_bare_value() -> None:
    gap = Metric(value=140, unit="um", low95=110, high95=170)
    history = [ScanMeasurement(scan=0, time_s=0, metrics={"remaining_gap_um": gap})]
    rule = replace(GAP[0], bound="value", set_value=150, reset_value=160)

    (firing,) = decide(history, [rule], mode="propose", time_s=0).fired

    assert firing.compared == "value"
    assert "its value is 140 um" in firing.reason


def test_k_of_n_scans_are_needed() -> None:
    rule = Rule(
        id="gap", metric="remaining_gap_um", comparison="below", set_value=120, reset_value=150,
        k=2, n=3,
    )  # fmt: skip

    assert fired_at([280, 110, 130, 110, 100], [rule]) == [3]


def test_a_rule_above_fires_when_its_metric_rises() -> None:
    rule = Rule(
        id="wide", metric="remaining_gap_um", comparison="above", set_value=200, reset_value=150,
        bound="high95", action="note",
    )  # fmt: skip

    assert fired_at([180, 210, 160, 210, 140, 201], [rule]) == [1, 5]


def test_a_metric_without_a_value_is_a_blind_alarm() -> None:
    last = decisions([280, None])[1]

    assert last.fired == ()
    assert last.blind[0].reason == "remaining_gap_um: one_electrode_missing"


def test_a_blind_scan_neither_fires_nor_resets() -> None:
    assert fired_at([280, 110, None, 110, None, 160, None, 110]) == [1, 7]


def test_modes_off_and_dry_run_propose_nothing() -> None:
    history = scans([100])

    off = decide(history, GAP, mode="off", time_s=0)
    dry = decide(history, GAP, mode="dry_run", time_s=0)

    assert off == Decision()
    assert dry.proposals == ()
    assert len(dry.fired) == 1


def test_no_history_decides_nothing() -> None:
    assert decide([], GAP, mode="propose", time_s=0) == Decision()


@given(order=st.permutations(range(6)))
def test_the_order_of_facts_does_not_matter(order: list[int]) -> None:
    history = scans([280, 110, 130, 110, 160, 110])

    shuffled = decide([history[i] for i in order], GAP, mode="propose", time_s=9000)

    assert shuffled == decide(history, GAP, mode="propose", time_s=9000)


def test_rules_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ParameterError, match="safe side"):
        Rule(id="a", metric="m", comparison="below", set_value=100, reset_value=90)
    with pytest.raises(ParameterError, match="k of n"):
        Rule(id="a", metric="m", comparison="below", set_value=1, reset_value=2, k=3, n=2)


def test_a_scan_that_appears_twice_is_refused() -> None:
    history = scans([280])

    with pytest.raises(ParameterError, match="scan 0 appears twice"):
        decide([*history, *history], GAP, mode="propose", time_s=0)


def test_the_key_of_a_rule_changes_with_what_it_says() -> None:
    changed = Rule(
        id="remaining_gap", metric="remaining_gap_um", comparison="below", set_value=121,
        reset_value=150,
    )  # fmt: skip

    assert changed.key != GAP[0].key
    assert GAP[0].key == default_rules()[0].key
