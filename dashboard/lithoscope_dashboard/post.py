"""Requests of persons, handed from the serving threads to the one that owns the sockets."""

import os
from collections import deque
from concurrent.futures import Future
from contextlib import suppress

from lithoscope_messages import JournalMessage


class Post:
    """A box for messages with a bell: ``bell_fd`` can be read when something lies in it."""

    def __init__(self) -> None:
        self._box: deque[tuple[JournalMessage, Future[tuple[int, ...]]]] = deque()
        self.bell_fd, self._ring_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def send(self, message: JournalMessage) -> "Future[tuple[int, ...]]":
        """Leave a message for the journal; the future has its number once it is on disk."""
        waiter: Future[tuple[int, ...]] = Future()
        self._box.append((message, waiter))
        with suppress(BlockingIOError):  # the bell rings already
            os.write(self._ring_fd, b"\0")
        return waiter

    def take(self) -> list[tuple[JournalMessage, "Future[tuple[int, ...]]"]]:
        """Empty the box."""
        with suppress(BlockingIOError):  # nobody rang
            os.read(self.bell_fd, 65536)
        taken = []
        while self._box:
            taken.append(self._box.popleft())
        return taken

    def close(self) -> None:
        """Close the bell."""
        os.close(self.bell_fd)
        os.close(self._ring_fd)
