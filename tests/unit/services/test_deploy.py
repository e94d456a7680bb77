"""Example configurations are valid, and files for other tools name what exists."""

import configparser
import re
from pathlib import Path

import pytest

from lithoscope_services.settings import load_settings

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
EXAMPLES = sorted(DEPLOY.glob("*.toml"))
CONTAINERS = ("Containerfile", "Containerfile.gpu")


def test_there_is_an_example_for_each_way_of_running() -> None:
    assert [path.stem for path in EXAMPLES] == [
        "bluesky",
        "dectris-stream",
        "gigafrost-stream",
        "one-workstation",
        "pva-stream",
        "queue-server",
        "replay-only",
        "several-machines",
        "slurm",
        "watched-folder",
    ]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_configuration_is_valid(path: Path) -> None:
    assert load_settings(path).dashboard.host == "127.0.0.1"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_configuration_only_proposes(path: Path) -> None:
    assert {rule.mode for rule in load_settings(path).rules} <= {"propose", "dry_run"}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_copies_what_is_there(name: str) -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (DEPLOY / name).read_text(), re.MULTILINE)
    sources = [source for line in copied for source in line.split()]

    assert "services" in sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_does_not_run_as_root(name: str) -> None:
    assert re.search(r"^USER lithoscope$", (DEPLOY / name).read_text(), re.MULTILINE)


def test_the_conda_environment_has_tomopy() -> None:
    text = (DEPLOY / "environment.yml").read_text()
    lines = [line.split("#")[0].rstrip() for line in text.splitlines()]
    keys = [line.split(":")[0] for line in lines if line and not line.startswith((" ", "-"))]
    items = [line.strip().removeprefix("- ") for line in lines if line.lstrip().startswith("- ")]

    assert keys == ["name", "channels", "dependencies"]
    assert "conda-forge" in items
    assert any(item.startswith("tomopy") for item in items)


def test_the_systemd_unit_starts_a_command_that_exists() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
    unit.read(DEPLOY / "lithoscope.service")

    program, command, *_ = unit["Service"]["ExecStart"].split()
    assert program.endswith("/bin/lithoscope")
    assert command == "up"
