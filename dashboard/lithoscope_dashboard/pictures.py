"""Read planes of volumes of the store."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lithoscope_dashboard.slices import (
    AXES,
    Axis,
    Box,
    Shape3,
    choose_level,
    grey_window,
    index_at_level,
    plane_shape,
)
from lithoscope_store.planes import read_plane
from lithoscope_store.volumes import label_classes, read_slab, volume_info

#: Voxels that the grey window is taken from: enough for its percentiles, quick to read.
SAMPLE = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeAbout:
    """Sizes of the levels of a volume, finest first, and the values drawn black and white."""

    shapes: tuple[Shape3, ...]
    window: tuple[float, float]
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a plane as it was read: at which level, and what it covers at the finest one."""

    values: NDArray[Any]
    level: int
    covers: Box


@lru_cache(maxsize=64)
def describe_volume(volume: Path) -> VolumeAbout:
    """Look at the levels and the grey values of a complete volume.

    Raises
    ------
    StoreError
        If there is no such volume.
    """
    info = volume_info(volume)
    shapes = tuple(info.level_shape(level) for level in range(info.levels))
    window = info.window or _sampled_window(volume, shapes)
    return VolumeAbout(shapes=shapes, window=window, unit=info.unit)


@lru_cache(maxsize=64)
def class_names(volume: Path, label_name: str) -> dict[int, str]:
    """Give the names of the classes of the labels of a volume."""
    return {each.value: each.name for each in label_classes(volume, label_name)}


def read_part(
    volume: Path, axis: Axis, index: int, box: Box, *, longest_px: int, label_name: str | None
) -> Part:
    """Read a part of a plane at the finest level that is not larger than wanted.

    Parameters
    ----------
    volume
        Folder of the volume.
    axis
        Normal of the plane.
    index
        Number of the plane at the finest level.
    box
        The part.
    longest_px
        Longest side that is wanted.
    label_name
        Labels instead of grey values.

    Raises
    ------
    StoreError
        If there is no such volume, label or level, or if it is damaged.
    """
    normal = AXES.index(axis)
    shapes = describe_volume(volume).shapes
    level = choose_level(box.longest, len(shapes), longest_px)
    at_level = index_at_level(index, shapes[0][normal], shapes[level][normal])
    rows, columns = box.at_level(level, plane_shape(shapes[level], axis))
    values = read_plane(
        volume, normal, at_level, level=level, label=label_name, rows=rows, columns=columns
    )
    step = 1 << level
    covers = Box(
        top=rows.start * step,
        left=columns.start * step,
        bottom=rows.stop * step,
        right=columns.stop * step,
    )
    return Part(values=values, level=level, covers=covers)


def _sampled_window(volume: Path, shapes: tuple[Shape3, ...]) -> tuple[float, float]:
    """Take the window from the middle slices of the coarsest level."""
    depth, rows, columns = shapes[-1]
    n_slices = max(1, min(depth, SAMPLE // (rows * columns)))
    first = (depth - n_slices) // 2
    return grey_window(read_slab(volume, first, first + n_slices, level=len(shapes) - 1))
