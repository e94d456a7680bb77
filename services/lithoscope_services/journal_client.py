"""The two ends of the journal that other services hold: requests, and the feed."""

import time
import uuid
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import zmq

from lithoscope_messages import (
    AppendDone,
    AppendRefused,
    AppendRequested,
    Entries,
    Entry,
    ExperimentHead,
    Experiments,
    Feed,
    FeedEntry,
    FeedHead,
    JournalMessage,
    JournalReply,
    ListExperiments,
    ReadSince,
    Role,
    adapter_of,
    decode,
    encode,
)
from lithoscope_services.errors import JournalRefusedError, ServiceError
from lithoscope_services.sockets import FEED, JOURNAL, open_socket

_REPLIES = adapter_of(JournalReply)
_FEED = adapter_of(Feed)
RESEND_S = 1.0


def _nothing() -> None:
    """Do nothing while waiting."""


class JournalClient:
    """Asks the journal; asks again when it does not answer, for it may have been restarted.

    Every append is idempotent by the keys of its facts, so asking twice is harmless.

    Parameters
    ----------
    context
        Of this process.
    address
        Of the journal's ROUTER.
    role
        As whom facts are appended.
    idle
        Called about five times a second while an answer is waited for; may raise to give up.
    patience_s
        After this long without any answer the journal is given up.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        role: Role,
        *,
        idle: Callable[[], None] = _nothing,
        patience_s: float = 120.0,
    ) -> None:
        self._socket = open_socket(context, zmq.DEALER, JOURNAL)
        self._socket.connect(address)
        self._address = address
        self._role = role
        self._idle = idle
        self._patience_s = patience_s

    def __enter__(self) -> "JournalClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def append(self, messages: Sequence[JournalMessage]) -> tuple[int, ...]:
        """Write facts or requests, all or none.

        Returns
        -------
        tuple of int
            Their numbers; a double has the number of the first of its kind.

        Raises
        ------
        JournalRefusedError
            If the journal will not write them.
        """
        request = AppendRequested(
            request=uuid.uuid4().hex, role=self._role, messages=tuple(messages)
        )
        reply = self._ask(encode(request), request.request)
        if isinstance(reply, AppendRefused):
            raise JournalRefusedError(reply.reason)
        if not isinstance(reply, AppendDone):
            raise ServiceError(f"journal at {self._address} answered {reply.type} to an append")
        return reply.numbers

    def read_since(self, experiment: str, after: int, limit: int = 1000) -> Entries:
        """Read the entries that stand after a number."""
        request = ReadSince(
            request=uuid.uuid4().hex, experiment=experiment, after=after, limit=limit
        )
        reply = self._ask(encode(request), request.request)
        if not isinstance(reply, Entries):
            raise ServiceError(f"journal at {self._address} answered {reply.type} to a reading")
        return reply

    def read_all(self, experiment: str) -> list[Entry]:
        """Read all entries of an experiment."""
        entries: list[Entry] = []
        while True:
            page = self.read_since(experiment, len(entries))
            entries.extend(page.entries)
            if len(entries) >= page.head or not page.entries:
                return entries

    def experiments(self) -> tuple[ExperimentHead, ...]:
        """List the experiments of the store."""
        request = ListExperiments(request=uuid.uuid4().hex)
        reply = self._ask(encode(request), request.request)
        if not isinstance(reply, Experiments):
            raise ServiceError(f"journal at {self._address} answered {reply.type} to a listing")
        return reply.experiments

    def _ask(self, data: bytes, request: str) -> Any:  # one of the replies; callers check which
        deadline_s = time.monotonic() + self._patience_s
        resend_s = 0.0
        while True:
            now_s = time.monotonic()
            if now_s > deadline_s:
                raise ServiceError(
                    f"journal at {self._address} did not answer for {self._patience_s:.0f} s; "
                    "look at `lithoscope status`"
                )
            if now_s >= resend_s:
                self._send(data)
                resend_s = now_s + RESEND_S
            if self._socket.poll(200):
                reply = decode(self._socket.recv(), _REPLIES)
                if reply.request == request:
                    return reply
            else:
                self._idle()

    def _send(self, data: bytes) -> None:
        try:
            self._socket.send(data, zmq.NOBLOCK)
        except zmq.Again:
            # Nobody is connected: the journal is being restarted; asked again soon.
            self._socket.poll(50)


class FeedReader:
    """Listens to the feed of one or of all experiments.

    Parameters
    ----------
    context
        Of this process.
    address
        Of the journal's PUB.
    experiment
        None for all.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        experiment: str | None = None,
    ) -> None:
        self.socket = open_socket(context, zmq.SUB, FEED)
        topic = b"" if experiment is None else experiment.encode() + b"\0"
        self.socket.setsockopt(zmq.SUBSCRIBE, topic)
        self.socket.connect(address)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def receive(self) -> FeedEntry | FeedHead | None:
        """Take what has come, without waiting."""
        try:
            _topic, data = self.socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None
        message: FeedEntry | FeedHead = decode(data, _FEED)
        return message
