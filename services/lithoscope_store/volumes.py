"""Volumes and their labels as OME-Zarr 0.5: written slab by slab, read by anybody.

A slab is a run of slices and one file; each of its chunks has its own checksum. What may be read
is what the journal says: reading a slab that was not written is an error, never zeros.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lithoscope_store.checksums import array_sha256
from lithoscope_store.durable import make_directory, sweep_partial_files, write_atomic
from lithoscope_store.errors import (
    CorruptDataError,
    NotStoredError,
    WrongVolumeError,
)
from lithoscope_store.ngff import LabelClass
from lithoscope_store.pyramid import Shape, halve_image, halve_labels, plan_levels
from lithoscope_store.safety import open_array
from lithoscope_store.shards import encode_shard
from lithoscope_store.volume_metadata import (
    Polarity,
    VolumeInfo,
    image_path,
    label_classes,
    volume_info,
    write_info,
    write_label_info,
)
from lithoscope_store.zarr_metadata import (
    ArrayLayout,
    ceiling_multiple,
    chunk_path,
    create_array,
)

__all__ = [
    "LabelClass",
    "Polarity",
    "VolumeInfo",
    "create_labels",
    "create_volume",
    "finish_volume",
    "label_classes",
    "read_region",
    "read_slab",
    "volume_info",
    "volume_sha256",
    "write_slab",
]

_LARGEST_CHUNK = 64
_SMALLEST_CHUNK = 8


def create_volume(
    path: Path,
    *,
    shape: Shape,
    voxel_um: float,
    dtype: DTypeLike = np.float32,
    name: str,
    slab_slices: int | None = None,
    levels: int | None = None,
    window: tuple[float, float] | None = None,
    unit: str = "1/cm",
    polarity: Polarity = "denser_is_brighter",
    offset_unknown: bool = False,
    provenance: dict[str, Any] | None = None,  # values of JSON
) -> VolumeInfo:
    """Create an empty volume; one that is there keeps the slabs it has.

    Parameters
    ----------
    path
        Folder, by convention with the ending ``.zarr``.
    shape, voxel_um, dtype
        Voxels (z, y, x), edge of a voxel, and the dtype of the values.
    name
        For people.
    slab_slices
        Slices that are written together and lie in one file; by default 64, of small volumes 32.
    levels
        Levels of resolution; by default until the longest side is at most 96 voxels.
    window
        Values shown as black and white.
    unit, polarity, offset_unknown
        Unit of the values; whether denser matter is brighter; whether an unknown constant lies
        on them, as in truncated scans.
    provenance
        From what and how it was made.

    Raises
    ------
    WrongVolumeError
        If the slabs cannot be cut into chunks.
    """
    info = VolumeInfo(
        name=name,
        shape=shape,
        dtype=np.dtype(dtype),
        voxel_um=voxel_um,
        levels=plan_levels(shape) if levels is None else levels,
        slab_slices=min(slab_slices or (64 if shape[0] >= 128 else 32), shape[0]),
        unit=unit,
        polarity=polarity,
        offset_unknown=offset_unknown,
        window=window,
        provenance=provenance or {},
        labels=(),
    )
    _create_levels(path, info, None)
    write_info(path, info)
    return info


def create_labels(
    volume_path: Path,
    name: str,
    classes: tuple[LabelClass, ...],
    *,
    provenance: dict[str, Any] | None = None,  # values of JSON
) -> None:
    """Create empty labels (uint8) inside a volume, on its grid and with its levels.

    Parameters
    ----------
    volume_path, name
        The volume, and the name of the labels in it.
    classes
        Meaning and colour of each label.
    provenance
        From what and how they are made.
    """
    info = volume_info(volume_path)
    _create_levels(volume_path, info, name)
    write_label_info(volume_path, name, classes, provenance or {})


def write_slab(
    path: Path, z0: int, array: NDArray[np.generic], *, label: str | None = None
) -> str:
    """Write a slab of the finest level; it is on the disk when this returns.

    Parameters
    ----------
    path
        The volume.
    z0
        First slice, a multiple of the slab's height.
    array
        Shape (n_slices, y, x): a whole slab, or what is left at the end.
    label
        Name of the labels to write instead of the image.

    Returns
    -------
    str
        :func:`~lithoscope_store.checksums.array_sha256` of the slab.

    Raises
    ------
    WrongVolumeError
        If the slab does not fit the grid of the volume.
    StoreFullError
        If there is no space left; other slabs stand.
    """
    info = volume_info(path)
    depth = min(info.slab_slices, info.shape[0] - z0)
    dtype = _dtype(info, label)
    expected = (depth, *info.shape[1:])
    if z0 < 0 or z0 % info.slab_slices or array.shape != expected or array.dtype != dtype:
        raise WrongVolumeError(
            f"slab {array.shape} {array.dtype} at slice {z0} does not fit {path}: slabs of "
            f"{info.slab_slices} slices, here {expected} {dtype}"
        )
    _write_level(path, info, 0, z0, array, label)
    return array_sha256(array)


def finish_volume(path: Path, *, label: str | None = None) -> None:
    """Make the lower levels, after the last slab.

    Parameters
    ----------
    path
        The volume.
    label
        Name of the labels to finish alone; by default the image and all its labels.

    Raises
    ------
    NotStoredError
        If a slab is missing.
    """
    info = volume_info(path)
    names = (None, *info.labels) if label is None else (label,)
    for name in names:
        for level in range(1, info.levels):
            _halve_level(path, info, level, name)


def read_slab(
    path: Path, z0: int, z1: int, *, level: int = 0, label: str | None = None
) -> NDArray[Any]:
    """Read slices ``z0`` to ``z1`` (not included) of a level; see :func:`read_region`."""
    return read_region(path, (slice(z0, z1), slice(None), slice(None)), level=level, label=label)


def read_region(
    path: Path,
    region: tuple[slice, slice, slice],
    *,
    level: int = 0,
    label: str | None = None,
) -> NDArray[Any]:  # of the dtype of the volume
    """Read a box of a level of the image, or of its labels.

    Raises
    ------
    NotStoredError
        If there is no such volume or level, or if a part of the box was not written.
    CorruptDataError
        If a checksum does not fit; the text names the file.
    """
    image = image_path(path, label)
    array = open_array(image / str(level))
    slab_slices = (array.shards or array.chunks)[0]
    z0, z1, _ = region[0].indices(array.shape[0])
    for block in range(z0 // slab_slices, -(-max(z1, z0) // slab_slices)):
        if not chunk_path(image / str(level), (block, 0, 0), "/").is_file():
            raise NotStoredError(
                f"slices {block * slab_slices} to {(block + 1) * slab_slices} of level {level} "
                f"were not written to {image}"
            )
    try:
        return np.asarray(array[region])
    except (ValueError, RuntimeError) as error:
        raise CorruptDataError(
            f"{image / str(level)} is damaged in slices {z0} to {z1} ({error}); restore a copy "
            "or make it again"
        ) from error


def volume_sha256(path: Path, *, label: str | None = None) -> str:
    """Hash of the finest level, as if it were one array; slab by slab."""
    info = volume_info(path)
    dtype = _dtype(info, label)
    digest = hashlib.sha256(f"{dtype.newbyteorder('<').str} {info.shape}\n".encode())
    for z0 in range(0, info.shape[0], info.slab_slices):
        slab = read_slab(path, z0, z0 + info.slab_slices, label=label)
        digest.update(np.ascontiguousarray(slab).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _create_levels(path: Path, info: VolumeInfo, label: str | None) -> None:
    for level in range(info.levels):
        create_array(image_path(path, label) / str(level), _layout(info, level, label))


def _layout(info: VolumeInfo, level: int, label: str | None) -> ArrayLayout:
    z, y, x = info.level_shape(level)
    chunk_yx = _LARGEST_CHUNK if max(info.shape) >= 256 else _LARGEST_CHUNK // 2
    return ArrayLayout(
        shape=(z, y, x),
        dtype=_dtype(info, label),
        shard=(info.slab_slices, ceiling_multiple(y, chunk_yx), ceiling_multiple(x, chunk_yx)),
        chunk=(_chunk_slices(info.slab_slices), chunk_yx, chunk_yx),
        compression="lz4" if label is None else "zstd",
        dimension_names=("z", "y", "x"),
    )


def _dtype(info: VolumeInfo, label: str | None) -> np.dtype[np.generic]:
    return info.dtype if label is None else np.dtype(np.uint8)


def _chunk_slices(slab_slices: int) -> int:
    chunk = max(n for n in range(1, _LARGEST_CHUNK + 1) if slab_slices % n == 0)
    if chunk < min(_SMALLEST_CHUNK, slab_slices):
        raise WrongVolumeError(
            f"slabs of {slab_slices} slices cannot be cut into chunks of {_SMALLEST_CHUNK} to "
            f"{_LARGEST_CHUNK}; take a multiple of {_SMALLEST_CHUNK}"
        )
    return chunk


def _write_level(
    path: Path,
    info: VolumeInfo,
    level: int,
    z0: int,
    array: NDArray[np.generic],
    label: str | None,
) -> None:
    place = (z0 // info.slab_slices, 0, 0)
    shard = chunk_path(image_path(path, label) / str(level), place, "/")
    make_directory(shard.parent)
    sweep_partial_files(shard.parent)
    write_atomic(shard, encode_shard(array, _layout(info, level, label)))


def _halve_level(path: Path, info: VolumeInfo, level: int, label: str | None) -> None:
    step = info.slab_slices
    for z0 in range(0, info.level_shape(level)[0], step):
        fine = read_slab(path, 2 * z0, 2 * (z0 + step), level=level - 1, label=label)
        coarse = halve_image(fine) if label is None else halve_labels(fine)
        _write_level(path, info, level, z0, coarse, label)
