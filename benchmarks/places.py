"""Folders to write in: on this machine's disk, and in memory if it has such a place."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")


def disk_kind() -> str:
    """Name the file system that ``disk`` is on; ``TMPDIR`` chooses another one."""
    folder = Path(tempfile.gettempdir()).resolve()
    kinds = {
        Path(part.mountpoint): f"{part.fstype} on {part.device}"
        for part in psutil.disk_partitions(all=True)
        if folder.is_relative_to(part.mountpoint)
    }
    return kinds[max(kinds, key=lambda place: len(place.parts))]


@contextmanager
def places(*, needed_bytes: int) -> Iterator[dict[str, Path]]:
    """Give an empty folder by the name of its place; all are gone afterwards.

    Parameters
    ----------
    needed_bytes
        What is written at a time: a place with less than twice that is left out.
    """
    parents = {"disk": Path(tempfile.gettempdir()), "tmpfs": MEMORY}
    found = {
        name: Path(tempfile.mkdtemp(prefix="lithoscope-bench-", dir=parent))
        for name, parent in parents.items()
        if parent.is_dir() and shutil.disk_usage(parent).free > 2 * needed_bytes
    }
    try:
        yield found
    finally:
        for folder in found.values():
            shutil.rmtree(folder)
