"""Bad input at the command line ends in exit code 1 and one line that says what to do."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from demo_process import demo_command, running
from waiting import until

from lithoscope_store import FORMAT_VERSION, JournalDatabase, find_instance
from lithoscope_store.layout import Store

pytestmark = pytest.mark.system


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "lithoscope_services.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def check_one_line(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == 1, done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("lithoscope: error: ")
    for word in words:
        assert word in lines[0]


@pytest.fixture
def runtime_root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for sockets of this test alone, short enough for their addresses."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="run-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def test_a_taken_port_is_named_and_leaves_nothing(tmp_path: Path, runtime_root: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        config = tmp_path / "cell.toml"
        config.write_text(f'[experiment]\nname = "cell"\n[dashboard]\nport = {port}\n')

        done = run("up", "--store", str(tmp_path / "store"), "--config", str(config))

    check_one_line(done, f"port {port}", "127.0.0.1", "[dashboard] port")
    assert not list(runtime_root.rglob("*.json"))
    assert not list(runtime_root.glob("lithoscope/*"))


def test_an_unknown_key_of_the_configuration_is_named_with_the_nearest_one(
    tmp_path: Path,
) -> None:
    config = tmp_path / "cell.toml"
    config.write_text("[ingest]\nscan_timeot_s = 5.0\n")

    done = run("up", "--store", str(tmp_path / "store"), "--config", str(config))

    check_one_line(done, "scan_timeot_s", "scan_timeout_s", str(config))


@pytest.mark.parametrize("command", ["demo", "up"])
def test_a_store_of_a_newer_format_is_refused(tmp_path: Path, command: str) -> None:
    paths = Store(tmp_path / "store").experiment("cell")
    paths.create()
    paths.format_file.write_text(json.dumps({"format_version": FORMAT_VERSION + 1}))
    config = tmp_path / "cell.toml"
    config.write_text('[experiment]\nname = "cell"\n')
    more = ("--as", "cell", "--headless", "--no-wait") if command == "demo" else ()

    done = run(command, *more, "--store", str(tmp_path / "store"), "--config", str(config))

    check_one_line(done, str(FORMAT_VERSION + 1), "lithoscope")


def test_a_journal_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    import sqlite3

    store = Store(tmp_path / "store")
    paths = store.experiment("cell")
    paths.create()
    JournalDatabase(paths.journal, "cell").close()
    connection = sqlite3.connect(paths.journal)
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    connection.close()

    done = run(*("demo", "--as", "cell", "--headless", "--no-wait"), "--store", str(store.root))

    check_one_line(done, str(FORMAT_VERSION + 1))


def test_a_second_instance_on_a_store_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with running(demo_command(tmp_path, "first", scans=1)) as process:
        until(
            lambda: find_instance(Store(tmp_path)) is not None, timeout_s=60, what="the instance"
        )

        done = run("demo", "--store", str(tmp_path), "--as", "second", "--headless")

        check_one_line(done, "already has a running instance", "--store")
        assert process.is_running()


@pytest.mark.parametrize("until_stage", ["reconstruct", "decide"])
def test_a_file_that_turns_out_bad_on_the_way_ends_its_ingest(
    tmp_path: Path, until_stage: str
) -> None:
    path = tmp_path / "scan.h5"
    data = np.full((12, 4, 16), 500, np.float32)
    data[9] = np.nan
    with h5py.File(path, "w") as file:
        file["exchange/data"] = data
        file["exchange/data_white"] = np.full((2, 4, 16), 1000, np.float32)
        file["exchange/data_dark"] = np.full((1, 4, 16), 100, np.float32)
        file["exchange/theta"] = np.arange(12) * 15.0

    done = run(
        *("ingest", str(path), "--as", "bad", "--voxel-um", "5", "--until", until_stage),
        *("--store", str(tmp_path / "store")),
    )

    check_one_line(done, str(path))
