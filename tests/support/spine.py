"""Journal, ingest and stages as real processes in a folder of their own, for tests of the wire."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import zmq
from numpy.typing import NDArray
from waiting import until

from lithoscope_messages import (
    Entry,
    ExpectedCount,
    ExperimentDescription,
    FrameKey,
    FrameKind,
    Role,
    ScanCompleted,
)
from lithoscope_services.frame_link import FrameLink, ScanDescription
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.loop import endpoint
from lithoscope_services.settings import Settings
from lithoscope_store import FrameReader, Store

ROWS, COLUMNS = 8, 32


class Spine:
    """Services of a store, each started and killed by name."""

    def __init__(self, store: Store, runtime_dir: Path, settings: Settings) -> None:
        self.store = store
        self.runtime_dir = runtime_dir
        self._settings = runtime_dir / "settings.json"
        self._settings.write_text(settings.model_dump_json())
        self._lifeline, self._write_fd = os.pipe()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()

    def start(self, *names: str) -> None:
        """Start services that do not run; what they need is waited for by themselves."""
        for name in names:
            if name not in self._running:
                self._running[name] = self._spawn(name)

    def _spawn(self, name: str) -> "subprocess.Popen[bytes]":
        command = [
            *(sys.executable, "-m", "lithoscope_services.process", name),
            *("--store", str(self.store.root), "--runtime-dir", str(self.runtime_dir)),
            *("--settings", str(self._settings), "--lifeline-fd", str(self._lifeline)),
        ]
        with (self.runtime_dir / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, pass_fds=(self._lifeline,), stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """End a service with SIGKILL."""
        process = self._running.pop(name)
        process.kill()
        process.wait(10)

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a service."""
        self._running[name].send_signal(number)

    def is_running(self, name: str) -> bool:
        return self._running[name].poll() is None

    def close(self) -> None:
        """End all by closing their life-line, as the death of a supervisor does."""
        os.close(self._write_fd)
        for process in self._running.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        os.close(self._lifeline)
        self.context.term()

    def journal(self, role: Role = "command_line") -> JournalClient:
        return JournalClient(self.context, endpoint(self.runtime_dir, "journal"), role)

    def link(self, experiment: str, *, patience_s: float = 60.0) -> FrameLink:
        address = endpoint(self.runtime_dir, "frames")
        return FrameLink(address, experiment, resend_after_s=0.3, patience_s=patience_s)

    def entries(self, experiment: str) -> list[Entry]:
        with self.journal() as client:
            return client.read_all(experiment)

    def completed(self, experiment: str, scan: int = 0) -> ScanCompleted:
        """Wait for the end of a scan."""
        found: list[ScanCompleted] = []

        def look() -> bool:
            found.extend(
                entry.message
                for entry in self.entries(experiment)
                if isinstance(entry.message, ScanCompleted) and entry.message.scan == scan
            )
            return bool(found)

        until(look, timeout_s=60, what=f"the end of scan {scan}")
        return found[0]


@contextmanager
def spine(store_root: Path, settings: Settings | None = None) -> Iterator[Spine]:
    """Make a place for services; all of them are gone afterwards."""
    # Not under tmp_path: the address of a socket has at most 107 characters.
    runtime_dir = Path(tempfile.mkdtemp(prefix="lithoscope-"))
    store_root.mkdir(parents=True, exist_ok=True)
    made = Spine(Store(store_root), runtime_dir, settings or Settings())
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(runtime_dir)


def image(index: int, *, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.uint16]:
    """Make a frame that is unlike the others."""
    rng = np.random.default_rng(index)
    return rng.integers(100, 60_000, (rows, columns), dtype=np.uint16)


def described(
    n_projections: int, *, rows: int = ROWS, columns: int = COLUMNS, n_flats: int = 2
) -> ScanDescription:
    return ScanDescription(
        expected=(
            ExpectedCount(kind="dark", count=1),
            ExpectedCount(kind="flat", count=n_flats),
            ExpectedCount(kind="projection", count=n_projections),
        ),
        frame_shape=(rows, columns),
        dtype="uint16",
        voxel_size_um=5.0,
    )


def all_keys(n_projections: int, *, scan: int = 0, n_flats: int = 2) -> list[FrameKey]:
    counts: tuple[tuple[FrameKind, int], ...] = (
        ("dark", 1),
        ("flat", n_flats),
        ("projection", n_projections),
    )
    return [
        FrameKey(scan=scan, kind=kind, index=index)
        for kind, count in counts
        for index in range(count)
    ]


def send(link: FrameLink, key: FrameKey, *, rows: int = ROWS, columns: int = COLUMNS) -> None:
    """Send the frame of a key; its pixels follow from the key."""
    theta_deg = float(key.index) if key.kind == "projection" else None
    pixels = image(key.index + 1000 * len(key.kind), rows=rows, columns=columns)
    link.send_frame(key, pixels, theta_deg=theta_deg)


def begin(link: FrameLink, scan: int, description: ScanDescription) -> None:
    link.begin_experiment(ExperimentDescription())
    link.begin_scan(scan, description)


def stored(services: Spine, experiment: str, scan: int = 0) -> FrameReader:
    return FrameReader(services.store.experiment(experiment), scan, 0)
