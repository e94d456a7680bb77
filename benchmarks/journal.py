"""Facts to disk: appends to the journal against an fsync of the same text in a plain file."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks.places import disk_kind, places
from benchmarks.tables import Report, Table
from benchmarks.timing import Timings, interleave, wall_s
from lithoscope_messages import FramesStored
from lithoscope_store import JournalDatabase

BATCHES = (1, 16, 256)
Item = TypeVar("Item")


def measure(*, is_quick: bool) -> Report:
    """Append facts both ways, one or many at a time, on disk and in memory."""
    n_commits, repeats = (30, 3) if is_quick else (200, 9)
    rows: list[tuple[str, ...]] = []
    with places(needed_bytes=2**30) as found:
        for place, folder in found.items():
            for batch in BATCHES:
                ours, plain = _Ours(folder, batch, n_commits), _Plain(folder, batch, n_commits)
                timings = interleave({"ours": ours, "plain": plain}, repeats=repeats)
                rows.append(_row(place, batch, n_commits, timings))
                ours.close()
    size = len(_facts(0, 1)[0].model_dump_json())
    return Report(
        title="Facts to disk",
        method=(
            f"{n_commits} commits a round of `FramesStored` facts (about {size} bytes of JSON "
            "each), 1 to 256 in a commit. `JournalDatabase.append` looks for a double, numbers "
            "the fact, chains it by SHA-256 to the one before and commits it to SQLite (WAL, "
            "`synchronous=FULL`: one fsync a commit, and a checkpoint every 1000 pages). The "
            "plain file gets the same JSON, a line each, with one fsync a commit. The journal "
            "grows from round to round, as a live one does.",
            f"Medians of {repeats} interleaved rounds by the clock; in brackets the least and the "
            "largest ratio of a round. Facts are made before, and that does not count. The disk "
            f"is {disk_kind()}.",
        ),
        tables=(
            Table(
                title="Rate, and time against the plain file",
                columns=(
                    *("place", "facts a commit", "journal, facts/s", "plain file, facts/s"),
                    *("journal, ms a commit", "time / plain file"),
                ),
                rows=rows,
            ),
        ),
        packages=("lithoscope", "pydantic"),
    )


def _facts(first: int, count: int) -> list[FramesStored]:
    return [
        FramesStored(
            experiment="bench",
            key=f"0/0/projection/0/{number}",
            time_ns=1_700_000_000_000_000_000 + number,
            producer="ingest",
            scan=0,
            tile=0,
            kind="projection",
            set=0,
            first=number,
            count=64,
        )
        for number in range(first, first + count)
    ]


class _Ours:
    """Rounds of appends to one journal."""

    def __init__(self, folder: Path, batch: int, n_commits: int) -> None:
        self._journal = JournalDatabase(folder / f"journal-{batch}.sqlite", "bench")
        self._batch, self._n_commits = batch, n_commits

    def __call__(self) -> float:
        """Append one round."""
        first = self._journal.head
        facts = _facts(first, self._batch * self._n_commits)
        return wall_s(lambda: _in_batches(facts, self._batch, self._journal.append))

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()


class _Plain:
    """Rounds of lines appended to one file."""

    def __init__(self, folder: Path, batch: int, n_commits: int) -> None:
        self._path = folder / f"plain-{batch}.jsonl"
        self._batch, self._n_commits = batch, n_commits

    def __call__(self) -> float:
        """Append one round."""
        facts = _facts(0, self._batch * self._n_commits)
        lines = [fact.model_dump_json().encode() + b"\n" for fact in facts]
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def write(batch: Sequence[bytes]) -> None:
            os.write(descriptor, b"".join(batch))
            os.fsync(descriptor)

        try:
            return wall_s(lambda: _in_batches(lines, self._batch, write))
        finally:
            os.close(descriptor)


def _in_batches(
    items: Sequence[Item], size: int, take: Callable[[Sequence[Item]], object]
) -> None:
    for first in range(0, len(items), size):
        take(items[first : first + size])


def _row(place: str, batch: int, n_commits: int, timings: Timings) -> tuple[str, ...]:
    rates = [batch * n_commits / timings.median_s(name) for name in ("ours", "plain")]
    return (
        place,
        str(batch),
        *(f"{rate:,.0f}" for rate in rates),
        f"{1e3 * timings.median_s('ours') / n_commits:.2f}",
        timings.ratio_text("ours", "plain"),
    )
