"""An alarm is not muted: what is wrong with a scan makes an alarm and a proposal of its own."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from rule_histories import default_rule, gap, record, records

from lithoscope_pipeline.decide import (
    GateLimits,
    ScanRecord,
    Verdict,
    canonical_decisions,
    decide,
    decide_late,
    default_rules,
)
from lithoscope_pipeline.metric import Metric, measured, not_measured

GAP = replace(default_rule("remaining_gap"), then=None)
PROTECTING = [rule for rule in default_rules() if rule.is_protective]
VOLTAGE = default_rule("soft_short_voltage")


def decided(newest: ScanRecord, *, mode: str = "auto", time_s: float | None = None) -> Verdict:
    """Let the gap rule decide on a scan after sound ones."""
    found = decide(
        [*records([280, 275, 270, 265, 260]), newest],
        [replace(GAP, mode="auto")],
        mode=mode,  # type: ignore[arg-type]  # one of Mode
        time_s=newest.time_s if time_s is None else time_s,
    )
    return found[0]


WRONG: dict[str, tuple[str, Callable[[], ScanRecord]]] = {
    "registration failed": ("registration", lambda: record(5, is_unregistered=True)),
    "residual": (
        "registration",
        lambda: record(5, changed={"registration_residual_px": measured(1.5, "px")}),
    ),
    "Faraday ratio 0": (
        "faraday",
        lambda: record(5, changed={"ct_faraday_ratio": measured(0.0, "1")}),
    ),
    "Faraday ratio 5": (
        "faraday",
        lambda: record(5, changed={"ct_faraday_ratio": measured(5.0, "1")}),
    ),
    "half a scan": (
        "completeness",
        lambda: record(5, changed={"reconstruction_completeness": measured(0.5, "1")}),
    ),
    "another model": ("model", lambda: record(5, model="other")),
    "no model": ("model", lambda: record(5, model="")),
    "unlike the training": (
        "distribution",
        lambda: record(5, changed={"training_distance": measured(1.3, "1")}),
    ),
    "missing charge": (
        "charge",
        lambda: record(5, changed={"ct_faraday_ratio": not_measured("1", "no_electrochemistry")}),
    ),
}


@pytest.mark.parametrize(("gate", "newest"), WRONG.values(), ids=WRONG)
def test_a_failed_gate_latches_an_alarm_and_proposes_to_a_person(
    gate: str, newest: Callable[[], ScanRecord]
) -> None:
    verdict = decided(newest())

    assert verdict.blindness
    assert gate in verdict.shut_gates
    assert [each.basis for each in verdict.proposals] == ["blind"]
    assert [each.mode for each in verdict.proposals] == ["propose"]


@pytest.mark.parametrize(("gate", "newest"), WRONG.values(), ids=WRONG)
def test_a_bridge_is_held_behind_a_failed_gate_and_a_person_is_asked(
    gate: str, newest: Callable[[], ScanRecord]
) -> None:
    bridged = newest()
    bridged = replace(bridged, metrics={**bridged.metrics, "remaining_gap_um": gap(0.0)})

    verdict = decided(bridged)

    assert verdict.has_fired
    assert gate in verdict.shut_gates
    assert [each.basis for each in verdict.proposals] == ["measured"]
    assert [each.mode for each in verdict.proposals] == ["propose"]
    assert "BLIND" in verdict.proposals[0].reason


def test_a_gap_without_a_value_is_an_alarm() -> None:
    verdict = decided(record(5, None))

    assert "remaining_gap_um was not measured: one_electrode_missing" in verdict.blindness
    assert verdict.proposals[0].basis == "blind"


def test_a_scan_without_numbers_is_an_alarm() -> None:
    refused = replace(record(5), metrics={}, failure="reconstruct: 12 of 180 projections")

    verdict = decided(refused)

    assert "no numbers of this scan: reconstruct: 12 of 180" in verdict.blindness
    assert verdict.proposals[0].action.name == "hold"


def test_a_scan_that_is_decided_on_late_is_stale() -> None:
    verdict = decided(record(5), time_s=5 * 1800 + GateLimits().max_age_s + 1)

    assert verdict.shut_gates == ("age",)
    assert verdict.proposals[0].mode == "propose"


def test_a_late_verdict_is_an_alarm_of_each_rule_that_needs_the_images() -> None:
    found = decide_late(record(5), default_rules(), mode="auto", waited_s=600, time_s=9000)

    assert [each.rule_id for each in found] == ["remaining_gap", "soft_short_image"]
    assert {each.basis for verdict in found for each in verdict.proposals} == {"late"}
    assert {each.mode for verdict in found for each in verdict.proposals} == {"propose"}
    assert canonical_decisions(found) == ()


def test_a_bridge_outside_the_view_is_held_on_voltage_alone() -> None:
    drop = {"voltage_drop_share": gap(0.3)}
    blind = replace(record(5, 250, changed=drop), is_unregistered=True, model="other")

    before = records([280, 275, 270, 265, 260])

    found = decide([*before, blind], [VOLTAGE], mode="auto", time_s=9000)

    (verdict,) = found
    assert verdict.has_fired
    assert not verdict.blindness
    assert verdict.proposals[0].action.name == "hold"


def test_the_voltage_rule_is_automatic_whatever_is_wrong_with_the_images() -> None:
    drop = {"voltage_drop_share": gap(0.3), "reconstruction_completeness": measured(0.1, "1")}

    found = decide(
        [record(5, None, changed=drop)], [replace(VOLTAGE, mode="auto")], mode="auto", time_s=9000
    )

    assert found[0].proposals[0].mode == "auto"


@pytest.mark.parametrize("flag", ["no_electrochemistry", "electrochemistry_behind"])
def test_a_potential_that_is_missing_is_an_alarm_once_pulses_have_passed(flag: str) -> None:
    missing = record(5, changed={"voltage_drop_share": not_measured("1", flag)})
    early = record(0, changed={"voltage_drop_share": not_measured("1", "no_pulse_yet")})

    assert flag in decide([missing], [VOLTAGE], mode="auto", time_s=9000)[0].blindness
    assert decide([early], [VOLTAGE], mode="auto", time_s=0) == ()


def test_a_rule_that_stays_blind_asks_again_when_nobody_can_answer_any_more() -> None:
    scans = [record(i, None) for i in range(20)]

    asked = [
        i
        for i in range(20)
        if decide(scans[: i + 1], [GAP], mode="propose", time_s=1800.0 * i)[0].proposals
    ]

    assert asked == [0, 8, 16]  # every four hours


def test_a_gate_holds_back_what_protects_nothing_and_says_why() -> None:
    rule = replace(default_rule("void_coverage"), mode="propose")
    voids = {
        "void_area_fraction": measured(0.5, "1"),
        "reconstruction_completeness": measured(0.5, "1"),
    }

    (held,) = decide([record(0, changed=voids)], [rule], mode="auto", time_s=0)
    after = decide(
        [record(0, changed=voids), record(1, changed={**voids, **whole()})],
        [rule],
        mode="auto",
        time_s=1800,
    )

    assert held.has_fired
    assert held.proposals == ()
    assert "50% of the projections are there" in held.held_back
    assert [each.action.name for each in after[0].proposals] == ["note"]


def whole() -> dict[str, Metric]:
    """Give what makes a scan whole again."""
    return {"reconstruction_completeness": measured(1.0, "1")}


def test_the_labels_of_a_scan_alone_do_not_need_registration() -> None:
    alone = {"single_scan_remaining_gap_um": gap(280)}

    found = decide(
        [record(0, 280, is_unregistered=True, changed=alone)], [GAP], mode="propose", time_s=0
    )

    assert found == ()


def test_before_the_first_pulse_nothing_is_automatic_and_nothing_is_blind() -> None:
    first = record(
        0,
        280,
        changed={
            "ct_faraday_ratio": not_measured("1", "less_than_one_pulse"),
            "voltage_drop_share": not_measured("1", "no_pulse_yet"),
        },
    )

    assert decide([first], PROTECTING, mode="auto", time_s=0) == ()
