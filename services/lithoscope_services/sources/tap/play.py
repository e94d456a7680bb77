"""Play a recording again, through the kind of socket that it came from."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import zmq

from lithoscope_services.errors import SourceError
from lithoscope_services.sources.tap.recording import RecordingReader, parts_of
from lithoscope_services.sources.tap.relay import Relay, TapCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """What to play.

    Parameters
    ----------
    path
        First file of the recording.
    relay
        Address that readers connect to.
    speed
        How many times faster than it came; None for as fast as it is taken.
    """

    path: Path
    relay: str
    speed: float | None = 1.0


def play(
    plan: Playback,
    stop: threading.Event,
    tell: Callable[[TapCounts], None] = lambda counts: None,
) -> TapCounts:
    """Play to whoever connects, from when the first one is there; slow readers are waited for.

    It ends when all was played and the readers have gone, for they may be behind.

    Parameters
    ----------
    plan
        What to play.
    stop
        Ends it.
    tell
        Called at each message.

    Returns
    -------
    TapCounts
        What was played.

    Raises
    ------
    SourceError
        If it is no recording, is damaged, or the address cannot be bound.
    """
    counts = TapCounts()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        with RecordingReader(plan.path) as first:
            pattern = first.header.pattern
        with Relay(context, plan.relay, pattern, stop) as relay:
            if relay.wait_for_reader():
                clock = _Clock(plan.speed, stop)
                for path in parts_of(plan.path):
                    if stop.is_set():
                        break
                    _play_file(path, pattern, relay, clock, counts, tell)
                counts.is_over = not stop.is_set()
                tell(counts)
                relay.wait_until_left()
    finally:
        context.term()
    return counts


class _Clock:
    """When each message is due."""

    def __init__(self, speed: float | None, stop: threading.Event) -> None:
        self._speed = speed
        self.stop = stop
        self._last_ns: int | None = None
        self._due_s = time.monotonic()

    def wait(self, received_ns: int) -> None:
        """Wait for the time of a message; a clock that was set back makes no pause."""
        if self._speed is None:
            return
        if self._last_ns is not None:
            self._due_s += max(received_ns - self._last_ns, 0) / 1e9 / self._speed
        self._last_ns = received_ns
        left_s = self._due_s - time.monotonic()
        if left_s > 0:
            self.stop.wait(left_s)


def _play_file(
    path: Path,
    pattern: str,
    relay: Relay,
    clock: _Clock,
    counts: TapCounts,
    tell: Callable[[TapCounts], None],
) -> None:
    with RecordingReader(path) as reader:
        if reader.header.pattern != pattern:
            raise SourceError(f"pattern: {path} is no part of the recording before it")
        for message in reader.messages():
            clock.wait(message.received_ns)
            counts.n_messages += 1
            counts.n_bytes += sum(map(len, message.parts))
            if clock.stop.is_set() or not relay.send(message.parts):
                counts.n_unpassed += 1
                return
            counts.n_passed += 1
            tell(counts)
        counts.n_torn_bytes += reader.n_torn_bytes
