"""Unpack DECTRIS's compressed byte strings, CBOR tag 56500.

Both algorithms have the framing of the HDF5 filters: the unpacked length (8 bytes, big-endian),
the length of a block (4 bytes, big-endian), then the blocks, each with its packed length (4 bytes)
before it. All of these are checked before anything is allocated or unpacked.
"""

import struct
from collections.abc import Iterator

import bitshuffle
import numcodecs.lz4
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from lithoscope_services.errors import SourceError

_HEADER = struct.Struct(">QI")
_LENGTH = struct.Struct(">I")
#: numcodecs puts the length before a block, the other way round.
_NUMCODECS_LENGTH = struct.Struct("<I")
#: bitshuffle turns blocks of so many elements; what is left at the end stays as it is.
_BITSHUFFLE_STEP = 8
#: Detectors use 8 KiB; the HDF5 filter allows more, and half of nothing needs it.
MAX_BLOCK_BYTES = 16 * 2**20


def _use_one_thread() -> None:
    """Keep bitshuffle from starting threads, with the OpenMP that its wheel brings along.

    One core unpacks 3 GB/s. On a machine that works, its threads wait for each other: 20 ms
    instead of 3.4 ms for 10 MB, measured with both cores busy.
    """
    controller = ThreadpoolController()
    paths = [str(each["filepath"]) for each in controller.info()]
    controller.select(filepath=[path for path in paths if "bitshuffle" in path]).limit(limits=1)


_use_one_thread()


def unpack(
    data: bytes, algorithm: object, element_bytes: object, *, n_bytes: int
) -> NDArray[np.uint8]:
    """Unpack a byte string.

    Parameters
    ----------
    data
        As the tag has it.
    algorithm
        ``bslz4`` or ``lz4``.
    element_bytes
        Size of an element for ``bslz4``.
    n_bytes
        How many bytes must come out.

    Returns
    -------
    NDArray[np.uint8]
        Shape (n_bytes,).

    Raises
    ------
    SourceError
        If it is damaged or would give another length; the text begins with ``compression``.
    """
    if algorithm not in ("bslz4", "lz4"):
        raise SourceError(
            f"compression: {str(algorithm)[:20]!r} is not taken; set the detector's compression "
            "to bslz4, lz4 or none"
        )
    if len(data) < _HEADER.size:
        raise SourceError(f"compression: {len(data)} bytes, the header alone has {_HEADER.size}")
    unpacked_bytes, block_bytes = _HEADER.unpack_from(data)
    if unpacked_bytes != n_bytes:
        raise SourceError(
            f"compression: would unpack to {unpacked_bytes} bytes, the array has {n_bytes}"
        )
    if not 0 < block_bytes <= MAX_BLOCK_BYTES:
        raise SourceError(
            f"compression: blocks of {block_bytes} bytes, 1 to {MAX_BLOCK_BYTES} are taken"
        )
    if algorithm == "lz4":
        return _unpack_lz4(data, block_bytes, n_bytes)
    return _unpack_bslz4(data, block_bytes, n_bytes, element_bytes)


def _unpack_lz4(data: bytes, block_bytes: int, n_bytes: int) -> NDArray[np.uint8]:
    lengths = _block_lengths(n_bytes, block_bytes, step=1)
    places = list(_packed_blocks(data, lengths))
    unpacked = np.empty(n_bytes, np.uint8)
    begin = 0
    for (first, last), length in zip(places, lengths, strict=True):
        target = unpacked[begin : begin + length]
        begin += length
        if last - first == length:  # a block that would have grown is left as it was
            target[:] = np.frombuffer(data, np.uint8, length, first)
            continue
        try:
            numcodecs.lz4.decompress(_NUMCODECS_LENGTH.pack(length) + data[first:last], target)
        except (RuntimeError, ValueError) as error:
            raise SourceError(
                f"compression: the block at byte {first} is no LZ4 of {length} bytes"
            ) from error
    return unpacked


def _unpack_bslz4(
    data: bytes, block_bytes: int, n_bytes: int, element_bytes: object
) -> NDArray[np.uint8]:
    if type(element_bytes) is not int or element_bytes not in (1, 2, 4, 8):
        raise SourceError(f"compression: elements of {str(element_bytes)[:20]} bytes")
    step = _BITSHUFFLE_STEP * element_bytes
    if block_bytes % step:
        raise SourceError(
            f"compression: blocks of {block_bytes} bytes are no multiple of {step}, the least "
            f"that {element_bytes}-byte elements allow"
        )
    if n_bytes % element_bytes:
        raise SourceError(f"compression: {n_bytes} bytes of elements of {element_bytes}")
    lengths = _block_lengths(n_bytes, block_bytes, step=step)
    n_left = n_bytes - sum(lengths)
    for _ in _packed_blocks(data, lengths, n_left=n_left):
        pass
    packed = np.frombuffer(data, np.uint8, offset=_HEADER.size)
    try:
        elements = bitshuffle.decompress_lz4(
            packed,
            (n_bytes // element_bytes,),
            np.dtype(f"<u{element_bytes}"),
            block_bytes // element_bytes,
        )
    except (RuntimeError, ValueError) as error:
        raise SourceError("compression: a block is no LZ4 of its length") from error
    return np.asarray(elements).view(np.uint8)


def _block_lengths(n_bytes: int, block_bytes: int, *, step: int) -> list[int]:
    """Give the unpacked length of each block; less than a step at the end is in none of them."""
    n_whole, n_left = divmod(n_bytes, block_bytes)
    last = n_left - n_left % step
    return [block_bytes] * n_whole + ([last] if last else [])


def _packed_blocks(
    data: bytes, lengths: list[int], *, n_left: int = 0
) -> Iterator[tuple[int, int]]:
    """Give where each block begins and ends, and check that they fill the string."""
    place = _HEADER.size
    if len(lengths) * _LENGTH.size > len(data):
        raise SourceError(f"compression: {len(lengths)} blocks do not fit in {len(data)} bytes")
    for length in lengths:
        if place + _LENGTH.size > len(data):
            raise SourceError(f"compression: the string ends at byte {place}, between blocks")
        (n_packed,) = _LENGTH.unpack_from(data, place)
        place += _LENGTH.size
        # LZ4 makes at most one byte in 255 more of it, and 16.
        if n_packed == 0 or n_packed > length + length // 255 + 16 or n_packed > len(data) - place:
            raise SourceError(
                f"compression: a block of {n_packed} bytes at byte {place} of {len(data)}"
            )
        yield place, place + n_packed
        place += n_packed
    if len(data) - place != n_left:
        raise SourceError(f"compression: {len(data) - place} bytes at the end, {n_left} expected")
