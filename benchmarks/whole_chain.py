"""All stages in one process, with a journal between them and no sockets."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from benchmarks.simulated_scans import EXPERIMENT, SESSION, SimulatedScan
from lithoscope_messages import ExperimentBegin, ExperimentDescription, JournalMessage
from lithoscope_pipeline.phantom import SimulatedCell
from lithoscope_services.history import History
from lithoscope_services.intake_experiment import ExperimentIntake
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.settings import Settings
from lithoscope_services.stages import stage_named
from lithoscope_store import JournalDatabase, Store
from lithoscope_store.journal_database import Appended, JournalPage

INTAKE = "store frames"
STAGES = ("reconstruct", "register", "segment", "measure", "decide")
STEPS = (INTAKE, *STAGES)
FRAMES_A_COMMIT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one scan took, by step."""

    seconds: dict[str, float]
    written_bytes: dict[str, int]
    fsyncs: dict[str, int]


class DirectJournal:
    """The two calls of a journal's client that the intake makes, answered by the database."""

    def __init__(self, database: JournalDatabase) -> None:
        self._database = database

    def append(self, messages: Sequence[JournalMessage]) -> Appended:
        """Append to the one experiment there is."""
        return self._database.append(messages)

    def read_since(self, _experiment: str, after: int) -> JournalPage:
        """Read of the one experiment there is."""
        return self._database.read_since(after)


class WholeChain:
    """A store with one experiment that scans are taken through.

    Parameters
    ----------
    root
        Folder of the store, which does not exist.
    name
        Of the experiment.
    cell
        That is looked at.
    """

    def __init__(self, root: Path, name: str, cell: SimulatedCell) -> None:
        self._paths = Store(root).experiment(name)
        self._database = JournalDatabase(self._paths.journal, name)
        journal = cast(JournalClient, DirectJournal(self._database))
        self._intake = ExperimentIntake(name, Store(root), Settings(), journal)
        self._history = History(name)
        self._root = root
        self._intake.take(
            ExperimentBegin(
                experiment=EXPERIMENT,
                session=SESSION,
                sequence=0,
                time_ns=0,
                description=ExperimentDescription(
                    source="simulated", active_area_cm2=cell.cell.active_area_cm2
                ),
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._intake.close()
        self._database.close()

    def take(self, scan: SimulatedScan) -> Taken:
        """Take a scan from its first frame to the verdict."""
        seconds: dict[str, float] = {}
        written_bytes: dict[str, int] = {}
        fsyncs: dict[str, int] = {}
        for step in STEPS:
            before = self._bytes()
            with _counted_fsyncs() as calls:
                begin_s = time.perf_counter()
                self._do(step, scan)
                seconds[step] = time.perf_counter() - begin_s
            written_bytes[step] = self._bytes() - before
            fsyncs[step] = len(calls)
        if self._history.scans[scan.begin.scan].decided is None:
            raise RuntimeError(f"scan {scan.begin.scan} came to no verdict")
        return Taken(seconds=seconds, written_bytes=written_bytes, fsyncs=fsyncs)

    def _do(self, step: str, scan: SimulatedScan) -> None:
        if step == INTAKE:
            self._store(scan)
        else:
            self._run(step)

    def _store(self, scan: SimulatedScan) -> None:
        if scan.samples is not None:
            self._intake.take(scan.samples)
        self._intake.take(scan.begin)
        for number, (header, pixels) in enumerate(scan.frames, start=1):
            self._intake.write(header, pixels)
            if number % FRAMES_A_COMMIT == 0:
                self._intake.commit()
        self._intake.take(scan.end)

    def _run(self, name: str) -> None:
        stage = stage_named(name)
        self._follow()
        for task in stage.plan(self._history):
            for fact in stage.execute(task, str(self._root)):
                self._database.append([cast(JournalMessage, fact)])
        self._follow()

    def _follow(self) -> None:
        self._history.extend(self._database.read_since(self._history.number).entries)

    def _bytes(self) -> int:
        files = [path for path in self._paths.root.rglob("*") if path.is_file()]
        return sum(path.stat().st_size for path in files)


@contextmanager
def _counted_fsyncs() -> Iterator[list[int]]:
    """Note each fsync that Python makes; those of SQLite are its own."""
    calls: list[int] = []
    fsync = os.fsync

    def counted(descriptor: int) -> None:
        calls.append(1)
        fsync(descriptor)

    os.fsync = counted  # type: ignore[assignment] # its descriptor may also be a file
    try:
        yield calls
    finally:
        os.fsync = fsync
