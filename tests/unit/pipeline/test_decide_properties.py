"""What holds for every history: hysteresis, limits, order, nothing automatic that is unsure."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_histories import record, records

from lithoscope_pipeline.decide import (
    MAY_BE_AUTO,
    Rule,
    ScanRecord,
    Verdict,
    canonical_decisions,
    decide,
    default_rules,
    make_action,
)
from lithoscope_pipeline.metric import measured, not_measured

GAPS = st.lists(st.one_of(st.none(), st.floats(0, 300)), min_size=1, max_size=12)
FEW = settings(max_examples=60, deadline=None)
NOTE = Rule(
    id="gap",
    metric="remaining_gap_um",
    comparison="below",
    set_value=120,
    reset_value=150,
    action=make_action("note"),
    mode="propose",
)


def all_verdicts(gaps_um: list[float | None], rule: Rule) -> list[Verdict]:
    history = records(gaps_um)
    return [
        verdict
        for i in range(len(history))
        for verdict in decide(history[: i + 1], [rule], mode="auto", time_s=history[i].time_s)
    ]


@FEW
@given(gaps_um=GAPS)
def test_between_two_firings_the_reset_value_was_passed(gaps_um: list[float | None]) -> None:
    fired = [each.scan for each in all_verdicts(gaps_um, NOTE) if each.has_fired]

    for before, after in pairwise(fired):
        assert any(gap is not None and gap > 150 for gap in gaps_um[before + 1 : after])
    assert all((gaps_um[scan] or 0.0) < 120 for scan in fired)


@FEW
@given(
    gaps_um=GAPS,
    cooldown_s=st.sampled_from([0.0, 2000.0, 7000.0]),
    per_hour=st.integers(1, 3),
    per_experiment=st.integers(1, 4),
)
def test_limits_hold_for_what_protects_nothing(
    gaps_um: list[float | None], cooldown_s: float, per_hour: int, per_experiment: int
) -> None:
    rule = replace(
        NOTE, cooldown_s=cooldown_s, max_per_hour=per_hour, max_per_experiment=per_experiment
    )
    asked_s = [
        proposal.made_time_s
        for verdict in all_verdicts(gaps_um, rule)
        for proposal in verdict.proposals
    ]

    assert len(asked_s) <= per_experiment
    for i, time_s in enumerate(asked_s):
        assert sum(0 <= time_s - other < 3600 for other in asked_s[: i + 1]) <= per_hour
        assert i == 0 or time_s - asked_s[i - 1] >= cooldown_s


@FEW
@given(gaps_um=GAPS, order=st.randoms(use_true_random=False))
def test_the_order_of_facts_does_not_matter(gaps_um: list[float | None], order: Random) -> None:
    history = records(gaps_um)
    shuffled = list(history)
    order.shuffle(shuffled)
    rules = default_rules()[:3]

    expected = decide(history, rules, mode="propose", time_s=history[-1].time_s)
    found = decide(shuffled, rules[::-1], mode="propose", time_s=history[-1].time_s)

    assert set(found) == set(expected)
    assert canonical_decisions(found) == canonical_decisions(expected)


WRONG: dict[str, Callable[[ScanRecord], ScanRecord]] = {
    "model": lambda scan: replace(scan, model="other"),
    "registration": lambda scan: replace(scan, is_unregistered=True),
    "stale": lambda scan: replace(scan, time_s=scan.time_s - 90_000),
    "missing charge": lambda scan: replace(
        scan,
        metrics={
            **scan.metrics,
            "ct_faraday_ratio": not_measured("1", "no_electrochemistry"),
            "voltage_drop_share": not_measured("1", "no_electrochemistry"),
        },
    ),
    "incomplete": lambda scan: replace(
        scan, metrics={**scan.metrics, "reconstruction_completeness": measured(0.3, "1")}
    ),
    "failed": lambda scan: replace(scan, metrics={}, failure="segment: no layers"),
}


@FEW
@given(
    gaps_um=st.lists(st.floats(0, 300), min_size=2, max_size=10), wrong=st.sampled_from([*WRONG])
)
def test_a_scan_with_anything_wrong_makes_no_image_rule_automatic_and_mutes_none(
    gaps_um: list[float], wrong: str
) -> None:
    rules = [
        replace(rule, mode="auto")
        for rule in default_rules()
        if rule.is_protective and rule.region == "view"
    ]
    *before, last = records(list(gaps_um))
    now_s = last.time_s

    found = decide([*before, WRONG[wrong](last)], rules, mode="auto", time_s=now_s)

    made = [proposal for verdict in found for proposal in verdict.proposals]
    assert not any(proposal.mode == "auto" for proposal in made)
    assert any(verdict.blindness for verdict in found)
    assert made


@FEW
@given(gap_um=st.floats(0, 300), armed=st.booleans())
def test_only_what_lowers_the_risk_is_ever_automatic(gap_um: float, armed: bool) -> None:
    rules = [
        replace(rule, mode="auto") for rule in default_rules() if rule.rule_class != "raises_risk"
    ]
    scan = record(1, gap_um, changed={"voltage_drop_share": measured(gap_um / 300, "1")})

    found = decide([scan], rules, mode="auto" if armed else "propose", time_s=scan.time_s)

    sent = [each for verdict in found for each in verdict.proposals if each.mode == "auto"]
    assert armed or not sent
    assert {each.action.name for each in sent if not each.is_companion} <= MAY_BE_AUTO


def test_what_is_not_sure_is_never_sent_by_itself(is_soak: bool) -> None:
    n_cases = 10_000 if is_soak else 300
    rng = np.random.default_rng(11)
    rules = [replace(rule, mode="auto") for rule in default_rules() if rule.is_protective]
    dry = [replace(rule, mode="dry_run") for rule in rules]
    kinds = ("replay", "dry run", "expired lease", "uncommissioned", *WRONG)
    n_made = 0
    for case in range(n_cases):
        kind = kinds[case % len(kinds)]
        gaps_um = np.minimum.accumulate(rng.uniform(0, 300, rng.integers(2, 6)))
        *before, last = records([float(gap) for gap in gaps_um])
        if kind == "uncommissioned":
            last = replace(last, image_mode="propose")
        newest = WRONG[kind](last) if kind in WRONG else last
        found = decide(
            [*before, newest],
            dry if kind == "dry run" else rules,
            # A replay and an ended lease allow no more than to propose.
            mode="propose" if kind in ("replay", "expired lease") else "auto",
            time_s=last.time_s,
        )
        made = [proposal for verdict in found for proposal in verdict.proposals]
        assert not any(proposal.mode == "auto" for proposal in made), kind
        assert not made or kind != "dry run"
        n_made += len(made)
    assert n_made > n_cases / 4
