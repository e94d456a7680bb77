"""A RunEngine in a process of its own, as a user has it, through all services.

Its frames are on disk as ophyd-async wrote them, its documents come over bluesky's publisher and
proxy. What is seen in them must be what is seen in the same frames as DXchange files: the pristine
cell, the end of charging, and the end of the discharge.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from bluesky_lab import proxy
from demo_process import entries, frame_hashes, label_hashes, running
from waiting import until

from lithoscope_messages import ElectrochemistryAppended, ScanCompleted
from lithoscope_store import Store

pytestmark = [pytest.mark.system, pytest.mark.timeout(500)]
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "external_run_engine.py"
SCANS = 3
EXPERIMENT = f"""
[experiment]
name = "NAME"
n_scans = {SCANS}

[dashboard]
port = 0
"""
SOURCE = """
[source]
kind = "bluesky"
address = "ADDRESS"
documents = "msgpack"
prefix = "lithoscope"
folder = "FOLDER"
"""


def cli(*words: str, store: Path | None = None) -> list[str]:
    at = [] if store is None else ["--store", str(store)]
    return [sys.executable, "-m", "lithoscope_services.cli", *words, *at]


def config(path: Path, text: str, **values: str) -> Path:
    for name, value in values.items():
        text = text.replace(name, value)
    path.write_text(text)
    return path


def take_documents(tmp_path: Path, store: Path) -> None:
    """Run the example beside an instance that follows its documents."""
    detector = tmp_path / "detector"
    # Not under tmp_path: the address of a socket has at most 107 characters.
    with tempfile.TemporaryDirectory() as sockets, proxy(Path(sockets)) as (inward, outward):
        settings = config(
            tmp_path / "documents.toml",
            EXPERIMENT + SOURCE,
            NAME="documents",
            ADDRESS=outward,
            FOLDER=str(detector),
        )
        log = store / ".lithoscope" / "services.log"
        with running(cli("up", "--config", str(settings), store=store)) as instance:
            until(
                lambda: log.exists() and "documents_followed" in log.read_text(),
                timeout_s=90,
                what="the source to listen",
            )
            whole_cycle = ["--scans", str(SCANS), "--of", str(SCANS)]
            example = [sys.executable, str(EXAMPLE), "--publish", inward]
            subprocess.run(
                [*example, "--experiment", "documents", "--folder", str(detector), *whole_cycle],
                check=True,
                timeout=200,
            )
            assert instance.wait(200) == 0, log.read_text()[-4000:]


def take_files(tmp_path: Path, store: Path) -> None:
    """Give the frames of the same cell as DXchange files."""
    folder = tmp_path / "files"
    simulate = cli("simulate", "--size", "tiny", "--scans", str(SCANS), "--seed", "5")
    subprocess.run([*simulate, "--out", str(folder)], check=True, timeout=200)
    files = [str(path) for path in sorted(folder.glob("scan_*.h5"))]
    settings = config(tmp_path / "files.toml", EXPERIMENT, NAME="files")
    command = cli("ingest", *files, "--as", "files", "--config", str(settings), store=store)
    subprocess.run(command, check=True, timeout=200)


def test_documents_of_an_external_engine_give_the_labels_of_the_same_frames_as_files(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    take_documents(tmp_path, store)

    take_files(tmp_path, store)

    found = entries(store, "documents")
    completed = [e.message for e in found if isinstance(e.message, ScanCompleted)]
    assert [fact.account.missing for fact in completed] == [0] * SCANS
    assert frame_hashes(store, "documents", SCANS) == frame_hashes(store, "files", SCANS)
    assert len(label_hashes(found)) == SCANS
    assert label_hashes(found) == label_hashes(entries(store, "files"))
    assert any(isinstance(e.message, ElectrochemistryAppended) for e in found)
    assert (Store(store).experiment("documents").root / "manifest.sha256").exists()
