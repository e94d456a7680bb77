"""The running scan: what is left of its reconstruction after the last projection."""

import logging
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import structlog

from benchmarks.simulated_scans import EXPERIMENT, SESSION, SimulatedScan, simulate
from benchmarks.tables import Report, Table
from benchmarks.timing import Timings, interleave, one_core, processor_s
from benchmarks.whole_chain import DirectJournal
from lithoscope_messages import (
    ExperimentBegin,
    ExperimentDescription,
    JournalMessage,
    VolumeReady,
)
from lithoscope_pipeline.geometry import FloatVolume, field_axis_px
from lithoscope_pipeline.phantom import SIZES, SizeName
from lithoscope_services.history import History
from lithoscope_services.intake_experiment import ExperimentIntake
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.stages.reconstruct import ReconstructStage
from lithoscope_store import (
    JournalDatabase,
    Store,
    create_volume,
    finish_volume,
    read_slab,
    volume_info,
    write_slab,
)

SEED = 5
FRAMES_A_COMMIT = 16
BATCH, EARLY, STORING = "nothing begun", "begun early", "storing"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Following:
    """What following a scan took while it ran, processor seconds."""

    total_s: float
    longest_step_s: float
    n_previews: int


def measure(*, is_quick: bool) -> Report:
    """Reconstruct the second scan of an experiment with and without early work."""
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet)
    plans: list[tuple[SizeName, int]] = [("tiny", 3)] if is_quick else [("tiny", 9), ("small", 5)]
    with one_core():
        tables = tuple(_table(size, repeats) for size, repeats in plans)
    return Report(
        title="Work left after the last projection",
        method=(
            "The second scan of a simulated cell (seed 5) is reconstructed by the stage of the "
            "service, once by a process that has seen nothing of it, once by one that followed "
            "it while it ran; both volumes must have the same hash. Frames come from files in "
            "memory, slabs are written there. Processor seconds on one core, medians of "
            "interleaved rounds; in brackets the least and the largest ratio of a round.",
            "With a given axis what is left is the inverse transform of each slab and its "
            "storing: checksums, compression, coarser levels. Storing alone is measured on the "
            "same volume, and taken off both in the last ratio, of medians. An axis that is "
            "looked for is confirmed after the last projection in any case, for that needs views "
            "half a turn apart. Following is what it took while the scan ran, previews included, "
            "and the longest step of it: so long a task may have to wait.",
        ),
        tables=tables,
        packages=("lithoscope", "numba", "numpy", "scipy"),
    )


def _table(size: SizeName, repeats: int) -> Table:
    scans = simulate(size, seed=SEED)
    detector = SIZES[size]
    rows = [_row(scans, axis, repeats) for axis in ("given", "auto")]
    return Table(
        title=(
            f"{size}: {detector.n_rows} x {detector.n_columns} pixels, {detector.n_angles} "
            f"angles, {repeats} rounds"
        ),
        columns=(
            "axis",
            "nothing begun, s",
            "begun early, s",
            "early / batch",
            "of both: storing, s",
            "early / batch without storing",
            "following, s",
            "longest step, s",
            "previews",
        ),
        rows=rows,
    )


def _row(scans: Sequence[SimulatedScan], axis: str, repeats: int) -> tuple[str, ...]:
    settings = Settings()
    if axis == "given":
        position_px = field_axis_px(scans[0].cell.detector.n_columns)
        settings = replace_values(settings, {"scan.rotation_axis": position_px})
    with _experiment(settings, scans) as (root, running, complete):
        followed: list[_Following] = []
        hashes: set[str] = set()

        def batch() -> float:
            stage = ReconstructStage()
            return processor_s(lambda: hashes.add(_finish(stage, complete, root)))

        def early() -> float:
            stage = ReconstructStage()
            followed.append(_follow(stage, running, root))
            return processor_s(lambda: hashes.add(_finish(stage, complete, root)))

        def store() -> float:
            slices, copy = _stored(complete, root), root / "copy.zarr"
            return processor_s(lambda: _store_again(slices, copy))

        contenders = {BATCH: batch, EARLY: early, STORING: store}
        timings: Timings = interleave(contenders, repeats=repeats)
    if len(hashes) != 1:
        raise RuntimeError(f"early work has changed the volume: {sorted(hashes)}")
    return (
        axis,
        f"{timings.median_s(BATCH):.3f}",
        f"{timings.median_s(EARLY):.3f}",
        timings.ratio_text(EARLY, BATCH),
        f"{timings.median_s(STORING):.3f}",
        _ratio_without_storing(timings),
        f"{sorted(each.total_s for each in followed)[len(followed) // 2]:.3f}",
        # The first round compiles.
        f"{max(each.longest_step_s for each in followed[1:]):.3f}",
        str(followed[-1].n_previews),
    )


def _stored(complete: History, root: Path) -> FloatVolume:
    """Read the volume that was made last."""
    (task,) = ReconstructStage().plan(complete)
    path = Store(root).experiment("live").reconstruction(task.scan, task.key)
    volume: FloatVolume = read_slab(path, 0, volume_info(path).shape[0])
    return volume


def _store_again(slices: FloatVolume, path: Path) -> None:
    """Store a volume as the stage does."""
    slab_rows = Settings().reconstruct.slab_rows
    shape = (slices.shape[0], slices.shape[1], slices.shape[2])
    create_volume(path, shape=shape, voxel_um=1.0, name="copy", slab_slices=slab_rows)
    for z0 in range(0, len(slices), slab_rows):
        write_slab(path, z0, slices[z0 : z0 + slab_rows])
    finish_volume(path)


def _ratio_without_storing(timings: Timings) -> str:
    storing_s = timings.median_s(STORING)
    left_s, whole_s = (timings.median_s(name) - storing_s for name in (EARLY, BATCH))
    return f"{max(left_s, 0.0) / whole_s:.2f}"


def _follow(stage: ReconstructStage, running: History, root: Path) -> _Following:
    stage.follow(stage.watch(running), str(root))
    total_s, longest_s, n_previews = 0.0, 0.0, 0
    while True:
        begin_s = time.process_time()
        step = stage.step()
        taken_s = time.process_time() - begin_s
        total_s, longest_s = total_s + taken_s, max(longest_s, taken_s)
        n_previews += len(step.messages)
        if step.is_idle:
            return _Following(total_s=total_s, longest_step_s=longest_s, n_previews=n_previews)


def _finish(stage: ReconstructStage, complete: History, root: Path) -> str:
    (task,) = stage.plan(complete)
    *_, volume = stage.execute(task, str(root))
    if not isinstance(volume, VolumeReady):
        raise TypeError(f"the last fact of a task is a {type(volume).__name__}, not the volume")
    return volume.sha256


@contextmanager
def _experiment(
    settings: Settings, scans: Sequence[SimulatedScan]
) -> Iterator[tuple[Path, History, History]]:
    """Store both scans; give what was known when the second had all frames, and at its end."""
    memory = Path("/dev/shm")
    root = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    database = JournalDatabase(Store(root).experiment("live").journal, "live")
    journal = cast(JournalClient, DirectJournal(database))
    intake = ExperimentIntake("live", Store(root), settings, journal)
    history = History("live")

    def known() -> History:
        history.extend(database.read_since(history.number).entries)
        return history

    try:
        intake.take(
            ExperimentBegin(
                experiment=EXPERIMENT,
                session=SESSION,
                sequence=0,
                time_ns=0,
                description=ExperimentDescription(source="simulated"),
            )
        )
        for scan in scans:
            _store(intake, scan)
            running = deepcopy(known())
            intake.take(scan.end)
            if scan is scans[0]:
                stage = ReconstructStage()
                (task,) = stage.plan(known())
                for fact in stage.execute(task, str(root)):
                    database.append([cast(JournalMessage, fact)])
        yield root, running, deepcopy(known())
    finally:
        intake.close()
        database.close()
        shutil.rmtree(root)


def _store(intake: ExperimentIntake, scan: SimulatedScan) -> None:
    if scan.samples is not None:
        intake.take(scan.samples)
    intake.take(scan.begin)
    for number, (header, pixels) in enumerate(scan.frames, start=1):
        intake.write(header, pixels)
        if number % FRAMES_A_COMMIT == 0:
            intake.commit()
    intake.commit()
