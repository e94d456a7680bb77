"""The loop of the process: owner of sockets, signals, the life-line and the own heartbeat."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, TracebackType

import structlog
import zmq

from lithoscope_dashboard import sockets
from lithoscope_dashboard.board import SERVICES, Beat, Board
from lithoscope_dashboard.machine import MachineWatch
from lithoscope_dashboard.model import with_item
from lithoscope_dashboard.post import Post
from lithoscope_dashboard.requests import Requests
from lithoscope_dashboard.shelf import ShelfWatch
from lithoscope_dashboard.subscriber import Subscriber
from lithoscope_messages import (
    Feed,
    Heartbeat,
    JournalReply,
    Life,
    MessageError,
    ReconstructionPreview,
    ScanProgress,
    adapter_of,
    decode,
    encode,
)

BEAT_S = 1.0
TURN_S = 0.2
_REPLIES = adapter_of(JournalReply)
_FEED = adapter_of(Feed)
_TELEMETRY = adapter_of(Heartbeat | ScanProgress | ReconstructionPreview)
log = structlog.get_logger()


class Follower:
    """Follows journal and telemetry in the main thread, until it is told to stop.

    Parameters
    ----------
    runtime_dir
        Folder of the sockets.
    board
        Where snapshots are put up.
    post
        Where requests of persons come from.
    experiment
        The experiment to follow; None for the one that began last.
    is_sealed
        Whether the store has an experiment whole.
    machine, shelf
        Look at disk and memory, and through the store.
    lifeline_fd
        Read end of the pipe to the supervisor; when it closes, the supervisor is gone.
    """

    def __init__(
        self,
        runtime_dir: Path,
        board: Board,
        post: Post,
        *,
        experiment: str | None,
        is_sealed: Callable[[str], bool],
        machine: MachineWatch,
        shelf: ShelfWatch,
        lifeline_fd: int | None,
    ) -> None:
        self._runtime_dir = runtime_dir
        self._board = board
        self._post = post
        self._lifeline_fd = lifeline_fd
        self._machine, self._shelf = machine, shelf
        self._requests = Requests()
        self._subscriber = Subscriber(
            board, self._requests, experiment=experiment, is_sealed=is_sealed
        )
        self._context: sockets.Context = zmq.Context()
        self._poller = zmq.Poller()
        self._beat_s = 0.0
        self._n_rejected = 0
        self._is_stopping = False
        self.life = Life.STARTING

    def __enter__(self) -> "Follower":
        context, folder = self._context, self._runtime_dir
        self._take_signals()
        self._heart = sockets.bind_heartbeat(context, folder)
        # Listen first, then read: what is said between the two is then heard.
        self._feed = sockets.open_feed(context, folder)
        self._journal = sockets.open_journal(context, folder)
        self._telemetry = [
            sockets.open_telemetry(context, folder, service, "Heartbeat") for service in SERVICES
        ]
        self._telemetry.append(sockets.open_telemetry(context, folder, "ingest", "ScanProgress"))
        self._telemetry.append(
            sockets.open_telemetry(context, folder, "reconstruct", "ReconstructionPreview")
        )
        for source in (self._feed, self._journal, *self._telemetry):
            self._poller.register(source, zmq.POLLIN)
        for fd in (self._signal_fd, self._post.bell_fd):
            self._poller.register(fd, zmq.POLLIN)
        if self._lifeline_fd is not None:
            self._poller.register(self._lifeline_fd, zmq.POLLIN)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.life = Life.STOPPED if error is None else Life.FAILED
        self._beat()
        self._context.destroy(linger=100)
        signal.set_wakeup_fd(-1)
        os.close(self._signal_fd)
        os.close(self._wake_fd)

    @property
    def is_stopping(self) -> bool:
        """Whether a signal came or the supervisor went."""
        return self._is_stopping

    def turn(self) -> None:
        """Take what has come, ask what is to be asked; waits 0.2 s at most."""
        ready = dict(self._poller.poll(int(1000 * TURN_S)))
        if self._signal_fd in ready:
            os.read(self._signal_fd, 4096)
        if self._lifeline_fd in ready:
            log.info("supervisor_gone")
            self._is_stopping = True
        if self._feed in ready:
            self._drain_feed()
        if self._journal in ready:
            self._drain_replies()
        for source in self._telemetry:
            if source in ready:
                self._on_telemetry(source.recv())
        for message, waiter in self._post.take():
            self._requests.append(message, waiter, time.monotonic())
        self._subscriber.turn()
        self._send_due()
        machine, shelf = self._machine.newest, self._shelf.newest
        snapshot = self._board.snapshot
        if machine is not snapshot.machine or shelf is not snapshot.shelf:
            self._board.publish(replace(snapshot, machine=machine, shelf=shelf))
        if time.monotonic() - self._beat_s >= BEAT_S:
            self._beat()

    def _drain_feed(self) -> None:
        for parts in _waiting(self._feed):
            try:
                self._subscriber.on_feed(decode(parts[-1], _FEED))
            except MessageError as error:
                self._reject("feed", error)

    def _drain_replies(self) -> None:
        for parts in _waiting(self._journal):
            try:
                self._subscriber.on_reply(decode(parts[-1], _REPLIES))
            except MessageError as error:
                self._reject("journal", error)

    def _on_telemetry(self, data: bytes) -> None:
        try:
            message = decode(data, _TELEMETRY)
        except MessageError as error:
            self._reject("telemetry", error)
            return
        snapshot = self._board.snapshot
        if isinstance(message, Heartbeat):
            beat = Beat(heartbeat=message, seen_s=time.monotonic())
            beats = with_item(snapshot.beats, message.service, beat)
            self._board.publish(replace(snapshot, beats=MappingProxyType(dict(beats))))
        elif isinstance(message, ScanProgress):
            self._board.publish(replace(snapshot, progress=message))
        else:
            self._board.publish(replace(snapshot, preview=message))

    def _reject(self, plane: str, error: MessageError) -> None:
        self._n_rejected += 1
        log.warning("message_rejected", plane=plane, error=str(error))

    def _send_due(self) -> None:
        for data in self._requests.due(time.monotonic()):
            try:
                self._journal.send(data, zmq.NOBLOCK)
            except zmq.Again:
                # Nobody is connected: the journal is being restarted; sent again soon.
                log.debug("journal_away")

    def _beat(self) -> None:
        self._beat_s = time.monotonic()
        state = self._board.snapshot.experiment
        beat = Heartbeat(
            service="dashboard",
            pid=os.getpid(),
            time_ns=time.time_ns(),
            state=self.life,
            handled=self._subscriber.n_folded,
            rejected=self._n_rejected,
            doing="" if state is None else f"shows {state.name}",
        )
        self._heart.send(encode(beat))

    def _take_signals(self) -> None:
        self._signal_fd, self._wake_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake_fd, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        # A flag and nothing else; a second signal of the kind has its default effect.
        self._is_stopping = True
        signal.signal(number, signal.SIG_DFL)


def _waiting(socket: zmq.Socket[bytes]) -> list[list[bytes]]:
    """Take what has come; a bounded run, so that the heart goes on beating in a flood."""
    messages: list[list[bytes]] = []
    while len(messages) < 1000:
        try:
            messages.append(socket.recv_multipart(zmq.NOBLOCK))
        except zmq.Again:
            break
    return messages
