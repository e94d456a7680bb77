"""Registered volumes to labels: layers by thresholds and order, then the parts of the cell."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lithoscope_messages import Fact, LabelsReady, StageName, TransformReady
from lithoscope_pipeline.anatomy import AnatomyReference, find_side_thickness, label_anatomy
from lithoscope_pipeline.geometry import FloatVolume, Roi
from lithoscope_pipeline.labels import Label, classes_of
from lithoscope_pipeline.reference_frame import HOMOGRAPHY_FLAG
from lithoscope_pipeline.resample import resample_slabs
from lithoscope_pipeline.rigid import RigidTransform
from lithoscope_pipeline.segment import find_grey_references, lithium_share, segment_layers
from lithoscope_services.errors import ServiceError
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.stage import Task, make_task
from lithoscope_services.stages.inputs import fact_parts, reference_scan, settings_of
from lithoscope_services.stages.stored_volume import StoredVolume
from lithoscope_store import (
    ExperimentPaths,
    LabelClass,
    Store,
    array_sha256,
    create_labels,
    create_volume,
    finish_volume,
    read_slab,
    write_slab,
)

LABEL_NAME = "cell"
COLOURS: dict[Label, tuple[int, int, int, int]] = {
    # Okabe and Ito's colours, told apart by people of any colour vision; the page has the same.
    Label.STRIPPING_ELECTRODE: (0, 114, 178, 255),
    Label.PLATING_ELECTRODE: (86, 180, 233, 255),
    Label.DEPOSITED: (230, 159, 0, 255),
    Label.REDEPOSITED: (0, 158, 115, 255),
    Label.DENDRITE: (213, 94, 0, 255),
    Label.PIT: (204, 121, 167, 255),
    Label.ELECTROLYTE: (240, 228, 66, 255),
    Label.VOID: (255, 255, 255, 255),
}


CLASSES = tuple(
    LabelClass(value=int(label), name=label.key, colour=colour)
    for label, colour in COLOURS.items()
)


class SegmentStage:
    """One task a scan; it needs the labels of the first, and of the end of the half-cycle."""

    name: StageName = "segment"
    algorithm_version = 2

    def plan(self, history: History) -> Sequence[Task]:
        """Give the registered scans that have no labels and whose references have some."""
        reference = reference_scan(history)
        if reference is None:
            return []
        tasks = []
        for scan in history.in_order():
            if scan.transform is None or scan.labels is not None or scan.failure is not None:
                continue
            earlier = _earlier_labels(history, scan, reference)
            if earlier is not None:
                tasks.append(self._task(history, scan, earlier))
        return tasks

    def _task(self, history: History, scan: ScanHistory, earlier: list[LabelsReady]) -> Task:
        if scan.volume is None or scan.transform is None:
            raise ServiceError(f"scan {scan.scan} has a transform and no volume")
        transform = scan.transform
        return make_task(
            self,
            scan.scan,
            inputs=[
                scan.volume.work_key,
                transform.work_key,
                *(labels.work_key for labels in earlier),
            ],
            parameters={
                **settings_of(history).segment.model_dump(mode="json"),
                "voxel_um": scan.volume.voxel_um,
                "roi": transform.roi.model_dump(),
                "rotation_deg": transform.rotation_deg,
                "shift_px": transform.shift_px,
                "centre_px": transform.centre_px,
                "slab_rows": settings_of(history).reconstruct.slab_rows,
                "homography": _homography(history),
            },
            arguments={
                "experiment": history.experiment,
                "path": scan.volume.path,
                "earlier": [labels.path for labels in earlier],
                "flags": _flags(history, transform),
            },
        )

    def execute(self, task: Task, store_root: str) -> Iterator[Fact]:
        """Resample a scan into the reference frame and label it."""
        paths = Store(Path(store_root)).experiment(task.arguments["experiment"])
        parameters = task.parameters
        roi = Roi(**parameters["roi"])
        transform = RigidTransform(
            rotation_deg=tuple(parameters["rotation_deg"]),
            shift_px=tuple(parameters["shift_px"]),
            centre_px=tuple(parameters["centre_px"]),
        )
        slab_rows = parameters["slab_rows"]
        scan = StoredVolume(paths.resolve(task.arguments["path"]))
        volume = _resampled(scan, transform, roi, slab_rows, parameters["homography"])

        references = find_grey_references(volume)
        if references.verdict != "resolved":
            raise ServiceError(
                f"scan {task.scan}: the layers of the cell were not found in the region of "
                "interest; look at the slices of this scan and at its flats"
            )
        classes = segment_layers(volume, references)
        labels = label_anatomy(
            classes,
            _anatomy_reference(paths, task, roi),
            voxel_um=parameters["voxel_um"],
            lithium_share=lithium_share(volume, references),
        )

        path = paths.volume(task.scan, task.key)
        create_volume(
            path,
            shape=volume.shape,
            voxel_um=parameters["voxel_um"],
            dtype="float32",
            name=f"scan {task.scan} in the reference frame",
            slab_slices=slab_rows,
            offset_unknown=True,
            provenance={"work_key": task.key},
        )
        create_labels(path, LABEL_NAME, CLASSES)
        for z0 in range(0, volume.shape[0], slab_rows):
            z1 = min(z0 + slab_rows, volume.shape[0])
            write_slab(path, z0, volume[z0:z1])
            write_slab(path, z0, labels[z0:z1], label=LABEL_NAME)
        finish_volume(path)
        yield LabelsReady(
            **fact_parts(task, self.name, task.key),
            algorithm_version=self.algorithm_version,
            path=paths.relative(path),
            label_name=LABEL_NAME,
            shape=volume.shape,
            voxel_um=parameters["voxel_um"],
            sha256=array_sha256(labels),
            model="layers",
            cnr_li_electrolyte=references.cnr,
            flags=tuple(task.arguments["flags"]),
        )


def _resampled(
    scan: StoredVolume,
    transform: RigidTransform,
    roi: Roi,
    slab_rows: int,
    homography: Sequence[float] | None,
) -> FloatVolume:
    """Bring the region of a scan into the reference frame, reading no more than it needs."""
    warp = None if homography is None else np.array(homography).reshape(3, 3)
    volume = np.empty(roi.shape, dtype=np.float32)
    for slab in resample_slabs(scan, transform, roi=roi, slab_rows=slab_rows, homography=warp):
        volume[slab.z0 : slab.z0 + slab.volume.shape[0]] = slab.volume
    return volume


def _homography(history: History) -> tuple[float, ...] | None:
    """Give the warp that was set for the first scan, and holds for all."""
    reference = reference_scan(history)
    first = None if reference is None else history.scans[reference].transform
    return None if first is None else first.homography


def _flags(history: History, transform: TransformReady) -> list[str]:
    """Say what the labels must be read with."""
    flags = ["unregistered"] if transform.verdict == "unregistered" else []
    return [*flags, HOMOGRAPHY_FLAG] if _homography(history) is not None else flags


def _earlier_labels(
    history: History, scan: ScanHistory, reference: int
) -> list[LabelsReady] | None:
    """Give the labels that a scan is compared with; None while they are still to come."""
    if scan.scan == reference:
        return []
    needed = [history.scans[reference]]
    turning = _turning_scan(history, scan)
    if turning is not None and turning.scan != reference:
        needed.append(turning)
    labels = [each.labels for each in needed]
    return None if None in labels else [each for each in labels if each is not None]


def _turning_scan(history: History, scan: ScanHistory) -> ScanHistory | None:
    """Give the last scan of the first half-cycle that was not given up, for later ones."""
    if scan.started is None or scan.started.phase.half_cycle == 0:
        return None
    first_half = [
        each
        for each in history.in_order()
        if each.scan < scan.scan
        and each.failure is None
        and each.started is not None
        and each.started.phase.half_cycle == 0
    ]
    return first_half[-1] if first_half else None


def _anatomy_reference(paths: ExperimentPaths, task: Task, roi: Roi) -> AnatomyReference | None:
    reference = None
    for relative in task.arguments["earlier"]:
        labels = read_slab(paths.resolve(relative), 0, roi.z1 - roi.z0, label=LABEL_NAME)
        thickness = find_side_thickness(classes_of(labels))
        if reference is None:
            reference = AnatomyReference.from_first_scan(thickness)
        else:
            reference = reference.with_stripped(thickness)
    return reference


STAGE = SegmentStage()
