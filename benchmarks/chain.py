"""Frames to verdict: the seconds of each stage, called one after another without services."""

import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from benchmarks.places import disk_kind, places
from benchmarks.simulated_scans import SimulatedScan, simulate
from benchmarks.tables import Report, Table
from benchmarks.timing import Timed, Timings, interleave
from benchmarks.whole_chain import STEPS, WholeChain
from lithoscope_pipeline.phantom import SIZES, SizeName

TOTAL = "frames to verdict"
SEED = 5


@dataclass(slots=True)
class _Rounds:
    """What each round of one place took, step by step, for the scan that is registered."""

    seconds: list[dict[str, float]]
    first_scan: list[float]
    written_bytes: dict[str, int]
    fsyncs: dict[str, int]


def measure(*, is_quick: bool) -> Report:
    """Take two scans of each size through all stages, on disk and in memory."""
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet)
    plans: list[tuple[SizeName, int]] = [("tiny", 2)] if is_quick else [("tiny", 9), ("small", 5)]
    tables = tuple(_table(size, repeats) for size, repeats in plans)
    return Report(
        title="Frames to verdict",
        method=(
            "The code that the services run, in one process and without sockets: the intake of "
            "an experiment, then `plan` and `execute` of each stage with the journal between "
            "them. All that the services make durable is made durable (frames in commits of "
            "16, each fact in a commit). Two scans of one simulated cell (seed 5): pristine, and "
            "fully charged. Simulating, and checksumming as a sender does, come before and do not "
            "count. Steps are those of the second scan, which is registered to the first; the "
            "first sets the reference frame and needs no registration. Registration uses all "
            "cores, everything else one.",
            "Seconds by the clock, medians of interleaved rounds on disk and in memory; in "
            "brackets the least and the largest ratio of a round. MB are bytes of files "
            "that a step has added; fsyncs are those of our files and folders, to which SQLite "
            "adds one or two a commit. Live, frames are stored while the scan runs, and stages of "
            f"different scans share the cores. The disk is {disk_kind()}.",
        ),
        tables=tables,
        packages=("lithoscope", "finufft", "SimpleITK", "zarr", "numpy", "scipy"),
    )


def _table(size: SizeName, repeats: int) -> Table:
    scans = simulate(size, seed=SEED)
    frame_bytes = sum(len(pixels) for _, pixels in scans[0].frames)
    taken: dict[str, _Rounds] = {}
    with places(needed_bytes=40 * frame_bytes) as found:
        contenders: dict[str, Timed] = {}
        for place, folder in found.items():
            taken[place] = _Rounds([], [], {}, {})
            contenders[place] = _timed(folder, scans, taken[place])
        interleave(contenders, repeats=repeats)
    detector = SIZES[size]
    return Table(
        title=(
            f"{size}: {detector.n_rows} x {detector.n_columns} pixels, {detector.n_angles} "
            f"angles, {frame_bytes / 1e6:.1f} MB of frames a scan, "
            f"{1e-6 * detector.n_rows * detector.n_columns**2:.1f} million voxels, "
            f"{repeats} rounds"
        ),
        columns=("step", "s", "share", "MB written", "fsyncs", "time on disk / in memory"),
        rows=_rows(taken, repeats),
    )


def _timed(folder: Path, scans: Sequence[SimulatedScan], rounds: _Rounds) -> Timed:
    def run() -> float:
        root = folder / "store"
        shutil.rmtree(root, ignore_errors=True)
        begin_s = time.perf_counter()
        with WholeChain(root, "bench", scans[0].cell) as chain:
            first = chain.take(scans[0])
            last = chain.take(scans[-1])
        rounds.first_scan.append(sum(first.seconds.values()))
        rounds.seconds.append(last.seconds | {TOTAL: sum(last.seconds.values())})
        rounds.written_bytes = last.written_bytes | {TOTAL: sum(last.written_bytes.values())}
        rounds.fsyncs = last.fsyncs | {TOTAL: sum(last.fsyncs.values())}
        return time.perf_counter() - begin_s

    return run


def _rows(taken: dict[str, _Rounds], repeats: int) -> list[tuple[str, ...]]:
    disk = taken["disk"]
    first = Timings(seconds={place: _counted(r.first_scan, repeats) for place, r in taken.items()})
    rows: list[tuple[str, ...]] = []
    whole_s = Timings(seconds={"disk": _step(disk, TOTAL, repeats)}).median_s("disk")
    for step in (*STEPS, TOTAL):
        timings = Timings(
            seconds={place: _step(each, step, repeats) for place, each in taken.items()}
        )
        rows.append(
            (
                step,
                f"{timings.median_s('disk'):.3f}",
                f"{100 * timings.median_s('disk') / whole_s:.0f} %",
                f"{disk.written_bytes[step] / 1e6:.2f}",
                str(disk.fsyncs[step]),
                _ratio(timings),
            )
        )
    rows.append(
        (f"{TOTAL}, first scan", f"{first.median_s('disk'):.3f}", "", "", "", _ratio(first))
    )
    return rows


def _step(rounds: _Rounds, step: str, repeats: int) -> tuple[float, ...]:
    return _counted([each[step] for each in rounds.seconds], repeats)


def _counted(values: Sequence[float], repeats: int) -> tuple[float, ...]:
    """Leave out the round before those that count."""
    return tuple(values[-repeats:])


def _ratio(timings: Timings) -> str:
    return timings.ratio_text("disk", "tmpfs") if "tmpfs" in timings.seconds else "not measured"
