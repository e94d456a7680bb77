"""Planes of a volume, read past Zarr: four times faster where every chunk of a layer is needed.

A plane across 256 chunks spends most of its time between Zarr and its codecs. What is not laid
out as :mod:`~lithoscope_store.volumes` writes it is read through Zarr all the same.
"""

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithoscope_store.checksums import crc32c
from lithoscope_store.errors import CorruptDataError, NotStoredError
from lithoscope_store.safety import check_array, check_no_symlinks
from lithoscope_store.volume_metadata import image_path
from lithoscope_store.volumes import read_region
from lithoscope_store.zarr_metadata import METADATA_FILE, ArrayLayout, chunk_path

Box = tuple[slice, slice, slice]
_CRC = struct.Struct("<I")
_ROW_BYTES = 16
# Of a Blosc frame: bytes 4 to 8 say how long it is when it is unpacked.
_BLOSC_LENGTH = struct.Struct("<4xI")


def read_plane(
    path: Path,
    normal: int,
    index: int,
    *,
    level: int = 0,
    label: str | None = None,
    rows: slice = slice(None),
    columns: slice = slice(None),
) -> NDArray[Any]:  # of the dtype of the volume
    """Read a plane of a level of the image, or of its labels, or a part of that plane.

    Parameters
    ----------
    path
        Folder of the volume.
    normal, index
        Axis across the plane (0 z, 1 y, 2 x), and its number along it.
    level, label
        Level of resolution; labels instead of the image.
    rows, columns
        Part of the plane, with step 1.

    Returns
    -------
    NDArray
        Shape (rows, columns): the two axes that are left, in their order.

    Raises
    ------
    NotStoredError
        If there is no such volume, level or plane, or if a part of it was not written.
    CorruptDataError
        If a checksum does not fit; the text names the file.
    """
    array = image_path(path, label) / str(level)
    layout = _layout(array)
    sides = iter((rows, columns))
    picked = [slice(index, index + 1) if axis == normal else next(sides) for axis in range(3)]
    region = (picked[0], picked[1], picked[2])
    if layout is None:
        return np.squeeze(read_region(path, region, level=level, label=label), axis=normal)
    if not 0 <= index < layout.shape[normal]:
        raise NotStoredError(
            f"{array} has planes 0 to {layout.shape[normal] - 1} along axis {normal}, not {index}"
        )
    return np.squeeze(_read(array, layout, region), axis=normal)


@dataclass(frozen=True, slots=True)
class _Cut:
    """What one block of the grid gives to the region: which block, from where, to where."""

    place: tuple[int, int, int]
    source: Box
    target: Box


def _read(array: Path, layout: ArrayLayout, region: Box) -> NDArray[Any]:
    from numcodecs import Blosc  # loaded here, as in shards.py

    bounds = [part.indices(n)[:2] for part, n in zip(region, layout.shape, strict=True)]
    plane = np.empty([max(0, stop - start) for start, stop in bounds], layout.dtype)
    chunk = np.empty(layout.chunk, layout.dtype.newbyteorder("<"))
    blosc, shard_shape = Blosc(), layout.shard or layout.chunk
    counts = [full // part for full, part in zip(shard_shape, layout.chunk, strict=True)]
    for shard in _cuts(bounds, shard_shape):
        file = chunk_path(array, shard.place, "/")
        inner = [(part.start, part.stop) for part in shard.source]
        view = plane[shard.target]
        try:
            descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError as error:
            raise NotStoredError(f"{file} was not written") from error
        try:
            table = _table(descriptor, counts, file)
            for cut in _cuts(inner, layout.chunk):
                start, length = table[np.ravel_multi_index(cut.place, counts)]
                blosc.decode(_chunk(descriptor, int(start), int(length), chunk, file), out=chunk)
                view[cut.target] = chunk[cut.source]
        finally:
            os.close(descriptor)
    return plane


def _cuts(bounds: list[tuple[int, int]], step: tuple[int, ...]) -> Iterator[_Cut]:
    """Cut a region into the blocks of a regular grid."""
    grid = [
        range(start // n, -(-stop // n) if stop > start else start // n)
        for (start, stop), n in zip(bounds, step, strict=True)
    ]
    for place in product(*grid):
        source, target = [], []
        for i, n, (start, stop) in zip(place, step, bounds, strict=True):
            low, high = max(start, i * n), min(stop, (i + 1) * n)
            source.append(slice(low - i * n, high - i * n))
            target.append(slice(low - start, high - start))
        z, y, x = place
        yield _Cut((z, y, x), (source[0], source[1], source[2]), (target[0], target[1], target[2]))


def _table(descriptor: int, counts: list[int], file: Path) -> NDArray[np.uint64]:
    """Read where the chunks of a shard lie: the table at its end, with its checksum."""
    n_bytes = _ROW_BYTES * int(np.prod(counts)) + _CRC.size
    size = os.fstat(descriptor).st_size
    data = os.pread(descriptor, n_bytes, max(0, size - n_bytes))
    if len(data) != n_bytes or _CRC.unpack(data[-_CRC.size :])[0] != crc32c(data[: -_CRC.size]):
        raise CorruptDataError(f"{file} has a damaged table; restore a copy or make it again")
    table: NDArray[np.uint64] = np.frombuffer(data[: -_CRC.size], "<u8").reshape(-1, 2)
    return table


def _chunk(
    descriptor: int, start: int, length: int, chunk: NDArray[Any], file: Path
) -> memoryview:
    """Read a compressed chunk that is sure to fill ``chunk`` exactly."""
    data = os.pread(descriptor, length, start) if length <= 2 * chunk.nbytes + 4096 else b""
    packed = memoryview(data)[: -_CRC.size]
    is_whole = len(data) == length and len(packed) >= _BLOSC_LENGTH.size
    if (
        not is_whole
        or _CRC.unpack(data[-_CRC.size :])[0] != crc32c(packed)
        or _BLOSC_LENGTH.unpack_from(packed)[0] != chunk.nbytes
    ):
        raise CorruptDataError(f"{file} is damaged; restore a copy or make it again")
    return packed


def _layout(array: Path) -> ArrayLayout | None:
    """Give the layout of an array of ours; None for any other that may be opened."""
    try:
        changed_ns = (array / METADATA_FILE).stat().st_mtime_ns
    except FileNotFoundError as error:
        raise NotStoredError(f"there is no array at {array}") from error
    return _read_layout(array, changed_ns)


@lru_cache(maxsize=256)
def _read_layout(array: Path, _changed_ns: int) -> ArrayLayout | None:
    check_array(array)
    check_no_symlinks(array)
    found = json.loads((array / METADATA_FILE).read_bytes())
    for compression in ("lz4", "zstd"):
        try:
            layout = ArrayLayout(
                shape=tuple(found["shape"]),
                dtype=np.dtype(found["data_type"]),
                chunk=tuple(found["codecs"][0]["configuration"]["chunk_shape"]),
                shard=tuple(found["chunk_grid"]["configuration"]["chunk_shape"]),
                compression=compression,
                dimension_names=("z", "y", "x"),
            )
        except (LookupError, TypeError):
            return None
        if layout.metadata() == {**found, "attributes": {}}:
            return replace(layout, attributes=found.get("attributes", {}))
    return None
