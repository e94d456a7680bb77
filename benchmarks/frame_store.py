"""Frames to disk: ``FrameWriter`` against a plain copy of the same bytes, fsynced as often."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import google_crc32c
import numpy as np

from benchmarks.places import disk_kind, places
from benchmarks.tables import Report, Table
from benchmarks.timing import Timed, Timings, interleave, wall_s
from lithoscope_messages import FrameHeader
from lithoscope_store import FrameWriter, Store

ROWS, COLUMNS = 2048, 2448
FRAME_BYTES = 2 * ROWS * COLUMNS
GROUP = 6  # frames in a commit
INDEX_BYTES = 64  # of a frame; about what our record of it has
OURS, PLAIN = "FrameWriter", "plain copy"


def measure(*, is_quick: bool) -> Report:
    """Write a run of frames both ways, on disk and in memory."""
    n_frames, repeats = (12, 3) if is_quick else (48, 11)
    frames = _frames(n_frames)
    rows = []
    with places(needed_bytes=n_frames * FRAME_BYTES) as found:
        for place, folder in found.items():
            contenders = {
                OURS: _timed(folder, lambda root: _write_ours(root, frames)),
                PLAIN: _timed(folder, lambda root: _write_plain(root, frames)),
            }
            rows += _rows(place, interleave(contenders, repeats=repeats), n_frames)
    return Report(
        title="Frames to disk",
        method=(
            f"{n_frames} frames of {ROWS} x {COLUMNS} uint16 ({n_frames * FRAME_BYTES / 1e6:.0f} "
            f"MB), made durable in groups of {GROUP}. `{OURS}` checks each frame's CRC-32C "
            "against its header, writes it as one shard of a Zarr array with a CRC-32C for each "
            "chunk, and keeps an index; both checksums come from one more reading of each byte. "
            "The plain copy writes the same bytes to one file a frame, with no checksum and no "
            "format. Both then fsync each file, the folder, and a file with a record of each "
            "frame.",
            f"Medians of {repeats} interleaved rounds by the clock; in brackets the least and the "
            "largest ratio of a round. Removing the last round's files and `sync` come before, "
            f"and do not count. The disk is {disk_kind()}.",
        ),
        tables=(
            Table(
                title="Rate, and time against the plain copy",
                columns=("place", "way", "GB/s", "ms a frame", "time / plain copy"),
                rows=rows,
            ),
        ),
        packages=("lithoscope", "google-crc32c", "numpy"),
    )


def _frames(count: int) -> list[tuple[FrameHeader, bytes]]:
    """Make frames of noise; a few of them take turns, so that they fit into memory."""
    rng = np.random.default_rng(0)
    shape = (ROWS, COLUMNS)
    pixels = [rng.integers(0, 60_000, shape, dtype=np.uint16).tobytes() for _ in range(GROUP)]
    checksums = [google_crc32c.value(each) for each in pixels]
    return [
        (
            FrameHeader(
                experiment="bench",
                scan=0,
                kind="projection",
                index=index,
                session="0" * 32,
                sequence=index,
                theta_deg=float(index),
                time_ns=0,
                dtype="uint16",
                shape=shape,
                crc32c=checksums[index % GROUP],
            ),
            pixels[index % GROUP],
        )
        for index in range(count)
    ]


def _timed(folder: Path, write: Callable[[Path], None]) -> Timed:
    def run() -> float:
        root = folder / "written"
        shutil.rmtree(root, ignore_errors=True)
        os.sync()
        return wall_s(lambda: write(root))

    return run


def _write_ours(root: Path, frames: list[tuple[FrameHeader, bytes]]) -> None:
    paths = Store(root).experiment("bench")
    paths.create()
    with FrameWriter(paths, 0, 0) as writer:
        for number, (header, pixels) in enumerate(frames, start=1):
            writer.write(header, pixels)
            if number % GROUP == 0:
                writer.commit()


def _write_plain(root: Path, frames: list[tuple[FrameHeader, bytes]]) -> None:
    folder = root / "frames"
    folder.mkdir(parents=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    index = os.open(root / "index", flags)
    for first in range(0, len(frames), GROUP):
        descriptors = []
        for header, pixels in frames[first : first + GROUP]:
            descriptors.append(os.open(folder / str(header.index), flags))
            _write_fully(descriptors[-1], pixels)
        for descriptor in descriptors:
            os.fsync(descriptor)
            os.close(descriptor)
        _sync_folder(folder)
        _write_fully(index, bytes(INDEX_BYTES * GROUP))
        os.fsync(index)
    os.close(index)


def _write_fully(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _rows(place: str, timings: Timings, n_frames: int) -> list[tuple[str, ...]]:
    return [
        (
            place,
            name,
            f"{n_frames * FRAME_BYTES / timings.median_s(name) / 1e9:.2f}",
            f"{1e3 * timings.median_s(name) / n_frames:.1f}",
            timings.ratio_text(name, PLAIN) if name != PLAIN else "1",
        )
        for name in (OURS, PLAIN)
    ]
