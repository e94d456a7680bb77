"""Record a stream: receive, write, pass on."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import zmq

from lithoscope_services.sockets import FOREIGN, open_socket
from lithoscope_services.sources.tap.recording import RecordingHeader, RecordingWriter
from lithoscope_services.sources.tap.relay import WAIT_MS, Pattern, Relay, TapCounts

#: What libzmq had taken from the sender when the tap was ended.
MAX_DRAINED = 2 * FOREIGN.receive_hwm


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What to record.

    Parameters
    ----------
    source
        Address of the sender, which is connected to.
    pattern
        ``pull`` from a PUSH sender, ``sub`` from a PUB sender.
    path
        File to write; it must not exist.
    relay
        Address at which messages are passed on; None for nowhere.
    max_bytes
        Length after which another file is begun; None for one file.
    """

    source: str
    pattern: Pattern
    path: Path
    relay: str | None = None
    max_bytes: int | None = None


def record(
    plan: Recording,
    stop: threading.Event,
    tell: Callable[[TapCounts], None] = lambda counts: None,
) -> TapCounts:
    """Record until told to stop.

    Parameters
    ----------
    plan
        What to record.
    stop
        Ends it; what has been received by then is still written and passed on.
    tell
        Called several times a second.

    Returns
    -------
    TapCounts
        What went through.

    Raises
    ------
    OSError
        If the file cannot be written; what was written before is whole. With a relay it is raised
        at the end: a full disk does not cut off who listens behind the tap.
    SourceError
        If the address to pass messages on cannot be bound.
    """
    counts = TapCounts()
    header = RecordingHeader(source=plan.source, pattern=plan.pattern, begun_ns=time.time_ns())
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        with RecordingWriter(plan.path, header, max_bytes=plan.max_bytes) as writer:
            if plan.relay is None:
                _follow(context, plan, writer, None, counts, stop, tell)
            else:
                with Relay(context, plan.relay, plan.pattern, stop) as relay:
                    _follow(context, plan, writer, relay, counts, stop, tell)
    finally:
        context.term()
    if counts.write_error is not None:
        raise counts.write_error
    return counts


def _follow(
    context: zmq.Context[zmq.Socket[bytes]],
    plan: Recording,
    writer: RecordingWriter,
    relay: Relay | None,
    counts: TapCounts,
    stop: threading.Event,
    tell: Callable[[TapCounts], None],
) -> None:
    is_pull = plan.pattern == "pull"
    with open_socket(context, zmq.PULL if is_pull else zmq.SUB, FOREIGN) as socket:
        if not is_pull:
            socket.setsockopt(zmq.SUBSCRIBE, b"")
        socket.connect(plan.source)
        while not stop.is_set():
            if socket.poll(WAIT_MS):
                _take(socket, writer, relay, counts)
            _write(writer, writer.sync_if_due, relay, counts)
            tell(counts)
        for _ in range(MAX_DRAINED):
            if not socket.poll(0):
                break
            _take(socket, writer, relay, counts)


def _take(
    socket: zmq.Socket[bytes], writer: RecordingWriter, relay: Relay | None, counts: TapCounts
) -> None:
    parts = tuple(socket.recv_multipart())
    _write(writer, partial(writer.write, parts, time.time_ns()), relay, counts)
    counts.n_messages += 1
    counts.n_bytes += sum(map(len, parts))
    if relay is not None:
        relay.offer(parts, counts)


def _write(
    writer: RecordingWriter, action: Callable[[], None], relay: Relay | None, counts: TapCounts
) -> None:
    if counts.write_error is not None:
        return
    try:
        action()
    except OSError as error:
        writer.abandon()
        if relay is None:
            raise
        counts.write_error = error
