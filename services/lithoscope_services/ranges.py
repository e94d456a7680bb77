"""Which numbers of a session have been dealt with, as runs."""

from bisect import bisect_right


class Ranges:
    """A set of whole numbers kept as runs; adding in order costs nothing."""

    def __init__(self) -> None:
        self._runs: list[list[int]] = []

    def add(self, number: int) -> None:
        """Put a number into the set."""
        at = bisect_right(self._runs, number, key=lambda run: run[0])
        before = self._runs[at - 1] if at else None
        if before is not None and number <= before[1]:
            return
        after = self._runs[at] if at < len(self._runs) else None
        joins_before = before is not None and before[1] + 1 == number
        joins_after = after is not None and number + 1 == after[0]
        if before is not None and joins_before:
            before[1] = number
            if after is not None and joins_after:
                before[1] = after[1]
                del self._runs[at]
        elif after is not None and joins_after:
            after[0] = number
        else:
            self._runs.insert(at, [number, number])

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._runs, number, key=lambda run: run[0])
        return at > 0 and number <= self._runs[at - 1][1]

    @property
    def contiguous(self) -> int:
        """Last number of the run that begins with 0; -1 if there is none."""
        return self._runs[0][1] if self._runs and self._runs[0][0] == 0 else -1

    def later(self, limit: int) -> tuple[tuple[int, int], ...]:
        """Give the runs that do not begin with 0, the newest ``limit`` of them."""
        runs = [(first, last) for first, last in self._runs if first > 0]
        return tuple(runs[-limit:])
