"""Measure a label volume that lies in a file."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.measure import Measurement, Reading, measure_labels
from lithoscope_pipeline.metric import Metric
from lithoscope_services.errors import SourceError
from lithoscope_services.stages.measure.stored_labels import StoredLabels
from lithoscope_store.errors import NotStoredError, StoreFormatError
from lithoscope_store.safety import open_array
from lithoscope_store.volumes import volume_info

_PREFERRED = "cell"
_INTEGERS = "uib"
#: Slices that are read together where the volume does not say.
_SLAB_SLICES = 64


def measure_label_file(
    path: Path,
    *,
    voxel_um: float | None,
    active_area_cm2: float | None,
    model: str | None = None,
) -> dict[str, Any]:  # JSON
    """Measure one label volume by itself, as a first scan is, reading it slab by slab.

    Parameters
    ----------
    path
        A volume of labels, an image with labels inside it, or a bare array (z, y, x).
    voxel_um
        Edge of a voxel; None takes what the volume says.
    active_area_cm2
        Active area of the whole cell, if known.
    model
        Network that made the labels, or ``layers``: gives intervals to labels inside their image.

    Returns
    -------
    dict
        Metrics by name, as JSON has them.

    Raises
    ------
    SourceError
        If there are no labels, or nothing says how large a voxel is.
    """
    labels, stored_um = open_labels(path)
    edge_um = stored_um if voxel_um is None else voxel_um
    if edge_um is None:
        raise SourceError(f"{path}: nothing says how large a voxel is; give --voxel-um")
    try:
        measurement = measure_labels(
            labels,
            voxel_um=edge_um,
            active_area_cm2=active_area_cm2,
            reading=Reading(slab_slices=labels.slab_slices),
        )
    except ShapeError as error:
        raise SourceError(f"{path}: {error}; see lithoscope measure --help") from error
    metrics = measurement.metrics
    if model is not None:
        metrics = _with_intervals(measurement, path, labels.shape, model, edge_um)
    return {name: asdict(metric) for name, metric in sorted(metrics.items())}


def _with_intervals(
    measurement: Measurement, path: Path, shape: tuple[int, ...], model: str, voxel_um: float
) -> dict[str, Metric]:
    from lithoscope_services.file_intervals import with_file_intervals

    try:
        return with_file_intervals(measurement, path, shape, model=model, voxel_um=voxel_um)
    except (NotStoredError, StoreFormatError) as error:
        raise SourceError(
            f"{path}: {error}; intervals need the image that the labels lie in, leave out --model"
        ) from error


def open_labels(path: Path) -> "tuple[StoredLabels | ForeignLabels, float | None]":
    """Open a label volume (z, y, x) and, where it says so, the edge of its voxels.

    Raises
    ------
    SourceError
        If there are no labels.
    """
    if not path.exists():
        raise SourceError(f"{path}: no such volume; check the path")
    if not path.is_dir():
        raise SourceError(f"{path}: a file, no Zarr volume; give the folder LABELS.zarr")
    try:
        info = volume_info(path)
    except (NotStoredError, StoreFormatError):
        return ForeignLabels(path), None
    name = _PREFERRED if _PREFERRED in info.labels else next(iter(info.labels), None)
    if name is None and info.dtype.kind not in _INTEGERS:
        raise SourceError(f"{path}: holds {info.dtype} grey values, no labels; segment it first")
    return StoredLabels(path, name), info.voxel_um


class ForeignLabels:
    """A bare Zarr array of labels, or the finest level of somebody's OME-Zarr, read by slabs.

    Parameters
    ----------
    path
        Its folder.

    Raises
    ------
    SourceError
        If there is no array of integers with three axes.
    """

    def __init__(self, path: Path) -> None:
        self._array = _open_foreign(path)
        dtype, shape = self._array.dtype, self._array.shape
        if dtype.kind not in _INTEGERS:
            raise SourceError(f"{path}: holds {dtype} grey values, no labels; segment it first")
        if len(shape) != 3 or 0 in shape:
            raise SourceError(f"{path}: has shape {shape}; a volume (z, y, x) is needed")
        self._shape = (shape[0], shape[1], shape[2])
        rows = (self._array.shards or self._array.chunks)[0]
        self.slab_slices = rows * max(1, _SLAB_SLICES // rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        return self._shape

    def __getitem__(self, box: tuple[slice, slice, slice], /) -> NDArray[Any]:  # its own dtype
        """Read a box."""
        return np.asarray(self._array[box])


def _open_foreign(path: Path) -> Any:  # a Zarr array, whose types are not known here
    for place in (path, path / "0"):
        try:
            return open_array(place)
        except NotStoredError:
            continue
    raise SourceError(f"{path}: no Zarr array in it; give a label volume (z, y, x)")
