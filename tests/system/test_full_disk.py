"""A disk that fills up during a scan: said aloud, nothing lost, and the scan goes on."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from spine import Spine, all_keys, begin, described, send, spine
from waiting import until

from lithoscope_messages import FrameKey, StageFailed
from lithoscope_store import FrameReader

pytestmark = pytest.mark.system
ROWS, COLUMNS = 64, 256  # 32 KiB a frame
N_PROJECTIONS = 100
N_BEFORE = 40
DISK_MIB = 32


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("needs the program mount")
    command = [mount, "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(disk)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path, *, leaving_bytes: int) -> Path:
    filler = disk / ".filler"
    filler.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - leaving_bytes)))
    return filler


def complaints(services: Spine) -> list[StageFailed]:
    return [
        entry.message
        for entry in services.entries("cell")
        if isinstance(entry.message, StageFailed)
    ]


def stored(services: Spine) -> set[FrameKey]:
    return set(FrameReader(services.store.experiment("cell"), 0, 0).keys)


@pytest.mark.parametrize(
    "leaving_bytes", [DISK_MIB * 2**20 // 40, 0], ids=["nearly full", "full to the last byte"]
)
def test_a_scan_outlives_a_full_disk(small_disk: Path, leaving_bytes: int) -> None:
    keys = all_keys(N_PROJECTIONS)

    with spine(small_disk / "store") as services, services.link("cell") as link:
        services.start("journal", "ingest")
        begin(link, 0, described(N_PROJECTIONS, rows=ROWS, columns=COLUMNS))
        for key in keys[:N_BEFORE]:
            send(link, key, rows=ROWS, columns=COLUMNS)
        link.flush()
        before = stored(services)
        filler = fill(small_disk, leaving_bytes=leaving_bytes)

        def send_the_rest() -> None:
            for key in keys[N_BEFORE:]:
                send(link, key, rows=ROWS, columns=COLUMNS)
            link.end_scan(0)

        sender = threading.Thread(target=send_the_rest)
        sender.start()
        if leaving_bytes:
            # The journal has kept room for itself, so that it can be read what is wrong.
            until(lambda: bool(complaints(services)), timeout_s=20, what="StageFailed of ingest")
        else:
            until(lambda: "full" in log_of(services), timeout_s=20, what="the log to say it")
        at_worst, is_waiting = stored(services), sender.is_alive()
        filler.unlink()
        sender.join(60)

        completed = services.completed("cell")
        said = complaints(services)
        assert before <= at_worst
        assert is_waiting
        assert before == set(keys[:N_BEFORE])
        assert stored(services) == set(keys)
        assert (completed.reason, completed.account.missing) == ("scan_end", 0)
        assert link.refusals == []
    if leaving_bytes:
        assert [each.stage for each in said] == ["ingest"]
        for words in ("nearly full", str(small_disk), "free space"):
            assert words in said[0].error


def log_of(services: Spine) -> str:
    return (services.runtime_dir / "ingest.log").read_text()
