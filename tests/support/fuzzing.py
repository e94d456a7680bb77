"""Give a decoder damaged messages, and look at its time, its memory and what it says."""

import gc
import random
import re
import signal
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import psutil

T = TypeVar("T")
#: Processor time after which a message is taken to hang; the slowest need some milliseconds.
DEADLINE_S = 5.0
#: Longer texts would fill logs.
MAX_ERROR_LENGTH = 1000
#: Where names go when there are too many.
MORE = "more"
#: Every so many messages the memory that one takes is looked at.
MEASURED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Generic[T]):
    """A decoder of foreign bytes.

    Parameters
    ----------
    name
        For the table.
    decode
        Takes a message; what it gives is looked at by nobody.
    mutate
        Makes a damaged message.
    whole
        Messages without damage, which are taken.
    size_of
        Bytes of a message.
    error
        The one class of errors that it may raise.
    fields
        What the text of an error may begin with.
    bytes_per_byte
        Memory that one message may take, for each of its bytes; a mebibyte is free.
    """

    name: str
    decode: Callable[[T], object]
    mutate: Callable[[random.Random], T]
    whole: Sequence[T]
    size_of: Callable[[T], int]
    error: type[Exception]
    fields: str
    bytes_per_byte: float = 40.0


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of the messages; times are those of the processor."""

    name: str
    n_messages: int = 0
    n_taken: int = 0
    slowest_s: float = 0.0
    took_s: float = 0.0
    peak_bytes: int = 0
    grown_bytes: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def n_refused(self) -> int:
        return self.reasons.total()

    @property
    def named_most(self) -> str:
        """What most refusals began with."""
        named = [reason for reason, _ in self.reasons.most_common(5) if reason != MORE]
        return ", ".join(named[:4])


def fuzz(target: Target[T], *, n: int, seed: int) -> Outcome:
    """Give a decoder ``n`` damaged messages; anything but a result or a named refusal fails."""
    noise = random.Random(seed)
    fields = re.compile(f"(?:{target.fields}): ", re.DOTALL)
    found = Outcome(name=target.name)
    settled_bytes = 0
    for number in range(n):
        if number == n // 4:
            settled_bytes = _resident_bytes()
        message = target.mutate(noise)
        is_measured = number % MEASURED == 0
        if is_measured:
            tracemalloc.start()
        begun_s = time.thread_time()
        try:
            with _deadline(DEADLINE_S):
                target.decode(message)
            found.n_taken += 1
        except target.error as error:
            text = str(error)
            match = fields.match(text)
            assert match, f"message {number}: names no field: {text[:200]!r}"
            assert len(text) <= MAX_ERROR_LENGTH, f"message {number}: {len(text)} characters"
            # Names of fields may be what somebody sent; a thousand of them tell enough.
            reason = text.partition(":")[0][:60]
            found.reasons[reason if len(found.reasons) < 1000 else MORE] += 1
        if is_measured:
            peak_bytes = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            allowed = 2**20 + target.bytes_per_byte * target.size_of(message)
            assert peak_bytes < allowed, f"message {number}: {peak_bytes} bytes"
            found.peak_bytes = max(found.peak_bytes, peak_bytes)
        else:
            took_s = time.thread_time() - begun_s
            found.slowest_s = max(found.slowest_s, took_s)
            found.took_s += took_s
    found.n_messages = n
    found.grown_bytes = max(_resident_bytes() - settled_bytes, 0)
    return found


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Fail what takes more processor time; pytest's own limit holds the real one."""
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


@contextmanager
def watching_time() -> Iterator[None]:
    """Make a message that hangs an error of its test."""

    def expired(_number: int, _frame: object) -> None:
        raise TimeoutError(f"a message took more than {DEADLINE_S:.0f} s")

    before = signal.signal(signal.SIGVTALRM, expired)
    try:
        yield
    finally:
        signal.signal(signal.SIGVTALRM, before)


def _resident_bytes() -> int:
    gc.collect()
    resident: int = psutil.Process().memory_info().rss
    return resident


def parts_size(parts: Sequence[bytes]) -> int:
    return sum(map(len, parts))
