"""Unpack the compressed pixels of an NTNDArray: lz4, bslz4 and blosc as areaDetector writes them.

areaDetector sends the bare blocks; frames that come from an HDF5 file have its filter's header
before them (12 bytes, 16 with the length of the first lz4 block). All lengths are checked before
anything is unpacked.
"""

import struct

import numcodecs.blosc
import numcodecs.lz4
import numpy as np
from numpy.typing import NDArray

from lithoscope_services.errors import SourceError
from lithoscope_services.sources.dectris.compression import unpack as unpack_framed

_FRAME = struct.Struct(">QI")
_LZ4_LENGTH = struct.Struct("<I")
#: Of version, flags and type size, then unpacked, block and packed length.
_BLOSC = struct.Struct("<4BIII")
#: bitshuffle's own choice, which areaDetector takes, for elements of 1 to 8 bytes.
_BITSHUFFLE_BLOCK_BYTES = 8192
CODECS = ("lz4", "bslz4", "blosc")


def unpack_pixels(
    packed: NDArray[np.uint8], codec: str, *, element_bytes: int, n_bytes: int
) -> NDArray[np.uint8]:
    """Unpack the pixels of one image.

    Parameters
    ----------
    packed
        Shape (n,).
    codec
        Name as NTNDArray has it.
    element_bytes
        Size of a pixel.
    n_bytes
        How many bytes must come out.

    Returns
    -------
    NDArray[np.uint8]
        Shape (n_bytes,).

    Raises
    ------
    SourceError
        If it is not taken, damaged, or would give another length.
    """
    data = packed.tobytes()
    if codec == "blosc":
        return _unpack_blosc(data, n_bytes)
    if codec not in CODECS:
        reason = "loses counts" if codec == "jpeg" else "is not taken"
        raise SourceError(
            f"codec: {codec[:20]!r} {reason}; set the codec plugin to bslz4, lz4, blosc or none"
        )
    if len(data) > _FRAME.size and _FRAME.unpack_from(data)[0] == n_bytes:
        return unpack_framed(data, codec, element_bytes, n_bytes=n_bytes)
    if codec == "bslz4":
        header = _FRAME.pack(n_bytes, _BITSHUFFLE_BLOCK_BYTES)
        return unpack_framed(header + data, codec, element_bytes, n_bytes=n_bytes)
    return _unpack_lz4(data, n_bytes)


def _unpack_lz4(data: bytes, n_bytes: int) -> NDArray[np.uint8]:
    if not data:
        raise SourceError("compression: no bytes came")
    pixels = np.empty(n_bytes, np.uint8)
    try:
        numcodecs.lz4.decompress(_LZ4_LENGTH.pack(n_bytes) + data, pixels)
    except (RuntimeError, ValueError) as error:
        raise SourceError(f"compression: no LZ4 block of {n_bytes} bytes") from error
    return pixels


def _unpack_blosc(data: bytes, n_bytes: int) -> NDArray[np.uint8]:
    if len(data) < _BLOSC.size:
        raise SourceError(
            f"compression: {len(data)} bytes, a blosc header alone has {_BLOSC.size}"
        )
    unpacked_bytes, _, packed_bytes = _BLOSC.unpack_from(data)[4:]
    # Nobody else looks whether the header tells the truth of the buffer.
    if unpacked_bytes != n_bytes or packed_bytes != len(data):
        raise SourceError(
            f"compression: blosc of {packed_bytes} bytes that give {unpacked_bytes}, but "
            f"{len(data)} came and the image has {n_bytes}"
        )
    pixels = np.empty(n_bytes, np.uint8)
    try:
        numcodecs.blosc.decompress(data, pixels)
    except (RuntimeError, ValueError) as error:
        raise SourceError(f"compression: no blosc of {n_bytes} bytes") from error
    return pixels
