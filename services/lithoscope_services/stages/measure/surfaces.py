"""Surfaces of a measured scan: a task of its own, so that no verdict waits for it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import SurfacesReady
from lithoscope_pipeline.geometry import LabelVolume
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.surfaces import MeshGrid, Surface, mesh_class, plan_grid, pool_shares
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.stage import Stage, Task, make_task
from lithoscope_services.stages.inputs import fact_parts
from lithoscope_store import Store, label_classes, read_slab, volume_info
from lithoscope_store.meshes import write_surfaces

#: Raised when equal labels may give other surfaces.
VERSION = 1
#: Electrolyte is what is left between the others; around the cell is nothing to be seen.
MESHED = tuple(each for each in Label if each not in (Label.BACKGROUND, Label.ELECTROLYTE))
_THIN = (Label.DENDRITE,)
_MAKES = "surfaces"


def plan_surfaces(stage: Stage, history: History) -> Sequence[Task]:
    """Give the measured scans that have no surfaces yet."""
    return [
        _task(stage, history, scan)
        for scan in history.in_order()
        if scan.labels is not None and scan.awaits_surfaces
    ]


def _task(stage: Stage, history: History, scan: ScanHistory) -> Task:
    labels = scan.labels
    if labels is None:
        raise ValueError(f"scan {scan.scan} has no labels; plan it when it has")
    return make_task(
        stage,
        scan.scan,
        inputs=[labels.work_key],
        parameters={"makes": _MAKES, "version": VERSION},
        arguments={
            "experiment": history.experiment,
            "path": labels.path,
            "label_name": labels.label_name,
            "labels_key": labels.work_key,
        },
    )


def makes_surfaces(task: Task) -> bool:
    """Whether a task of the stage is one of these."""
    return task.parameters.get("makes") == _MAKES


def execute_surfaces(stage: Stage, task: Task, store_root: str) -> Iterator[SurfacesReady]:
    """Mesh the labels of a scan."""
    arguments = task.arguments
    paths = Store(Path(store_root)).experiment(arguments["experiment"])
    folder = paths.meshes(task.scan, arguments["labels_key"])
    entries = mesh_labels(
        paths.resolve(arguments["path"]), arguments["label_name"], folder, scan=task.scan
    )
    yield SurfacesReady(
        **fact_parts(task, stage.name, task.key),
        algorithm_version=stage.algorithm_version,
        path=paths.relative(folder),
        triangles={entry["class"]: entry["triangles"] for entry in entries},
    )


def mesh_labels(
    labels_path: Path, label_name: str, folder: Path, *, scan: int
) -> Sequence[Mapping[str, Any]]:  # JSON
    """Mesh each class of a label volume, and write the surfaces.

    Parameters
    ----------
    labels_path, label_name
        The volume, and the name of the labels in it.
    folder
        Where to; see ``services/README.md``.
    scan
        For the index.

    Returns
    -------
    list
        One entry a class, as in the index.
    """
    info = volume_info(labels_path)
    grid = plan_grid(info.shape)
    shares = pool_shares(_slabs(labels_path, label_name), grid, MESHED)
    colours = {each.value: each.colour[:3] for each in label_classes(labels_path, label_name)}
    files, entries = {}, []
    for label in MESHED:
        if label not in shares:
            continue
        surface = mesh_class(
            shares[label], grid, voxel_um=info.voxel_um, keeps_thin=label in _THIN
        )
        if surface is None:
            continue
        colour = colours.get(label, (160, 160, 160))
        files[label.key] = encode_glb(surface, label.key, colour)
        entries.append(_entry(surface, label.key, colour))
    return write_surfaces(folder, files, _index(scan, info.voxel_um, grid, entries))


def _index(
    scan: int, voxel_um: float, grid: MeshGrid, entries: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any]:
    return {
        "version": VERSION,
        "scan": scan,
        "voxel_um": voxel_um,
        "grid_um": voxel_um * grid.factor,
        "shape": list(grid.shape),
        "surfaces": entries,
    }


def _slabs(path: Path, label_name: str) -> Iterator[LabelVolume]:
    info = volume_info(path)
    for z0 in range(0, info.shape[0], info.slab_slices):
        z1 = min(z0 + info.slab_slices, info.shape[0])
        yield read_slab(path, z0, z1, label=label_name).astype(np.uint8, copy=False)


def _entry(surface: Surface, key: str, colour: tuple[int, ...]) -> Mapping[str, Any]:
    places = surface.vertices_um
    return {
        "class": key,
        "colour": "#{:02x}{:02x}{:02x}".format(*colour),
        "triangles": len(surface.triangles),
        "vertices": len(places),
        "bounds_um": [_rounded(places.min(axis=0)), _rounded(places.max(axis=0))],
        "volume_um3": round(surface.volume_um3, 3),
    }


def _rounded(place: NDArray[np.float32]) -> list[float]:
    return [round(float(each), 3) for each in place]


def encode_glb(surface: Surface, name: str, colour: tuple[int, ...]) -> bytes:
    """Write a surface as glTF 2.0 (binary), with normals and the colour of its class.

    Parameters
    ----------
    surface
        With places in µm, which glTF would have in metres.
    name
        Of the mesh.
    colour
        Red, green, blue, 0..255, as screens have them.
    """
    import trimesh
    from trimesh.exchange.gltf import export_glb
    from trimesh.visual.material import PBRMaterial

    material = PBRMaterial(
        name=name,
        baseColorFactor=[*(_linear(each / 255) for each in colour[:3]), 1.0],
        metallicFactor=0.0,
        roughnessFactor=0.8,
    )
    mesh = trimesh.Trimesh(
        surface.vertices_um,
        surface.triangles,
        process=False,
        visual=trimesh.visual.TextureVisuals(material=material),
    )
    scene = trimesh.Scene(metadata={"unit": "um"})
    scene.add_geometry(mesh, node_name=name, geom_name=name)
    return bytes(export_glb(scene, include_normals=True))


def _linear(value: float) -> float:
    """Undo the curve of sRGB: glTF has linear colours."""
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
