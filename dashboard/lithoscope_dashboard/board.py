"""The newest snapshot, handed from the thread that follows the journal to the one that serves."""

import asyncio
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from lithoscope_dashboard.machine import Machine
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.shelf import StoredLine
from lithoscope_messages import Heartbeat, ReconstructionPreview, ScanProgress

#: A service is stale after three missed beats.
STALE_S = 3.0
#: The services of an instance in the order in which a scan passes them.
SERVICES = (
    "journal",
    "ingest",
    "reconstruct",
    "register",
    "segment",
    "measure",
    "decide",
    "act",
    "label",
    "dashboard",
)
LiveState = Literal["LIVE", "WAITING", "ENDED", "OFFLINE", "REPLAY", "STORED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The newest heartbeat of a service, and when it came (monotonic clock, s)."""

    heartbeat: Heartbeat
    seen_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that the page shows, at one moment; ``generation`` rises with each change."""

    generation: int = 0
    experiment: ExperimentState | None = None
    beats: Mapping[str, Beat] = field(default_factory=lambda: MappingProxyType({}))
    progress: ScanProgress | None = None
    preview: ReconstructionPreview | None = None
    journal_seen_s: float | None = None
    machine: Machine | None = None
    shelf: tuple[StoredLine, ...] = ()
    other: ExperimentState | None = None
    is_stored: bool = False
    is_facts: bool = False

    def of_stored(self, state: ExperimentState) -> "Snapshot":
        """Show a stored experiment in place of the one that runs."""
        return replace(self, experiment=state, progress=None, preview=None, is_stored=True)

    @property
    def is_replay(self) -> bool:
        """Whether what is shown is not happening now; nothing may be asked of it."""
        state = self.experiment
        is_replay = state is not None and state.source == "replay"
        return self.is_stored or self.is_facts or is_replay

    def live_state(self, now_s: float) -> LiveState:
        """Say in one word whether what is shown is what is."""
        if self.is_stored:
            return "STORED"
        if self.journal_seen_s is None or now_s - self.journal_seen_s > STALE_S:
            return "OFFLINE"
        if self.experiment is None or self.experiment.head == 0:
            return "WAITING"
        if self.experiment.is_ended:
            return "ENDED"
        return "REPLAY" if self.is_replay else "LIVE"


class Board:
    """Holds the newest snapshot; written by one thread, read by any."""

    def __init__(self) -> None:
        self._snapshot = Snapshot()
        self._lock = threading.Lock()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        return self._snapshot

    @property
    def live_state(self) -> LiveState:
        """The newest snapshot in one word, now."""
        return self._snapshot.live_state(time.monotonic())

    def publish(self, snapshot: Snapshot) -> None:
        """Put up a new snapshot and wake all who wait for one."""
        with self._lock:
            self._snapshot = replace(snapshot, generation=self._snapshot.generation + 1)
            waiting = tuple(self._waiting)
        for loop, event in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    async def wait_newer(self, generation: int, timeout_s: float) -> Snapshot:
        """Wait until there is a newer snapshot than ``generation``, at most ``timeout_s``."""
        event = asyncio.Event()
        waiter = (asyncio.get_running_loop(), event)
        with self._lock:
            if self._snapshot.generation > generation:
                return self._snapshot
            self._waiting.add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            pass  # the newest there is will do
        finally:
            with self._lock:
                self._waiting.discard(waiter)
        return self._snapshot
