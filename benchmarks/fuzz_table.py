"""The table of a soak of all decoders with damaged messages; `make soak` writes it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from benchmarks.tables import ROOT, Table, commit, machine

PATH = ROOT / "benchmarks" / "results" / "fuzz.md"
_METHOD = """Each decoder gets messages that were whole and are damaged from one seed ({seed}):
bits and bytes flipped, cut, doubled, inserted, joined with parts of others, lengths set to huge
values; and, in every second one, a value of its JSON, msgpack, CBOR or structure replaced, left
out, doubled or added. A message is taken, or refused by the one named class of errors with the
field in front; anything else fails the run, and so does a message that needs more than 5 s of
processor time or, of every fiftieth, more memory than a fixed multiple of its length.

Times are of the processor. "Growth" is what the process holds more at the end than after a quarter
of the messages, with what the test itself keeps."""


class Outcome(Protocol):
    """What became of the messages of one decoder."""

    name: str
    n_messages: int
    n_taken: int
    slowest_s: float
    took_s: float
    peak_bytes: int
    grown_bytes: int

    @property
    def n_refused(self) -> int: ...

    @property
    def named_most(self) -> str: ...


def write_table(outcomes: Sequence[Outcome], *, seed: int) -> None:
    """Write the table where results lie."""
    rows = [
        (
            each.name,
            f"{each.n_messages:,}",
            f"{each.n_taken:,}",
            f"{each.n_refused:,}",
            f"{each.took_s / each.n_messages * 1e6:.0f}",
            f"{each.slowest_s * 1e3:.1f}",
            f"{each.peak_bytes / 2**10:.0f}",
            f"{each.grown_bytes / 2**20:.1f}",
            each.named_most,
        )
        for each in outcomes
    ]
    table = Table(
        title="Damaged messages",
        columns=(
            *("decoder", "messages", "taken", "refused", "mean, µs"),
            *("slowest, ms", "peak memory of one, KiB", "growth, MiB", "most named"),
        ),
        rows=rows,
    )
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    about = f"`make soak`, {date}, commit {commit()}.  \n{machine()}"
    parts = ["# Decoders and damaged messages", about, _METHOD.format(seed=seed)]
    PATH.write_text("\n\n".join([*parts, table.as_markdown()]) + "\n")
