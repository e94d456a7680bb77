"""Stopping a demo, politely or not, leaves nothing behind; starting it again goes on."""

import json
import signal
import time
from pathlib import Path

import psutil
import pytest
from demo_process import demo_command, entries, label_hashes, running, services, undisturbed_demo
from waiting import until

from lithoscope_messages import ScanCompleted
from lithoscope_store import find_instance
from lithoscope_store.layout import Store

pytestmark = pytest.mark.system
ALL = {
    "supervisor",
    "journal",
    "ingest",
    "reconstruct",
    "register",
    "segment",
    "measure",
    "decide",
    "act",
    "label",
    "dashboard",
    "beamline",
}
STOP_S = 5.0
SCANS = 3


def socket_folders(store: Path) -> list[Path]:
    """Find the folders of sockets that the instances of a store have announced."""
    found = Store(store).instances.glob("*.json")
    return [Path(json.loads(path.read_text())["runtime_dir"]) for path in found]


def is_scanning(store: Path, name: str) -> bool:
    """Whether a scan has come in and the next one is on its way."""
    index = Store(store).experiment(name).index(1, 0)
    return index.exists() and index.stat().st_size > 1000


def gone(family: list[psutil.Process]) -> bool:
    return not any(
        process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_demo_within_five_seconds_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    with running(demo_command(tmp_path, "stopped", "--no-wait")) as process:
        until(lambda: set(services(process)) >= ALL, timeout_s=60, what="all services")
        until(lambda: is_scanning(tmp_path, "stopped"), timeout_s=90, what="frames")
        family = process.children(recursive=True)
        folders = socket_folders(tmp_path)
        begin_s = time.monotonic()

        process.send_signal(number)
        code = process.wait(30)

        took_s = time.monotonic() - begin_s
        log = (tmp_path / ".lithoscope" / "services.log").read_text()[-3000:]
        assert took_s < STOP_S, log
        assert code == 0
        assert gone(family), [process for process in family if process.is_running()]
    assert len(folders) == 1
    assert not folders[0].exists()
    assert find_instance(Store(tmp_path)) is None
    assert list(Store(tmp_path).instances.iterdir()) == []


def test_a_demo_can_be_stopped_while_it_is_starting(tmp_path: Path) -> None:
    with running(demo_command(tmp_path, "stopped", "--no-wait")) as process:
        until(lambda: "supervisor" in services(process), timeout_s=60, what="the supervisor")
        family = process.children(recursive=True)
        begin_s = time.monotonic()

        process.terminate()
        code = process.wait(30)

        assert time.monotonic() - begin_s < STOP_S
        assert code == 0
        assert gone(family)
    assert list(Store(tmp_path).instances.glob("*.json")) == []


@pytest.mark.timeout(400)
def test_a_demo_whose_front_was_killed_leaves_no_process_and_can_be_resumed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = undisturbed_demo(tmp_path_factory, scans=SCANS)
    store = tmp_path / "broken"
    command = demo_command(store, "first", "--no-wait", scans=SCANS)
    with running(command) as process:
        until(lambda: is_scanning(store, "first"), timeout_s=90, what="frames")
        family = process.children(recursive=True)
        process.kill()
        process.wait(10)
        until(lambda: gone(family), timeout_s=2 * STOP_S, what="the end of all services")
    left = socket_folders(store)
    before = [
        entry.message.scan
        for entry in entries(store, "first")
        if isinstance(entry.message, ScanCompleted)
    ]

    with running(command) as process:
        assert process.wait(200) == 0

    found = entries(store, "first")
    assert before == [0]
    assert label_hashes(found) == label_hashes(entries(whole, "first"))
    assert len(label_hashes(found)) == SCANS
    assert not any(folder.exists() for folder in left)
    assert socket_folders(store) == []
