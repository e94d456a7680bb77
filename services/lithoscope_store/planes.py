"""Planes of a volume, read past Zarr: ten times faster where every chunk of a layer is needed.

A plane across 256 chunks spends most of its time between Zarr and its codecs. Here the chunks are
shared among threads, and of each only the blocks that the plane goes through are unpacked. What
is not laid out as :mod:`~lithoscope_store.volumes` writes it is read through Zarr all the same.
"""

import json
import os
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
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
# Of a Blosc frame (version 1): flags, and how many bytes it has unpacked, in a block, and packed.
# The starts of its blocks follow.
_BLOSC_HEAD = struct.Struct("<2xBx3i")
_BLOSC_LENGTH_AT = 4
_BLOSC_IS_COPY = 0x2
_INT = struct.Struct("<i")
#: Fewer chunks for each thread than these take less time than the threads do.
_CHUNKS_A_THREAD = 32
_MOST_THREADS = 4


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
    bounds = [part.indices(n)[:2] for part, n in zip(region, layout.shape, strict=True)]
    plane = np.empty([max(0, stop - start) for start, stop in bounds], layout.dtype)
    for cut in _cuts(bounds, layout.shard or layout.chunk):
        file = chunk_path(array, cut.place, "/")
        inner = [(part.start, part.stop) for part in cut.source]
        try:
            descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError as error:
            raise NotStoredError(f"{file} was not written") from error
        try:
            shard = _Shard(file, descriptor, layout)
            _share(list(_cuts(inner, layout.chunk)), partial(shard.fill, plane[cut.target]))
        finally:
            os.close(descriptor)
    return plane


def _share(cuts: list[_Cut], fill: Callable[[list[_Cut]], None]) -> None:
    """Let as many threads as are worth it fill parts of a plane."""
    n_threads = min(_MOST_THREADS, os.cpu_count() or 1, len(cuts) // _CHUNKS_A_THREAD)
    if n_threads <= 1:
        fill(cuts)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        # Asked for, so that what went wrong in a thread is raised here.
        list(pool.map(fill, [cuts[first::n_threads] for first in range(n_threads)]))


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


class _Shard:
    """An open file of many chunks."""

    def __init__(self, file: Path, descriptor: int, layout: ArrayLayout) -> None:
        self._file, self._descriptor, self._layout = file, descriptor, layout
        shard = layout.shard or layout.chunk
        self._counts = [full // part for full, part in zip(shard, layout.chunk, strict=True)]
        self._table = self._read_table()

    def fill(self, view: NDArray[Any], cuts: list[_Cut]) -> None:
        """Put into a part of a plane what some of the chunks give to it."""
        chunk = np.empty(self._layout.chunk, self._layout.dtype.newbyteorder("<"))
        buffer = bytearray()
        for cut in cuts:
            start, length = self._table[np.ravel_multi_index(cut.place, self._counts)]
            if len(buffer) < length <= 2 * chunk.nbytes + 4096:
                buffer = bytearray(int(length))
            packed = memoryview(buffer)[: int(length)]
            if len(packed) != length or not self._is_read(packed, int(start), chunk.nbytes):
                raise self._damaged()
            try:
                _unpack(packed[: -_CRC.size], chunk, cut.source)
            except RuntimeError as error:  # all that numcodecs says of a frame that it cannot read
                raise self._damaged() from error
            view[cut.target] = chunk[cut.source]

    def _is_read(self, packed: memoryview, start: int, n_bytes: int) -> bool:
        """Read a chunk; tell whether it is whole and would fill ``n_bytes`` exactly."""
        if len(packed) < _CRC.size + _BLOSC_HEAD.size:
            return False
        frame = packed[: -_CRC.size]
        if os.preadv(self._descriptor, [packed], start) != len(packed):
            return False
        _, n_unpacked, _, n_packed = _BLOSC_HEAD.unpack_from(frame)
        is_whole = bool(_CRC.unpack(packed[-_CRC.size :])[0] == crc32c(frame))
        return is_whole and n_unpacked == n_bytes and n_packed == len(frame)

    def _read_table(self) -> NDArray[np.uint64]:
        """Read where the chunks lie: the table at the end of the file, with its checksum."""
        n_bytes = _ROW_BYTES * int(np.prod(self._counts)) + _CRC.size
        size = os.fstat(self._descriptor).st_size
        data = os.pread(self._descriptor, n_bytes, max(0, size - n_bytes))
        if len(data) != n_bytes or _CRC.unpack(data[-_CRC.size :])[0] != crc32c(
            data[: -_CRC.size]
        ):
            raise self._damaged()
        table: NDArray[np.uint64] = np.frombuffer(data[: -_CRC.size], "<u8").reshape(-1, 2)
        return table

    def _damaged(self) -> CorruptDataError:
        return CorruptDataError(f"{self._file} is damaged; restore a copy or make it again")


def _unpack(packed: memoryview, chunk: NDArray[Any], source: Box) -> None:
    """Unpack the blocks of a chunk that a part of it lies in; changes ``packed``.

    Blosc unpacks a frame whole, so the head of the frame is made that of a frame of one block.
    """
    from numcodecs import Blosc  # loaded here, as in shards.py

    flags, n_bytes, n_block, _ = _BLOSC_HEAD.unpack_from(packed)
    corner = np.ravel_multi_index([part.start for part in source], chunk.shape)
    end = np.ravel_multi_index([part.stop - 1 for part in source], chunk.shape) + 1
    if flags & _BLOSC_IS_COPY or n_block <= 0 or n_bytes % n_block:
        Blosc().decode(packed, out=chunk)
        return
    first, stop = corner * chunk.itemsize // n_block, -(-end * chunk.itemsize // n_block)
    if stop - first == n_bytes // n_block:
        Blosc().decode(packed, out=chunk)
        return
    flat = chunk.reshape(-1).view(np.uint8)
    starts = np.frombuffer(packed, "<i4", n_bytes // n_block, _BLOSC_HEAD.size).copy()
    _INT.pack_into(packed, _BLOSC_LENGTH_AT, n_block)
    for block in range(first, stop):
        _INT.pack_into(packed, _BLOSC_HEAD.size, starts[block])
        Blosc().decode(packed, out=flat[block * n_block : (block + 1) * n_block])


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
