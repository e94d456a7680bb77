"""A demo as a person starts it, and what a test wants to know of it."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from made_once import made_once

from lithoscope_messages import Entry, LabelsReady
from lithoscope_store import FrameReader, Store, read_journal

#: Facts about the processes themselves: the only ones that a kill may add to.
ABOUT_PROCESSES = frozenset({"ServiceStarted", "WorkStarted"})


def demo_command(store: Path, name: str, *more: str, scans: int = 3, seed: int = 5) -> list[str]:
    return [
        *(sys.executable, "-m", "lithoscope_services.cli", "demo"),
        *("--size", "tiny", "--scans", str(scans), "--seed", str(seed)),
        *("--headless", "--store", str(store), "--as", name, *more),
    ]


def undisturbed_demo(factory: pytest.TempPathFactory, *, scans: int = 3, seed: int = 5) -> Path:
    """Give the store of a demo ``first`` that nobody disturbed; it is only looked at."""

    def make(store: Path) -> None:
        command = demo_command(store, "first", "--no-wait", scans=scans, seed=seed)
        with running(command) as process:
            code = process.wait(300)
            assert code == 0, process.stdout.read()

    return made_once(factory, f"demo-{scans}-{seed}", make)


@contextmanager
def running(command: list[str]) -> Iterator[psutil.Popen]:
    """Run a command; whatever it started is gone afterwards, however the test ends."""
    process = psutil.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    family: list[psutil.Process] = []
    try:
        yield process
    finally:
        if process.is_running():
            family = process.children(recursive=True)
            process.terminate()
            try:
                process.wait(20)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
        for child in family:
            if child.is_running():
                child.kill()


def services(process: psutil.Process) -> dict[str, psutil.Process]:
    """Find the processes of a demo by name of the service."""
    found: dict[str, psutil.Process] = {}
    for child in process.children(recursive=True):
        try:
            words = child.cmdline()
        except psutil.Error:
            continue
        if "lithoscope_services.process" in words:
            found[words[words.index("lithoscope_services.process") + 1]] = child
        elif "lithoscope_services.supervisor" in words:
            found["supervisor"] = child
        elif "lithoscope_dashboard" in words:
            found["dashboard"] = child
    return found


def entries(store: Path, name: str) -> list[Entry]:
    return read_journal(Store(store).experiment(name).journal)


def facts(found: list[Entry]) -> Counter[str]:
    kinds = Counter(entry.message.type for entry in found)
    return Counter({kind: n for kind, n in kinds.items() if kind not in ABOUT_PROCESSES})


def label_hashes(found: list[Entry]) -> dict[int, str]:
    return {
        entry.message.scan: entry.message.sha256
        for entry in found
        if isinstance(entry.message, LabelsReady)
    }


def frame_hashes(store: Path, name: str, scans: int) -> list[str]:
    paths = Store(store).experiment(name)
    return [FrameReader(paths, scan, 0).frames_sha256() for scan in range(scans)]
