"""The task that meshes labels: what it plans, and files that another library reads."""

import json
from pathlib import Path

import numpy as np
import pygltflib
import pytest
import trimesh
from small_experiment import VOXEL_UM, make_experiment

from lithoscope_messages import Fact, JournalMessage, StageFailed, SurfacesReady
from lithoscope_services.history import History
from lithoscope_services.stages.measure import STAGE
from lithoscope_services.stages.measure.surfaces import makes_surfaces, mesh_labels
from lithoscope_services.stages.segment.written import CLASSES
from lithoscope_store import (
    ExperimentPaths,
    NotStoredError,
    Store,
    create_labels,
    create_volume,
    finish_volume,
    read_journal,
    verify_experiment,
    write_slab,
)
from lithoscope_store.meshes import read_surfaces

SHAPE = (40, 44, 48)
RADIUS_PX = 14.0
EDGE_UM = 2.0


@pytest.fixture(scope="module")
def labels_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ball of dendrite over a slab of electrode, stored as segment stores labels."""
    path = tmp_path_factory.mktemp("volumes") / "labels.zarr"
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    labels = np.full(SHAPE, 7, np.uint8)
    labels[(z - 20) ** 2 + (y - 24) ** 2 + (x - 23) ** 2 < RADIUS_PX**2] = 5
    labels[:, :4] = 2
    create_volume(path, shape=SHAPE, voxel_um=EDGE_UM, name="cell", slab_slices=16)
    create_labels(path, "cell", CLASSES)
    for z0 in range(0, SHAPE[0], 16):
        part = labels[z0 : z0 + 16]
        write_slab(path, z0, part.astype(np.float32))
        write_slab(path, z0, part, label="cell")
    finish_volume(path)
    return path


@pytest.fixture(scope="module")
def folder(labels_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("meshes")
    mesh_labels(labels_path, "cell", made, scan=3)
    return made


def test_each_class_but_electrolyte_has_a_file_that_gltf_readers_take(folder: Path) -> None:
    assert sorted(path.name for path in folder.glob("*.glb")) == [
        "dendrite.glb",
        "plating_electrode.glb",
    ]
    document = pygltflib.GLTF2().load(str(folder / "dendrite.glb"))
    (mesh,) = document.meshes
    accessors = document.accessors
    place = accessors[mesh.primitives[0].attributes.POSITION]
    assert mesh.name == "dendrite"
    assert mesh.primitives[0].attributes.NORMAL is not None
    assert place.componentType == pygltflib.FLOAT
    low, high = np.array([[23, 24, 20]]) * EDGE_UM + np.array([[-1], [1]]) * RADIUS_PX * EDGE_UM
    np.testing.assert_allclose([place.min, place.max], [low, high], atol=EDGE_UM)


def test_colours_are_those_of_the_classes_made_linear(folder: Path) -> None:
    document = pygltflib.GLTF2().load(str(folder / "dendrite.glb"))

    # #d55e00 by the formula of IEC 61966-2-1.
    colour = document.materials[0].pbrMetallicRoughness.baseColorFactor
    np.testing.assert_allclose(colour, [0.6654, 0.1119, 0.0, 1.0], atol=2e-3)


def test_the_index_says_what_is_in_the_files(folder: Path) -> None:
    index = read_surfaces(folder)

    assert (index["scan"], index["voxel_um"], index["shape"]) == (3, EDGE_UM, list(SHAPE))
    for entry in index["surfaces"]:
        mesh = trimesh.load_mesh(folder / entry["file"])
        assert len(mesh.faces) == entry["triangles"]
        assert mesh.volume == pytest.approx(entry["volume_um3"], rel=1e-4)
        np.testing.assert_allclose(mesh.bounds, entry["bounds_um"], atol=1e-2)
        assert (folder / entry["file"]).stat().st_size == entry["bytes"]
    (dendrite,) = (each for each in index["surfaces"] if each["class"] == "dendrite")
    assert dendrite["colour"] == "#d55e00"
    assert dendrite["volume_um3"] == pytest.approx(
        4 / 3 * np.pi * (RADIUS_PX * EDGE_UM) ** 3, rel=0.03
    )


def test_the_same_labels_give_the_same_bytes(
    labels_path: Path, folder: Path, tmp_path: Path
) -> None:
    mesh_labels(labels_path, "cell", tmp_path, scan=3)

    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_an_index_that_names_other_files_is_refused(folder: Path, tmp_path: Path) -> None:
    index = read_surfaces(folder)
    index["surfaces"][0]["file"] = "../../secret"
    (tmp_path / "surfaces.json").write_text(json.dumps(index))

    with pytest.raises(ValueError, match="no file of"):
        read_surfaces(tmp_path)
    with pytest.raises(NotStoredError):
        read_surfaces(tmp_path / "nothing")


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> ExperimentPaths:
    return make_experiment(Store(tmp_path_factory.mktemp("store")))


def folded(paths: ExperimentPaths, *more: JournalMessage) -> History:
    """The history of an experiment, with facts that were said since."""
    history = History(paths.name)
    entries = read_journal(paths.journal)
    history.extend(entries)
    last = entries[-1]
    history.extend(
        last.model_copy(update={"number": last.number + n, "message": message})
        for n, message in enumerate(more, start=1)
    )
    return history


def test_a_measured_scan_is_meshed_once(paths: ExperimentPaths) -> None:
    tasks = STAGE.plan(folded(paths))

    facts: list[Fact] = [
        fact for task in tasks for fact in STAGE.execute(task, str(paths.root.parent))
    ]

    assert [task.scan for task in tasks] == [0, 1]
    assert all(makes_surfaces(task) for task in tasks)
    (first, second) = (fact for fact in facts if isinstance(fact, SurfacesReady))
    assert first.path == "meshes/0000-00000000"
    assert paths.resolve(second.path) == paths.meshes(1, f"{1:064x}")
    assert read_surfaces(paths.resolve(first.path))["voxel_um"] == VOXEL_UM
    assert STAGE.plan(folded(paths, first, second)) == []


def test_a_damaged_surface_is_named_by_verify(tmp_path: Path) -> None:
    paths = make_experiment(Store(tmp_path), is_sealed=False)
    for task in STAGE.plan(folded(paths)):
        list(STAGE.execute(task, str(tmp_path)))
    file = next(paths.meshes(1, f"{1:064x}").glob("*.glb"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)

    findings = verify_experiment(paths).findings

    assert [(each.path, each.what) for each in findings] == [
        (paths.relative(file), "a surface of a scan")
    ]


def test_a_surface_that_fails_leaves_the_metrics_standing(paths: ExperimentPaths) -> None:
    (task, _) = STAGE.plan(folded(paths))
    failed = StageFailed(
        experiment=paths.name,
        key=f"{task.key}:0",
        time_ns=1,
        producer="measure",
        scan=task.scan,
        stage="measure",
        work_key=task.key,
        attempts=3,
        error="no memory",
    )

    history = folded(paths, failed)

    scan = history.scans[task.scan]
    assert scan.failure is None
    assert not scan.awaits_surfaces
    assert [each.scan for each in STAGE.plan(history)] == [1]
