"""The frame and the faces on disk: what a transform announces."""

import io
from pathlib import Path

import numpy as np
import pytest
from layered_cell import CENTRE, PLANES_PX, SHAPE, VOXEL_UM, render
from PIL import Image

from lithoscope_pipeline.geometry import FloatVolume, Roi
from lithoscope_pipeline.rigid import RigidTransform
from lithoscope_services.stage import Task
from lithoscope_services.stages.register_frame import (
    Fields,
    read_faces,
    set_frame,
    swelling_fields,
    unregistered_fields,
)
from lithoscope_services.stages.stored_volume import StoredVolume
from lithoscope_store import ExperimentPaths, Store, create_volume, read_maps, write_slab

AT_REST = RigidTransform(centre_px=CENTRE)
UP_PX = 6.0


@pytest.fixture
def paths(tmp_path: Path) -> ExperimentPaths:
    found = Store(tmp_path).experiment("cell")
    found.create()
    return found


def task(scan: int, **parameters: object) -> Task:
    key = f"{scan + 1:064x}"[::-1]
    return Task(key=key, scan=scan, inputs=(), parameters=parameters, arguments={})


def stored(paths: ExperimentPaths, scan: int, volume: FloatVolume) -> StoredVolume:
    path = paths.reconstruction(scan, "a" * 64)
    create_volume(path, shape=SHAPE, voxel_um=VOXEL_UM, name="scan", slab_slices=40, levels=1)
    write_slab(path, 0, volume)
    return StoredVolume(path)


def first_scan(paths: ExperimentPaths, **parameters: object) -> Fields:
    volume = stored(paths, 0, render(AT_REST, seed=0))
    frame, fields = set_frame(task(0, **parameters), paths, volume, voxel_um=VOXEL_UM)
    assert frame.verdict == "resolved"
    return fields


def test_first_scan_announces_its_frame_its_faces_and_a_picture(paths: ExperimentPaths) -> None:
    fields = first_scan(paths)

    assert fields["planes_px"] == pytest.approx(PLANES_PX, abs=0.15)
    stack_um = (PLANES_PX[4] - PLANES_PX[1]) * VOXEL_UM
    assert fields["stack_thickness_um"] == pytest.approx(stack_um, abs=1.0)
    assert [face.verdict for face in fields["faces"]] == ["resolved", "resolved"]
    png = paths.resolve(fields["overview_path"]).read_bytes()
    assert Image.open(io.BytesIO(png)).size[0] > 1000
    # Air is dark, pouch bright: the picture is not empty.
    assert np.asarray(Image.open(io.BytesIO(png)).convert("L")).std() > 30


def test_faces_come_back_from_the_disk(paths: ExperimentPaths) -> None:
    fields = first_scan(paths)

    faces = read_faces(
        paths.resolve(fields["maps_path"]), Roi(**fields["roi"].model_dump()), VOXEL_UM
    )

    assert faces.stripping.y_px == pytest.approx(PLANES_PX[1], abs=0.15)
    assert faces.plating.face_px.shape == faces.grid.shape
    assert faces.plating.reach_px[1] >= 40.0


def test_later_scan_announces_its_maps_in_micrometres(paths: ExperimentPaths) -> None:
    fields = first_scan(paths)
    moved = stored(paths, 1, render(AT_REST, seed=1, up_px=lambda z, _x: np.full(z.shape, UP_PX)))
    reference = {"maps_path": fields["maps_path"], "roi": fields["roi"].model_dump()}

    found = swelling_fields(task(1), paths, moved, AT_REST, reference, voxel_um=VOXEL_UM)

    maps = read_maps(paths.resolve(found["maps_path"]))
    roi = fields["roi"]
    assert maps.maps["plating_displacement"].shape == (roi.z1 - roi.z0, roi.x1 - roi.x0)
    assert maps.maps["plating_displacement"].mean() == pytest.approx(UP_PX * VOXEL_UM, abs=0.5)
    assert abs(maps.maps["stripping_displacement"]).max() < 0.2 * VOXEL_UM
    assert set(maps.units.values()) == {"um"}
    change_um = found["stack_thickness_um"] - fields["stack_thickness_um"]
    assert change_um == pytest.approx(UP_PX * VOXEL_UM, abs=0.5)


def test_side_that_is_not_seen_has_no_map(paths: ExperimentPaths) -> None:
    fields = first_scan(paths)
    gone = render(AT_REST, seed=2)
    gone[:, 108:] = 0.4
    reference = {"maps_path": fields["maps_path"], "roi": fields["roi"].model_dump()}

    found = swelling_fields(
        task(1), paths, stored(paths, 1, gone), AT_REST, reference, voxel_um=VOXEL_UM
    )

    assert set(read_maps(paths.resolve(found["maps_path"])).maps) == {"stripping_displacement"}
    assert [face.verdict for face in found["faces"]] == ["resolved", "unresolved"]
    assert found["stack_thickness_um"] is None


def test_unregistered_scan_has_no_faces_and_no_map() -> None:
    fields = unregistered_fields()

    assert {face.verdict for face in fields["faces"]} == {"unresolved"}
    assert "maps_path" not in fields


def test_corners_by_hand_leave_a_warp_its_jacobian_and_a_flag(paths: ExperimentPaths) -> None:
    corners = ((28.0, 30.0), (29.0, 130.0), (122.0, 128.0), (121.0, 31.0))

    fields = first_scan(paths, corners_px=corners)

    assert "homography" in fields["frame_flags"]
    assert len(fields["homography"]) == 9
    jacobian = read_maps(paths.resolve(fields["maps_path"])).maps["jacobian_yx"]
    roi = fields["roi"]
    assert jacobian.shape == (roi.y1 - roi.y0, roi.x1 - roi.x0)
    assert jacobian.mean() == pytest.approx(1.0, abs=0.2)


def test_rotations_by_hand_are_announced(paths: ExperimentPaths) -> None:
    fields = first_scan(paths, level_deg=[0.4, -0.2])

    assert fields["rotation_deg"] == (0.4, 0.0, -0.2)
    assert "level_by_hand" in fields["frame_flags"]
