"""What the stage says of a scan: every alarm, every proposal, and one answer at the end."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import pytest
from decide_journal import (
    EXPERIMENT,
    Followed,
    begun,
    failed,
    labelled,
    late,
    measured_scan,
    parts,
    started,
)

from lithoscope_messages import (
    ActionApproved,
    Armed,
    BlindAlarm,
    Disarmed,
    Fact,
    JournalMessage,
    ProposalMade,
    RuleFired,
    ScanDecided,
)
from lithoscope_pipeline.decide import default_rules
from lithoscope_pipeline.metric import Metric, measured, not_measured
from lithoscope_services.settings import DecideSettings, Settings
from lithoscope_services.settings.rule_table import rule_settings

AnyFact = TypeVar("AnyFact", bound=Fact)
PROPOSING = Settings(decide=DecideSettings(unvalidated_images="propose"))


def scan(
    number: int, gap_um: float | None, *, model: str = "layers", **changed: Metric
) -> list[JournalMessage]:
    return [
        started(number),
        labelled(number, model),
        measured_scan(number, gap_um, **changed),
    ]


def ratio(value: float) -> Metric:
    """Make a Faraday ratio that is known well."""
    return Metric(value=value, unit="1", low95=value - 0.2, high95=value + 0.2)


def armed() -> Armed:
    return Armed.model_validate(
        {**parts("lease"), "request": "request", "person": "Ada", "reason": "night",
         "ends_ns": 10**18, "rules_sha256": "0" * 64, "model": "layers"}
    )  # fmt: skip


def automatic() -> Settings:
    """Give settings whose gap rule may act on the labels of ``layers``."""
    default = Settings()
    gap, *others = default.rules
    return default.model_copy(
        update={
            "rules": (gap.model_copy(update={"mode": "auto"}), *others),
            "decide": DecideSettings(commissioned_models=("layers",)),
        }
    )


def of_type(facts: Sequence[Fact], kind: type[AnyFact]) -> list[AnyFact]:
    return [fact for fact in facts if isinstance(fact, kind)]


@pytest.fixture
def followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Followed:
    # How full the disk of this machine is decides nothing here.
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(total=10, free=5))
    return Followed(tmp_path)


def test_a_wide_gap_is_answered_with_go_on_and_nothing_else(followed: Followed) -> None:
    followed.tell([begun(PROPOSING), *scan(0, 280)])

    (answer,) = followed.decide()

    assert isinstance(answer, ScanDecided)
    assert answer.verdict == "continue"
    assert answer.model == "layers"
    assert answer.numbers["free_disk_fraction"].value is not None
    assert answer.numbers["voltage_drop_share"].flags == ("no_pulse_yet",)


def test_a_small_gap_fires_proposes_and_answers_last(followed: Followed) -> None:
    followed.tell([begun(PROPOSING), *scan(0, 280), *scan(1, 20)])

    facts = followed.decide()

    assert [type(fact).__name__ for fact in facts] == [
        *("ScanDecided", "RuleFired", "ProposalMade", "ProposalMade", "ScanDecided")
    ]
    hold, finer = of_type(facts, ProposalMade)
    assert (hold.action, hold.mode, hold.basis) == ("hold", "propose", "measured")
    assert (finer.action, finer.follows) == ("finer_scan", hold.proposal)
    assert finer.parameters == {"projections_factor": 2.0}
    assert of_type(facts, ScanDecided)[-1].proposals == (hold.proposal, finer.proposal)
    assert of_type(facts, ScanDecided)[-1].verdict == "continue"


def test_what_was_never_commissioned_stays_in_dry_run_by_default(followed: Followed) -> None:
    followed.tell([begun(Settings()), *scan(0, 280), *scan(1, 20)])

    facts = followed.decide()

    (fired,) = of_type(facts, RuleFired)
    assert (fired.mode, fired.action) == ("dry_run", "hold")
    assert "dry run" in fired.held_back
    assert of_type(facts, ProposalMade) == []


def test_armed_the_hold_is_automatic_and_the_plan_is_told_to_wait(followed: Followed) -> None:
    followed.tell([begun(automatic()), armed(), *scan(0, 280), *scan(1, 20)])
    unsure = of_type(followed.decide(), ProposalMade)
    followed.tell([*scan(2, 280)])
    followed.decide()
    followed.tell(scan(3, 20, ct_faraday_ratio=ratio(2.0)))

    facts = followed.decide()

    # After one pulse a ratio without an interval is worth nothing, and a person is asked.
    assert [each.mode for each in unsure] == ["propose", "propose"]
    assert [each.mode for each in of_type(facts, ProposalMade)] == ["auto", "auto"]
    (answer,) = of_type(facts, ScanDecided)
    assert (answer.verdict, answer.mode) == ("hold", "auto")
    assert "remaining_gap" in answer.reason


def test_after_a_lease_has_ended_a_person_is_asked(followed: Followed) -> None:
    ended = Disarmed.model_validate({**parts("over"), "person": "Ada", "reason": "morning"})
    followed.tell([begun(automatic()), armed(), ended, *scan(0, 280)])
    followed.tell(scan(1, 20, ct_faraday_ratio=ratio(2.0)))

    facts = followed.decide()

    assert {each.mode for each in of_type(facts, ProposalMade)} == {"propose"}
    assert of_type(facts, ScanDecided)[-1].verdict == "continue"


def test_a_hold_that_a_person_approved_keeps_the_plan_waiting(followed: Followed) -> None:
    followed.tell([begun(PROPOSING), *scan(0, 20)])
    (hold, _) = of_type(followed.decide(), ProposalMade)
    approved = ActionApproved(
        **parts("yes"), scan=0, proposal=hold.proposal, person="Ada", reason="it bridges"
    )
    followed.tell([approved, *scan(1, 280)])

    (answer,) = of_type(followed.decide(), ScanDecided)

    assert answer.verdict == "hold"
    assert "remaining_gap" in answer.reason


WRONG: dict[str, list[JournalMessage]] = {
    "given up": [started(1), failed(1)],
    "no gap": scan(1, None),
    "incomplete": scan(1, 250, reconstruction_completeness=measured(0.4, "1")),
    "other labels": scan(1, 250, model="other"),
    "no Faraday": scan(1, 250, ct_faraday_ratio=ratio(0.0)),
    "not registered": scan(1, 250, registration_residual_px=not_measured("px", "unregistered")),
}


@pytest.mark.parametrize("messages", WRONG.values(), ids=WRONG)
def test_whatever_is_wrong_with_a_scan_the_alarm_stands_and_asks(
    followed: Followed, messages: list[JournalMessage]
) -> None:
    followed.tell([begun(PROPOSING), *scan(0, 280)])
    followed.decide()
    followed.tell(messages)

    facts = followed.decide()

    alarms, proposals = of_type(facts, BlindAlarm), of_type(facts, ProposalMade)
    assert {alarm.rule for alarm in alarms} == {"remaining_gap", "soft_short_image"}
    assert {proposal.basis for proposal in proposals} == {"blind"}
    assert [alarm.proposal for alarm in alarms] == [each.proposal for each in proposals]
    assert of_type(facts, ScanDecided)[0].verdict == "continue"


def test_a_late_verdict_alarms_at_once_and_once(followed: Followed) -> None:
    followed.tell([begun(PROPOSING), *scan(0, 280)])
    followed.decide()
    followed.tell([started(1), late(1)])

    facts = followed.decide()
    followed.tell(scan(1, 270)[1:])
    later = followed.decide()

    assert {alarm.rule for alarm in of_type(facts, BlindAlarm)} == {
        "remaining_gap",
        "soft_short_image",
    }
    assert {each.basis for each in of_type(facts, ProposalMade)} == {"late"}
    assert of_type(facts, ScanDecided) == []
    assert [
        type(fact).__name__ for fact in later if not isinstance(fact, RuleFired | ProposalMade)
    ] == ["ScanDecided"]


GAPS_UM = (280.0, 240.0, 200.0, 150.0, 90.0, 30.0, 0.0)


def canonical(facts: Sequence[Fact]) -> list[str]:
    """Give the hashes of what was decided, without what lateness and the machine brought."""
    found = [
        fact.decision_sha256
        for fact in facts
        if isinstance(fact, RuleFired | ProposalMade) and fact.decision_sha256 is not None
    ]
    return sorted(found)


def test_a_replay_decides_alike_at_any_speed_and_in_any_order_that_keeps_its_causes(
    tmp_path: Path,
) -> None:
    scans = [scan(i, gap) for i, gap in enumerate(GAPS_UM)]
    live, fastest, mixed = (Followed(tmp_path / name) for name in ("live", "fastest", "mixed"))
    live.tell([begun(PROPOSING)])
    for messages in scans:
        live.tell(messages)
        live.decide()
    fastest.tell([begun(PROPOSING, source="replay"), *(each for one in scans for each in one)])
    fastest.decide()
    mixed.tell([begun(PROPOSING), late(1), *(each for one in scans[::-1] for each in one[::-1])])
    mixed.decide()

    assert canonical(live.facts)
    assert canonical(fastest.facts) == canonical(live.facts)
    assert canonical(mixed.facts) == canonical(live.facts)
    assert {fact.experiment for fact in live.facts} == {EXPERIMENT}


def test_default_rules_survive_the_settings() -> None:
    for rule in default_rules():
        assert rule_settings(rule).to_rule() == rule
