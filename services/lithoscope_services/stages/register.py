"""Volumes to the reference frame: where each scan lies against the first one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lithoscope_messages import Fact, RoiVoxels, StageName, TransformReady, VolumeReady
from lithoscope_pipeline.geometry import FloatVolume, Roi
from lithoscope_pipeline.reference_frame import find_reference_frame, stationary_mask
from lithoscope_pipeline.register import register_rigid
from lithoscope_services.errors import ServiceError
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.stage import Task, make_task
from lithoscope_services.stages.inputs import fact_parts, reference_scan, settings_of
from lithoscope_store import ExperimentPaths, Store, read_slab


class RegisterStage:
    """The first scan sets the reference frame; each other one is laid over it."""

    name: StageName = "register"
    algorithm_version = 1

    def plan(self, history: History) -> Sequence[Task]:
        """Give the volumes that have no transform and whose reference has one."""
        reference = reference_scan(history)
        if reference is None:
            return []
        tasks = []
        for scan in history.in_order():
            if scan.volume is None or scan.transform is not None or scan.failure is not None:
                continue
            if scan.scan == reference:
                tasks.append(self._reference_task(history, scan.scan, scan.volume))
            elif history.scans[reference].transform is not None:
                tasks.append(self._pair_task(history, history.scans[reference], scan))
        return tasks

    def _reference_task(self, history: History, scan: int, volume: VolumeReady) -> Task:
        return make_task(
            self,
            scan,
            inputs=[volume.work_key],
            parameters={"voxel_um": volume.voxel_um},
            arguments={"experiment": history.experiment, "moving": _place(volume)},
        )

    def _pair_task(self, history: History, fixed: ScanHistory, moving: ScanHistory) -> Task:
        if fixed.volume is None or fixed.transform is None or moving.volume is None:
            raise ServiceError(f"scan {moving.scan} has nothing to be registered to")
        frame = fixed.transform
        return make_task(
            self,
            moving.scan,
            inputs=[fixed.volume.work_key, frame.work_key, moving.volume.work_key],
            parameters={
                **settings_of(history).registration.model_dump(mode="json"),
                "voxel_um": moving.volume.voxel_um,
                "roi": frame.roi.model_dump(),
                "y_outer_px": frame.y_outer_px,
            },
            arguments={
                "experiment": history.experiment,
                "fixed_scan": fixed.scan,
                "fixed": _place(fixed.volume),
                "moving": _place(moving.volume),
            },
        )

    def execute(self, task: Task, store_root: str) -> Iterator[Fact]:
        """Find the reference frame in the first scan, or the transform of another one."""
        paths = Store(Path(store_root)).experiment(task.arguments["experiment"])
        moving = _load(paths, task.arguments["moving"])
        if "fixed" in task.arguments:
            yield self._register(task, _load(paths, task.arguments["fixed"]), moving)
        else:
            yield self._set_reference(task, moving)

    def _set_reference(self, task: Task, volume: FloatVolume) -> TransformReady:
        frame = find_reference_frame(volume, task.parameters["voxel_um"])
        if frame.verdict != "resolved":
            raise ServiceError(
                f"scan {task.scan}: no pouch, electrode, electrolyte, electrode, pouch in this "
                "order along y; check the edge-on angle and that the sample is a layered cell"
            )
        return TransformReady(
            **fact_parts(task, self.name, task.key),
            algorithm_version=self.algorithm_version,
            fixed_scan=task.scan,
            rotation_deg=(0.0, 0.0, 0.0),
            shift_px=(0.0, 0.0, 0.0),
            centre_px=_middle(volume),
            residual_px=0.0,
            verdict="reference",
            roi=_to_message(frame.roi),
            y_outer_px=frame.y_outer_px,
        )

    def _register(self, task: Task, fixed: FloatVolume, moving: FloatVolume) -> TransformReady:
        parameters = task.parameters
        roi = RoiVoxels(**parameters["roi"])
        if moving.shape != fixed.shape:
            raise ServiceError(
                f"scan {task.scan} has shape {moving.shape}, the reference {fixed.shape}; "
                "keep detector region and binning through an experiment"
            )
        mask = stationary_mask(find_reference_frame(fixed, parameters["voxel_um"]), fixed.shape)
        found = register_rigid(fixed, moving, mask=mask, max_shift_px=parameters["max_shift_px"])
        is_good = (
            found.verdict == "resolved" and found.residual_px <= parameters["residual_limit_px"]
        )
        return TransformReady(
            **fact_parts(task, self.name, task.key),
            algorithm_version=self.algorithm_version,
            fixed_scan=task.arguments["fixed_scan"],
            rotation_deg=found.rotation_deg,
            shift_px=found.shift_px,
            centre_px=found.centre_px,
            residual_px=found.residual_px,
            verdict="resolved" if is_good else "unregistered",
            reason=""
            if is_good
            else f"residual {found.residual_px:.2f} voxel, verdict {found.verdict}",
            roi=roi,
            y_outer_px=parameters["y_outer_px"],
        )


def _place(volume: VolumeReady) -> dict[str, Any]:
    return {"path": volume.path, "n_rows": volume.shape[0]}


def _load(paths: ExperimentPaths, place: dict[str, Any]) -> FloatVolume:
    volume: FloatVolume = read_slab(paths.resolve(place["path"]), 0, place["n_rows"])
    return volume


def _middle(volume: FloatVolume) -> tuple[float, float, float]:
    z, y, x = volume.shape
    return (z - 1) / 2, (y - 1) / 2, (x - 1) / 2


def _to_message(roi: Roi) -> RoiVoxels:
    return RoiVoxels(z0=roi.z0, z1=roi.z1, y0=roi.y0, y1=roi.y1, x0=roi.x0, x1=roi.x1)


STAGE = RegisterStage()
