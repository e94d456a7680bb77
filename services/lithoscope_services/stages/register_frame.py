"""The reference frame and the faces as facts: what a transform is announced with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import FaceFinding, RoiVoxels
from lithoscope_pipeline.faces import (
    SIDES,
    FaceReference,
    FaceTemplate,
    Side,
    SideReference,
    Swelling,
    make_patches,
    measure_swelling,
    smooth_map,
    to_columns,
)
from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.reference_frame import (
    ReferenceFrame,
    find_reference_frame,
    rectify_corners,
)
from lithoscope_pipeline.rigid import RigidTransform
from lithoscope_services.stage import Task
from lithoscope_services.stages.frame_overview import frame_overview
from lithoscope_services.stages.stored_volume import StoredVolume
from lithoscope_store import ExperimentPaths, read_maps, write_maps
from lithoscope_store.durable import make_directory, write_atomic

Fields = dict[str, Any]  # of a TransformReady

#: Settings that take the place of what is found in the first scan.
BY_HAND = {"level_deg", "corners_px"}


def set_frame(
    task: Task,
    paths: ExperimentPaths,
    volume: StoredVolume,
    *,
    voxel_um: float,
) -> tuple[ReferenceFrame, Fields]:
    """Find the frame in the first scan; store its faces and a picture of it.

    Parameters
    ----------
    task
        Gives scan and key of what is written, and as parameters what was set by hand:
        ``level_deg`` and ``corners_px`` of the settings.
    paths
        The experiment.
    volume
        First scan.
    voxel_um
        Edge of a voxel.

    Returns
    -------
    tuple
        The frame, and the fields of a `TransformReady` that say where scan 0 lies: all but
        verdict, residual and scan. Nothing is written, and fields are few, if the frame is not
        resolved.
    """
    level_deg = task.parameters.get("level_deg")
    frame = find_reference_frame(
        volume, voxel_um, level_deg=None if level_deg is None else tuple(level_deg)
    )
    fields: Fields = {
        "rotation_deg": frame.transform.rotation_deg,
        "shift_px": frame.transform.shift_px,
        "centre_px": frame.transform.centre_px,
        "roi": _to_message(frame.roi),
        "y_outer_px": frame.y_outer_px,
        "planes_px": frame.planes_px,
        "edge_on_change_deg": frame.edge_on_change_deg,
        "frame_flags": frame.flags,
    }
    if frame.faces is None:
        return frame, fields
    path = paths.maps(task.scan, task.key)
    maps, units = _reference_maps(frame.faces, frame, voxel_um)
    corners_px = task.parameters.get("corners_px")
    if corners_px is not None:
        rectification = rectify_corners(_in_frame(corners_px, frame.transform))
        roi = frame.roi
        maps["jacobian_yx"] = rectification.jacobian(
            (roi.shape[1], roi.shape[2]), origin_px=(roi.y0, roi.x0)
        )
        units["jacobian_yx"] = "1"
        fields["homography"] = tuple(rectification.matrix.ravel().tolist())
        fields["frame_flags"] = (*frame.flags, *rectification.flags)
    write_maps(path, maps, voxel_um=voxel_um, units=units)
    picture = paths.picture(task.scan, task.key)
    make_directory(picture.parent)
    write_atomic(picture, frame_overview(volume, frame))
    stack_um = (frame.faces.plating.y_px - frame.faces.stripping.y_px) * voxel_um
    fields |= {
        "faces": tuple(_reference_finding(frame.faces, side) for side in SIDES),
        "stack_thickness_um": stack_um,
        "maps_path": paths.relative(path),
        "overview_path": paths.relative(picture),
    }
    return frame, fields


def swelling_fields(
    task: Task,
    paths: ExperimentPaths,
    volume: StoredVolume,
    transform: RigidTransform,
    reference: Mapping[str, Any],
    *,
    voxel_um: float,
) -> Fields:
    """Measure how far the outer faces of a registered scan have moved; store the maps.

    Parameters
    ----------
    task, paths, voxel_um
        As for `set_frame`.
    volume
        The scan.
    transform
        Reference frame to the scan.
    reference
        ``maps_path`` and ``roi`` of the fact of the first scan.

    Returns
    -------
    dict
        Fields of a `TransformReady`. The map of a side that is not resolved is not stored.
    """
    roi = Roi(**reference["roi"])
    faces = read_faces(paths.resolve(reference["maps_path"]), roi, voxel_um)
    found = measure_swelling(volume, transform, faces)
    maps = _displacement_maps(found, roi, voxel_um)
    fields: Fields = {
        "faces": tuple(_finding(found, side) for side in SIDES),
        "stack_thickness_um": None if found.stack_px is None else found.stack_px * voxel_um,
    }
    if maps:
        path = paths.maps(task.scan, task.key)
        write_maps(path, maps, voxel_um=voxel_um, units=dict.fromkeys(maps, "um"))
        fields["maps_path"] = paths.relative(path)
    return fields


def unregistered_fields() -> Fields:
    """Give the fields of a scan whose place in the frame is not known: no map may be used."""
    findings = tuple(
        FaceFinding(side=side, verdict="unresolved", reason="the scan is unregistered")
        for side in SIDES
    )
    return {"faces": findings, "stack_thickness_um": None}


def read_faces(path: Path, roi: Roi, voxel_um: float) -> FaceReference:
    """Read the faces of the first scan, as `set_frame` has stored them.

    Parameters
    ----------
    path
        Maps of the first scan.
    roi, voxel_um
        Region of the frame and edge of a voxel: they fix the patches.
    """
    maps = read_maps(path).maps
    sides = {}
    for side in SIDES:
        face, y_px, down_px, up_px = (float(value) for value in maps[f"{side}_numbers"][0])
        sides[side] = SideReference(
            template=FaceTemplate(values=maps[f"{side}_template"][0], face=face),
            y_px=y_px,
            face_px=maps[f"{side}_patch_y"].astype(np.float64),
            weights=maps[f"{side}_patch_weight"].astype(np.float64),
            reach_px=(down_px, up_px),
        )
    return FaceReference(grid=make_patches(roi, voxel_um), **sides)


def frame_transform(fact: Mapping[str, Any]) -> RigidTransform:
    """Read the transform of a `TransformReady` that was dumped to JSON."""
    return RigidTransform(
        rotation_deg=tuple(fact["rotation_deg"]),
        shift_px=tuple(fact["shift_px"]),
        centre_px=tuple(fact["centre_px"]),
    )


def _in_frame(corners_px: object, transform: RigidTransform) -> NDArray[np.float64]:
    """Move corners (y, x) of the middle slice of the first scan into the frame."""
    corners = np.asarray(corners_px, dtype=np.float64)
    points = np.column_stack([np.full(len(corners), transform.centre_px[0]), corners])
    return transform.to_reference(points)[:, 1:]


def _reference_maps(
    faces: FaceReference, frame: ReferenceFrame, voxel_um: float
) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]]:
    """Give the maps of the first scan: heights over y = 0 for people, patches for later ones."""
    maps: dict[str, NDArray[np.float32]] = {}
    units: dict[str, str] = {}
    for name in SIDES:
        side = faces.side(name)
        smooth = smooth_map(side.face_px, side.weights)
        height = to_columns(smooth.values - frame.y_outer_px, faces.grid, frame.roi)
        numbers = (side.template.face, side.y_px, *side.reach_px)
        for key, values, unit in (
            ("outer_face", height * voxel_um, "um"),
            ("template", side.template.values[None, :], "1/cm"),
            ("numbers", np.array([numbers]), "px"),
            ("patch_y", side.face_px, "px"),
            ("patch_weight", side.weights, "1"),
        ):
            maps[f"{name}_{key}"] = np.asarray(values, np.float32)
            units[f"{name}_{key}"] = unit
    return maps, units


def _displacement_maps(
    found: Swelling, roi: Roi, voxel_um: float
) -> dict[str, NDArray[np.float32]]:
    """Displacement of each resolved side in micrometres, one value a column of the region."""
    return {
        f"{name}_displacement": to_columns(side.map_px * voxel_um, found.grid, roi)
        for name, side in ((name, found.side(name)) for name in SIDES)
        if side.verdict == "resolved"
    }


def _reference_finding(faces: FaceReference, name: Side) -> FaceFinding:
    side = faces.side(name)
    return FaceFinding(
        side=name,
        verdict="resolved",
        mean_px=0.0,
        good_share=float(np.mean(side.weights > 0)),
    )


def _finding(found: Swelling, name: Side) -> FaceFinding:
    side = found.side(name)
    return FaceFinding(
        side=name,
        verdict=side.verdict,
        mean_px=side.mean_px if np.isfinite(side.mean_px) else None,
        scatter_px=side.scatter_px if np.isfinite(side.scatter_px) else None,
        good_share=side.good_share,
        reason=side.reason,
    )


def _to_message(roi: Roi) -> RoiVoxels:
    return RoiVoxels(z0=roi.z0, z1=roi.z1, y0=roi.y0, y1=roi.y1, x0=roi.x0, x1=roi.x1)
