"""Writing so that it survives a power cut: all or nothing, and on the disk when we say so."""

import ctypes
import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lithoscope_store.errors import StoreFullError

PARTIAL = ".partial"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# Linux, not in the module os: sync_file_range(2).
_SYNC_FILE_RANGE = getattr(ctypes.CDLL(None), "sync_file_range", None)
_SYNC_FILE_RANGE_WRITE = 2
if _SYNC_FILE_RANGE is not None:
    _SYNC_FILE_RANGE.argtypes = (
        ctypes.c_int,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_uint,
    )


@contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """Turn "no space left" into an error that says where and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFullError(
                error.errno,
                f"no space left while writing {path}; nothing already stored is lost; "
                "free space on this disk, it goes on by itself",
            ) from error
        raise


def fsync_directory(path: Path) -> None:
    """Wait until the names in a directory are on the disk."""
    _fsync(path, os.O_RDONLY | os.O_DIRECTORY)


def make_directory(path: Path, *, mode: int = 0o777) -> None:
    """Create a directory with its parents, and the names of all of them on the disk."""
    if path.is_dir():
        return
    make_directory(path.parent)
    with naming_full_disk(path):
        path.mkdir(mode=mode, exist_ok=True)
        fsync_directory(path.parent)


def write_atomic(path: Path, data: bytes | memoryview, *, mode: int = 0o666) -> None:
    """Write a whole file: after a crash there is the old one or the new one.

    Parameters
    ----------
    path
        Where to; its directory must exist.
    data
        All bytes of the file.
    mode
        Permissions, less the umask of the process.

    Raises
    ------
    StoreFullError
        If there is no space left; the old file stands, nothing else is left behind.
    """
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")
    with naming_full_disk(path):
        try:
            _write_new(partial, data, mode)
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        fsync_directory(path.parent)


def write_fully(descriptor: int, data: bytes | memoryview) -> None:
    """Write all bytes to an open file, however many calls that takes."""
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def begin_flush(descriptor: int) -> None:
    """Have the disk begin with what was written to a file, and wait for nothing.

    A later fsync finds less to do. It is a hint alone: where it cannot be given, nothing happens.
    """
    if _SYNC_FILE_RANGE is not None:
        _SYNC_FILE_RANGE(descriptor, 0, 0, _SYNC_FILE_RANGE_WRITE)


def sweep_partial_files(directory: Path) -> tuple[Path, ...]:
    """Remove what interrupted writes left behind in one directory, and name it.

    Only for the one process that writes there: it would take the file of a running write too.
    """
    stale = tuple(sorted(directory.glob(f"*{PARTIAL}")))
    for path in stale:
        path.unlink(missing_ok=True)
    return stale


def _write_new(path: Path, data: bytes | memoryview, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        write_fully(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fsync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        with naming_full_disk(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
