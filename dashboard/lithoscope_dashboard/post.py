"""Requests of persons, handed from the serving threads to the one that owns the sockets."""

import hashlib
import os
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress

from lithoscope_messages import (
    ApprovalRequested,
    JournalMessage,
    RejectionRequested,
)


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


def approval(
    experiment: str,
    proposal: str,
    person: str,
    reason: str,
    *,
    is_approved: bool,
    attempt: int = 0,
) -> ApprovalRequested | RejectionRequested:
    """Write what a person answers to a proposal; a second click of the same person is the same.

    ``attempt`` counts how often it was not sent before: then a click is a new one.
    """
    kind = ApprovalRequested if is_approved else RejectionRequested
    verb = "approve" if is_approved else "reject"
    # The name of a proposal may be as long as a key.
    digest = hashlib.sha256(proposal.encode()).hexdigest()[:32]
    return kind(
        experiment=experiment,
        key=f"{verb}:{digest}:{person}" + (f":{attempt}" if attempt else ""),
        time_ns=time.time_ns(),
        producer="dashboard",
        person=person,
        reason=reason,
        proposal=proposal,
    )
