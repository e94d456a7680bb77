"""The table of a soak of rotation axes; `make soak` writes it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from benchmarks.tables import ROOT, Table, commit, machine

PATH = ROOT / "benchmarks" / "results" / "rotation_axis.md"
_METHOD = """Each trial is a scan drawn from one seed: one of seven samples, of six orders of
angles (half a turn with and without its end, a full turn, golden angle, interlaced, ends edge-on),
an axis within a fifth of the width from the middle, noise of 0 to 1 and rings (a particle is 0.2
to 1.5 high), 1 to 12 rows, 96 to 160 columns. `plates` and `cell` are far wider than the view. A
finding is wrong if it is `resolved` and more than {wrong_px:g} pixels off; one fails the run."""


class Outcome(Protocol):
    """What came of one trial."""

    @property
    def kind(self) -> str: ...

    @property
    def noise(self) -> float: ...

    @property
    def verdict(self) -> str: ...

    @property
    def off_px(self) -> float: ...


def write_table(outcomes: Sequence[Outcome], *, wrong_px: float) -> None:
    """Write what came of all trials, by sample and noise."""
    columns = (
        "sample",
        "noise",
        "trials",
        "resolved",
        "ambiguous",
        "flat or border",
        "median error, px",
        "95 %, px",
        "largest, px",
    )
    groups = sorted({(each.kind, each.noise) for each in outcomes})
    rows = [
        _row(kind, noise, [each for each in outcomes if (each.kind, each.noise) == (kind, noise)])
        for kind, noise in groups
    ]
    n_wrong = sum(each.verdict == "resolved" and each.off_px > wrong_px for each in outcomes)
    table = Table(
        title=f"{len(outcomes)} trials, {n_wrong} resolved and wrong", columns=columns, rows=rows
    )
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    about = f"`make soak`, {date}, commit {commit()}.  \n{machine()}"
    parts = ["# Rotation axis", about, _METHOD.format(wrong_px=wrong_px), table.as_markdown()]
    PATH.write_text("\n\n".join(parts) + "\n")


def _row(kind: str, noise: float, outcomes: Sequence[Outcome]) -> list[str]:
    off_px = [each.off_px for each in outcomes if each.verdict == "resolved"]
    counts = [
        sum(each.verdict in verdicts for each in outcomes)
        for verdicts in (("resolved",), ("ambiguous",), ("flat", "border"))
    ]
    errors = ["–"] * 3
    if off_px:
        errors = [f"{np.quantile(off_px, share):.2f}" for share in (0.5, 0.95, 1.0)]
    return [kind, f"{noise:g}", str(len(outcomes)), *map(str, counts), *errors]
