"""Where a tap passes messages on: a PUSH or PUB socket that others connect to.

A PUSH socket waits until somebody takes a message, and so does everything before it: nothing is
lost, the sender waits. A PUB socket must not hold its publisher up: what a slow reader leaves is
dropped for all readers and counted, and so is what nobody listens to.
"""

import re
import stat
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import zmq
from zmq.utils.monitor import recv_monitor_message

from lithoscope_services.errors import SourceError
from lithoscope_services.sockets import RELAY, bind, open_socket

Pattern = Literal["pull", "sub"]
WAIT_MS = 100
#: A burst that a publisher's readers may be behind.
PUB_HWM = 64
_COME, _GONE = zmq.EVENT_HANDSHAKE_SUCCEEDED, zmq.EVENT_DISCONNECTED
_LOOPBACK = re.compile(r"tcp://(127\.0\.0\.1|\[::1\]):[1-9][0-9]{0,4}")


@dataclass(slots=True, kw_only=True)
class TapCounts:
    """What went through so far.

    Parameters
    ----------
    n_messages, n_bytes
        Received, or read from a recording.
    n_passed
        Given to the socket that passes them on.
    n_dropped
        Left out because a reader of a PUB socket was slow.
    n_unheard
        Left out because nobody was connected to a PUB socket.
    n_unpassed
        Recorded, but nobody had taken them when the tap was ended.
    n_torn_bytes
        At the end of a recording whose writer was killed: left out.
    is_over
        The recording has been played to its end.
    write_error
        Why nothing is recorded any more, while messages are still passed on.
    """

    n_messages: int = 0
    n_bytes: int = 0
    n_passed: int = 0
    n_dropped: int = 0
    n_unheard: int = 0
    n_unpassed: int = 0
    n_torn_bytes: int = 0
    is_over: bool = False
    write_error: OSError | None = None


class Relay:
    """The socket that messages are passed on through; a context manager.

    Parameters
    ----------
    context
        Of this process.
    address
        Of :func:`relay_address`.
    pattern
        ``pull`` for readers that pull from PUSH, ``sub`` for subscribers of PUB.
    stop
        Ends all waiting.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        pattern: Pattern,
        stop: threading.Event,
    ) -> None:
        self._stop = stop
        self._is_pub = pattern == "sub"
        self._has_readers = False
        self._n_connected = 0
        options = replace(RELAY, send_hwm=PUB_HWM) if self._is_pub else RELAY
        self._socket = open_socket(context, zmq.XPUB if self._is_pub else zmq.PUSH, options)
        if self._is_pub:
            # A full queue is an error to be counted, not a silent loss.
            self._socket.setsockopt(zmq.XPUB_NODROP, 1)
        try:
            bind(self._socket, address, allows_loopback=True)
        except zmq.ZMQError as error:
            self._socket.close(linger=0)
            raise SourceError(f"{address}: {error}; choose another address") from error
        self._monitor = self._socket.get_monitor_socket(_COME | _GONE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *about: object) -> None:
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close()

    def wait_for_reader(self) -> bool:
        """Wait until somebody is there; False if told to stop before."""
        while not self._stop.is_set():
            if self._is_pub:
                self._hear_readers(WAIT_MS)
                if self._has_readers:
                    return True
            elif self._socket.poll(WAIT_MS, zmq.POLLOUT):
                return True
        return False

    def wait_until_left(self) -> None:
        """Wait until nobody is connected any more, or until told to stop.

        A reader that is slow has not taken all when the last message is sent, and what lies
        between is lost if the connection is closed (over ipc; seen with libzmq 4.3.5).
        """
        while not self._stop.is_set():
            while self._monitor.poll(WAIT_MS):
                event = recv_monitor_message(self._monitor)["event"]
                self._n_connected += 1 if event == _COME else -1
            if self._n_connected <= 0:
                return

    def send(self, parts: tuple[bytes, ...]) -> bool:
        """Pass a message on as soon as it is taken; False if told to stop before."""
        while True:
            try:
                self._socket.send_multipart(parts, zmq.NOBLOCK)
                return True
            except zmq.Again:
                if self._stop.is_set():
                    return False
            # XPUB says that it can always be written to.
            if self._is_pub:
                self._stop.wait(0.002)
            else:
                self._socket.poll(WAIT_MS, zmq.POLLOUT)

    def offer(self, parts: tuple[bytes, ...], counts: TapCounts) -> None:
        """Pass a message on by the rule of its pattern, and count what became of it."""
        if not self._is_pub:
            if self.send(parts):
                counts.n_passed += 1
            else:
                counts.n_unpassed += 1
            return
        self._hear_readers(0)
        if not self._has_readers:
            counts.n_unheard += 1
            return
        try:
            self._socket.send_multipart(parts, zmq.NOBLOCK)
            counts.n_passed += 1
        except zmq.Again:
            counts.n_dropped += 1

    def _hear_readers(self, wait_ms: int) -> None:
        """Take what readers say: the first one has come, the last one has gone."""
        while self._socket.poll(wait_ms):
            wait_ms = 0
            self._has_readers = self._socket.recv().startswith(b"\x01")


def relay_address(address: str) -> str:
    """Give back an address that only this machine reaches.

    Raises
    ------
    ValueError
        If it is none.
    """
    if _LOOPBACK.fullmatch(address) and int(address.rpartition(":")[2]) <= 65535:
        return address
    if not address.startswith("ipc:///") or len(address) > 6 + 107:
        raise ValueError(
            f"{address!r} is no ipc:///absolute/path and no tcp://127.0.0.1:PORT; other machines "
            "must not reach it, for it has no keys"
        )
    path = Path(address.removeprefix("ipc://"))
    if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
        raise ValueError(f"{path} is a file of another kind; choose another ipc:// path")
    if not path.parent.is_dir():
        raise ValueError(f"{path.parent} is no folder; make it, or choose another ipc:// path")
    return address
