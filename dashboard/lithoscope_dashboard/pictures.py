"""Read planes of volumes of the store."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithoscope_dashboard.slices import AXES, Axis, Shape3, grey_window, index_at_level
from lithoscope_store.volumes import read_region, read_slab, volume_info

#: Voxels that the grey window is taken from: enough for its percentiles, quick to read.
SAMPLE = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeAbout:
    """Sizes of the levels of a volume, finest first, and the values drawn black and white."""

    shapes: tuple[Shape3, ...]
    window: tuple[float, float]


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
    return VolumeAbout(shapes=shapes, window=info.window or _sampled_window(volume, shapes))


def read_plane(
    volume: Path, axis: Axis, index: int, *, level: int, label_name: str | None
) -> NDArray[Any]:
    """Read one plane.

    Parameters
    ----------
    volume
        Folder of the volume.
    axis
        Normal of the plane.
    index
        Number of the plane at the finest level.
    level
        Level to read, 0 is the finest.
    label_name
        Labels instead of grey values.

    Raises
    ------
    StoreError
        If there is no such volume, label or level, or if it is damaged.
    """
    normal = AXES.index(axis)
    shapes = describe_volume(volume).shapes
    at_level = index_at_level(index, shapes[0][normal], shapes[level][normal])
    whole = slice(None)
    region = [whole, whole, whole]
    region[normal] = slice(at_level, at_level + 1)
    box = read_region(volume, (region[0], region[1], region[2]), level=level, label=label_name)
    plane: NDArray[Any] = np.squeeze(box, axis=normal)
    return plane


def _sampled_window(volume: Path, shapes: tuple[Shape3, ...]) -> tuple[float, float]:
    """Take the window from the middle slices of the coarsest level."""
    depth, rows, columns = shapes[-1]
    n_slices = max(1, min(depth, SAMPLE // (rows * columns)))
    first = (depth - n_slices) // 2
    return grey_window(read_slab(volume, first, first + n_slices, level=len(shapes) - 1))
