"""A shard of a Zarr array made in memory, to be written at once.

Zarr's own writer reads the old shard before it writes the new one (a damaged one could never be
replaced), leaves out chunks of zeros (which then look unwritten), and does not wait for the disk.
"""

import math
import struct
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithoscope_store.checksums import crc32c
from lithoscope_store.errors import CorruptDataError
from lithoscope_store.zarr_metadata import ArrayLayout

_CRC = struct.Struct("<I")
# Of a Blosc frame: bytes 4 to 8 say how long it is when it is unpacked.
_BLOSC_LENGTH = struct.Struct("<4xI")


def encode_shard(block: NDArray[np.generic], layout: ArrayLayout) -> bytes:
    """Make the file of one shard.

    Parameters
    ----------
    block
        What the shard holds; at the far faces of the array less than a whole shard.
    layout
        Of the array; with shards.

    Returns
    -------
    bytes
        All chunks, the table of their positions, and its checksum.
    """
    shard = layout.shard or layout.chunk
    padding = [(0, full - length) for full, length in zip(shard, block.shape, strict=True)]
    padded = np.pad(block, padding) if any(after for _, after in padding) else block
    counts = [full // chunk for full, chunk in zip(shard, layout.chunk, strict=True)]
    table = np.empty((math.prod(counts), 2), "<u8")
    parts, position = [], 0
    for row, place in enumerate(product(*map(range, counts))):
        corner = tuple(
            slice(i * length, (i + 1) * length)
            for i, length in zip(place, layout.chunk, strict=True)
        )
        part = encode_chunk(padded[corner], layout)
        table[row] = position, len(part)
        parts.append(part)
        position += len(part)
    positions = table.tobytes()
    return b"".join([*parts, positions, _CRC.pack(crc32c(positions))])


def encode_chunk(chunk: NDArray[np.generic], layout: ArrayLayout) -> bytes:
    """Compress a whole chunk as its layout says, with its checksum behind it."""
    little = np.ascontiguousarray(chunk, dtype=layout.dtype.newbyteorder("<"))
    if layout.compression == "none":
        data = little.tobytes()
    else:
        # Loaded here, as Zarr is: commands that compress nothing start sooner.
        from numcodecs import Blosc

        settings = layout.blosc()
        shuffle = Blosc.BITSHUFFLE if settings["shuffle"] == "bitshuffle" else Blosc.NOSHUFFLE
        codec = Blosc(cname=settings["cname"], clevel=settings["clevel"], shuffle=shuffle)
        data = bytes(codec.encode(little))
    return data + _CRC.pack(crc32c(data))


def decode_chunk(data: bytes, layout: ArrayLayout, file: Path) -> NDArray[Any]:
    """Unpack a chunk that is a file of its own, and compressed.

    Raises
    ------
    CorruptDataError
        If a checksum does not fit, or if it would be larger than its layout says.
    """
    from numcodecs import Blosc

    chunk = np.empty(layout.chunk, layout.dtype)
    packed = memoryview(data)[: -_CRC.size]
    is_whole = (
        len(packed) >= _BLOSC_LENGTH.size
        and _CRC.unpack(data[-_CRC.size :])[0] == crc32c(packed)
        and _BLOSC_LENGTH.unpack_from(packed)[0] == chunk.nbytes
    )
    if not is_whole:
        raise CorruptDataError(f"{file} is damaged; restore a copy or make it again")
    Blosc().decode(packed, out=chunk)
    return chunk
