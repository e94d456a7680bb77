"""Registered volumes to labels: one task a scan."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lithoscope_messages import Fact, LabelsReady, StageName, TransformReady
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.reference_frame import HOMOGRAPHY_FLAG
from lithoscope_pipeline.segment import GreyReferences
from lithoscope_services.errors import ServiceError
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.settings.segment_table import SegmentSettings
from lithoscope_services.stage import Json, Task, make_task
from lithoscope_services.stages.inputs import fact_parts, reference_scan
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
from lithoscope_services.stages.segment.parts import begin_parts, finish_parts, label_part
from lithoscope_services.stages.segment.region import region_of, resampled
from lithoscope_services.stages.segment.written import LABEL_NAME, WrittenRegion
from lithoscope_store import ExperimentPaths, Store, array_sha256

#: Change nothing but how fast a task is done.
_WITHOUT_EFFECT = {"n_threads"}


class SegmentStage:
    """One task a scan; networks are shown earlier scans, layers are compared with their labels."""

    name: StageName = "segment"
    algorithm_version = 6

    def plan(self, history: History) -> Sequence[Task]:
        """Give the registered scans that have no labels and all that they are compared with."""
        reference = reference_scan(history)
        if reference is None:
            return []
        settings = history.settings.segment
        tasks = []
        for scan in history.in_order():
            if scan.transform is None or scan.labels is not None or scan.failure is not None:
                continue
            needed = _needed(history, scan, reference, settings)
            if settings.method == "network" or all(each.labels is not None for each in needed):
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
            "slab_rows": history.settings.reconstruct.slab_rows,
            "homography": _homography(history),
        }
        arguments: dict[str, Any] = {
            "experiment": history.experiment,
            "path": scan.volume.path,
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
            arguments |= {
                "n_threads": settings.n_threads,
                "maps_path": transform.maps_path,
                "shown": [describe_earlier(each) for each in needed],
            }
            if not needed and not is_first:
                arguments["flags"] = [*arguments["flags"], SINGLE_SCAN_FLAG]
            compared = [key for each in needed for key in _registered_keys(each)]
        else:
            labelled = [each.labels for each in needed if each.labels is not None]
            arguments["earlier"] = [labels.path for labels in labelled]
            compared = [labels.work_key for labels in labelled]
        return make_task(
            self,
            scan.scan,
            inputs=[scan.volume.work_key, transform.work_key, *compared],
            parameters=parameters,
            arguments=arguments,
        )

    def execute(self, task: Task, store_root: str) -> Iterator[Fact]:
        """Resample a scan into the reference frame and label it."""
        paths = Store(Path(store_root)).experiment(task.arguments["experiment"])
        region, volume, references = resampled(task, paths)
        if task.parameters["method"] == "network":
            fields = label_by_network(task, paths, region, volume, references)
        else:
            fields = _by_layers(task, paths, region, volume[:, :, :], references)
        yield self._labels_ready(task, paths, references, fields)

    def begin(self, task: Task, store_root: str) -> Json:
        """Resample a scan into the reference frame, and cut the passes over it into slabs."""
        return begin_parts(task, store_root)

    def do_part(self, task: Task, store_root: str, begun: Json, part: Any) -> Iterator[Fact]:
        """Run the network over some slabs."""
        label_part(task, store_root, begun, part)
        yield from ()

    def finish(
        self, task: Task, store_root: str, begun: Json, facts: Sequence[Fact]
    ) -> Iterator[Fact]:
        """Write the labels of all slabs."""
        del facts
        paths = Store(Path(store_root)).experiment(task.arguments["experiment"])
        references, fields = finish_parts(task, paths, begun)
        yield self._labels_ready(task, paths, references, fields)

    def _labels_ready(
        self,
        task: Task,
        paths: ExperimentPaths,
        references: GreyReferences,
        fields: Mapping[str, Any],
    ) -> LabelsReady:
        region = region_of(task, paths)
        found = dict(fields)
        return LabelsReady(
            **fact_parts(task, self.name, task.key),
            algorithm_version=self.algorithm_version,
            path=paths.relative(region.path),
            label_name=LABEL_NAME,
            shape=region.shape,
            voxel_um=region.voxel_um,
            cnr_li_electrolyte=references.cnr,
            grey=grey_finding(references),
            flags=(*task.arguments["flags"], *found.pop("flags", ())),
            **found,
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


def _registered_keys(scan: ScanHistory) -> list[str]:
    return [fact.work_key for fact in (scan.volume, scan.transform) if fact is not None]


def _needed(
    history: History, scan: ScanHistory, reference: int, settings: SegmentSettings
) -> list[ScanHistory]:
    """Give the scans that this one is compared with."""
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
