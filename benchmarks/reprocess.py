"""Re-processing on one and two workers, what the engine itself takes, a part of full size."""

import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.simulated_scans import EXPERIMENT, simulate
from benchmarks.tables import Report, Table
from benchmarks.whole_chain import WholeChain
from lithoscope_pipeline.phantom import SizeName
from lithoscope_pipeline.reconstruct import FourierBackend
from lithoscope_services.reprocess.cluster import OnDask, local_cluster
from lithoscope_services.reprocess.run import ReprocessOptions, run_reprocess
from lithoscope_store import Store, read_journal

SPIN_S: Final = 2.0
#: The reference experiment: projections, columns, rows of a slab, slabs of the least part.
FULL_VIEWS, FULL_COLUMNS, SLAB_ROWS, PART_SLABS = 1500, 2560, 32, 4
HASHED = ("SlabReady", "VolumeReady", "LabelsReady")


def measure(*, is_quick: bool) -> Report:
    """Measure everything."""
    n_scans, size = (4, "tiny") if is_quick else (8, "small")
    with tempfile.TemporaryDirectory(prefix="lithoscope-bench-") as folder:
        scaling = _scaling(Path(folder) / "store", size, n_scans)  # type: ignore[arg-type] # one of the names
    slice_s = _full_slice_s(n_rows=2 if is_quick else 8)
    part_s = slice_s * SLAB_ROWS * PART_SLABS
    share = 100 * scaling.engine_s_per_job / part_s
    return Report(
        title="Re-processing on Dask",
        method=(
            "A stored experiment is done again with its rotation axis given, so that all keys are "
            "others and nothing can be taken over. Workers are processes with one thread on this "
            "machine; starting them does not count. The spinning processes say what two cores "
            "were worth at that time: the same loop in one process, and in two at once.",
            "The engine is the command with its scheduler: processor time of that process while "
            "it gives out jobs, keeps the journal and looks at answers. A part of a scan at full "
            f"size is at least {PART_SLABS} slabs of {SLAB_ROWS} rows; its time is that of some "
            f"rows of {FULL_COLUMNS} columns and {FULL_VIEWS} angles in one thread, times the "
            "rows: rows cost the same (see reconstruct). Reading and correcting frames would come "
            "on top and make the share smaller.",
        ),
        tables=(
            Table(
                title=f"{n_scans} scans, {size}",
                columns=("workers", "s", "times as fast", "two spinning processes", "hashes"),
                rows=scaling.rows(),
            ),
            Table(
                title="The engine against a part of a scan at full size",
                columns=("engine, ms a job", "jobs", "ms a slice", "s a part", "share, %"),
                rows=[
                    (
                        f"{1e3 * scaling.engine_s_per_job:.0f}",
                        str(scaling.n_jobs),
                        f"{1e3 * slice_s:.0f}",
                        f"{part_s:.1f}",
                        f"{share:.2f}",
                    )
                ],
            ),
        ),
        packages=("dask", "distributed", "numpy"),
    )


class _Scaling:
    """What was measured of workers."""

    def __init__(self) -> None:
        self.seconds: dict[int, float] = {}
        self.spin: dict[int, float] = {}
        self.hashes: dict[int, object] = {}
        self.engine_s_per_job = 0.0
        self.n_jobs = 0

    def rows(self) -> list[tuple[str, ...]]:
        """Write the table."""
        return [
            (
                str(workers),
                f"{seconds:.1f}",
                f"{self.seconds[1] / seconds:.2f}",
                f"{self.spin[workers]:.2f}",
                "the same" if self.hashes[workers] == self.hashes[1] else "DIFFERENT",
            )
            for workers, seconds in self.seconds.items()
        ]


def _scaling(root: Path, size: SizeName, n_scans: int) -> _Scaling:
    found = _Scaling()
    scans = simulate(size, seed=0, n_scans=n_scans, n_taken=n_scans)
    axis_px = scans[0].cell.rotation_axis_px
    with WholeChain(root, EXPERIMENT, scans[0].cell) as chain:
        for scan in scans:
            chain.take(scan)
    for workers in (1, 2):
        name = f"on-{workers}"
        options = ReprocessOptions(
            store=root,
            source=EXPERIMENT,
            name=name,
            given=[f"scan.rotation_axis={axis_px}"],
            n_beside=workers,
        )
        with local_cluster(workers) as cluster:
            sent: list[OnDask] = []

            def make(store: str, experiment: str) -> OnDask:
                sent.append(OnDask(cluster, store, experiment))  # noqa: B023 - called at once
                return sent[-1]  # noqa: B023 - called at once

            found.spin[workers] = spin_ratio()
            begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
            run_reprocess(options, make)
            found.seconds[workers] = time.perf_counter() - begin_s
            engine_s = time.process_time() - begin_cpu_s
        if workers == 1:
            found.n_jobs = sent[0].n_sent
            found.engine_s_per_job = engine_s / found.n_jobs
        found.hashes[workers] = [
            (entry.message.type, entry.message.scan, entry.message.sha256)
            for entry in read_journal(Store(root).experiment(name).journal)
            if entry.message.type in HASHED and entry.message.type != "SlabReady"
        ]
        found.hashes[workers] = sorted(found.hashes[workers])  # type: ignore[call-overload] # a list
    return found


def spin_ratio() -> float:
    """Say what a second process is worth now: rounds of two at once over those of one."""
    return sum(_spin(2)) / _spin(1)[0]


def _spin(n_processes: int) -> list[int]:
    context = multiprocessing.get_context("spawn")
    with context.Pool(n_processes) as pool:
        pool.map(_count, [0.1] * n_processes)  # all are up
        return pool.map(_count, [SPIN_S] * n_processes, chunksize=1)


def _count(seconds: float) -> int:
    """Count rounds of the same arithmetic within some time."""
    end_s, rounds = time.perf_counter() + seconds, 0
    while time.perf_counter() < end_s:
        sum(range(2000))
        rounds += 1
    return rounds


def _full_slice_s(*, n_rows: int) -> float:
    """Time a slice of full size in one thread, processor time."""
    thetas_rad = np.linspace(0.0, np.pi, FULL_VIEWS, endpoint=False)
    rng = np.random.default_rng(0)
    attenuation = rng.random((FULL_VIEWS, n_rows, FULL_COLUMNS), np.float32)
    backend = FourierBackend()
    options = {"rotation_axis_px": (FULL_COLUMNS - 1) / 2, "voxel_um": 1.33}
    backend.reconstruct(attenuation[:, :1], thetas_rad, **options)  # compiles
    begin_s = time.process_time()
    backend.reconstruct(attenuation, thetas_rad, **options)
    return (time.process_time() - begin_s) / n_rows
