"""Registered volumes to labels: one task a scan."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lithoscope_messages import Fact, LabelsReady, StageName, TransformReady
from lithoscope_models.network_pass import region_references
from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.reference_frame import HOMOGRAPHY_FLAG
from lithoscope_pipeline.segment import GreyReferences
from lithoscope_services.errors import ServiceError
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.settings.segment_table import SegmentSettings
from lithoscope_services.stage import Task, make_task
from lithoscope_services.stages.inputs import fact_parts, reference_scan, settings_of
from lithoscope_services.stages.register_frame import frame_transform
from lithoscope_services.stages.segment.earlier import (
    SINGLE_SCAN_FLAG,
    describe_earlier,
    grey_finding,
    has_faces,
    previous_scan,
)
from lithoscope_services.stages.segment.layers import (
    label_by_layers,
    needed_scans,
    read_anatomy_reference,
)
from lithoscope_services.stages.segment.network import label_by_network
from lithoscope_services.stages.segment.written import LABEL_NAME, WrittenRegion
from lithoscope_services.stages.stored_volume import StoredVolume
from lithoscope_store import ExperimentPaths, Store, array_sha256

#: Change nothing but how fast a task is done.
_WITHOUT_EFFECT = {"n_threads"}


class SegmentStage:
    """One task a scan; it needs the labels of earlier ones, and the scans in their frame."""

    name: StageName = "segment"
    algorithm_version = 5

    def plan(self, history: History) -> Sequence[Task]:
        """Give the registered scans that have no labels and whose references have some."""
        reference = reference_scan(history)
        if reference is None:
            return []
        settings = settings_of(history).segment
        tasks = []
        for scan in history.in_order():
            if scan.transform is None or scan.labels is not None or scan.failure is not None:
                continue
            needed = _needed(history, scan, reference, settings)
            if all(each.labels is not None for each in needed):
                tasks.append(self._task(history, scan, needed, settings))
        return tasks

    def _task(
        self,
        history: History,
        scan: ScanHistory,
        needed: Sequence[ScanHistory],
        settings: SegmentSettings,
    ) -> Task:
        if scan.volume is None or scan.transform is None:
            raise ServiceError(f"scan {scan.scan} has a transform and no volume")
        transform = scan.transform
        is_first = scan.scan == reference_scan(history)
        by_network = settings.method == "network"
        parameters: dict[str, Any] = {
            **settings.model_dump(mode="json", exclude=_WITHOUT_EFFECT),
            "voxel_um": scan.volume.voxel_um,
            "roi": transform.roi.model_dump(),
            "rotation_deg": transform.rotation_deg,
            "shift_px": transform.shift_px,
            "centre_px": transform.centre_px,
            "slab_rows": settings_of(history).reconstruct.slab_rows,
            "homography": _homography(history),
        }
        arguments: dict[str, Any] = {
            "experiment": history.experiment,
            "path": scan.volume.path,
            "earlier": [each.labels.path for each in needed if each.labels is not None],
            "flags": _flags(history, transform),
        }
        if by_network:
            phase = None if scan.started is None else scan.started.phase
            parameters |= {
                "model_sha256": _model_sha256(settings.model),
                "training_sha256": _training_sha256(settings.model),
                "half_cycle": 0 if phase is None else phase.half_cycle,
                "is_first_scan": is_first,
            }
            shown = [describe_earlier(each) for each in needed]
            arguments |= {
                "n_threads": settings.n_threads,
                "maps_path": transform.maps_path,
                "shown": shown if all(shown) else [],
            }
            if not arguments["shown"] and not is_first:
                arguments["flags"] = [*arguments["flags"], SINGLE_SCAN_FLAG]
        return make_task(
            self,
            scan.scan,
            inputs=[
                scan.volume.work_key,
                transform.work_key,
                *(each.labels.work_key for each in needed if each.labels is not None),
            ],
            parameters=parameters,
            arguments=arguments,
        )

    def execute(self, task: Task, store_root: str) -> Iterator[Fact]:
        """Resample a scan into the reference frame and label it."""
        paths = Store(Path(store_root)).experiment(task.arguments["experiment"])
        parameters = task.parameters
        roi = Roi(**parameters["roi"])
        region = WrittenRegion(
            path=paths.volume(task.scan, task.key),
            shape=roi.shape,
            voxel_um=parameters["voxel_um"],
            slab_rows=parameters["slab_rows"],
        )
        region.create(f"scan {task.scan} in the reference frame", task.key)
        warp = parameters["homography"]
        volume = region.resample(
            StoredVolume(paths.resolve(task.arguments["path"])),
            frame_transform(parameters),
            roi,
            None if warp is None else np.array(warp).reshape(3, 3),
        )
        references = region_references(volume)
        if references.verdict != "resolved":
            raise ServiceError(
                f"scan {task.scan}: the layers of the cell were not found in the region of "
                "interest; look at the slices of this scan and at its flats"
            )
        if parameters["method"] == "network":
            fields = dict(label_by_network(task, paths, region, volume, references))
        else:
            fields = dict(_by_layers(task, paths, region, volume[:, :, :], references))
        yield LabelsReady(
            **fact_parts(task, self.name, task.key),
            algorithm_version=self.algorithm_version,
            path=paths.relative(region.path),
            label_name=LABEL_NAME,
            shape=roi.shape,
            voxel_um=parameters["voxel_um"],
            cnr_li_electrolyte=references.cnr,
            grey=grey_finding(references),
            flags=(*task.arguments["flags"], *fields.pop("flags", ())),
            **fields,
        )


def _by_layers(
    task: Task,
    paths: ExperimentPaths,
    region: WrittenRegion,
    volume: np.ndarray[Any, np.dtype[np.float32]],
    references: GreyReferences,
) -> Mapping[str, Any]:
    earlier = read_anatomy_reference(paths, task.arguments["earlier"], region.shape[0])
    labels = label_by_layers(volume, references, earlier, voxel_um=region.voxel_um)
    region.write_labels({LABEL_NAME: labels})
    return {
        "sha256": array_sha256(labels),
        "model": "layers",
        "unsegmented": (Label.PIT.key, Label.VOID.key),
    }


def _needed(
    history: History, scan: ScanHistory, reference: int, settings: SegmentSettings
) -> list[ScanHistory]:
    """Give the scans that must be labelled first, as this one is compared with them."""
    if settings.method == "layers":
        return needed_scans(history, scan, reference)
    if scan.scan == reference or not settings.earlier_scans:
        return []
    first, previous = history.scans[reference], previous_scan(history, scan)
    if previous is None or not has_faces(scan.transform) or not has_faces(first.transform):
        return []
    return [previous, first]


def _homography(history: History) -> tuple[float, ...] | None:
    """Give the warp that was set for the first scan, and holds for all."""
    reference = reference_scan(history)
    first = None if reference is None else history.scans[reference].transform
    return None if first is None else first.homography


def _flags(history: History, transform: TransformReady) -> list[str]:
    """Say what the labels must be read with."""
    flags = ["unregistered"] if transform.verdict == "unregistered" else []
    return [*flags, HOMOGRAPHY_FLAG] if _homography(history) is not None else flags


@cache
def _model_sha256(model: str) -> str:
    """Name the very network of a task; its card is the one file that a plan looks at."""
    from lithoscope_models.errors import ModelError
    from lithoscope_models.model_file import model_sha256

    try:
        return model_sha256(model)
    except ModelError:
        return ""  # the task says what is wrong with it


@cache
def _training_sha256(model: str) -> str:
    """Name the table of what the training looked like: distances depend on it."""
    from lithoscope_models.errors import ModelError
    from lithoscope_models.training_scans import training_sha256

    try:
        return training_sha256(model)
    except ModelError:
        return ""  # as above


STAGE = SegmentStage()
