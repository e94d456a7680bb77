"""The loop of a service: one poller for sockets, signals, timers and the life-line.

The life-line is a pipe whose other end the supervisor holds: when it closes, the supervisor is
gone, however it went, and the service stops.
"""

import fcntl
import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import zmq

from lithoscope_messages import Heartbeat, Life, encode
from lithoscope_services.errors import InstanceError, StopRequested
from lithoscope_services.sockets import TELEMETRY, SocketOptions, bind, open_socket

HEARTBEAT_S = 1.0
LOCK_WAIT_S = 10.0


def endpoint(runtime_dir: Path, name: str) -> str:
    """Address of a plane in the runtime directory."""
    return f"ipc://{runtime_dir}/{name}"


@dataclass(slots=True)
class _Timer:
    period_s: float
    callback: Callable[[], None]
    due_s: float


@dataclass(slots=True)
class Pulse:
    """What the heartbeat says; the service changes it as it goes."""

    state: Life = Life.STARTING
    queue_depth: int = 0
    handled: int = 0
    rejected: int = 0
    oldest_s: float | None = None
    doing: str = ""


@dataclass(slots=True)
class Loop:
    """Owner of the context, the poller, the signals, the heartbeat and the life-line.

    Parameters
    ----------
    name
        Of the service.
    runtime_dir
        Folder of the sockets (0700).
    lifeline_fd
        Read end of the pipe to the supervisor; None if nobody supervises.
    """

    name: str
    runtime_dir: Path
    lifeline_fd: int | None = None
    pulse: Pulse = field(default_factory=Pulse)
    context: zmq.Context[zmq.Socket[bytes]] = field(default_factory=zmq.Context)
    _poller: zmq.Poller = field(default_factory=zmq.Poller)
    _callbacks: dict[object, Callable[[], None]] = field(default_factory=dict)
    _timers: list[_Timer] = field(default_factory=list)
    _sockets: list[zmq.Socket[bytes]] = field(default_factory=list)
    _stop: bool = False
    _lock_fd: int = -1
    _wakeup: tuple[int, int] = (-1, -1)
    _heart: zmq.Socket[bytes] | None = None

    def __enter__(self) -> "Loop":
        self._lock_fd = _lock_service(self.runtime_dir / f"{self.name}.lock", self.name)
        self._take_signals()
        if self.lifeline_fd is not None:
            self.watch(self.lifeline_fd, self.stop)
        self._heart = self.socket(zmq.PUB, TELEMETRY)
        bind(self._heart, endpoint(self.runtime_dir, f"{self.name}.telemetry"))
        self.every(HEARTBEAT_S, self.beat)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._heart is not None:
            self.pulse.state = Life.STOPPED if error is None else Life.FAILED
            self.beat()
        for socket in self._sockets:
            socket.close()
        self.context.term()
        signal.set_wakeup_fd(-1)
        for fd in (*self._wakeup, self._lock_fd):
            os.close(fd)

    def socket(self, kind: int, options: SocketOptions) -> zmq.Socket[bytes]:
        """Open a socket that the loop closes at its end."""
        opened = open_socket(self.context, kind, options)
        self._sockets.append(opened)
        return opened

    def watch(self, source: zmq.Socket[bytes] | int, callback: Callable[[], None]) -> None:
        """Call back whenever a socket or a file descriptor can be read."""
        self._poller.register(source, zmq.POLLIN)
        self._callbacks[source] = callback

    def unwatch(self, source: zmq.Socket[bytes] | int) -> None:
        """Forget a source."""
        self._poller.unregister(source)
        del self._callbacks[source]

    def every(self, period_s: float, callback: Callable[[], None]) -> None:
        """Call back each period, and soon for the first time."""
        self._timers.append(_Timer(period_s, callback, time.monotonic()))

    def stop(self) -> None:
        """Ask the loop to end after what is being handled."""
        self._stop = True

    @property
    def is_stopping(self) -> bool:
        """Whether the loop was asked to end."""
        return self._stop

    def run(self) -> None:
        """Handle what comes until asked to stop."""
        self.pulse.state = Life.READY
        while not self._stop:
            self.turn(0.5)
        self.pulse.state = Life.DRAINING

    def turn(self, wait_s: float) -> None:
        """Wait for what comes, at most ``wait_s`` or until the next timer, and handle it."""
        now_s = time.monotonic()
        wait_s = min([wait_s, *(max(0.0, timer.due_s - now_s) for timer in self._timers)])
        for source, _ in self._poller.poll(int(1000 * wait_s) + 1):
            callback = self._callbacks.get(source)
            if callback is not None:
                callback()
        now_s = time.monotonic()
        for timer in self._timers:
            if now_s >= timer.due_s:
                timer.due_s = now_s + timer.period_s
                timer.callback()

    def idle(self) -> None:
        """Keep the heart beating while something is waited for.

        Raises
        ------
        StopRequested
            If the service was told to stop.
        """
        if self.lifeline_fd is not None and select.select([self.lifeline_fd], [], [], 0)[0]:
            self._stop = True
        if self._stop:
            raise StopRequested(f"{self.name} was told to stop")
        self._timers[0].due_s = time.monotonic() + HEARTBEAT_S
        self.beat()

    def beat(self) -> None:
        """Say that the service lives."""
        if self._heart is None:
            return
        now_ns = time.time_ns()
        lag_s = 0.0 if self.pulse.oldest_s is None else time.monotonic() - self.pulse.oldest_s
        beat = Heartbeat(
            service=self.name,
            pid=os.getpid(),
            time_ns=now_ns,
            state=self.pulse.state,
            queue_depth=self.pulse.queue_depth,
            handled=self.pulse.handled,
            rejected=self.pulse.rejected,
            lag_s=max(0.0, lag_s),
            doing=self.pulse.doing[:200],
        )
        self._heart.send(encode(beat))

    def publish(self, message: bytes) -> None:
        """Send a telemetry message; whoever listens gets it, or the next one."""
        if self._heart is not None:
            self._heart.send(message)

    def _take_signals(self) -> None:
        read_fd, write_fd = os.pipe()
        os.set_blocking(read_fd, False)
        os.set_blocking(write_fd, False)
        self._wakeup = (read_fd, write_fd)
        signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
        self.watch(read_fd, self._drain_wakeup)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        # A flag and nothing else; a second signal of the kind has its default effect.
        self._stop = True
        signal.signal(number, signal.SIG_DFL)

    def _drain_wakeup(self) -> None:
        os.read(self._wakeup[0], 4096)


def _lock_service(path: Path, name: str) -> int:
    """Hold the place of a service: its forerunner must be gone before sockets are bound anew."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline_s = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline_s:
                os.close(fd)
                raise InstanceError(
                    f"{name} already runs in {path.parent}; stop that instance first"
                ) from None
            time.sleep(0.05)
        else:
            return fd
