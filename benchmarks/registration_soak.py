"""The table of a soak of registration with simulated pairs; `make soak` writes it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from benchmarks.tables import ROOT, Report, Table

PATH = ROOT / "benchmarks" / "results" / "registration_soak.md"


class Outcome(Protocol):
    """What became of a pair."""

    @property
    def mean_px(self) -> float: ...

    @property
    def worst_px(self) -> float: ...

    @property
    def about_deg(self) -> tuple[float, float, float]: ...

    @property
    def turn_deg(self) -> float: ...

    @property
    def score(self) -> float: ...

    @property
    def is_resolved(self) -> bool: ...


def write_table(good: Sequence[Outcome], bad: Sequence[tuple[str, bool, float]]) -> None:
    """Write the table where results lie."""
    report = Report(
        title="Registration of simulated pairs",
        method=(
            "Scan 0 and the scan at the end of charging of a simulated cell of default difficulty "
            "(192 columns, 180 angles, 32 rows of 4.5 um): real changes of the lithium, the "
            "plating side moved by 39 um, drifts of up to 15 voxels and 1 degree. Frames are "
            "reconstructed, electrodes found and scans registered as the services do. The "
            "error is the distance from the truth over a lattice of the region. Some hundredths "
            "of a voxel of it are motion of up to 0.2 voxels during either scan.",
            "Below, pairs that cannot be registered: the verdict must say so of every one.",
        ),
        tables=(_good(good), _bad(bad)),
        packages=("lithoscope", "numba", "numpy"),
    )
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(report.as_markdown(is_quick=False))


def _good(outcomes: Sequence[Outcome]) -> Table:
    rows = []
    for name, values, unit in (
        ("mean over the region", [one.mean_px for one in outcomes], "voxel"),
        ("worst corner", [one.worst_px for one in outcomes], "voxel"),
        ("rotation about z", [one.about_deg[0] for one in outcomes], "degree"),
        ("rotation about y", [one.about_deg[1] for one in outcomes], "degree"),
        ("rotation about x", [one.about_deg[2] for one in outcomes], "degree"),
        ("worst axis of each pair", [max(one.about_deg) for one in outcomes], "degree"),
        ("angle of what is left to turn", [one.turn_deg for one in outcomes], "degree"),
        ("texture score", [one.score for one in outcomes], "sd"),
    ):
        marks = np.quantile(values, [0.0, 0.5, 0.95, 1.0])
        rows.append((f"{name}, {unit}", *(f"{mark:.4f}" for mark in marks)))
    n_resolved = sum(one.is_resolved for one in outcomes)
    return Table(
        title=f"{len(outcomes)} pairs, {n_resolved} resolved",
        columns=("error", "least", "median", "95 %", "largest"),
        rows=rows,
    )


def _bad(outcomes: Sequence[tuple[str, bool, float]]) -> Table:
    rows = []
    for kind in sorted({name for name, _, _ in outcomes}):
        these = [(is_resolved, score) for name, is_resolved, score in outcomes if name == kind]
        rows.append(
            (
                kind,
                str(len(these)),
                str(sum(is_resolved for is_resolved, _ in these)),
                f"{max(score for _, score in these):.1f}",
            )
        )
    return Table(
        title=f"{len(outcomes)} pairs that cannot be registered",
        columns=("kind", "pairs", "believed", "largest texture score"),
        rows=rows,
    )
