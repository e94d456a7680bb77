"""Maps of a scan: small images with a name and a unit, one Zarr array each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lithoscope_store.durable import make_directory, write_atomic
from lithoscope_store.errors import CorruptDataError, NotStoredError, UnsafePathError
from lithoscope_store.layout import is_plain_name
from lithoscope_store.safety import open_array
from lithoscope_store.shards import encode_chunk
from lithoscope_store.zarr_metadata import (
    METADATA_FILE,
    ArrayLayout,
    chunk_path,
    create_array,
    create_group,
    read_attributes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Maps:
    """Maps of a scan, shape (z, x) unless their names say otherwise."""

    maps: dict[str, NDArray[np.float32]]
    units: dict[str, str]
    voxel_um: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMap:
    """One map, NaN where nothing could be measured, and the edge of its pixels."""

    values: NDArray[np.float32]
    unit: str
    pixel_um: float


def write_maps(
    path: Path,
    maps: Mapping[str, NDArray[np.float32]],
    voxel_um: float,
    units: Mapping[str, str] | None = None,
) -> None:
    """Write maps; they are on the disk when this returns.

    Parameters
    ----------
    path
        Folder; what it has under these names is replaced.
    maps
        Name to image, two axes, NaN where nothing could be measured.
    voxel_um
        Edge of a pixel.
    units
        Name to unit; empty for a map that is not in it.

    Raises
    ------
    UnsafePathError
        If a name is none that a folder may have.
    StoreFullError
        If there is no space left.
    """
    for name in maps:
        if not is_plain_name(name):
            raise UnsafePathError(f"{name!r} cannot name a map; take letters, digits, '_' or '-'")
    for name, image in maps.items():
        rows, columns = image.shape
        layout = ArrayLayout(
            shape=(rows, columns),
            dtype=np.dtype(np.float32),
            chunk=(rows, columns),
            compression="zstd",
            attributes={"unit": (units or {}).get(name, ""), "pixel_um": voxel_um},
        )
        create_array(path / name, layout)
        chunk = chunk_path(path / name, (0, 0), "/")
        make_directory(chunk.parent)
        write_atomic(chunk, encode_chunk(image, layout))
    # Last, so that a folder that was cut short is no set of maps.
    described = {"maps": sorted(maps), "voxel_um": voxel_um}
    create_group(path, {"lithoscope": described})


def read_maps(path: Path) -> Maps:
    """Read all maps of a scan.

    Raises
    ------
    NotStoredError
        If there are none.
    CorruptDataError
        If a checksum does not fit; the text names the map.
    """
    names = map_names(path)
    read = {name: read_map(path, name) for name in names}
    return Maps(
        maps={name: each.values for name, each in read.items()},
        units={name: each.unit for name, each in read.items()},
        voxel_um=float(read_attributes(path)["lithoscope"]["voxel_um"]),
    )


def map_names(path: Path) -> tuple[str, ...]:
    """Give the names of the maps of a scan.

    Raises
    ------
    NotStoredError
        If there are none.
    UnsafePathError
        If a name is none that a folder may have.
    """
    if not (path / METADATA_FILE).is_file():
        raise NotStoredError(f"there are no maps at {path}")
    names = tuple(str(name) for name in read_attributes(path)["lithoscope"]["maps"])
    for name in names:
        if not is_plain_name(name):
            raise UnsafePathError(f"{path}: {name!r} cannot name a map")
    return names


def read_map(path: Path, name: str) -> StoredMap:
    """Read one map of a scan.

    Raises
    ------
    NotStoredError
        If there is none of this name.
    CorruptDataError
        If a checksum does not fit; the text names the map.
    """
    if name not in map_names(path):
        raise NotStoredError(f"there is no map {name[:64]!r} at {path}")
    array = open_array(path / name)
    try:
        values = np.asarray(array[:], np.float32)
    except (ValueError, RuntimeError) as error:
        raise CorruptDataError(f"{path / name} is damaged ({error}); make it again") from error
    attributes = read_attributes(path / name)
    return StoredMap(
        values=values, unit=str(attributes["unit"]), pixel_um=float(attributes["pixel_um"])
    )
