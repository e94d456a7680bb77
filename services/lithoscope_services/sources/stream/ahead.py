"""Messages of a stream that are taken in while its last scan is still being completed."""

import time
from collections import deque
from typing import Self

from lithoscope_services.errors import SourceError
from lithoscope_services.sources.stream.frame import Receiver, StreamFrame, StreamMessage

#: More is left with the sender, who waits or drops.
MAX_BYTES = 512 * 2**20


class Ahead:
    """A receiver that can take in ahead of being asked."""

    def __init__(self) -> None:
        self._receiver: Receiver | None = None
        self._taken: deque[StreamMessage | SourceError] = deque()
        self._n_bytes = 0

    def of(self, receiver: Receiver) -> Self:
        """Say whose messages are given."""
        self._receiver = receiver
        return self

    def receive(self, wait_s: float) -> StreamMessage | None:
        """Give the next message; see :class:`~lithoscope_services.sources.stream.Receiver`."""
        if not self._taken:
            return None if self._receiver is None else self._receiver.receive(wait_s)
        found = self._taken.popleft()
        self._n_bytes -= _n_bytes(found)
        if isinstance(found, SourceError):
            raise found
        return found

    def fill(self, for_s: float) -> None:
        """Take in what comes during a time, or wait for as long where there is no more room."""
        until_s = time.monotonic() + for_s
        while (left_s := until_s - time.monotonic()) > 0:
            if self._receiver is None or self._n_bytes >= MAX_BYTES:
                time.sleep(left_s)
                return
            try:
                found: StreamMessage | SourceError | None = self._receiver.receive(left_s)
            except SourceError as error:
                found = error
            if found is not None:
                self._taken.append(found)
                self._n_bytes += _n_bytes(found)


def _n_bytes(message: StreamMessage | SourceError) -> int:
    # What is no frame is small; it counts so that it cannot pile up.
    return message.pixels.nbytes if isinstance(message, StreamFrame) else 1024
