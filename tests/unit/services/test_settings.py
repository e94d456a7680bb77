from pathlib import Path

import pytest

from lithoscope_services.settings import (
    CONFIG_VARIABLE,
    ActuatorPlanSettings,
    Settings,
    SettingsError,
    load_settings,
    parse_settings,
    render_settings,
    replace_values,
)


def problems_of(text: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, where="cell.toml")
    return caught.value.problems


def test_an_empty_file_gives_the_defaults() -> None:
    settings = parse_settings("", where="cell.toml")

    assert settings == Settings()
    assert settings.rules[0].id == "remaining_gap"
    assert settings.rules[0].mode == "propose"
    assert settings.dashboard.host == "127.0.0.1"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().experiment.name = "other"


def test_an_unknown_key_names_line_and_nearest_known_key() -> None:
    problems = problems_of("[experiment]\nname = 'a'\n\n[ingest]\nbuffer_byte = 5\n")

    assert problems == (
        "cell.toml:5: ingest.buffer_byte: unknown key; did you mean ingest.buffer_bytes?",
    )


def test_a_key_in_the_wrong_table_is_found_in_the_right_one() -> None:
    problems = problems_of("[experiment]\nport = 8050\n")

    assert problems == ("cell.toml:2: experiment.port: unknown key; did you mean dashboard.port?",)


def test_an_unknown_table_names_the_nearest_known_one() -> None:
    problems = problems_of("[ingst]\nbuffer_bytes = 5\n")

    assert problems == ("cell.toml:1: ingst: unknown key; did you mean ingest?",)


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    text = """
[dashboard]
port = 99999
host = "beamline"
[ingest]
scan_timeout_s = "300"
[scan]
rotation_axis = "middle"
voxel_size_um = nan
[[rules]]
id = "first"
[[rules]]
id = "second"
k = 3
"""
    lines = [problem.split(": ")[0] for problem in problems_of(text)]

    assert lines == [f"cell.toml:{n}" for n in (3, 4, 6, 8, 9, 12)]


def test_a_number_in_quotes_is_no_number() -> None:
    (problem,) = problems_of('[plan]\nverdict_timeout_s = "600"\n')

    assert "plan.verdict_timeout_s: expected a valid number, '600' was given" in problem


def test_true_is_no_number() -> None:
    (problem,) = problems_of("[ingest]\nbuffer_bytes = true\n")

    assert "ingest.buffer_bytes" in problem


def test_broken_syntax_says_where() -> None:
    (problem,) = problems_of("[experiment\nname = 1\n")

    assert problem.startswith("cell.toml: no valid TOML")
    assert "line 1" in problem


def test_a_page_on_the_network_without_tls_is_refused() -> None:
    (problem,) = problems_of('[dashboard]\nhost = "192.0.2.7"\n')

    assert "passwords would go there in the clear" in problem
    assert "ssh -L" in problem


def test_a_page_on_all_addresses_must_say_its_names() -> None:
    keys = 'certificate = "page.pem"\nprivate_key = "page.key"\n'
    (problem,) = problems_of(f'[dashboard]\nhost = "0.0.0.0"\n{keys}')
    settings = parse_settings(
        f'[dashboard]\nhost = "0.0.0.0"\nnames = ["lab.example"]\n{keys}', where="cell.toml"
    )

    assert "dashboard" in problem
    assert "names" in problem
    assert settings.dashboard.names == ("lab.example",)


def test_a_tcp_endpoint_without_curve_is_refused() -> None:
    (problem,) = problems_of('[instance]\nframes_endpoint = "tcp://0.0.0.0:5555"\n')

    assert "CURVE" in problem


def test_a_rule_without_hysteresis_is_refused() -> None:
    (problem,) = problems_of("[[rules]]\nset_value = 120.0\nreset_value = 100.0\n")

    assert "cell.toml:1: rules[0]: reset_value 100 must lie at or above set_value 120" in problem


def test_two_rules_of_one_name_are_refused() -> None:
    (problem,) = problems_of('[[rules]]\nid = "gap"\n[[rules]]\nid = "gap"\n')

    assert "more than one has the id 'gap'" in problem


def test_rules_can_be_switched_off_altogether() -> None:
    assert parse_settings("rules = []\n", where="cell.toml").rules == ()


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"experiment.active_area_cm2": 0.5, "scan.rotation_axis": 295.7},
        {"experiment.sample": 'a "quoted" µ name', "instance.drain_timeout_s": 2.5},
    ],
)
def test_printed_settings_read_back_to_the_same(values: dict[str, object]) -> None:
    settings = replace_values(Settings(), values)

    assert parse_settings(render_settings(settings), where="printed") == settings
    assert parse_settings(render_settings(settings, with_comments=False), where="p") == settings


def test_printed_settings_without_rules_read_back_to_the_same() -> None:
    settings = parse_settings("rules = []\n", where="cell.toml")

    assert parse_settings(render_settings(settings), where="printed") == settings


def test_settings_as_json_read_back_to_the_same() -> None:
    settings = Settings()

    assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_every_key_has_a_meaning_and_a_default() -> None:
    lists = ("rules", "actuator_plans")
    tables = [getattr(Settings(), name) for name in Settings.model_fields if name not in lists]
    fields = {
        f"{type(table).__name__}.{name}": field
        for table in (*tables, Settings().rules[0], ActuatorPlanSettings())
        for name, field in type(table).model_fields.items()
    }

    assert [name for name, field in fields.items() if not field.description] == []
    assert [name for name, field in fields.items() if field.is_required()] == []


def test_the_environment_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "cell.toml"
    file.write_text('[experiment]\nname = "named"\n')
    monkeypatch.setenv(CONFIG_VARIABLE, str(file))

    assert load_settings(None).experiment.name == "named"


def test_the_command_line_goes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "given.toml"
    given.write_text('[experiment]\nname = "given"\n')
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "absent.toml"))

    assert load_settings(given).experiment.name == "given"


def test_no_file_at_all_gives_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONFIG_VARIABLE, raising=False)

    assert load_settings(None) == Settings()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml: cannot be read: No such file"):
        load_settings(tmp_path / "absent.toml")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "cell.toml"
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(SettingsError, match="no UTF-8 text"):
        load_settings(file)


def test_replacing_checks_the_whole_again() -> None:
    with pytest.raises(SettingsError, match=r"ingest\.buffer_bytes"):
        replace_values(Settings(), {"ingest.buffer_bytes": 0})


def test_replacing_an_unknown_key_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"ingest\.buffers: unknown key"):
        replace_values(Settings(), {"ingest.buffers": 5})
