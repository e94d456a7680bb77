"""Follow a running experiment for a person: a bar on a terminal, a line a scan elsewhere."""

import signal
import sys
import threading
import time
from types import FrameType, TracebackType

import zmq
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lithoscope_messages import Entry, MetricsReady, ProposalMade, ScanDecided, StageFailed
from lithoscope_services.errors import StopRequested
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.instance import Instance
from lithoscope_services.journal_client import JournalClient

LOOK_S = 0.2
SEAL_WAIT_S = 120.0
_STAGES = ("reconstruct", "register", "segment", "measure", "decide")


class StopOnSignal:
    """Catches Ctrl-C and SIGTERM while it is entered: all is ended in order, then we go."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopOnSignal":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # what signal gave back

    def check(self) -> None:
        """Raise if a signal has come.

        Raises
        ------
        StopRequested
            If it has.
        """
        if self.event.is_set():
            raise StopRequested("ended by a signal")

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.event.set()


class Follower:
    """Reads the journal of one experiment until it is over.

    Parameters
    ----------
    instance
        Whose supervisor is watched meanwhile.
    experiment
        To follow.
    n_scans
        Planned, if known.
    stop
        Set when a person wants to end.
    until_stage
        The experiment counts as over when all scans have passed this stage.
    last_number
        It counts as over with the entry of this number, whatever else.
    """

    def __init__(
        self,
        instance: Instance,
        experiment: str,
        n_scans: int | None,
        stop: StopOnSignal,
        *,
        until_stage: str = "decide",
        last_number: int | None = None,
    ) -> None:
        self.history = History(experiment)
        self._instance = instance
        self._n_scans = n_scans
        self._stop = stop
        self._until = until_stage
        self._last_number = last_number
        self._has_terminal = sys.stderr.isatty()

    def follow(self) -> bool:
        """Follow to the end.

        Returns
        -------
        bool
            False if a person ended it before.
        """
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            with (
                self._instance.journal(context, idle=self._look) as journal,
                Progress(*columns, console=console, disable=not self._has_terminal) as progress,
            ):
                task = progress.add_task(self.history.experiment, total=self._n_scans)
                while not self._is_over():
                    self._look()
                    for entry in self._read(journal):
                        self._say(entry, progress.console)
                    progress.update(task, completed=self._n_done())
                    self._stop.event.wait(LOOK_S)
                self._await_seal()
        except StopRequested:
            return False
        finally:
            context.term()
        return True

    def linger(self) -> None:
        """Stay until a person ends it."""
        try:
            while True:
                self._look()
                self._stop.event.wait(LOOK_S)
        except StopRequested:
            return

    def _look(self) -> None:
        self._stop.check()
        self._instance.look()

    def _read(self, journal: JournalClient) -> tuple[Entry, ...]:
        entries = journal.read_since(self.history.experiment, self.history.number).entries
        self.history.extend(entries)
        return entries

    def _n_done(self) -> int:
        return sum(self._is_done(scan) for scan in self.history.in_order())

    def _is_done(self, scan: ScanHistory) -> bool:
        if scan.failure is not None:
            return self._until != "decide" or scan.decided is not None
        reached = {
            "reconstruct": scan.volume,
            "register": scan.transform,
            "segment": scan.labels,
            "measure": scan.metrics,
            "decide": scan.decided,
        }
        return reached[self._until] is not None

    def _is_over(self) -> bool:
        if self._last_number is not None:
            return self.history.number >= self._last_number
        if self._until == "decide":
            return self.history.ended is not None
        return self._n_scans is not None and self._n_done() >= self._n_scans

    def _await_seal(self) -> None:
        """Wait for the checksums of an experiment that has ended."""
        if self.history.ended is None or self._last_number is not None:
            return
        manifest = self._instance.store.experiment(self.history.experiment).manifest
        deadline_s = time.monotonic() + SEAL_WAIT_S
        while not manifest.exists() and time.monotonic() < deadline_s:
            self._look()
            self._stop.event.wait(LOOK_S)

    def _say(self, entry: Entry, console: Console) -> None:
        message = entry.message
        if isinstance(message, MetricsReady):
            gap = message.metrics.get("remaining_gap_um")
            plating = message.metrics.get("plating_side_thickness_um")
            console.print(
                f"scan {message.scan}: plating side {_number(plating)}, "
                f"remaining gap {_number(gap)}",
                highlight=False,
            )
        elif isinstance(message, ProposalMade):
            console.print(
                f"scan {message.scan}: proposal to {message.action}: {message.reason} "
                "(approve or reject it on the page)",
                highlight=False,
            )
        elif isinstance(message, ScanDecided) and message.verdict == "hold":
            console.print(
                f"scan {message.scan}: the plan holds: {message.reason} "
                f"(lithoscope release {message.experiment} lets it go on)",
                highlight=False,
            )
        elif isinstance(message, StageFailed):
            console.print(
                f"scan {message.scan}: {message.stage} failed: {message.error}", highlight=False
            )


def _number(metric: object) -> str:
    value, unit = getattr(metric, "value", None), getattr(metric, "unit", "")
    return "not measured" if value is None else f"{value:.1f} {unit}"
