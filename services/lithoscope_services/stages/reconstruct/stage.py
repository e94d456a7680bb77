"""The stage: what is planned, done and begun early, in one place."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from lithoscope_messages import Fact, StageName
from lithoscope_services.errors import ServiceError
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.stage import Json, Step, Task, make_task
from lithoscope_services.stages.reconstruct.execute import reconstruct_scan
from lithoscope_services.stages.reconstruct.follow import LiveScan
from lithoscope_services.stages.reconstruct.parts import begin_parts, finish_parts, write_part
from lithoscope_services.stages.reconstruct.plan import (
    is_settled,
    parameters_of,
    watched_scan,
    why_batch,
)
from lithoscope_services.stages.reconstruct.tile_volume import TilesAhead


class ReconstructStage:
    """One task a scan, as soon as its frames are complete; begun before where that is possible."""

    name: StageName = "reconstruct"
    algorithm_version = 4

    def __init__(self) -> None:
        self._live = LiveScan()
        self._ahead = TilesAhead()

    def plan(self, history: History) -> Sequence[Task]:
        """Give the scans that are complete and have no volume.

        Where the axis has to be found a scan waits for those before it, whatever comes of them:
        they say where it was, and that is part of the key.
        """
        tasks = []
        for scan in history.in_order():
            if scan.completed is None or is_settled(scan):
                continue
            task = self._task(history, scan)
            tasks.append(task)
            if task.parameters["rotation_axis_px"] is None:
                break
        return tasks

    def execute(self, task: Task, store_root: str) -> Iterator[Fact]:
        """Reconstruct a scan; each slab is announced when it is on disk."""
        return reconstruct_scan(task, store_root, self._live, self._ahead, self.algorithm_version)

    def begin(self, task: Task, store_root: str) -> Json:
        """Find the axis of a scan, and cut its volume into runs of slabs."""
        return begin_parts(task, store_root, self.algorithm_version)

    def do_part(self, task: Task, store_root: str, begun: Json, part: Any) -> Iterator[Fact]:
        """Reconstruct a run of slabs."""
        return write_part(task, store_root, self.algorithm_version, begun, part)

    def finish(
        self, task: Task, store_root: str, begun: Json, facts: Sequence[Fact]
    ) -> Iterator[Fact]:
        """Announce the volume."""
        return finish_parts(task, store_root, self.algorithm_version, begun, facts)

    def watch(self, history: History) -> Json | None:
        """Say which scan runs, and how it is begun."""
        return watched_scan(history)

    def follow(self, watched: Json | None, store_root: str) -> None:
        """Follow another scan, or know more of the same one, or none."""
        self._live.follow(watched, store_root)
        self._ahead.follow(watched, store_root)

    def step(self) -> Step:
        """Correct, filter and add some projections that have come.

        When there are none, a slab is made of a tile that is complete. That may take longer than
        a step should: the task that would wait for it is that of the same scan, which needs it.
        """
        step = self._live.step()
        if step.is_idle and self._ahead.step():
            return replace(step, is_idle=False)
        return step

    def abandon(self, reason: str) -> None:
        """Forget what was begun of the running scan."""
        self._live.abandon(reason)
        self._ahead.follow(None, "")

    def _task(self, history: History, scan: ScanHistory) -> Task:
        if scan.completed is None:
            raise ServiceError(f"scan {scan.scan} is not complete yet; wait for its end")
        account = scan.completed.account
        parameters = parameters_of(history, scan)
        return make_task(
            self,
            scan.scan,
            inputs=[scan.completed.frames_sha256],
            parameters=parameters,
            arguments={
                "experiment": history.experiment,
                "batch_reason": why_batch(history, scan, parameters),
                "memory_share": history.settings.reconstruct.memory_share,
                "sets": [each.model_dump(mode="json") for each in account.sets],
            },
        )
