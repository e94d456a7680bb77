"""``rules check`` says all that is wrong at once; ``backtest`` says when, and at what price."""

import json
from pathlib import Path

import pytest
from decide_journal import Followed, begun, labelled, measured_scan, started
from typer.testing import CliRunner

from lithoscope_messages import RuleFired
from lithoscope_services.cli.app import make_app
from lithoscope_services.rule_backtest import backtest_entries
from lithoscope_services.rule_check import check_rules
from lithoscope_services.settings import DecideSettings, Settings, SettingsError

BROKEN = """[[rules]]
id = "gap"
set_value = "x"
reset_value = 10
k = 3
n = 2
colour = "red"
[[rules]]
id = "lower"
action = "lower_current"
parameters = { current_share = 2.0 }
comparison = "above"
set_value = 1
reset_value = 3
"""


def test_everything_that_is_wrong_is_said_at_once_with_its_line_and_its_cure(
    tmp_path: Path,
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(BROKEN)

    with pytest.raises(SettingsError) as caught:
        check_rules(file)

    texts = [problem.removeprefix(f"{file}:") for problem in caught.value.problems]
    assert [int(text.split(":")[0]) for text in texts] == [3, 4, 5, 6, 7, 8, 11, 14]
    assert "give a number without quotes" in texts[0]
    assert "reset_value 10 must lie at or above set_value 120" in texts[1]
    assert "a short does not; set k = 1 and n = 1" in texts[3]
    assert "known here: id, metric" in texts[4]
    assert "needs high95" in texts[5]
    assert "give 0.1 to 0.9 (of the present current)" in texts[6]


def test_the_default_rules_are_printed_with_when_they_fire() -> None:
    shown = CliRunner().invoke(make_app(), ["rules", "check"])
    as_json = CliRunner().invoke(make_app(), ["rules", "check", "--json"])

    assert shown.exit_code == 0
    assert "14 rules; nothing is wrong with them" in shown.output
    rules = json.loads(as_json.output)["rules"]
    assert [rule["id"] for rule in rules][:2] == ["remaining_gap", "soft_short_voltage"]
    assert len({rule["sha256"] for rule in rules}) == 14


def test_a_broken_file_ends_with_exit_code_1(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(BROKEN)

    shown = CliRunner().invoke(make_app(), ["rules", "check", "--rules", str(file)])

    assert shown.exit_code == 1
    assert shown.output.count("lithoscope: error:") == 8


def test_a_backtest_fires_where_the_experiment_did(tmp_path: Path) -> None:
    followed = Followed(tmp_path)
    proposing = Settings(decide=DecideSettings(unvalidated_images="propose"))
    followed.tell([begun(proposing)])
    for number, gap_um in enumerate((280.0, 220.0, 160.0, 80.0, 20.0, 0.0)):
        followed.tell(
            [started(number, pulse=number), labelled(number), measured_scan(number, gap_um)]
        )
        followed.decide()
    document = backtest_entries(followed.store.experiment("cell"), followed.entries, Settings())

    rows = {row["rule"]: row for row in document["rules"]}
    live = [(fact.rule, fact.scan) for fact in followed.facts if isinstance(fact, RuleFired)]
    tried = [(row["rule"], fired["scan"]) for row in rows.values() for fired in row["fired"]]
    assert sorted(tried) == sorted(live)
    assert ("remaining_gap", 3) in tried
    assert "less" in rows["remaining_gap"]["fired"][0]["reason"]
    assert rows["fast_growth"]["outcome"] == "it would not have fired"


def test_nothing_is_said_of_an_experiment_that_is_not_there(tmp_path: Path) -> None:
    shown = CliRunner().invoke(
        make_app(), ["rules", "backtest", "nobody", "--store", str(tmp_path)]
    )

    assert shown.exit_code != 0
