"""Rules fire once, reset with hysteresis, and ask for no more than their mode allows."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from rule_histories import default_rule, gap, record, records

from lithoscope_pipeline.decide import (
    Proposal,
    Rule,
    RuleError,
    ScanRecord,
    Verdict,
    canonical_decisions,
    decide,
    default_rules,
    make_action,
    rules_sha256,
)
from lithoscope_pipeline.errors import ParameterError

PLAIN = Rule(
    id="gap",
    metric="remaining_gap_um",
    comparison="below",
    set_value=120,
    reset_value=150,
    action=make_action("hold"),
    mode="propose",
)


def verdicts(history: Sequence[ScanRecord], rule: Rule = PLAIN) -> list[Verdict | None]:
    """Decide after each scan of a history."""
    found = [
        decide(history[: i + 1], [rule], mode="auto", time_s=history[i].time_s)
        for i in range(len(history))
    ]
    return [each[0] if each else None for each in found]


def fired_at(gaps_um: Sequence[float | None], rule: Rule = PLAIN) -> list[int]:
    """List the scans at which a rule fired."""
    return [each.scan for each in verdicts(records(gaps_um), rule) if each and each.has_fired]


def test_a_gap_that_closes_fires_once() -> None:
    assert fired_at([280, 200, 119, 90, 60, 90]) == [2]


def test_a_rule_fires_again_only_after_its_reset_value() -> None:
    assert fired_at([280, 110, 130, 110, 151, 110]) == [1, 5]


def test_a_wide_gap_decides_nothing() -> None:
    assert verdicts(records([280, 200, 121])) == [None, None, None]


def test_a_firing_proposes_its_action_until_it_expires() -> None:
    (verdict,) = decide(records([280, 100]), [PLAIN], mode="propose", time_s=1800)
    (proposal,) = verdict.proposals

    assert proposal.action.name == "hold"
    assert proposal.mode == "propose"
    assert (proposal.made_time_s, proposal.expires_time_s) == (1800, 3000)


def test_the_bound_of_the_interval_is_compared_and_the_reason_says_so() -> None:
    (verdict,) = decide([record(0, 140, half_width=30)], [PLAIN], mode="propose", time_s=0)

    assert verdict.seen.compared == "low95"
    assert verdict.seen.used == 110
    assert "low95 bound is 110 um, below the set value 120 um" in verdict.reason


def test_an_interval_that_is_not_modelled_is_taken_to_be_as_wide_as_the_allowance() -> None:
    rule = replace(PLAIN, allowance=25.0)

    (verdict,) = decide([record(0, 140, half_width=None)], [rule], mode="propose", time_s=0)

    assert verdict.seen.compared == "value"
    assert verdict.seen.used == 115
    assert "whose interval is not modelled, - 25" in verdict.reason


def test_the_worse_of_registered_and_single_scan_labels_counts() -> None:
    alone = {"single_scan_remaining_gap_um": gap(100)}

    (verdict,) = decide([record(0, 200, changed=alone)], [PLAIN], mode="propose", time_s=0)

    assert verdict.seen.metric == "single_scan_remaining_gap_um"
    assert verdict.seen.used == 100


def test_k_of_n_scans_are_needed_by_a_rule_that_protects_nothing() -> None:
    rule = replace(PLAIN, action=make_action("note"), k=2, n=3)

    assert fired_at([280, 110, 130, 110, 100], rule) == [3]


def test_a_rule_above_fires_when_its_metric_rises() -> None:
    rule = replace(
        PLAIN, comparison="above", set_value=200, reset_value=150, action=make_action("note")
    )

    assert fired_at([180, 210, 160, 210, 140, 201], rule) == [1, 5]


def test_delays_count_recorded_time() -> None:
    late = replace(PLAIN, action=make_action("note"), on_delay_s=3600)
    slow = replace(PLAIN, action=make_action("note"), off_delay_s=3600)

    assert fired_at([280, 110, 110, 110, 110], late) == [3]
    assert fired_at([110, 200, 110, 200, 200, 200, 110], slow) == [0, 6]


def test_what_the_next_pulse_will_leave_is_compared() -> None:
    rule = replace(PLAIN, prediction="next_pulse", set_value=40, reset_value=80)

    # 30 um a pulse, so that 39 um will be left of 69.
    assert fired_at([160, 130, 101], rule) == []
    assert fired_at([160, 130, 100, 69], rule) == [3]


def test_a_slow_tip_may_come_nearer_than_a_fast_one() -> None:
    rule = default_rule("remaining_gap")

    slow = fired_at([200.0 - 4 * i for i in range(50)], rule)
    fast = fired_at([200.0 - 45 * i for i in range(5)], rule)

    assert 200 - 4 * slow[0] < 30
    assert 200 - 45 * fast[0] > 60


def test_pulses_that_no_scan_looks_at_are_predicted_too() -> None:
    rule = replace(PLAIN, prediction="next_pulse", set_value=40, reset_value=80)
    scans = [replace(each, pulse=3.0 * each.scan) for each in records([160, 130, 100, 69])]

    (verdict,) = [each for each in verdicts(scans, rule) if each]

    assert verdict.scan == 3
    assert verdict.seen.used == pytest.approx(69 - 3 * 31 / 3, abs=1)


def test_a_current_that_turns_takes_the_prediction_away() -> None:
    rule = replace(PLAIN, prediction="next_pulse", set_value=40, reset_value=80)
    *before, last = records([160, 130, 100, 69])

    turned = decide(
        [*before, replace(last, next_current_mA=-0.75)], [rule], mode="propose", time_s=5400
    )
    raised = decide(
        [*before[:2], replace(before[2], next_current_mA=1.6)], [rule], mode="propose", time_s=3600
    )

    assert turned == ()
    assert raised[0].has_fired


@pytest.mark.parametrize("mode", ["off", "dry_run"])
def test_modes_off_and_dry_run_propose_nothing(mode: str) -> None:
    rule = replace(PLAIN, mode=mode)  # type: ignore[arg-type]  # one of Mode

    found = decide(records([100]), [rule], mode="auto", time_s=0)

    assert [each for verdict in found for each in verdict.proposals] == []
    assert [each.has_fired for each in found] == ([] if mode == "off" else [True])


def one_proposal(rule: Rule, ceiling: str, **parts: object) -> Proposal:
    """Decide on one scan with a small gap."""
    (verdict,) = decide(
        [record(0, 100, **parts)],  # type: ignore[arg-type]  # parts of a record
        [rule],
        mode=ceiling,  # type: ignore[arg-type]  # one of Mode
        time_s=0,
    )
    return verdict.proposals[0]


def test_automatic_is_what_is_armed_and_sure_and_lowers_the_risk() -> None:
    rule = replace(PLAIN, mode="auto", gates=("age",))
    note = replace(rule, action=make_action("note"))

    assert one_proposal(rule, "auto").mode == "auto"
    assert one_proposal(rule, "propose").mode == "propose"
    assert one_proposal(rule, "auto", image_mode="propose").mode == "propose"
    assert one_proposal(note, "auto").mode == "propose"


def test_images_of_what_was_never_commissioned_stay_in_dry_run_and_voltage_does_not() -> None:
    voltage = replace(default_rule("soft_short_voltage"), mode="propose")
    scan = record(1, 5, image_mode="dry_run", changed={"voltage_drop_share": gap(0.5)})

    image, potential = decide([scan], [PLAIN, voltage], mode="propose", time_s=1800)

    assert image.has_fired
    assert image.mode == "dry_run"
    assert image.proposals == ()
    assert [each.action.name for each in potential.proposals] == ["hold"]


def test_a_companion_follows_and_may_not_be_automatic_by_itself() -> None:
    rule = replace(PLAIN, then=make_action("finer_scan"))

    (verdict,) = decide(records([100]), [rule], mode="propose", time_s=0)

    assert [each.action.name for each in verdict.proposals] == ["hold", "finer_scan"]
    assert [each.is_companion for each in verdict.proposals] == [False, True]
    with pytest.raises(RuleError, match="never automatic"):
        replace(PLAIN, action=make_action("finer_scan"), mode="auto")


def test_a_cool_down_holds_a_neutral_rule_back_and_says_so() -> None:
    rule = replace(PLAIN, action=make_action("note"), cooldown_s=4000)

    first, _, second, _, third = verdicts(records([110, 200, 110, 200, 110]), rule)

    assert first is not None
    assert first.proposals
    assert second is not None
    assert "cool-down of 4000 s" in second.held_back
    assert second.proposals == ()
    assert third is not None
    assert third.proposals


def test_a_limit_does_not_mute_what_protects_the_cell_but_asks_a_person() -> None:
    rule = replace(PLAIN, mode="auto", max_per_experiment=1)

    first, _, second = verdicts(records([110, 200, 110]), rule)

    assert first is not None
    assert [each.mode for each in first.proposals] == ["auto"]
    assert second is not None
    assert [each.mode for each in second.proposals] == ["propose"]


def test_rules_that_contradict_themselves_say_all_of_it_at_once() -> None:
    with pytest.raises(RuleError) as raised:
        replace(PLAIN, reset_value=90, k=3, n=2, bound="high95", on_delay_s=5)

    assert [each.key for each in raised.value.problems] == [
        "reset_value",
        "k",
        "n",
        "on_delay_s",
        "bound",
    ]


def test_parameters_of_actions_stay_within_their_bounds() -> None:
    assert make_action("lower_current").as_dict == {"current_share": 0.5}
    with pytest.raises(ParameterError, match=r"current_share is 1\.2; give 0\.1 to 0\.9"):
        make_action("lower_current", {"current_share": 1.2})
    with pytest.raises(ParameterError, match="hold has no parameter current_share"):
        make_action("hold", {"current_share": 0.5})


def test_a_scan_that_appears_twice_is_refused() -> None:
    history = records([280])

    with pytest.raises(ParameterError, match="scan 0 appears twice"):
        decide([*history, *history], [PLAIN], mode="propose", time_s=0)


def test_the_key_of_a_rule_changes_with_what_it_says_and_that_of_rules_not_with_their_order() -> (
    None
):
    rules = default_rules()

    assert replace(PLAIN, set_value=121).key != PLAIN.key
    assert rules_sha256(rules) == rules_sha256(rules[::-1])
    assert rules_sha256(rules) != rules_sha256(rules[1:])


def test_the_canonical_form_knows_no_mode_and_no_time_of_the_decision() -> None:
    history = records([280, 100])
    rule = replace(PLAIN, mode="auto")

    armed = decide(history, [rule], mode="auto", time_s=1800)
    later = decide(history, [rule], mode="propose", time_s=9000)

    assert canonical_decisions(armed) == canonical_decisions(later)
    assert canonical_decisions(armed)[0]["used"] == 100


def test_the_default_rules_are_those_of_the_documentation() -> None:
    ids = [rule.id for rule in default_rules()]

    assert ids[:3] == ["remaining_gap", "soft_short_voltage", "soft_short_image"]
    assert len(set(ids)) == len(ids) == 14
    assert all(rule.guidance for rule in default_rules())
    assert all(rule.mode != "auto" for rule in default_rules())
