"""The region of interest of a scan, laid into the reference frame, as a task names it."""

import numpy as np

from lithoscope_models.network_pass import region_references
from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.resample import VolumeSource
from lithoscope_pipeline.segment import GreyReferences
from lithoscope_services.errors import ServiceError
from lithoscope_services.stage import Task
from lithoscope_services.stages.register_frame import frame_transform
from lithoscope_services.stages.segment.written import WrittenRegion
from lithoscope_services.stages.stored_volume import StoredVolume
from lithoscope_store import ExperimentPaths


def region_of(task: Task, paths: ExperimentPaths) -> WrittenRegion:
    """Say where the region of a task is written."""
    return WrittenRegion(
        path=paths.volume(task.scan, task.key),
        shape=Roi(**task.parameters["roi"]).shape,
        voxel_um=task.parameters["voxel_um"],
        slab_rows=task.parameters["slab_rows"],
    )


def resampled(
    task: Task, paths: ExperimentPaths
) -> tuple[WrittenRegion, VolumeSource, GreyReferences]:
    """Resample a scan into the reference frame, write it, and find its grey values.

    Raises
    ------
    ServiceError
        If the layers of the cell are not found in it.
    """
    region = region_of(task, paths)
    region.create(f"scan {task.scan} in the reference frame", task.key)
    warp = task.parameters["homography"]
    volume = region.resample(
        StoredVolume(paths.resolve(task.arguments["path"])),
        frame_transform(task.parameters),
        Roi(**task.parameters["roi"]),
        None if warp is None else np.array(warp).reshape(3, 3),
    )
    references = region_references(volume)
    if references.verdict != "resolved":
        raise ServiceError(
            f"scan {task.scan}: the layers of the cell were not found in the region of "
            "interest; look at the slices of this scan and at its flats"
        )
    return region, volume, references
