"""Acknowledged ingest: a FrameLink into the real services, against a plain copy of the bytes."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.places import disk_kind, places
from benchmarks.tables import Report, Table
from benchmarks.timing import Timed, Timings, interleave, wall_s
from lithoscope_messages import ExpectedCount, ExperimentDescription, FrameKey
from lithoscope_services.frame_link import FrameLink, ScanDescription
from lithoscope_services.loop import endpoint
from lithoscope_services.settings import Settings
from lithoscope_store import Store

ROWS, COLUMNS = 2048, 2448
FRAME_BYTES = 2 * ROWS * COLUMNS
DISTINCT = 8  # frames that take turns, so that they fit into memory
INDEX_BYTES = 112  # of a frame; about what our record of it has
OURS, PLAIN = "acknowledged ingest", "plain copy"
NEEDED = 0.6
NAME = "bench"
Image = NDArray[np.uint16]


def measure(*, is_quick: bool) -> Report:
    """Send scans into the services and copy as many bytes by turns, on disk and in memory."""
    n_frames, repeats = (12, 3) if is_quick else (48, 11)
    images = _images()
    rows = []
    with places(needed_bytes=2 * n_frames * FRAME_BYTES) as found:
        for place, folder in found.items():
            with _ingesting(folder / "store") as link:
                contenders = {
                    OURS: _timed_scan(folder / "store", link, images, n_frames),
                    PLAIN: _timed_copy(folder / "copy", images, n_frames),
                }
                rows += _rows(place, interleave(contenders, repeats=repeats), n_frames)
    commit_ms = Settings().ingest.group_commit_ms
    return Report(
        title="Acknowledged ingest",
        method=(
            f"{n_frames} frames of {ROWS} x {COLUMNS} uint16 ({n_frames * FRAME_BYTES / 1e6:.0f} "
            "MB) from the memory of a sending process, which leaves them as they are so that the "
            "link need not copy them, over the frame link into the processes of ingest and "
            "journal, until all are acknowledged: each checked against its CRC-32C, "
            "written as one shard of a Zarr array with a CRC-32C for each chunk, entered in an "
            f"index, fsynced, and announced in the journal; in groups of {commit_ms:.0f} ms. The "
            "plain copy writes the same bytes from the memory of one process to one file a frame, "
            "with no checksum, format or other process; after each "
            f"{commit_ms:.0f} ms it fsyncs these files, their folder, and a file with a record "
            "of each frame.",
            f"Medians of {repeats} interleaved rounds by the clock; in brackets the least and the "
            f"largest of a round. Needed is a rate of {NEEDED} of the plain copy. Begin and end "
            "of the scan, removing the last round's files and `sync` do not count. The disk is "
            f"{disk_kind()}.",
        ),
        tables=(
            Table(
                title="Rate, and against the plain copy",
                columns=("place", "way", "GB/s", "ms a frame", "rate / plain copy", "holds"),
                rows=rows,
            ),
        ),
        packages=("lithoscope", "google-crc32c", "numpy", "pyzmq"),
    )


def _images() -> list[Image]:
    rng = np.random.default_rng(0)
    made = [rng.integers(0, 60_000, (ROWS, COLUMNS), dtype=np.uint16) for _ in range(DISTINCT)]
    for image in made:
        image.setflags(write=False)  # else each is copied once more
    return made


@contextmanager
def _ingesting(store: Path) -> Iterator[FrameLink]:
    """Start journal and ingest on a store, and connect to them."""
    # Not in the store: the address of a socket has at most 107 characters.
    runtime_dir = Path(tempfile.mkdtemp(prefix="lithoscope-bench-"))
    store.mkdir()
    settings = runtime_dir / "settings.json"
    settings.write_text(Settings().model_dump_json())
    read_fd, write_fd = os.pipe()
    running = [_start(name, store, runtime_dir, read_fd) for name in ("journal", "ingest")]
    try:
        with FrameLink(endpoint(runtime_dir, "frames"), NAME, patience_s=120.0) as link:
            link.begin_experiment(ExperimentDescription())
            yield link
    finally:
        os.close(write_fd)  # their life-line
        for process in running:
            process.wait(60)
        os.close(read_fd)
        shutil.rmtree(runtime_dir)


def _start(
    name: str, store: Path, runtime_dir: Path, lifeline_fd: int
) -> "subprocess.Popen[bytes]":
    command = [
        *(sys.executable, "-m", "lithoscope_services.process", name),
        *("--store", str(store), "--runtime-dir", str(runtime_dir)),
        *("--settings", str(runtime_dir / "settings.json"), "--lifeline-fd", str(lifeline_fd)),
    ]
    with (runtime_dir / f"{name}.log").open("ab") as log:
        return subprocess.Popen(command, pass_fds=(lifeline_fd,), stdout=log, stderr=log)


def _timed_scan(store: Path, link: FrameLink, images: Sequence[Image], n_frames: int) -> Timed:
    scans = iter(range(10_000))
    frames = Store(store).experiment(NAME).root / "frames"
    description = ScanDescription(
        expected=(ExpectedCount(kind="projection", count=n_frames),),
        frame_shape=(ROWS, COLUMNS),
        dtype="uint16",
        voxel_size_um=1.0,
    )

    def run() -> float:
        scan = next(scans)
        shutil.rmtree(frames, ignore_errors=True)
        link.begin_scan(scan, description)
        os.sync()
        seconds = wall_s(lambda: _send(link, scan, images, n_frames))
        link.end_scan(scan)
        if link.refusals:
            raise RuntimeError(f"ingest refused a frame: {link.refusals[0].reason}")
        return seconds

    return run


def _send(link: FrameLink, scan: int, images: Sequence[Image], n_frames: int) -> None:
    for index in range(n_frames):
        key = FrameKey(scan=scan, kind="projection", index=index)
        link.send_frame(key, images[index % DISTINCT], theta_deg=float(index))
    link.flush()


def _timed_copy(root: Path, images: Sequence[Image], n_frames: int) -> Timed:
    def run() -> float:
        shutil.rmtree(root, ignore_errors=True)
        os.sync()
        return wall_s(lambda: _copy(root, images, n_frames))

    return run


def _copy(root: Path, images: Sequence[Image], n_frames: int) -> None:
    folder = root / "frames"
    folder.mkdir(parents=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    group_s = Settings().ingest.group_commit_ms / 1000
    index = os.open(root / "index", flags)
    opened: list[int] = []
    due_s = time.monotonic() + group_s
    for number in range(n_frames):
        opened.append(os.open(folder / str(number), flags))
        _write_fully(opened[-1], images[number % DISTINCT].data.cast("B"))
        if time.monotonic() >= due_s or number == n_frames - 1:
            for descriptor in opened:
                os.fsync(descriptor)
                os.close(descriptor)
            _sync_folder(folder)
            _write_fully(index, memoryview(bytes(INDEX_BYTES * len(opened))))
            os.fsync(index)
            opened.clear()
            due_s = time.monotonic() + group_s
    os.close(index)


def _write_fully(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _rows(place: str, timings: Timings, n_frames: int) -> list[tuple[str, ...]]:
    def cells(name: str) -> tuple[str, str, str, str]:
        seconds = timings.median_s(name)
        rate = n_frames * FRAME_BYTES / seconds / 1e9
        return place, name, f"{rate:.2f}", f"{1e3 * seconds / n_frames:.1f}"

    # Of rates, not of times: the plain copy's time over ours.
    rate = timings.ratio(PLAIN, OURS)
    holds = "yes" if rate >= NEEDED else "no"
    return [
        (*cells(OURS), timings.ratio_text(PLAIN, OURS), holds),
        (*cells(PLAIN), "1", ""),
    ]
