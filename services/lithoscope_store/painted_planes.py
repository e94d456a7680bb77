"""Where painted planes lie on disk: a plane of a level is one chunk, and so one file."""

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lithoscope_store.durable import make_directory, write_atomic
from lithoscope_store.errors import NotStoredError, WrongVolumeError
from lithoscope_store.ngff import LabelClass
from lithoscope_store.shards import decode_chunk, encode_chunk
from lithoscope_store.volume_metadata import VolumeInfo, image_path, write_label_info
from lithoscope_store.zarr_metadata import ArrayLayout, chunk_path, create_array, read_attributes

Axis = Literal["z", "y", "x"]
AXES: Final[tuple[Axis, ...]] = get_args(Axis)
Plane = NDArray[np.uint8]
#: Value of pixels that nobody painted.
UNPAINTED: Final = 255
PREFIX: Final = "painted-"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintLayer:
    """One image of painted labels: those of a person, in a round, on planes of one axis.

    Parameters
    ----------
    axis
        Normal of the planes.
    person
        Who paints.
    round
        From 1; corrections on the answer to a round are the next one.
    """

    axis: Axis
    person: str
    round: int

    @property
    def label_name(self) -> str:
        """Name of the labels in their volume: any person gives one that a folder may have."""
        digest = hashlib.sha256(self.person.encode()).hexdigest()[:8]
        return f"{PREFIX}{self.round:02d}-{self.axis}-{digest}"


def plane_shape(shape: tuple[int, int, int], axis: Axis) -> tuple[int, int]:
    """Give rows and columns of the planes across an axis."""
    rows, columns = (shape[each] for each in range(3) if AXES[each] != axis)
    return rows, columns


def check_index(info: VolumeInfo, axis: Axis, index: int) -> None:
    """Raise `WrongVolumeError` unless a volume has such a plane."""
    n_planes = info.shape[AXES.index(axis)]
    if not 0 <= index < n_planes:
        raise WrongVolumeError(f"there are planes 0 to {n_planes - 1} along {axis}, not {index}")


def _layout(info: VolumeInfo, axis: Axis, level: int) -> ArrayLayout:
    shape = info.level_shape(level)
    normal = AXES.index(axis)
    return ArrayLayout(
        shape=shape,
        dtype=np.dtype(np.uint8),
        chunk=tuple(1 if each == normal else shape[each] for each in range(3)),
        compression="zstd",
        dimension_names=AXES,
        fill_value=UNPAINTED,
    )


def _file(volume: Path, layer: PaintLayer, level: int, index: int) -> Path:
    place = [0, 0, 0]
    place[AXES.index(layer.axis)] = index
    return chunk_path(image_path(volume, layer.label_name) / str(level), tuple(place), "/")


def read_plane_or_empty(
    volume: Path, info: VolumeInfo, layer: PaintLayer, index: int, level: int = 0
) -> Plane:
    """Read a plane of a level; all `UNPAINTED` if nothing was painted there."""
    layout = _layout(info, layer.axis, level)
    if level == 0:
        check_index(info, layer.axis, index)
    file = _file(volume, layer, level, index)
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        plane = np.full(layout.chunk, UNPAINTED, np.uint8)
    else:
        plane = decode_chunk(data, layout, file)
    return np.squeeze(plane, axis=AXES.index(layer.axis))


def write_planes(
    volume: Path,
    info: VolumeInfo,
    layer: PaintLayer,
    planes: Mapping[int, Plane],
    classes: Sequence[LabelClass],
    time_ns: int,
) -> None:
    """Write planes with their lower levels, then who painted them and when."""
    times = _times(volume, layer)
    if not times:
        for level in range(info.levels):
            layout = _layout(info, layer.axis, level)
            create_array(image_path(volume, layer.label_name) / str(level), layout)
    touched = set(planes)
    for index, plane in planes.items():
        _put(volume, info, layer, 0, index, plane)
    for level in range(1, info.levels):
        touched = {index // 2 for index in touched}
        for index in touched:
            _put(volume, info, layer, level, index, _coarser(volume, info, layer, level, index))
    # The time last: it is what makes the plane count.
    times |= {str(index): time_ns for index in planes}
    told = {"axis": layer.axis, "person": layer.person, "round": layer.round, "planes": times}
    write_label_info(
        volume,
        layer.label_name,
        tuple(classes),
        {"painted": told},
        properties={
            "author": layer.person,
            "round": layer.round,
            "time": datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="milliseconds"),
        },
    )


def _times(volume: Path, layer: PaintLayer) -> dict[str, int]:
    try:
        told = read_attributes(image_path(volume, layer.label_name))
    except NotStoredError:
        return {}
    return dict(told["lithoscope"]["provenance"]["painted"]["planes"])


def _put(
    volume: Path, info: VolumeInfo, layer: PaintLayer, level: int, index: int, plane: Plane
) -> None:
    file = _file(volume, layer, level, index)
    make_directory(file.parent)
    thick = np.expand_dims(plane, AXES.index(layer.axis))
    write_atomic(file, encode_chunk(thick, _layout(info, layer.axis, level)))


def _coarser(volume: Path, info: VolumeInfo, layer: PaintLayer, level: int, index: int) -> Plane:
    normal = AXES.index(layer.axis)
    n_finer = info.level_shape(level - 1)[normal]
    pair = [
        read_plane_or_empty(volume, info, layer, each, level - 1)
        for each in range(2 * index, min(2 * index + 2, n_finer))
    ]
    return np.squeeze(_halved(np.stack(pair, axis=normal)), axis=normal)


def _halved(block: Plane) -> Plane:
    """Give the most frequent class of each 2 x 2 x 2 voxels, unless none of them is painted."""
    padding = [(0, length % 2) for length in block.shape]
    padded = np.pad(block, padding, constant_values=UNPAINTED)
    n_z, n_y, n_x = (length // 2 for length in padded.shape)
    cubes = padded.reshape(n_z, 2, n_y, 2, n_x, 2)
    best = np.full((n_z, n_y, n_x), UNPAINTED, np.uint8)
    most = np.zeros(best.shape, np.uint8)
    for value in np.unique(block[block != UNPAINTED]):
        count = (cubes == value).sum(axis=(1, 3, 5), dtype=np.uint8)
        best[count > most] = value
        np.maximum(most, count, out=most)
    return best


@contextmanager
def painting(volume: Path) -> Iterator[None]:
    """Let one process at a time change painted labels of a volume."""
    folder = volume / "labels"
    make_directory(folder)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
