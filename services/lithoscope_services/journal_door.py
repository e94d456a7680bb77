"""Where the journal of an instance is asked and heard, whoever stands behind it.

Requests come to a ROUTER and are answered one by one; what is new goes out on a feed.
"""

from collections.abc import Callable, Sequence

import structlog
import zmq

from lithoscope_messages import (
    MAX_HEADER_BYTES,
    Entries,
    Entry,
    JournalRequest,
    Message,
    MessageError,
    ReadSince,
    adapter_of,
    decode,
    encode,
)
from lithoscope_services.loop import Loop, endpoint
from lithoscope_services.sockets import FEED, JOURNAL, bind

FEED_HEAD_S = 1.0
#: So many entries fit into one message in any case.
FEW = 100
_REQUESTS = adapter_of(JournalRequest)
log = structlog.get_logger()


class JournalDoor:
    """The two sockets of a journal.

    Parameters
    ----------
    loop
        Of this process.
    answer
        Gives the reply to a request.
    """

    def __init__(self, loop: Loop, answer: Callable[[JournalRequest], Message]) -> None:
        self._loop = loop
        self._answer = answer
        self._router = loop.socket(zmq.ROUTER, JOURNAL)
        self._feed = loop.socket(zmq.PUB, FEED)
        bind(self._router, endpoint(loop.runtime_dir, "journal"))
        bind(self._feed, endpoint(loop.runtime_dir, "feed"))
        loop.watch(self._router, self._serve)

    def publish(self, experiment: str, message: Message) -> None:
        """Say on the feed what is new of an experiment."""
        self._feed.send_multipart([experiment.encode() + b"\0", encode(message)])

    def _serve(self) -> None:
        # All that waits is served at once; the poller is asked again after it.
        while not self._loop.is_stopping:
            try:
                parts = self._router.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._take(parts)

    def _take(self, parts: list[bytes]) -> None:
        try:
            if len(parts) != 2:
                raise MessageError(f"{len(parts)} parts, 2 were expected")
            request = decode(parts[1], _REQUESTS)
        except MessageError as error:
            self._loop.pulse.rejected += 1
            log.warning("message_rejected", error=str(error))
            return
        self._loop.pulse.handled += 1
        reply = self._answer(request)
        try:
            self._router.send_multipart([parts[0], encode(reply)])
        except zmq.ZMQError as error:
            log.info("peer_gone", error=str(error))


def fitting_page(
    request: ReadSince, read: Callable[[int], tuple[int, Sequence[Entry]]]
) -> Entries:
    """Answer a reading with as many entries as fit into one message.

    Parameters
    ----------
    request
        What is asked for.
    read
        Gives the number of the last entry, and at most so many of those that are asked for.
    """
    limit = request.limit
    while True:
        head, entries = read(limit)
        reply = Entries(
            request=request.request,
            experiment=request.experiment,
            head=head,
            entries=tuple(entries),
        )
        if len(entries) <= FEW or len(encode(reply)) <= MAX_HEADER_BYTES:
            return reply
        limit = len(entries) // 2
