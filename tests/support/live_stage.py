"""A stage that follows a scan while it runs, one step at a time."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from live_scans import COLUMNS, N_VIEWS, ROWS, SLAB_ROWS, LiveStore, RodScan, told

from lithoscope_messages import ReconstructionPreview, SlabReady, VolumeReady
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.stages.reconstruct import ReconstructStage
from lithoscope_store import Store, read_slab

RODS = RodScan()


def begun(root: Path, rods: RodScan, **settings: object) -> LiveStore:
    values = {"reconstruct.slab_rows": SLAB_ROWS, **settings}
    made = LiveStore(root, replace_values(Settings(), values))
    made.begin(0, rods)
    made.write(0, rods, range(N_VIEWS))
    made.write_frames(0, rods, [("flat", 1, index) for index in range(rods.n_flats_after)])
    finish(made, ReconstructStage(), 0)
    return made


def watch(live: LiveStore, stage: ReconstructStage) -> list[ReconstructionPreview]:
    """Let a stage follow until it has nothing to do."""
    stage.follow(stage.watch(live.history), str(live.root))
    shown: list[ReconstructionPreview] = []
    for _ in range(200):
        step = stage.step()
        shown += [m for m in step.messages if isinstance(m, ReconstructionPreview)]
        if step.is_idle:
            return shown
    raise AssertionError("the stage never came to rest")


def finish(live: LiveStore, stage: ReconstructStage, scan: int) -> VolumeReady:
    """Close the scan, do its task, and give the last fact."""
    live.complete(scan)
    (task,) = stage.plan(live.history)
    facts = told(stage.execute(task, str(live.root)))
    live.tell(*facts)
    volume = facts[-1]
    assert isinstance(volume, VolumeReady)
    assert sum(isinstance(fact, SlabReady) for fact in facts) == -(-ROWS // SLAB_ROWS)
    return volume


def batch(live: LiveStore, scan: int) -> VolumeReady:
    """Do the task of a scan once more, by a stage that has seen nothing of it."""
    known = live.history.scans[scan].volume
    live.history.scans[scan].volume = None
    stage = ReconstructStage()
    (task,) = stage.plan(live.history)
    shutil.rmtree(Store(live.root).experiment("cell").reconstruction(scan, task.key))
    found = told(stage.execute(task, str(live.root)))[-1]
    live.history.scans[scan].volume = known
    assert isinstance(found, VolumeReady)
    return found


def take(live: LiveStore, stage: ReconstructStage, order: Sequence[Sequence[int]]) -> VolumeReady:
    """Take scan 1 in portions; the stage follows each."""
    live.begin(1, RODS)
    for number, portion in enumerate(order):
        live.write(1, RODS, portion, with_beam=number == 0)
        watch(live, stage)
    return finish(live, stage, 1)


def likeness(live: LiveStore, scan: int, shown: ReconstructionPreview) -> float:
    """Correlate the slice across the axis with that of the volume, inside the view."""
    volume = live.history.scans[scan].volume
    assert volume is not None
    path = Store(live.root).experiment("cell").resolve(volume.path)
    truth = read_slab(path, ROWS // 2, ROWS // 2 + 1)[0]
    found = np.frombuffer(shown.z_slice.pixels, np.uint8).reshape(shown.z_slice.shape)
    y, x = np.indices(truth.shape) - (COLUMNS - 1) / 2
    inside = np.hypot(y, x) < 0.45 * COLUMNS
    return float(np.corrcoef(truth[inside], found[inside])[0, 1])


def finish_whole(live: LiveStore, stage: ReconstructStage, scan: int) -> VolumeReady:
    live.complete(scan)
    (task,) = stage.plan(live.history)
    volume = told(stage.execute(task, str(live.root)))[-1]
    assert isinstance(volume, VolumeReady)
    return volume
