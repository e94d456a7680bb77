"""A folder into which others write files: which of them are finished, looked at again and again.

Files are looked at, not waited for with inotify: that says nothing of what other machines write
to a network file system, which is where detectors write. A file is finished when

1. it lies in the folder itself, is a plain file and no link, and has the name of an HDF5 file that
   is not a temporary one;
2. size and time of change have been the same for ``settled_s``;
3. no program holds its lock for writing, as HDF5 does on local file systems.

Of files that are finished at the same time that with the first name comes first, numbers in names
counting by their value.
"""

import fcntl
import os
import re
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = frozenset({".h5", ".hdf5", ".hdf", ".nxs", ".nx"})
#: How names of files that are not finished begin and end, before the suffix.
_TEMPORARY_START = (".", "~", "#")
_TEMPORARY_END = (".tmp", ".temp", ".part", ".partial", "~")
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes when a file is written or replaced."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> "Stamp | None":
        """Look at a file without following links; None if there is no plain file."""
        try:
            found = path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


class FolderWatch:
    """Tells which files of a folder are finished.

    Parameters
    ----------
    folder
        That is looked at; folders in it are not.
    settled_s
        For how long a file must not have changed.
    clock
        Monotonic, seconds.
    """

    def __init__(
        self, folder: Path, *, settled_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._settled_s = settled_s
        self._clock = clock
        self._seen: dict[str, tuple[Stamp, float]] = {}

    def finished(self) -> list[tuple[Path, Stamp]]:
        """Look once, and give what is finished, in the natural order of names.

        Raises
        ------
        OSError
            If the folder cannot be read.
        """
        now_s = self._clock()
        seen: dict[str, tuple[Stamp, float]] = {}
        for name in filter(has_scan_name, os.listdir(self._folder)):
            stamp = Stamp.of(self._folder / name)
            if stamp is not None:
                before = self._seen.get(name)
                since_s = before[1] if before is not None and before[0] == stamp else now_s
                seen[name] = (stamp, since_s)
        self._seen = seen
        return [
            (self._folder / name, seen[name][0])
            for name in sorted(seen, key=natural_order)
            if now_s - seen[name][1] >= self._settled_s and not is_locked(self._folder / name)
        ]


def has_scan_name(name: str) -> bool:
    """Tell whether a file of this name may be a finished scan."""
    stem, suffix = os.path.splitext(name)
    return (
        suffix.lower() in SUFFIXES
        and not name.startswith(_TEMPORARY_START)
        and not stem.lower().endswith(_TEMPORARY_END)
    )


def natural_order(name: str) -> list[tuple[int, str, int]]:
    """Give what names are sorted by, so that ``scan_9`` comes before ``scan_10``."""
    parts = _DIGITS.split(name)
    return [
        (1, "", int(part)) if number % 2 else (0, part.casefold(), 0)
        for number, part in enumerate(parts)
    ] + [(2, name, 0)]


def is_locked(path: Path) -> bool:
    """Tell whether a program holds the lock of a file for writing.

    The lock is asked for and given back at once: a writer that comes while a file is read must
    not be turned away.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False  # gone, or not for us: opening it will say so
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system without locks
    finally:
        os.close(descriptor)
    return False
