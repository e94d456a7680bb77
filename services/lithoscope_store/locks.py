"""One lock for each experiment: who holds it writes there, all others only read."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from lithoscope_store.durable import make_directory
from lithoscope_store.errors import LockedError
from lithoscope_store.layout import ExperimentPaths


@contextmanager
def experiment_lock(paths: ExperimentPaths) -> Iterator[None]:
    """Hold the lock of an experiment; it ends with the process at the latest.

    It belongs to the open file: a child made by a bare fork shares it, one that was spawned or
    that executes a program does not.

    Raises
    ------
    LockedError
        If another process holds it; the text says which.
    """
    make_directory(paths.root)
    descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        _lock(descriptor, paths)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def lock_holder(paths: ExperimentPaths) -> int | None:
    """Process that holds the lock of an experiment; None if nobody does."""
    try:
        descriptor = os.open(paths.lock, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid(descriptor)
    finally:
        os.close(descriptor)
    return None


def _lock(descriptor: int, paths: ExperimentPaths) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = _pid(descriptor) or "(just started)"
        raise LockedError(
            f"process {holder} works on experiment {paths.name!r} in {paths.root.parent}; "
            "stop it (`lithoscope status` shows it) or use another name"
        ) from error


def _pid(descriptor: int) -> int:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else 0
