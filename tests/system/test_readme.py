"""Every command that README.md shows is run as a reader would, on simulated scans.

A command that no entry of ``HOW`` knows fails: say there how it is run.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile
from demo_process import running
from waiting import until

import lithoscope
from lithoscope_pipeline.labels import UNLABELLED, SegmentClass
from lithoscope_store import Store, read_journal, read_slab, volume_info

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]
ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
FENCES = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
BIN = Path(sys.executable).parent
STAGES = {"reconstruct", "register", "segment", "measure", "decide"}
SERVICES = {"journal", "ingest", *STAGES, "act", "label"}
START_S, RUN_S = 60, 200


def commands(block: str) -> list[str]:
    lines = [line.partition(" #")[0].strip() for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


BLOCKS = [commands(text) for language, text in FENCES if language == "sh"]


def here(command: str) -> list[str]:
    """Take the programs of the running environment instead of those in ``.venv``."""
    program, *rest = shlex.split(command)
    return [str(BIN / program.removeprefix(".venv/bin/")), *rest]


def environment() -> dict[str, str]:
    # A make that runs the tests must not be taken for the one that is asked here.
    outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "LITHOSCOPE_CONFIG")
    return {key: value for key, value in os.environ.items() if key not in outer}


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=RUN_S
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def would_run(*words: str) -> str:
    """Ask make what it would do."""
    return run(["make", "--dry-run", "--no-print-directory", *words], ROOT)


def make_demo(_command: str, folder: Path) -> None:
    arguments = "--size tiny --scans 1 --headless --no-wait"
    lines = would_run("demo", f"ARGS={arguments}").splitlines()
    demo = next(line for line in lines if "lithoscope demo" in line)

    said = run(here(demo), folder)

    assert demo.endswith(arguments)
    assert "lithoscope report demo" in said
    assert len(read_journal(Store(folder / "lithoscope-store").experiment("demo").journal)) > 10


def make_test(_command: str, _folder: Path) -> None:
    said = would_run("test")

    for tool in ("ruff format --check", "ruff check", "mypy", "lint-imports", "pytest"):
        assert tool in said


def ingest(command: str, folder: Path) -> None:
    run(here(command), folder)

    listed = run([str(BIN / "lithoscope"), "report", "my-cell", "--json"], folder)
    scans = json.loads(listed)["scans"]
    assert [len(scan["metrics"]) > 10 for scan in scans] == [True, True]


def reconstruct(command: str, folder: Path) -> None:
    run(here(command), folder)

    assert (folder / "scan_000.zarr" / "zarr.json").is_file()


def register(command: str, folder: Path) -> None:
    run(here("lithoscope reconstruct scan_001.h5 --out scan_001.zarr"), folder)

    assert run(here(command), folder).startswith("resolved by gauss-newton")


def reprocess(command: str, folder: Path) -> None:
    run(here(command), folder)

    assert (folder / "lithoscope-store" / "my-cell-2" / "manifest.sha256").is_file()


def compare(command: str, folder: Path) -> None:
    assert "Labels are equal to the voxel in" in run(here(command), folder)


def replay(command: str, folder: Path) -> None:
    # Its block begins with an experiment that is there already.
    run(here("lithoscope ingest scan_000.h5 scan_001.h5 --as my-cell"), folder)
    # Another instance on this machine may have the usual port.
    said = run([*here(command), "--no-page"], folder)

    assert "2 label hashes" in said
    assert "are equal" in said


def verify(command: str, folder: Path) -> None:
    assert "all is as it was stored" in run(here(command), folder)


def export(command: str, folder: Path) -> None:
    run(here(command), folder)

    assert {path.name for path in (folder / "for-others").iterdir()} == {
        "scan_0000.h5",
        "scan_0001.h5",
    }


def hindsight(command: str, folder: Path) -> None:
    store = Store(folder / "lithoscope-store").experiment("my-cell")
    for path in sorted((store.root / "reconstructions").glob("*.zarr")):
        stack = folder / "last-year" / f"scan_{path.name[:4]}"
        stack.mkdir(parents=True)
        for number, image in enumerate(read_slab(path, 0, volume_info(path).shape[0])):
            tifffile.imwrite(stack / f"slice_{number:03d}.tif", image)

    run(here(command), folder)

    assert "seen afterwards" in (folder / "last-year.html").read_text()


def new(command: str, folder: Path) -> None:
    if "--from tcp://" in command:
        # No detector is here; a scan in a file is looked at with the same words.
        said = run([str(BIN / "lithoscope"), "new", "--from", "scan_000.h5"], folder)
        assert "DXchange" in said
        return
    run(here(command), folder)

    config = folder / "my-cell.toml"
    text = config.read_text()
    assert re.search(r"(?m)^active_area_cm2 = 0.5$", text)
    # Another instance on this machine may have the usual port.
    config.write_text(re.sub(r"(?m)^port = \d+", "port = 0", text))


def up(command: str, folder: Path) -> None:
    ready = dict.fromkeys(SERVICES, "ready")
    words = here(command)
    with chdir(folder), running(words) as process:
        until(lambda: states(process, folder) >= ready.items(), timeout_s=START_S, what="READY")

        process.send_signal(signal.SIGINT)

        assert process.wait(20) == 0


def take_test_scan(command: str, folder: Path) -> None:
    # The instance of this block has no scan; one in a file is taken in first.
    said = run([*here(command)[:-1], "scan_000.h5"], folder)

    assert "pixel size" in said


def measure(command: str, folder: Path) -> None:
    metrics = json.loads(run(here(command), folder))["metrics"]

    assert metrics["plating_electrode_volume_um3"]["value"] > 0


def fine_tune(command: str, folder: Path) -> None:
    # Seven slices of the labels stand for what a reader paints on the page.
    program = str(BIN / "lithoscope")
    run([program, "ingest", "scan_000.h5", "scan_001.h5", "--as", "my-cell"], folder)
    labels = np.asarray(lithoscope.open(folder / "lithoscope-store" / "my-cell").scan(1).labels)
    painted = np.full_like(labels, UNLABELLED)
    slices = np.linspace(0, len(labels) - 1, 7).astype(int)
    painted[slices] = np.where(labels[slices] <= max(SegmentClass), labels[slices], UNLABELLED)
    tifffile.imwrite(folder / "painted.tif", painted)
    run([program, "labels", "import", "my-cell", "painted.tif", "--scan", "1"], folder)

    run([*here(command), "--steps", "2"], folder)

    assert (folder / "my-cell-model" / "model.json").is_file()


HOW: dict[str, Callable[[str, Path], None]] = {
    "make demo": make_demo,
    "make test": make_test,
    ".venv/bin/lithoscope ingest": ingest,
    ".venv/bin/lithoscope reconstruct": reconstruct,
    ".venv/bin/lithoscope register": register,
    ".venv/bin/lithoscope reprocess": reprocess,
    ".venv/bin/lithoscope compare": compare,
    ".venv/bin/lithoscope replay": replay,
    ".venv/bin/lithoscope verify": verify,
    ".venv/bin/lithoscope export": export,
    ".venv/bin/lithoscope hindsight": hindsight,
    ".venv/bin/lithoscope new": new,
    ".venv/bin/lithoscope up": up,
    ".venv/bin/lithoscope test-scan": take_test_scan,
    ".venv/bin/lithoscope measure": measure,
    ".venv/bin/lithoscope model": fine_tune,
}


def states(process: psutil.Process, folder: Path) -> "set[tuple[str, str]]":
    """Ask the services of an instance how they are; nothing as long as there is none."""
    assert process.is_running()
    command = [str(BIN / "lithoscope"), "status", "--json"]
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=30
    )
    if done.returncode:
        return set()
    found = json.loads(done.stdout)["services"]
    return {(each["service"], each["state"]) for each in found}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "scans"
    run(here(f"lithoscope simulate --size tiny --scans 2 --seed 5 --out {folder}"), ROOT)
    return folder


@pytest.fixture
def folder(simulated: Path, tmp_path: Path) -> Path:
    """A folder with the files that README.md names."""
    for name, source in {
        "scan_000.h5": "scan_000.h5",
        "scan_001.h5": "scan_001.h5",
        "labels.zarr": "labels_001.zarr",
    }.items():
        (tmp_path / name).symlink_to(simulated / source)
    return tmp_path


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block[0])
def test_the_commands_of_a_block_do_what_they_say(block: list[str], folder: Path) -> None:
    for command in block:
        name = " ".join(command.split()[:2])
        assert name in HOW, f"README.md shows {command!r}; say in HOW how it is tested"
        HOW[name](command, folder)


def test_every_block_of_the_page_is_one_of_commands() -> None:
    assert len(BLOCKS) >= 4
    assert {language for language, _ in FENCES} == {"sh"}
