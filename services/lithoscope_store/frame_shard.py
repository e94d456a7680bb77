"""One frame as one shard of a Zarr array, written and read without passing through Zarr.

A shard is its chunks, each followed by its CRC-32C, then the table of their positions with a
CRC-32C of its own (Zarr 3 specification, ``sharding_indexed``). Chunks are whole rows, so that
they lie in the file as they lie in the memory.
"""

import json
import math
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import FrameKey, FrameKind
from lithoscope_store.checksums import crc32c, joined_crc32c
from lithoscope_store.durable import write_fully
from lithoscope_store.errors import CorruptDataError, StoreFormatError
from lithoscope_store.zarr_metadata import METADATA_FILE, ArrayLayout, chunk_path

_CRC = struct.Struct("<I")
_CRC_BYTES = _CRC.size
# Linux: at most 1024 buffers in one call of writev or preadv.
_MAX_BUFFERS = 1024
_MAX_CHUNKS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLayout:
    """How the frames of one set lie in their shards."""

    dtype: np.dtype[np.generic]
    rows: int
    columns: int
    chunk_rows: int

    @classmethod
    def plan(
        cls, dtype: np.dtype[np.generic], shape: tuple[int, int], slab_rows: int
    ) -> "FrameLayout":
        """Cut a frame into chunks of nearly equal height, at most ``slab_rows`` if possible."""
        n_chunks = min(math.ceil(shape[0] / slab_rows), _MAX_CHUNKS)
        chunk_rows = math.ceil(shape[0] / n_chunks)
        return cls(dtype=dtype, rows=shape[0], columns=shape[1], chunk_rows=chunk_rows)

    @property
    def n_chunks(self) -> int:
        """Chunks in a shard."""
        return math.ceil(self.rows / self.chunk_rows)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.columns * self.dtype.itemsize

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a chunk without its checksum; the last one is padded to it."""
        return self.chunk_rows * self.row_bytes

    @property
    def payload_bytes(self) -> int:
        """Bytes of the pixels of a frame."""
        return self.rows * self.row_bytes

    @property
    def shard_bytes(self) -> int:
        """Bytes of the file of a frame."""
        return self.n_chunks * (self.chunk_bytes + _CRC_BYTES + 16) + _CRC_BYTES

    def array(self, capacity: int) -> ArrayLayout:
        """Layout of the array that these frames are stored in."""
        return ArrayLayout(
            shape=(capacity, self.rows, self.columns),
            dtype=self.dtype,
            shard=(1, self.n_chunks * self.chunk_rows, self.columns),
            chunk=(1, self.chunk_rows, self.columns),
            separator=".",
            dimension_names=("index", "row", "column"),
        )


def array_path(tile: Path, kind: FrameKind, set: int) -> Path:
    """Folder of the array of a set, in the folder of its tile."""
    return tile / f"{kind}-{set}"


def name_of(key: FrameKey) -> str:
    """Name a frame to people."""
    return f"{key.kind} {key.index} of set {key.set}, scan {key.scan}, tile {key.tile}"


def shard_path(array: Path, index: int) -> Path:
    """File of a frame."""
    return chunk_path(array, (index, 0, 0), ".")


@dataclass(frozen=True, slots=True)
class FrameShard:
    """A frame as it will lie in its file: its pixels, where they are, and what goes between them.

    ``crc32c`` is that of the pixels.
    """

    parts: tuple[memoryview | bytes, ...]
    crc32c: int

    @classmethod
    def of(cls, layout: FrameLayout, payload: memoryview) -> "FrameShard":
        """Lay out a frame of exactly ``layout.payload_bytes``; they are read once."""
        parts: list[memoryview | bytes] = []
        positions = np.empty((layout.n_chunks, 2), "<u8")
        size, step = layout.chunk_bytes, layout.chunk_bytes + _CRC_BYTES
        whole = 0
        for i in range(layout.n_chunks):
            chunk = payload[i * size : (i + 1) * size]
            padding = bytes(size - len(chunk))
            checksum = crc32c(chunk)
            whole = joined_crc32c(whole, checksum, len(chunk))
            parts += [chunk, padding, _CRC.pack(crc32c(padding, previous=checksum))]
            positions[i] = i * step, step
        table = positions.tobytes()
        parts += [table, _CRC.pack(crc32c(table))]
        return cls(tuple(part for part in parts if part), whole)

    def write(self, descriptor: int) -> None:
        """Write it to an empty file."""
        _write_parts(descriptor, self.parts)


def read_rows(
    array: Path, index: int, layout: FrameLayout, first: int, out: NDArray[np.generic]
) -> None:
    """Read rows of a frame from row ``first`` on, checking each chunk they lie in.

    Parameters
    ----------
    array
        Folder of the array.
    index
        Number of the frame.
    layout
        From :func:`read_layout`.
    first
        First row; ``out`` says how many.
    out
        Shape (n_rows, columns), C order, of the dtype of the layout; filled.

    Raises
    ------
    CorruptDataError
        If the file is missing or damaged; the text names it and the rows.
    """
    path = shard_path(array, index)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise CorruptDataError(
            f"{path} stands in the index and cannot be read: {error}"
        ) from error
    try:
        _read_chunks(descriptor, path, layout, first, out)
    finally:
        os.close(descriptor)


def read_layout(array: Path) -> tuple[FrameLayout, int]:
    """Read how an array of frames lies on disk, and its capacity.

    Raises
    ------
    StoreFormatError
        If it is none that this program writes.
    """
    path = array / METADATA_FILE
    try:
        found = json.loads(path.read_text())
        capacity, rows, columns = found["shape"]
        chunk_rows = found["codecs"][0]["configuration"]["chunk_shape"][1]
        layout = FrameLayout(
            dtype=np.dtype(found["data_type"]), rows=rows, columns=columns, chunk_rows=chunk_rows
        )
        is_ours = found == layout.array(capacity).metadata()
    except (OSError, ValueError, LookupError, TypeError, ZeroDivisionError) as error:
        raise StoreFormatError(f"{path} cannot be read: {error}; restore a copy") from error
    if not is_ours:
        raise StoreFormatError(f"{path} is not as frames are stored; restore a copy")
    return layout, capacity


def _write_parts(descriptor: int, parts: Sequence[memoryview | bytes]) -> None:
    for start in range(0, len(parts), _MAX_BUFFERS):
        batch = parts[start : start + _MAX_BUFFERS]
        written = os.writev(descriptor, batch)
        for part in batch:
            if written < len(part):
                write_fully(descriptor, part[written:])
            written = max(written - len(part), 0)


def _read_chunks(
    descriptor: int, path: Path, layout: FrameLayout, first: int, out: NDArray[np.generic]
) -> None:
    last = first + len(out)
    step = layout.chunk_bytes + _CRC_BYTES
    for i in range(first // layout.chunk_rows, math.ceil(last / layout.chunk_rows)):
        row0 = i * layout.chunk_rows
        rows = slice(max(first - row0, 0), min(last - row0, layout.chunk_rows))
        target = out[row0 + rows.start - first : row0 + rows.stop - first]
        is_whole = rows.stop - rows.start == layout.chunk_rows
        chunk = target if is_whole else np.empty((layout.chunk_rows, layout.columns), out.dtype)
        data, checksum = chunk.reshape(-1).view(np.uint8).data, bytearray(_CRC_BYTES)
        n_read = os.preadv(descriptor, [data, checksum], i * step)
        if n_read != step or _CRC.unpack(checksum)[0] != crc32c(data):
            raise CorruptDataError(
                f"{path} is damaged in rows {row0} to {min(row0 + layout.chunk_rows, layout.rows)}"
                ": the checksum does not fit; restore this file from a copy"
            )
        if not is_whole:
            target[...] = chunk[rows]
