"""A store, a journal and a dashboard as processes of their own, for tests of the pages."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zmq
from waiting import until

from lithoscope_messages import FactMessage, Role, adapter_of
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.settings.tree import Settings
from lithoscope_store import volumes
from lithoscope_store.layout import Store

NAME = "first"
SHA = "0" * 64
TOKEN = "0" * 16
DEADLINE_S = 30.0
SHAPE = (8, 10, 12)
_FACTS = adapter_of(FactMessage)


class Instance:
    """A store, a journal and a dashboard, each its own process."""

    def __init__(self, store: Path, runtime_dir: Path, *options: str) -> None:
        self.store, self.runtime_dir = Store(store), runtime_dir
        self.paths = self.store.experiment(NAME)
        self.paths.create()
        self._settings = runtime_dir / "settings.json"
        self._settings.write_text(Settings().model_dump_json())
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.lifeline_fd, self._lifeline_end = -1, -1
        self.journal = self.start_journal()
        self.dashboard = self.start_dashboard(*options)
        self.url = self.wait_url()

    def start_journal(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "lithoscope_services.process", "journal"),
                *("--store", str(self.store.root), "--runtime-dir", str(self.runtime_dir)),
                *("--settings", str(self._settings)),
            ]
        )

    def start_dashboard(self, *options: str) -> "subprocess.Popen[bytes]":
        read_fd, self.lifeline_fd = os.pipe()
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "lithoscope_dashboard", "--port", "0"),
                *("--store", str(self.store.root), "--runtime-dir", str(self.runtime_dir)),
                *("--lifeline-fd", str(read_fd), *options),
            ],
            pass_fds=[read_fd],
            stderr=subprocess.PIPE,
        )
        os.close(read_fd)
        return process

    def restart_dashboard(self, *options: str) -> None:
        """Start the dashboard anew on the port that it had; the one before must be gone."""
        self.dashboard.wait(10)
        if self.dashboard.stderr is not None:
            self.dashboard.stderr.close()
        os.close(self.lifeline_fd)
        port = self.url.rstrip("/").rpartition(":")[2]
        self.dashboard = self.start_dashboard("--port", port, *options)

    def wait_url(self) -> str:
        announced = self.runtime_dir / "dashboard.json"
        until(announced.exists, timeout_s=DEADLINE_S, what="the announcement of the dashboard")
        return str(json.loads(announced.read_text())["url"])

    def append(self, *facts: dict[str, Any]) -> None:
        for fact in facts:
            role: Role = fact.pop("role")
            common = {"experiment": NAME, "time_ns": time.time_ns(), "producer": role}
            message = _FACTS.validate_python({**common, **fact})
            with self.client(role) as journal:
                journal.append([message])

    def client(self, role: Role) -> JournalClient:
        address = f"ipc://{self.runtime_dir}/journal"
        return JournalClient(self.context, address, role, patience_s=DEADLINE_S)

    def add_scan(self, scan: int, gap_um: float) -> None:
        """Store a small volume with labels and say so; then its metrics."""
        volume = self.paths.volume(scan, f"{scan:064d}")
        info = volumes.create_volume(volume, shape=SHAPE, voxel_um=2.0, name="test")
        volumes.create_labels(
            volume, "cell", (volumes.LabelClass(1, "stripping", (0, 114, 178, 255)),)
        )
        rng = np.random.default_rng(scan)
        for z0 in range(0, SHAPE[0], info.slab_slices):
            shape = (min(info.slab_slices, SHAPE[0] - z0), *SHAPE[1:])
            volumes.write_slab(volume, z0, rng.random(shape, np.float32))
            volumes.write_slab(volume, z0, np.full(shape, 1, np.uint8), label="cell")
        volumes.finish_volume(volume)
        metrics = {"remaining_gap_um": {"value": gap_um, "unit": "µm"}}
        self.append(
            {
                **{"type": "LabelsReady", "role": "segment", "key": f"labels:{scan}"},
                **{"scan": scan, "work_key": SHA, "path": self.paths.relative(volume)},
                **{"shape": SHAPE, "voxel_um": 2.0, "sha256": f"{scan:064d}", "model": "test"},
            },
            {
                **{"type": "MetricsReady", "role": "measure", "key": f"metrics:{scan}"},
                **{"scan": scan, "work_key": SHA, "experiment_time_s": 60.0 * scan},
                **{"cycle": 0, "half_cycle": 0, "completeness": 1.0, "metrics": metrics},
            },
        )

    def start(self, **description: Any) -> None:
        """Say that the experiment has begun."""
        self.append(
            {
                **{"type": "ExperimentStarted", "role": "ingest", "key": "start"},
                **{"description": description, "settings": {}, "format_version": 1},
            }
        )

    def alarm(self, scan: int, reason: str = "no gap") -> None:
        """Say that a rule is blind."""
        self.append(
            {
                **{"type": "BlindAlarm", "role": "decide", "key": f"blind:{scan}", "scan": scan},
                **{"rule": "remaining_gap", "reason": reason, "guidance": "Look at the flats."},
            }
        )

    def fail(self, scan: int) -> None:
        """Say that a stage has given up."""
        self.append(
            {
                **{"type": "StageFailed", "role": "segment", "key": f"failed:{scan}"},
                **{"scan": scan, "stage": "segment", "attempts": 3, "error": "no memory; free it"},
            }
        )

    def messages(self) -> list[Any]:
        """Read all that stands in the journal."""
        with self.client("command_line") as journal:
            return [entry.message for entry in journal.read_all(NAME)]

    def propose(self, scan: int) -> None:
        evidence = {"metric": "remaining_gap_um", "value": 110.0, "bound_used": "value"}
        self.append(
            {
                **{"type": "ProposalMade", "role": "decide", "key": f"proposal:{scan}"},
                **{"scan": scan, "proposal": f"gap:{scan}", "rule": "remaining_gap"},
                **{"rule_sha256": SHA, "action": "hold", "rule_class": "reduces_risk"},
                **{"mode": "propose", "evidence": [evidence], "reason": "the gap is small"},
                **{"experiment_time_s": 60.0, "expires_s": 600.0},
            }
        )

    def close(self) -> None:
        for process in (self.dashboard, self.journal):
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stderr is not None:
                process.stderr.close()
        os.close(self.lifeline_fd)
        self.context.destroy(linger=0)


@contextmanager
def running_instance(store: Path, *options: str) -> Iterator[Instance]:
    """Run journal and dashboard; options are those of the dashboard."""
    # Addresses of sockets end at 107 characters: the folder must have a short name.
    runtime_dir = Path(tempfile.mkdtemp(prefix="ls-"))
    made = Instance(store, runtime_dir, *options)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(runtime_dir)


def fetch(url: str, **headers: str) -> tuple[int, Any, bytes]:
    """Ask over HTTP; gives status, headers and body."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=names)) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()
