"""An instance that is given a foreign stream: one process more, started again like the others."""

import sys
from pathlib import Path

import psutil
import pytest
import zmq
from demo_process import entries, running, services
from foreign import N_DARKS, N_FLATS, N_PROJECTIONS, gigafrost, scan_of
from waiting import until

from lithoscope_messages import ExperimentEnded, ScanCompleted
from lithoscope_store import FrameReader, Store

pytestmark = pytest.mark.system
CONFIG = f"""
[experiment]
name = "streamed"
n_scans = 1

[scan]
voxel_size_um = 4.5
rotation_axis = 2.5

[source]
kind = "array-1.0"
address = "ADDRESS"
n_darks = {N_DARKS}
n_flats = {N_FLATS}
n_projections = {N_PROJECTIONS}

[dashboard]
port = 0
"""


def up(config: Path, store: Path) -> list[str]:
    command = [sys.executable, "-m", "lithoscope_services.cli", "up"]
    return [*command, "--config", str(config), "--store", str(store)]


def stored(store: Path) -> int:
    paths = Store(store).experiment("streamed")
    return len(FrameReader(paths, 0, 0).keys) if paths.index(0, 0).exists() else 0


def kill(process: psutil.Process) -> int:
    process.kill()
    return process.pid


def test_up_takes_a_stream_though_its_source_is_killed_and_ends_with_the_experiment(
    tmp_path: Path,
) -> None:
    messages = [gigafrost(frame) for frame in scan_of(0)]
    with zmq.Context() as context, context.socket(zmq.PUSH) as sender:
        sender.setsockopt(zmq.LINGER, 0)
        sender.setsockopt(zmq.SNDTIMEO, 60_000)
        port = sender.bind_to_random_port("tcp://127.0.0.1")
        config = tmp_path / "stream.toml"
        config.write_text(CONFIG.replace("ADDRESS", f"tcp://127.0.0.1:{port}"))
        store = tmp_path / "store"

        with running(up(config, store)) as process:
            for parts in messages[:25]:
                sender.send_multipart(parts)
            until(lambda: stored(store) == 25, timeout_s=60, what="25 frames")
            killed = kill(services(process)["source"])
            until(
                lambda: services(process).get("source", process).pid not in (killed, process.pid),
                timeout_s=30,
                what="another source",
            )
            for parts in messages[25:]:
                sender.send_multipart(parts)
            code = process.wait(120)

    facts = [entry.message for entry in entries(store, "streamed")]
    (completed,) = [fact for fact in facts if isinstance(fact, ScanCompleted)]
    assert code == 0
    assert completed.account.missing == 0
    assert isinstance(facts[-1], ExperimentEnded)
