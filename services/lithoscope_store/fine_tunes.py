"""Fine-tunings of a network on the slices of an experiment: a folder each, and how far it is.

A run holds a lock as long as its process lives, so that one that was killed is not taken for one
that goes on, whoever looks and whatever is started anew.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from lithoscope_store.durable import make_directory, write_atomic
from lithoscope_store.errors import LockedError, NotStoredError, StoreFormatError
from lithoscope_store.layout import Store

RunStatus = Literal["learning", "judging", "done", "failed"]
_STATE: Final = "progress.json"
_LOCK: Final = "running.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """How far a fine-tuning is.

    Parameters
    ----------
    status, message
        In a word, and why it failed.
    step, n_steps
        Steps of the training that are taken, and all.
    began_ns, now_ns
        When it began, and when this was written; Unix time.
    found
        What it came to, as ``lithoscope model fine-tune --json`` says it; empty before the end.
    """

    status: RunStatus
    message: str = ""
    step: int = 0
    n_steps: int = 0
    began_ns: int = 0
    now_ns: int = 0
    found: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of a run: model, report, pictures, and how far it is."""

    path: Path

    @property
    def is_running(self) -> bool:
        """Whether the process that fills it lives."""
        try:
            descriptor = os.open(self.path / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold the lock of the run; only one process at a time fills a folder.

        Raises
        ------
        LockedError
            If another one does.
        """
        make_directory(self.path)
        descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _lock(descriptor, self.path)
            yield
        finally:
            os.close(descriptor)

    def read_state(self) -> RunState:
        """Say how far it is.

        Raises
        ------
        NotStoredError
            If nothing was begun there.
        StoreFormatError
            If the file is damaged.
        """
        try:
            return RunState(**json.loads((self.path / _STATE).read_bytes()))
        except FileNotFoundError as error:
            raise NotStoredError(f"{self.path} holds no fine-tuning") from error
        except (ValueError, TypeError) as error:
            raise StoreFormatError(f"{self.path / _STATE} is damaged; remove it") from error

    def write_state(self, state: RunState) -> None:
        """Replace the state."""
        told = asdict(state)
        write_atomic(self.path / _STATE, json.dumps(told).encode())

    def read_picture(self, name: str) -> bytes:
        """Read a picture of the report.

        Raises
        ------
        NotStoredError
            If there is none of that name.
        """
        path = self.path / name
        if path.suffix != ".png" or path.parent != self.path or not path.is_file():
            raise NotStoredError(f"the report has no picture {name[:80]!r}")
        return path.read_bytes()


def runs_of(store: Store, experiment: str) -> tuple[RunFolder, ...]:
    """Give the runs on the slices of an experiment, the newest last."""
    root = _root(store, experiment)
    numbered = [
        (int(number), each)
        for each in (root.iterdir() if root.is_dir() else ())
        if (number := each.name.rpartition("-")[2]).isdigit() and each.is_dir()
    ]
    return tuple(RunFolder(each) for _, each in sorted(numbered))


def next_run(store: Store, experiment: str) -> RunFolder:
    """Make the folder of a further run; its name is that of the experiment with a number."""
    root = _root(store, experiment)
    make_directory(root)
    known = [int(each.path.name.rpartition("-")[2]) for each in runs_of(store, experiment)]
    path = root / f"{root.name}-{max(known, default=0) + 1}"
    try:
        path.mkdir()
    except FileExistsError as error:
        raise LockedError(
            f"{path} was begun this moment by another process; wait for it"
        ) from error
    return RunFolder(path)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise LockedError(
            f"{path} is filled by another process; wait for it, or give another folder"
        ) from error


def _root(store: Store, experiment: str) -> Path:
    return store.root / ".lithoscope" / "fine-tuned" / store.experiment(experiment).name
