"""``status`` and ``report`` against a journal service that runs in a process of its own."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zmq

from lithoscope_messages import ExperimentDescription, ExperimentStarted
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.loop import endpoint
from lithoscope_services.reading import read_entries
from lithoscope_services.settings import Settings
from lithoscope_services.status import read_status
from lithoscope_store.discovery import (
    InstanceFile,
    remove_instance,
    runtime_directory,
    write_instance,
)
from lithoscope_store.layout import Store


@dataclass(frozen=True, slots=True)
class RunningJournal:
    store: Store
    runtime_dir: Path
    process: "subprocess.Popen[bytes]"


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningJournal]:
    """A journal service, announced as an instance of this test's own process."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    store = Store(tmp_path / "store")
    instance_id = uuid.uuid4().hex[:8]
    runtime_dir = runtime_directory(instance_id)
    settings = tmp_path / "settings.json"
    settings.write_text(Settings().model_dump_json())
    write_instance(
        store,
        InstanceFile(
            id=instance_id,
            version="test",
            runtime_dir=str(runtime_dir),
            endpoints={name: endpoint(runtime_dir, name) for name in ("journal", "feed")},
        ),
    )
    read_fd, write_fd = os.pipe()
    command = [
        sys.executable, "-m", "lithoscope_services.process", "journal",
        "--store", str(store.root), "--runtime-dir", str(runtime_dir),
        "--settings", str(settings), "--lifeline-fd", str(read_fd),
    ]  # fmt: skip
    process = subprocess.Popen(command, pass_fds=(read_fd,), stderr=subprocess.DEVNULL)
    os.close(read_fd)
    yield RunningJournal(store, runtime_dir, process)
    os.close(write_fd)
    process.wait(timeout=10)
    remove_instance(store, instance_id)
    for path in runtime_dir.iterdir():
        path.unlink()
    runtime_dir.rmdir()


def begin(running: RunningJournal) -> None:
    """Append the first fact of an experiment, as ingest does."""
    running.store.experiment("cell-7").create()
    fact = ExperimentStarted(
        experiment="cell-7",
        key="cell-7",
        time_ns=time.time_ns(),
        producer="test",
        description=ExperimentDescription(),
        settings={},
        format_version=1,
    )
    with (
        zmq.Context() as context,
        JournalClient(context, endpoint(running.runtime_dir, "journal"), "ingest") as client,
    ):
        client.append([fact])


def test_status_shows_the_service_and_its_experiments(running: RunningJournal) -> None:
    begin(running)

    status = read_status(running.store.root)

    (service,) = status["services"]
    assert (service["service"], service["pid"]) == ("journal", running.process.pid)
    assert service["state"] in ("ready", "running")
    assert service["heartbeat_age_s"] < 2.5
    assert {"experiment": "cell-7", "head": 1, "sealed": False} in status["experiments"]
    json.dumps(status, allow_nan=False)


def test_status_shows_a_stopped_service_as_silent(running: RunningJournal) -> None:
    begin(running)
    running.process.terminate()
    running.process.wait(timeout=10)

    (service,) = read_status(running.store.root)["services"]

    assert (service["service"], service["state"]) == ("journal", "silent")


def test_a_report_reads_the_running_journal(running: RunningJournal) -> None:
    begin(running)

    entries = read_entries(running.store, "cell-7")

    assert [entry.message.type for entry in entries] == ["ExperimentStarted"]


def test_a_report_reads_the_file_when_the_journal_keeps_silent(running: RunningJournal) -> None:
    begin(running)
    running.process.kill()
    running.process.wait(timeout=10)

    entries = read_entries(running.store, "cell-7")

    assert [entry.message.type for entry in entries] == ["ExperimentStarted"]
