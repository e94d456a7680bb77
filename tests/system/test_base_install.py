"""The wheel with its base dependencies alone runs the demo, without torch and in 1.25 GB at most.

The environment is made anew, as on a machine that has never seen Lithoscope; pip may take the
packages from its cache.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[2]
#: Promised as "1.2 GB".
MAX_BYTES = 1.25e9
NOT_IN_BASE = {"torch", "monai", "openvino", "pytest", "astra-toolbox"}
CORE_METRICS = {
    "stripping_side_thickness_um",
    "plating_side_thickness_um",
    "deposited_thickness_um",
    "deposited_volume_um3",
    "deposited_coverage",
    "electrode_gap_um",
    "remaining_gap_um",
    "li_total_volume_um3",
}


@dataclass(frozen=True, kw_only=True)
class BaseInstall:
    """An environment with the wheel, and a folder to work in."""

    folder: Path

    @property
    def environment(self) -> Path:
        return self.folder / "environment"

    def run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of the environment, away from the repository."""
        return checked([str(self.environment / "bin" / program), *arguments], cwd=self.folder)


def checked(command: list[str], *, cwd: Path) -> "subprocess.CompletedProcess[str]":
    # What this test's own process was told must not reach the new environment.
    plain = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, cwd=cwd, env=plain, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]} {done.stderr[-4000:]}"
    return done


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> BaseInstall:
    install = BaseInstall(folder=tmp_path_factory.mktemp("base"))
    pip = ("-m", "pip", "--disable-pip-version-check")
    wheels = install.folder / "wheels"
    checked(
        [sys.executable, *pip, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(ROOT)],
        cwd=install.folder,
    )
    checked([sys.executable, "-m", "venv", str(install.environment)], cwd=install.folder)
    wheel = next(wheels.glob("lithoscope-*.whl"))
    constraints = str(ROOT / "constraints.txt")
    install.run("python", *pip, "install", "--constraint", constraints, str(wheel))
    return install


@pytest.fixture(scope="module")
def report(installed: BaseInstall) -> dict[str, Any]:  # JSON
    """Run the demo there, and read its report."""
    store = ("--store", "store")
    size = ("--size", "tiny", "--scans", "3", "--seed", "5")
    installed.run("lithoscope", "demo", *size, "--headless", "--no-wait", *store, "--as", "first")
    done = installed.run("lithoscope", "report", "first", "--json", *store)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_the_demo_runs_there_and_measures_three_scans(report: dict[str, Any]) -> None:
    scans = report["scans"]

    assert [scan["scan"] for scan in scans] == [0, 1, 2]
    assert report["failures"] == []
    for scan in scans:
        known = {name for name, metric in scan["metrics"].items() if metric["value"] is not None}
        assert known >= CORE_METRICS


def test_a_test_scan_needs_no_library_of_a_beamline(
    installed: BaseInstall, report: dict[str, Any]
) -> None:
    done = installed.run("lithoscope", "test-scan", "first", "--json", "--store", "store")

    assert json.loads(done.stdout)["n_problems"] == 0


def test_nothing_is_installed_that_only_some_machines_need(installed: BaseInstall) -> None:
    listed = json.loads(installed.run("python", "-m", "pip", "list", "--format", "json").stdout)
    names = {package["name"].lower() for package in listed}

    assert "lithoscope" in names
    assert names.isdisjoint(NOT_IN_BASE)


def test_the_environment_is_small(installed: BaseInstall) -> None:
    files = [path for path in installed.environment.rglob("*") if not path.is_symlink()]

    assert sum(path.stat().st_size for path in files if path.is_file()) < MAX_BYTES
