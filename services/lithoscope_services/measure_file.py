"""Measure a label volume that lies in a file."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import LabelVolume
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure import measure_labels
from lithoscope_services.errors import SourceError
from lithoscope_store.errors import NotStoredError, StoreFormatError
from lithoscope_store.safety import open_array
from lithoscope_store.volumes import read_slab, volume_info

_PREFERRED = "cell"


def measure_label_file(
    path: Path, *, voxel_um: float | None, active_area_cm2: float | None
) -> dict[str, Any]:  # JSON
    """Measure one label volume by itself, as a first scan is.

    Parameters
    ----------
    path
        A volume of labels, an image with labels inside it, or a bare array (z, y, x).
    voxel_um
        Edge of a voxel; None takes what the volume says.
    active_area_cm2
        Active area of the whole cell, if known.

    Returns
    -------
    dict
        Metrics by name, as JSON has them.

    Raises
    ------
    SourceError
        If there are no labels, or nothing says how large a voxel is.
    """
    labels, stored_um = read_labels(path)
    edge_um = stored_um if voxel_um is None else voxel_um
    if edge_um is None:
        raise SourceError(f"{path}: nothing says how large a voxel is; give --voxel-um")
    measurement = measure_labels(labels, voxel_um=edge_um, active_area_cm2=active_area_cm2)
    return {name: asdict(metric) for name, metric in sorted(measurement.metrics.items())}


def read_labels(path: Path) -> tuple[LabelVolume, float | None]:
    """Read a label volume (z, y, x) and, where it says so, the edge of its voxels.

    Raises
    ------
    SourceError
        If there are no labels of classes that we know.
    """
    if not path.exists():
        raise SourceError(f"{path}: no such volume; check the path")
    if not path.is_dir():
        raise SourceError(f"{path}: a file, no Zarr volume; give the folder LABELS.zarr")
    try:
        info = volume_info(path)
    except (NotStoredError, StoreFormatError):
        return _as_labels(_read_foreign(path), path), None
    name = _PREFERRED if _PREFERRED in info.labels else next(iter(info.labels), None)
    voxels = read_slab(path, 0, info.shape[0], label=name)
    return _as_labels(voxels, path), info.voxel_um


def _read_foreign(path: Path) -> NDArray[Any]:
    for place in (path, path / "0"):
        try:
            array = open_array(place)
        except NotStoredError:
            continue
        return np.asarray(array[...])
    raise SourceError(f"{path}: no Zarr array in it; give a label volume (z, y, x)")


def _as_labels(voxels: NDArray[Any], path: Path) -> LabelVolume:
    if voxels.dtype.kind not in "uib":
        raise SourceError(f"{path}: holds {voxels.dtype} grey values, no labels; segment it first")
    if voxels.ndim != 3 or voxels.size == 0:
        raise SourceError(f"{path}: has shape {voxels.shape}; a volume (z, y, x) is needed")
    if voxels.min() < 0 or voxels.max() > max(Label):
        raise SourceError(
            f"{path}: labels reach from {voxels.min()} to {voxels.max()}, classes are 0 to "
            f"{int(max(Label))}; see lithoscope measure --help"
        )
    return voxels.astype(np.uint8)
