"""``config check`` and ``new``, and what all commands share, run in this process."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]
COMMANDS = (
    "demo",
    "up",
    "new",
    "test-scan",
    "simulate",
    "ingest",
    "reconstruct",
    "measure",
    "report",
    "status",
    "doctor",
    "config check",
)


def test_help_names_every_command(run: Run) -> None:
    code, out, _ = run("--help")

    assert code == 0
    names = [command.split()[0] for command in COMMANDS]
    assert [name for name in names if f" {name} " not in out] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_with_an_example(run: Run, command: str) -> None:
    code, out, _ = run(*command.split(), "--help")

    assert code == 0
    # Typer breaks lines where it likes.
    assert f"Example: lithoscope {command}" in " ".join(out.split())


def test_an_unknown_command_is_wrong_usage(run: Run) -> None:
    code, out, err = run("reconstrct")

    assert (code, out) == (2, "")
    assert "reconstrct" in err


def test_an_unknown_option_is_wrong_usage(run: Run) -> None:
    code, _, err = run("report", "demo", "--jsn")

    assert code == 2
    assert "--jsn" in err


def test_the_version_is_printed(run: Run) -> None:
    code, out, _ = run("--version")

    assert code == 0
    assert out.startswith("lithoscope ")


def test_config_check_prints_settings_that_read_back(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "cell.toml"
    file.write_text("[ingest]\nscan_timeout_s = 60\n")

    code, out, err = run("config", "check", str(file))

    assert (code, err) == (0, "")
    assert tomllib.loads(out)["ingest"]["scan_timeout_s"] == 60.0
    assert tomllib.loads(out)["dashboard"]["port"] == 8050


def test_config_check_as_json_is_alone_on_standard_output(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "cell.toml"
    file.write_text("")

    code, out, err = run("config", "check", str(file), "--json")

    assert (code, err) == (0, "")
    assert json.loads(out)["register"]["max_shift_px"] == 12.0


def test_config_check_names_every_problem(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "cell.toml"
    file.write_text("[ingest]\nbuffer_byte = 5\n[dashboard]\nport = -1\n")

    code, out, err = run("config", "check", str(file))

    assert (code, out) == (1, "")
    first, second = err.splitlines()
    assert first.startswith(f"lithoscope: error: {file}:2: ingest.buffer_byte: unknown key")
    assert "did you mean ingest.buffer_bytes?" in first
    assert second.startswith(f"lithoscope: error: {file}:4: dashboard.port")


def test_other_commands_name_the_first_problem_in_one_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "cell.toml"
    file.write_text("[ingest]\nbuffer_byte = 5\n[dashboard]\nport = -1\n")

    code, out, err = run("doctor", "--config", str(file))

    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "ingest.buffer_byte: unknown key" in err
    assert "1 more" in err


def test_new_writes_a_file_that_is_valid(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "cell-7.toml"

    code, out, _ = run("new", "cell-7", "--active-area-cm2", "0.5", "--out", str(file))

    assert code == 0
    assert f"lithoscope up --config {file}" in out
    experiment = tomllib.loads(file.read_text())["experiment"]
    assert (experiment["name"], experiment["active_area_cm2"]) == ("cell-7", 0.5)


def test_new_does_not_replace_a_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "cell-7.toml"
    file.write_text("mine")

    code, _, err = run("new", "cell-7", "--out", str(file))

    assert code == 1
    assert err == (
        f"lithoscope: error: {file}: file exists; choose another name, or remove what is there\n"
    )
    assert file.read_text() == "mine"


def test_new_replaces_a_file_when_told_to(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "cell-7.toml"
    file.write_text("mine")

    code, _, _ = run("new", "cell-7", "--out", str(file), "--force")

    assert code == 0
    assert "cell-7" in file.read_text()


def test_new_refuses_a_name_that_cannot_be_a_folder(run: Run, tmp_path: Path) -> None:
    code, _, err = run("new", "../cell", "--out", str(tmp_path / "a.toml"))

    assert code == 1
    assert "experiment.name: '../cell' does not match" in err
