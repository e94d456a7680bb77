"""Volumes to the reference frame: where each scan lies against the first one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lithoscope_messages import Fact, RoiVoxels, StageName, TransformReady, VolumeReady
from lithoscope_services.errors import ServiceError
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.stage import Task, make_task
from lithoscope_services.stages.inputs import fact_parts, reference_scan
from lithoscope_services.stages.register_frame import (
    BY_HAND,
    frame_transform,
    set_frame,
    swelling_fields,
    unregistered_fields,
)
from lithoscope_services.stages.register_pair import ScanPair, Way, place_in_frame
from lithoscope_services.stages.stored_volume import StoredVolume
from lithoscope_store import ExperimentPaths, Store


class RegisterStage:
    """The first scan sets the reference frame; each other one follows the one before it."""

    name: StageName = "register"
    algorithm_version = 4

    def plan(self, history: History) -> Sequence[Task]:
        """Give the next volume that has no transform, if those before it are settled."""
        reference = reference_scan(history)
        if reference is None:
            return []
        first = history.scans[reference]
        previous, n_steps = first, 0
        for scan in history.in_order():
            if scan.scan < reference or scan.failure is not None:
                continue
            if scan.volume is None:
                return []
            if scan.transform is None:
                if scan.scan == reference:
                    return [self._reference_task(history, scan.scan, scan.volume)]
                if first.transform is None:
                    return []
                return [self._pair_task(history, first, previous, scan, n_steps)]
            if scan.transform.verdict != "unregistered":
                n_steps = 0 if scan.transform.is_anchored else n_steps + 1
                previous = scan
        return []

    def _reference_task(self, history: History, scan: int, volume: VolumeReady) -> Task:
        return make_task(
            self,
            scan,
            inputs=[volume.work_key],
            parameters={
                "voxel_um": volume.voxel_um,
                **history.settings.registration.model_dump(mode="json", include=BY_HAND),
            },
            arguments={"experiment": history.experiment, "moving": _place(volume)},
        )

    def _pair_task(
        self,
        history: History,
        first: ScanHistory,
        previous: ScanHistory,
        moving: ScanHistory,
        n_steps: int,
    ) -> Task:
        """Compare with the previous scan, and with the first one when it is its turn."""
        facts = (first.volume, first.transform, previous.volume, previous.transform, moving.volume)
        if any(fact is None for fact in facts):
            raise ServiceError(f"scan {moving.scan} has nothing to be registered to")
        settings = history.settings.registration
        return make_task(
            self,
            moving.scan,
            inputs=[fact.work_key for fact in facts if fact is not None],
            parameters={
                **settings.model_dump(mode="json"),
                "voxel_um": facts[4].voxel_um if facts[4] else None,
                "is_anchor_due": n_steps + 1 >= settings.anchor_every,
                "frame": _frame_of(first),
            },
            arguments={
                "experiment": history.experiment,
                "first": _way(first),
                "previous": _way(previous),
                "moving": _place(moving.volume),
            },
        )

    def execute(self, task: Task, store_root: str) -> Iterator[Fact]:
        """Find the reference frame in the first scan, or the transform of another one."""
        paths = Store(Path(store_root)).experiment(task.arguments["experiment"])
        moving = StoredVolume(paths.resolve(task.arguments["moving"]["path"]))
        if "first" in task.arguments:
            yield self._register(task, paths, moving)
        else:
            yield self._set_frame(task, paths, moving)

    def _set_frame(
        self, task: Task, paths: ExperimentPaths, volume: StoredVolume
    ) -> TransformReady:
        frame, fields = set_frame(task, paths, volume, voxel_um=task.parameters["voxel_um"])
        if frame.verdict != "resolved":
            raise ServiceError(
                f"scan {task.scan}: no pouch, electrode, electrolyte, electrode, pouch in this "
                "order along y; check the edge-on angle and that the sample is a layered cell"
            )
        return TransformReady(
            **fact_parts(task, self.name, task.key),
            algorithm_version=self.algorithm_version,
            fixed_scan=task.scan,
            residual_px=0.0,
            verdict="reference",
            **fields,
        )

    def _register(
        self, task: Task, paths: ExperimentPaths, moving: StoredVolume
    ) -> TransformReady:
        parameters = task.parameters
        frame = parameters["frame"]
        pair = ScanPair(
            scan=task.scan,
            moving=moving,
            first=_read_way(task, paths, "first"),
            previous=_read_way(task, paths, "previous"),
            roi=RoiVoxels(**frame["roi"]),
            planes_px=tuple(frame["planes_px"]),
            voxel_um=parameters["voxel_um"],
        )
        found = place_in_frame(pair, parameters)
        transform = found.transform
        fields = unregistered_fields()
        maps_path = task.arguments["first"]["maps_path"]
        if not found.reason and maps_path is not None:
            reference = {"maps_path": maps_path, "roi": frame["roi"]}
            fields = swelling_fields(
                task, paths, moving, transform, reference, voxel_um=pair.voxel_um
            )
        return TransformReady(
            **fact_parts(task, self.name, task.key),
            algorithm_version=self.algorithm_version,
            fixed_scan=found.fixed_scan,
            rotation_deg=transform.rotation_deg,
            shift_px=transform.shift_px,
            centre_px=transform.centre_px,
            residual_px=transform.residual_px,
            verdict="unregistered" if found.reason else "resolved",
            reason=found.reason,
            roi=pair.roi,
            y_outer_px=frame["y_outer_px"],
            planes_px=pair.planes_px,
            engine=found.engine,
            is_anchored=found.is_anchored,
            closure_px=found.closure_px,
            uncertainty_px=found.uncertainty_px,
            texture_score=found.texture_score,
            **fields,
        )


def _place(volume: VolumeReady | None) -> dict[str, Any]:
    if volume is None:
        raise ServiceError("a scan was planned without its volume")
    return {"path": volume.path, "n_rows": volume.shape[0]}


def _way(scan: ScanHistory) -> dict[str, Any]:
    """Where a scan lies on the disk and in the reference frame."""
    if scan.transform is None:
        raise ServiceError(f"scan {scan.scan} was planned with without its transform")
    names = {"rotation_deg", "shift_px", "centre_px", "maps_path"}
    return {
        **_place(scan.volume),
        "scan": scan.scan,
        **scan.transform.model_dump(mode="json", include=names),
        "lift_px": _lift_px(scan.transform),
    }


def _lift_px(transform: TransformReady) -> float:
    """Say how far the plating side has moved out since the first scan, voxels."""
    for face in transform.faces:
        if face.side == "plating" and face.verdict == "resolved" and face.mean_px is not None:
            return face.mean_px
    return 0.0


def _frame_of(first: ScanHistory) -> dict[str, Any]:
    if first.transform is None:
        raise ServiceError(f"scan {first.scan} set no reference frame")
    names = {"roi", "y_outer_px", "planes_px"}
    return first.transform.model_dump(mode="json", include=names)


def _read_way(task: Task, paths: ExperimentPaths, name: str) -> Way:
    place = task.arguments[name]
    return Way(
        scan=place["scan"],
        volume=StoredVolume(paths.resolve(place["path"])),
        transform=frame_transform(place),
        lift_px=place["lift_px"],
    )


STAGE = RegisterStage()
