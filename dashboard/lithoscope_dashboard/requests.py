"""What this dashboard asks of the journal: kept until it is answered, asked again meanwhile."""

import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from lithoscope_dashboard.errors import JournalRefusedError, JournalUnreachableError
from lithoscope_messages import (
    AppendDone,
    AppendRefused,
    AppendRequested,
    JournalMessage,
    ListExperiments,
    ReadSince,
    encode,
)

RESEND_S = 1.0
#: A person waits this long for the answer to a click.
PATIENCE_S = 10.0


@dataclass(slots=True)
class _Open:
    data: bytes
    resend_s: float
    deadline_s: float | None
    waiter: "Future[tuple[int, ...]] | None"


class Requests:
    """Requests that have no answer yet.

    All of them may be asked twice: reading changes nothing, and an append is one by its key.
    """

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}

    @property
    def is_reading(self) -> bool:
        """Whether an answer to a reading or a listing is still to come."""
        return any(each.waiter is None for each in self._open.values())

    def list_experiments(self, now_s: float) -> None:
        """Ask which experiments there are."""
        request = ListExperiments(request=uuid.uuid4().hex)
        self._open[request.request] = _Open(encode(request), now_s, None, None)

    def read_since(self, experiment: str, after: int, now_s: float, *, limit: int = 1000) -> None:
        """Ask for what stands after a number."""
        request = ReadSince(
            request=uuid.uuid4().hex, experiment=experiment, after=after, limit=limit
        )
        self._open[request.request] = _Open(encode(request), now_s, None, None)

    def append(
        self, message: JournalMessage, waiter: "Future[tuple[int, ...]]", now_s: float
    ) -> None:
        """Ask to write one message; ``waiter`` gets its number, or the reason why not."""
        request = AppendRequested(request=uuid.uuid4().hex, role="dashboard", messages=(message,))
        self._open[request.request] = _Open(encode(request), now_s, now_s + PATIENCE_S, waiter)

    def due(self, now_s: float) -> Iterator[bytes]:
        """Give what is to be sent now, and give up what has waited too long."""
        for request, each in tuple(self._open.items()):
            if each.deadline_s is not None and now_s > each.deadline_s:
                del self._open[request]
                if each.waiter is not None:
                    each.waiter.set_exception(
                        JournalUnreachableError(
                            f"the journal did not answer for {PATIENCE_S:.0f} s; "
                            "see whether it runs, then try again"
                        )
                    )
            elif now_s >= each.resend_s:
                each.resend_s = now_s + RESEND_S
                yield each.data

    def settle(self, request: str) -> bool:
        """Forget a request that was answered; False if it was answered before."""
        return self._open.pop(request, None) is not None

    def settle_append(self, reply: AppendDone | AppendRefused) -> None:
        """Tell who waits what became of an append."""
        each = self._open.pop(reply.request, None)
        if each is None or each.waiter is None:
            return
        if isinstance(reply, AppendDone):
            each.waiter.set_result(reply.numbers)
        else:
            each.waiter.set_exception(JournalRefusedError(reply.reason))
