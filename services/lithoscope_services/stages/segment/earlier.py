"""Which earlier scans a network is shown, and where they lie: each face moves with its own map."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lithoscope_messages import GreyFinding, TransformReady
from lithoscope_models.earlier_scans import EarlierScan, FaceShifts, lay_over
from lithoscope_pipeline.segment import GreyReferences
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.stages.stored_volume import StoredVolume
from lithoscope_store import ExperimentPaths, read_maps

SINGLE_SCAN_FLAG = "single_scan_labels"
_SIDES = ("stripping", "plating")


def has_faces(transform: TransformReady | None) -> bool:
    """Say whether a scan may be compared with others voxel by voxel: both faces were found."""
    if transform is None or transform.verdict == "unregistered":
        return False
    found = {face.side for face in transform.faces if face.verdict == "resolved"}
    return found == set(_SIDES)


def previous_scan(history: History, scan: ScanHistory) -> ScanHistory | None:
    """Give the last scan before this one that was not given up and has its faces."""
    before = [
        each
        for each in history.in_order()
        if each.scan < scan.scan and each.failure is None and has_faces(each.transform)
    ]
    return before[-1] if before else None


def describe_earlier(scan: ScanHistory) -> dict[str, Any]:  # JSON
    """Say where a labelled scan lies, for the arguments of a task."""
    transform, labels = scan.transform, scan.labels
    if transform is None or labels is None or labels.grey is None:
        return {}
    return {
        "scan": scan.scan,
        "path": labels.path,
        "grey": labels.grey.model_dump(mode="json"),
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
    paths: ExperimentPaths,
    earlier: Mapping[str, Mapping[str, Any]],
    now: FaceShifts,
    voxel_um: float,
) -> list[EarlierScan]:
    """Read what the task names as earlier scans."""
    first_inner_px = references_of(earlier["first"]["grey"]).edges_px[2]
    found: list[EarlierScan] = []
    for which in ("previous", "first"):
        place = earlier[which]
        columns = now.stripping_px.shape
        shape = (columns[0], columns[1])
        then = read_shifts(paths, place["maps_path"], shape, voxel_um)
        found.append(
            lay_over(
                "previous" if which == "previous" else "first",
                StoredVolume(paths.resolve(place["path"])),
                now=now,
                then=then,
                references=references_of(place["grey"]),
                plating_inner_px=first_inner_px,
            )
        )
    return found


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
