"""kill -9 of anything, at any moment, costs time and nothing else."""

import random
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from demo_process import (
    demo_command,
    entries,
    facts,
    frame_hashes,
    label_hashes,
    running,
    services,
    undisturbed_demo,
)

from lithoscope_store import verify_manifest
from lithoscope_store.layout import Store

pytestmark = pytest.mark.system
VICTIMS = (
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
    "supervisor",
)
KILLS = 3
SCANS = 3


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo that nobody disturbs."""
    return undisturbed_demo(tmp_path_factory, scans=SCANS)


def kill_some(process: psutil.Process, seed: int) -> Counter[str]:
    """Kill each victim as often as asked for, in rounds of random order."""
    rng = random.Random(seed)
    order = [name for _ in range(KILLS) for name in rng.sample(VICTIMS, len(VICTIMS))]
    killed: Counter[str] = Counter()
    for name in order:
        deadline_s = time.monotonic() + 60
        while process.is_running() and time.monotonic() < deadline_s:
            victim = services(process).get(name)
            if victim is not None:
                time.sleep(rng.uniform(0.0, 1.2))  # the moment is meant to be random
                try:
                    victim.kill()
                except psutil.NoSuchProcess:
                    continue
                killed[name] += 1
                break
            time.sleep(0.02)
    return killed


@pytest.mark.timeout(900)
def test_killing_each_service_three_times_changes_no_result(
    undisturbed: Path, tmp_path: Path
) -> None:
    with running(demo_command(tmp_path, "first", "--no-wait")) as process:
        killed = kill_some(process, seed=11)
        code = process.wait(400)

    log = (tmp_path / ".lithoscope" / "services.log").read_text()[-4000:]
    assert code == 0, log
    assert killed == dict.fromkeys(VICTIMS, KILLS), log
    expected, found = entries(undisturbed, "first"), entries(tmp_path, "first")
    assert facts(found) == facts(expected)
    assert label_hashes(found) == label_hashes(expected)
    assert len(label_hashes(found)) == SCANS
    assert frame_hashes(tmp_path, "first", SCANS) == frame_hashes(undisturbed, "first", SCANS)
    assert verify_manifest(Store(tmp_path).experiment("first")) == []
