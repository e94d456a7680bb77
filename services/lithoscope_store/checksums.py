"""Checksums of arrays: CRC-32C against damage, SHA-256 for identity."""

import hashlib

import google_crc32c
import numpy as np
from numpy.typing import NDArray

Buffer = bytes | bytearray | memoryview


def crc32c(data: Buffer, *, previous: int = 0) -> int:
    """CRC-32C of some bytes, going on from ``previous``; nothing is copied."""
    return int(google_crc32c.extend(previous, np.frombuffer(data, np.uint8)))


def array_sha256(array: NDArray[np.generic]) -> str:
    r"""Hash of an array: SHA-256 of its dtype, its shape and its voxels in C order.

    Dtype and shape are written as ``"<f4 (2, 3, 4)\\n"``, little-endian, so that the same numbers
    have the same hash on every machine.
    """
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{little.dtype.str} {tuple(array.shape)}\n".encode())
    digest.update(little.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
