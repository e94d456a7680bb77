"""Interleaved repeats of things that are compared, and their ratios within a round."""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

#: Does its work once and gives the seconds that count; what it prepares first does not.
Timed = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds of each contender, one a round.

    Parameters
    ----------
    seconds
        By name; entry i of all of them was taken in round i.
    """

    seconds: Mapping[str, tuple[float, ...]]

    def median_s(self, name: str) -> float:
        """Give the middle of all rounds."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, reference: str) -> float:
        """Give how many times as long a contender took: the median over the rounds."""
        return statistics.median(self._ratios(name, reference))

    def ratio_text(self, name: str, reference: str, *, digits: int = 2) -> str:
        """Write the ratio with the least and the largest of a round."""
        ratios = self._ratios(name, reference)
        middle, least, largest = (
            f"{value:.{digits}f}"
            for value in (statistics.median(ratios), min(ratios), max(ratios))
        )
        return f"{middle} ({least} to {largest})"

    def _ratios(self, name: str, reference: str) -> list[float]:
        pairs = zip(self.seconds[name], self.seconds[reference], strict=True)
        return [ours / theirs for ours, theirs in pairs]


def interleave(contenders: Mapping[str, Timed], *, repeats: int) -> Timings:
    """Time contenders in turn, forwards and backwards, so that a slow minute hits all of them.

    Parameters
    ----------
    contenders
        By name.
    repeats
        Rounds that count. One more comes before them: first calls compile and fill caches.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for run in contenders.values():
        run()
    for number in range(repeats):
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            seconds[name].append(contenders[name]())
    return Timings(seconds={name: tuple(values) for name, values in seconds.items()})


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def wall_s(work: Callable[[], object]) -> float:
    """Time work by the clock: what waits for a disk."""
    begin_s = time.perf_counter()
    work()
    return time.perf_counter() - begin_s


def processor_s(work: Callable[[], object]) -> float:
    """Time work by the processor: what only computes, beside others on the same core."""
    begin_s = time.process_time()
    work()
    return time.process_time() - begin_s
