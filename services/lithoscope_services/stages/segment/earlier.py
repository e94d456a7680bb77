"""Which earlier scans a network is shown, and where they lie: each face moves with its own map."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from lithoscope_messages import GreyFinding, TransformReady
from lithoscope_models.earlier_scans import EarlierScan, FaceShifts, lay_over
from lithoscope_models.network_pass import region_references
from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.networks import Which
from lithoscope_pipeline.resample import ResampledVolume, VolumeSource
from lithoscope_pipeline.segment import GreyReferences
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.stage import Json, Task
from lithoscope_services.stages.register_frame import frame_transform
from lithoscope_services.stages.segment.written import KEPT_BYTES, WrittenRegion
from lithoscope_services.stages.stored_volume import StoredVolume
from lithoscope_store import ExperimentPaths, read_maps

Greys = Mapping[Which, GreyReferences]
#: As a task names them.
EARLIER: Final[tuple[Which, ...]] = ("previous", "first")
SINGLE_SCAN_FLAG = "single_scan_labels"
_SIDES = ("stripping", "plating")


def has_faces(transform: TransformReady | None) -> bool:
    """Say whether a scan may be compared with others voxel by voxel: both faces were found."""
    if transform is None or transform.verdict == "unregistered":
        return False
    found = {face.side for face in transform.faces if face.verdict == "resolved"}
    return found == set(_SIDES)


def previous_scan(history: History, scan: ScanHistory) -> ScanHistory | None:
    """Give the last scan before this one that has its faces, whatever its labels came to."""
    before = [
        each for each in history.in_order() if each.scan < scan.scan and has_faces(each.transform)
    ]
    return before[-1] if before else None


def describe_earlier(scan: ScanHistory) -> dict[str, Any]:  # JSON
    """Say where a registered scan lies, for the arguments of a task.

    Where its region is not written yet it is made once more from the volume: no scan waits for the
    labels of another.
    """
    transform, volume, labels = scan.transform, scan.volume, scan.labels
    if transform is None or volume is None:
        return {}
    grey = None if labels is None else labels.grey
    return {
        "scan": scan.scan,
        "path": volume.path,
        "transform": transform.model_dump(
            mode="json", include={"rotation_deg", "shift_px", "centre_px"}
        ),
        "region_path": None if labels is None or grey is None else labels.path,
        "grey": None if grey is None else grey.model_dump(mode="json"),
        "maps_path": None if transform.verdict == "reference" else transform.maps_path,
    }


def read_shifts(
    paths: ExperimentPaths, maps_path: str | None, columns: tuple[int, int], voxel_um: float
) -> FaceShifts:
    """Read how far the faces of a scan have moved; without maps it is the first one."""
    if maps_path is None:
        return FaceShifts.none(columns)
    maps = read_maps(paths.resolve(maps_path)).maps
    stripping, plating = (maps[f"{side}_displacement"] / voxel_um for side in _SIDES)
    return FaceShifts(
        stripping_px=stripping.astype(np.float32), plating_px=plating.astype(np.float32)
    )


def read_earlier(
    task: Task, paths: ExperimentPaths, region: WrittenRegion, greys: Greys | None = None
) -> list[EarlierScan]:
    """Read what a task names as earlier scans.

    Parameters
    ----------
    task, paths, region
        The task, and the region that it labels.
    greys
        Their grey values where they are known, and then only these scans are read.

    Returns
    -------
    list
        Without those in which the layers of the cell are not found; empty if the first one is
        among them.
    """
    shown = dict(zip(EARLIER, task.arguments["shown"], strict=True))
    volumes = {
        which: _region_volume(place, task, paths, is_looked_over=greys is None)
        for which, place in shown.items()
    }
    known = greys or {
        which: found
        for which, place in shown.items()
        if (found := _references(place, volumes[which])).verdict == "resolved"
    }
    if "first" not in known:
        return []
    columns = (region.shape[0], region.shape[2])
    now = read_shifts(paths, task.arguments["maps_path"], columns, region.voxel_um)
    return [
        lay_over(
            which,
            volumes[which],
            now=now,
            then=read_shifts(paths, shown[which]["maps_path"], columns, region.voxel_um),
            references=known[which],
            plating_inner_px=known["first"].edges_px[2],
        )
        for which in EARLIER
        if which in known
    ]


def _region_volume(
    place: Json, task: Task, paths: ExperimentPaths, *, is_looked_over: bool
) -> VolumeSource:
    if place["region_path"] is not None:
        return StoredVolume(paths.resolve(place["region_path"]))
    warp = task.parameters["homography"]
    region = ResampledVolume(
        StoredVolume(paths.resolve(place["path"])),
        frame_transform(place["transform"]),
        roi=Roi(**task.parameters["roi"]),
        homography=None if warp is None else np.array(warp).reshape(3, 3),
    )
    n_z, n_y, n_x = region.shape
    if is_looked_over and 4 * n_z * n_y * n_x <= KEPT_BYTES:
        # Slices all over it are wanted one by one: each would read and unpack a slab.
        return region[:, :, :]
    return region


def _references(place: Json, volume: VolumeSource) -> GreyReferences:
    return region_references(volume) if place["grey"] is None else references_of(place["grey"])


def grey_finding(references: GreyReferences) -> GreyFinding:
    """Write grey values as a fact has them."""
    return GreyFinding(
        electrode=references.electrode,
        electrolyte=references.electrolyte,
        pouch=references.pouch,
        noise=references.noise,
        edges_px=references.edges_px,
    )


def references_of(grey: Mapping[str, Any]) -> GreyReferences:
    """Read the grey values of a fact that was dumped to JSON."""
    contrast = grey["electrolyte"] - grey["electrode"]
    low_px, stripping_px, plating_px, high_px = grey["edges_px"]
    return GreyReferences(
        electrode=grey["electrode"],
        electrolyte=grey["electrolyte"],
        pouch=grey["pouch"],
        noise=grey["noise"],
        cnr=abs(contrast) / grey["noise"] if grey["noise"] > 0 else 0.0,
        polarity="dense_bright" if contrast > 0 else "dense_dark",
        edges_px=(low_px, stripping_px, plating_px, high_px),
        verdict="resolved",
    )
