"""Checksums of arrays: CRC-32C against damage, SHA-256 for identity."""

import hashlib
from functools import cache

import google_crc32c
import numpy as np
from numpy.typing import NDArray

Buffer = bytes | bytearray | memoryview


def crc32c(data: Buffer, *, previous: int = 0) -> int:
    """CRC-32C of some bytes, going on from ``previous``; nothing is copied."""
    return int(google_crc32c.extend(previous, np.frombuffer(data, np.uint8)))


def joined_crc32c(first: int, second: int, n_second: int) -> int:
    """CRC-32C of two runs of bytes one after the other, from those of each: nothing is read.

    A run of zeros after the first is a linear map of its checksum over the field of two elements;
    the second run adds its own checksum (as ``crc32_combine`` of zlib does).

    Parameters
    ----------
    first, second
        Their checksums.
    n_second
        Bytes of the second.
    """
    joined = second
    for bit, column in enumerate(_after_zeros(n_second)):
        if first >> bit & 1:
            joined ^= column
    return joined


@cache
def _after_zeros(n_bytes: int) -> tuple[int, ...]:
    """Tell what each bit of a checksum becomes after so many zero bytes."""
    result = tuple(1 << bit for bit in range(32))
    # One zero bit: a shift to the right, and the reflected Castagnoli polynomial for a lost one.
    power = (0x82F63B78, *(1 << bit for bit in range(31)))
    n_bits = 8 * n_bytes
    while n_bits:
        if n_bits & 1:
            result = tuple(_apply(power, column) for column in result)
        power = tuple(_apply(power, column) for column in power)
        n_bits >>= 1
    return result


def _apply(columns: tuple[int, ...], value: int) -> int:
    found = 0
    for bit, column in enumerate(columns):
        if value >> bit & 1:
            found ^= column
    return found


def array_sha256(array: NDArray[np.generic]) -> str:
    r"""Hash of an array: SHA-256 of its dtype, its shape and its voxels in C order.

    Dtype and shape are written as ``"<f4 (2, 3, 4)\\n"``, little-endian, so that the same numbers
    have the same hash on every machine.
    """
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{little.dtype.str} {tuple(array.shape)}\n".encode())
    digest.update(little.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
