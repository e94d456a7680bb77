"""Painted labels into and out of an experiment, as files."""

import hashlib
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lithoscope_messages import SlicePainted
from lithoscope_pipeline.geometry import LabelVolume
from lithoscope_pipeline.labels import UNLABELLED
from lithoscope_services.errors import SourceError
from lithoscope_services.history import History
from lithoscope_services.keep.saying import PRODUCER, say
from lithoscope_services.painting.classes import PAINTED_CLASSES
from lithoscope_services.painting.label_files import (
    LabelFormat,
    LabelValues,
    read_label_file,
    write_label_file,
)
from lithoscope_services.reading import read_entries
from lithoscope_store import ExperimentPaths, Store, volume_info
from lithoscope_store.manifest import update_manifest
from lithoscope_store.painted_labels import (
    PaintedLabels,
    count_classes,
    read_painted,
    replace_planes,
)
from lithoscope_store.painted_planes import AXES, PaintLayer, Plane


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What is taken in; see ``lithoscope labels import --help``."""

    store: Store
    experiment: str
    scan: int
    file: Path
    layer: PaintLayer
    values: LabelValues
    dataset: str | None = None
    index: int | None = None


def import_labels(options: ImportOptions) -> dict[str, Any]:  # JSON
    """Take labels from a file as somebody's painted planes, and say so in the journal.

    Raises
    ------
    SourceError
        If the file does not fit the volume, or the scan has none yet.
    """
    paths = options.store.experiment(options.experiment)
    volume = _labelled_volume(options.store, paths, options.scan)
    shape = volume_info(volume).shape
    read = read_label_file(options.file, dataset=options.dataset)
    classes = options.values.to_classes(read, options.file)
    planes = _planes(classes, shape, options)
    time_ns = time.time_ns()
    with ExitStack() as stack:
        replace_planes(volume, options.layer, planes, PAINTED_CLASSES, time_ns=time_ns)
        facts = [_fact(options, paths, volume, each, planes[each], time_ns) for each in planes]
        say(options.store, paths, facts, stack)
        if paths.manifest.is_file():
            update_manifest(paths, changed=_changed(paths, volume, options.layer))
    return {
        "experiment": paths.name,
        "scan": options.scan,
        "labels": str(volume / "labels" / options.layer.label_name),
        "axis": options.layer.axis,
        "planes": sorted(planes),
        "pixels": count_classes(
            np.concatenate([p.ravel() for p in planes.values()]), PAINTED_CLASSES
        ),
    }


def export_labels(
    paths: ExperimentPaths,
    scan: int,
    out: Path,
    form: LabelFormat,
    *,
    person: str | None = None,
    number: int | None = None,
) -> dict[str, Any]:  # JSON
    """Write what was painted on a scan, as one volume.

    Parameters
    ----------
    paths, scan
        What was painted on.
    out, form
        File, or folder for PNG.
    person, number
        Of one person, or of one round alone.

    Raises
    ------
    NotStoredError
        If nobody painted on it.
    SourceError
        If nothing is left of what was asked for.
    """
    painted = read_painted(paths, scan)
    planes = tuple(
        each
        for each in painted.planes
        if person in (None, each.person) and number in (None, each.round)
    )
    if not planes:
        people = sorted({f"{each.person} in round {each.round}" for each in painted.planes})
        raise SourceError(
            f"scan {scan} has nothing of that; it was painted by {', '.join(people)}"
        )
    chosen = PaintedLabels(
        scan=scan,
        volume=painted.volume,
        shape=painted.shape,
        voxel_um=painted.voxel_um,
        planes=planes,
    )
    classes = chosen.merged()
    write_label_file(out, classes, form)
    return {
        "labels": str(out),
        "grey": str(painted.volume),
        "voxel_um": painted.voxel_um,
        "planes": sorted({f"{each.axis} {each.index}" for each in planes}),
        "people": sorted({each.person for each in planes}),
        "pixels": count_classes(classes, PAINTED_CLASSES),
    }


def _labelled_volume(store: Store, paths: ExperimentPaths, scan: int) -> Path:
    history = History(paths.name)
    history.extend(read_entries(store, paths.name))
    found = history.scans.get(scan)
    if found is None or found.labels is None:
        raise SourceError(f"scan {scan} of {paths.name} has no labels yet; it is painted on after")
    return paths.resolve(found.labels.path)


def _planes(
    classes: LabelVolume, shape: tuple[int, int, int], options: ImportOptions
) -> dict[int, Plane]:
    """Give the planes that have any label."""
    axis, index = options.layer.axis, options.index
    normal = AXES.index(axis)
    if index is not None:
        if classes.shape[0] != 1:
            raise SourceError(f"{options.file}: --index goes with one slice, not {len(classes)}")
        planes = {index: classes[0]}
    elif classes.shape == shape:
        planes = dict(enumerate(np.moveaxis(classes, normal, 0)))
    else:
        raise SourceError(
            f"{options.file} has {classes.shape} voxels, scan {options.scan} {shape}; give labels "
            "of the whole volume, or one slice with --axis and --index"
        )
    found = {
        at: np.ascontiguousarray(plane)
        for at, plane in planes.items()
        if (plane != UNLABELLED).any()
    }
    if not found:
        raise SourceError(f"{options.file} has no labelled pixel; see --unpainted")
    return found


def _fact(
    options: ImportOptions,
    paths: ExperimentPaths,
    volume: Path,
    index: int,
    plane: Plane,
    time_ns: int,
) -> SlicePainted:
    layer = options.layer
    digest = hashlib.sha256(plane.tobytes()).hexdigest()
    return SlicePainted(
        experiment=paths.name,
        key=f"{options.scan}:{layer.label_name}:{index}:{digest[:32]}:{time_ns}",
        time_ns=time_ns,
        producer=PRODUCER,
        scan=options.scan,
        request=None,
        path=paths.relative(volume),
        label_name=layer.label_name,
        axis=layer.axis,
        index=index,
        round=layer.round,
        person=layer.person,
        n_pixels=count_classes(plane, PAINTED_CLASSES),
    )


def _changed(paths: ExperimentPaths, volume: Path, layer: PaintLayer) -> list[str]:
    labels = volume / "labels"
    files = [each for each in (labels / layer.label_name).rglob("*") if each.is_file()]
    return [paths.relative(each) for each in (paths.journal, labels / "zarr.json", *sorted(files))]
