"""Listen to a 0MQ sender, whichever of PUSH and PUB it is."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol, Self

import zmq
from zmq.utils.monitor import recv_monitor_message

from lithoscope_services.listen.arrays import ArrayListener
from lithoscope_services.listen.finding import SourceFinding
from lithoscope_services.listen.recognise import Dialect, Unsupported, recognise
from lithoscope_services.sockets import FOREIGN, open_socket
from lithoscope_services.sources.extra import beamline_extra
from lithoscope_services.sources.tap import Pattern, RecordingReader, parts_of

WAIT_MS = 100
#: A recording is over when it ends: as long a silence as tells a whole scan.
_AFTER_S = 10.0
_FACES: tuple[tuple[Pattern, int], ...] = (("pull", zmq.PULL), ("sub", zmq.SUB))


class Listener(Protocol):
    """What takes the messages of one dialect."""

    def take(self, parts: list[bytes], at_s: float) -> None:
        """Note a message."""
        ...

    def finding(self, place: str, now_s: float) -> SourceFinding:
        """Say what was heard."""
        ...


class _Ear:
    """Chooses the listener by the first message that has the mark of a dialect."""

    def __init__(self) -> None:
        self.n_messages = 0
        self._listener: Listener | None = None
        self._unsupported: Unsupported | None = None

    def take(self, parts: list[bytes], at_s: float) -> None:
        self.n_messages += 1
        if self._listener is None:
            found = recognise(parts)
            if isinstance(found, Unsupported):
                self._unsupported = self._unsupported or found
                return
            self._listener = _listener_of(found)
        self._listener.take(parts, at_s)

    def finding(self, place: str, now_s: float) -> SourceFinding | None:
        if self._listener is not None:
            return self._listener.finding(place, now_s)
        if self._unsupported is None:
            return None
        return SourceFinding(
            place=place,
            dialect=self._unsupported.name,
            unsupported=f"this dialect is not taken; {self._unsupported.advice}",
            n_heard=self.n_messages,
        )


class _Ends:
    """A PULL and a SUB client of one address; libzmq lets the sender answer one of them alone."""

    def __init__(self, address: str) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sockets: dict[Pattern, zmq.Socket[bytes]] = {}
        self._monitors: dict[Pattern, zmq.Socket[bytes]] = {}
        self.pattern: Pattern | None = None
        self.is_there = False
        for name, kind in _FACES:
            socket = open_socket(self._context, kind, FOREIGN)
            if kind == zmq.SUB:
                socket.setsockopt(zmq.SUBSCRIBE, b"")
            events = zmq.EVENT_CONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED
            self._monitors[name] = socket.get_monitor_socket(events)
            self._sockets[name] = socket
            socket.connect(address)
        self._poller = zmq.Poller()
        for each in (*self._sockets.values(), *self._monitors.values()):
            self._poller.register(each, zmq.POLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *about: object) -> None:
        for name, socket in self._sockets.items():
            socket.disable_monitor()
            self._monitors[name].close()
            socket.close()
        self._context.term()

    def receive(self) -> list[list[bytes]]:
        """Give what came within a moment, and note who answered."""
        ready = dict(self._poller.poll(WAIT_MS))
        for name, monitor in self._monitors.items():
            if monitor in ready:
                self.is_there = True
                if recv_monitor_message(monitor)["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                    self.pattern = name
        return [each.recv_multipart() for each in self._sockets.values() if each in ready]


def listen_zmq(
    address: str, for_s: float, look: Callable[[], None] = lambda: None
) -> SourceFinding:
    """Connect as a PULL and as a SUB client at once; the sender takes the one it can serve.

    Parameters
    ----------
    address
        Of the sender.
    for_s
        How long to listen.
    look
        Called again and again; may raise to stop.

    Returns
    -------
    SourceFinding
        What was heard; ``source.pattern`` is among its settings.
    """
    ear = _Ear()
    begun_s = time.monotonic()
    with _Ends(address) as ends:
        while time.monotonic() - begun_s < for_s:
            look()
            for parts in ends.receive():
                ear.take(parts, time.monotonic())
        pattern, is_there = ends.pattern, ends.is_there
    now_s = time.monotonic()
    finding = ear.finding(address, now_s)
    if finding is None:
        return _silence(address, now_s - begun_s, pattern, is_there=is_there)
    settings = {**finding.settings, "source.address": address}
    if finding.settings.get("source.kind") == "array-1.0":
        settings["source.pattern"] = pattern or "pull"
    return replace(
        finding,
        seconds=now_s - begun_s,
        settings={} if finding.unsupported else settings,
        notes=(*finding.notes, *_pattern_notes(pattern)),
    )


def read_recording(path: Path) -> SourceFinding:
    """Say what a recording of ``lithoscope tap`` holds, as if it were heard.

    Raises
    ------
    SourceError
        If it is none.
    """
    ear = _Ear()
    at_s = 0.0
    with RecordingReader(path) as first:
        header = first.header
    for part in parts_of(path):
        with RecordingReader(part) as reader:
            for message in reader.messages():
                at_s = (message.received_ns - header.begun_ns) / 1e9
                ear.take(list(message.parts), at_s)
    finding = ear.finding(str(path), at_s + _AFTER_S)
    if finding is None:
        return SourceFinding(
            place=str(path), dialect="an empty recording", unsupported="it holds no message"
        )
    settings = {**finding.settings, "source.address": header.source}
    if finding.settings.get("source.kind") == "array-1.0":
        settings["source.pattern"] = header.pattern
    note = f"recorded from {header.source}: play it there with lithoscope tap --play"
    return replace(
        finding,
        seconds=at_s,
        settings={} if finding.unsupported else settings,
        notes=(*finding.notes, note),
    )


def _silence(
    address: str, for_s: float, pattern: Pattern | None, *, is_there: bool
) -> SourceFinding:
    if pattern is not None:
        face = "PUSH" if pattern == "pull" else "PUB"
        what = (
            f"a {face} socket answered and sent nothing in {for_s:.0f} s; start an acquisition "
            "and listen again"
        )
    elif is_there:
        what = (
            "something answers there, but it is neither a 0MQ PUSH nor a PUB socket (or it wants "
            "keys); check the port"
        )
    else:
        what = "nobody answers there; check host, port and firewall"
    return SourceFinding(
        place=address, dialect="nothing was heard", unsupported=what, seconds=for_s
    )


def _pattern_notes(pattern: Pattern | None) -> tuple[str, ...]:
    if pattern == "pull":
        return ("the sender gave its messages to this listener: no other client got them",)
    return ()


def _listener_of(dialect: Dialect) -> Listener:
    match dialect:
        case "array-1.0":
            return ArrayListener()
        case "dectris":
            with beamline_extra("dectris"):
                from lithoscope_services.listen.dectris import DectrisListener
            return DectrisListener()
        case "bluesky":
            with beamline_extra("bluesky"):
                from lithoscope_services.listen.documents import DocumentListener
            return DocumentListener()
