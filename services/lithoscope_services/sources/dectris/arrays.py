"""Arrays as CBOR has them: typed arrays, arrays of several dimensions (RFC 8746)."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from cbor2 import CBORTag
from numpy.typing import NDArray

from lithoscope_messages import MAX_FRAME_BYTES
from lithoscope_services.errors import SourceError
from lithoscope_services.sources.dectris.compression import unpack
from lithoscope_services.sources.file_scan import MAX_EDGE_PX

COMPRESSED = 56500
ROW_MAJOR, COLUMN_MAJOR = 40, 1040
#: Those of RFC 8746 whose pixels the frames plane carries; 68 is 64, but clamped.
DTYPES = {
    64: "<u1",
    65: ">u2",
    66: ">u4",
    68: "<u1",
    69: "<u2",
    70: "<u4",
    81: ">f4",
    85: "<f4",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packed:
    """An image whose sizes fit together, not yet unpacked."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    is_column_major: bool
    content: Any  # nothing has been said of it yet

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_image(value: object) -> NDArray[np.generic]:
    """Make an image of a CBOR item.

    Parameters
    ----------
    value
        A tag 40 or 1040, as cbor2 gives tags that it does not know.

    Returns
    -------
    NDArray
        Shape (rows, columns), little-endian, C order.

    Raises
    ------
    SourceError
        If it is no image, or one that is too large; the text begins with ``data`` or
        ``compression``.
    """
    packed = _look(value)
    if packed.n_bytes > MAX_FRAME_BYTES:
        raise SourceError(f"data: {packed.n_bytes} bytes, at most {MAX_FRAME_BYTES} are taken")
    pixels = _unpack(packed).view(packed.dtype)
    order = "F" if packed.is_column_major else "C"
    image = pixels.reshape(packed.shape, order=order)  # type: ignore[call-overload]  # no Literal
    return np.ascontiguousarray(image, dtype=packed.dtype.newbyteorder("<"))


def _look(value: object) -> _Packed:
    if not isinstance(value, CBORTag) or value.tag not in (ROW_MAJOR, COLUMN_MAJOR):
        raise SourceError(f"data: {_kind(value)} came, an array of two dimensions was expected")
    parts = value.value
    if not isinstance(parts, list | tuple) or len(parts) != 2:
        raise SourceError("data: the array has no shape and content")
    shape, typed = parts
    if (
        not isinstance(shape, list | tuple)
        or len(shape) != 2
        or not all(type(side) is int and 1 <= side <= MAX_EDGE_PX for side in shape)
    ):
        raise SourceError(
            f"data: no shape of two whole numbers in 1..{MAX_EDGE_PX}; one grey image a channel "
            "is needed"
        )
    if not isinstance(typed, CBORTag) or typed.tag not in DTYPES:
        raise SourceError(
            f"data: {_kind(typed)} came, pixels of 8, 16 or 32 bits or float32 were expected"
        )
    return _Packed(
        shape=(shape[0], shape[1]),
        dtype=np.dtype(DTYPES[typed.tag]),
        is_column_major=value.tag == COLUMN_MAJOR,
        content=typed.value,
    )


def _unpack(packed: _Packed) -> NDArray[np.uint8]:
    content = packed.content
    if isinstance(content, bytes):
        if len(content) != packed.n_bytes:
            raise SourceError(
                f"data: {len(content)} bytes came, {packed.shape[0]} x {packed.shape[1]} "
                f"{packed.dtype.name} need {packed.n_bytes}"
            )
        return np.frombuffer(content, np.uint8)
    if not isinstance(content, CBORTag) or content.tag != COMPRESSED:
        raise SourceError(f"data: {_kind(content)} came, bytes were expected")
    parts = content.value
    if not isinstance(parts, list | tuple) or len(parts) != 3 or not isinstance(parts[2], bytes):
        raise SourceError("compression: no algorithm, element size and bytes")
    algorithm, element_bytes, data = parts
    return unpack(data, algorithm, element_bytes, n_bytes=packed.n_bytes)


def _kind(value: object) -> str:
    return f"tag {value.tag}" if isinstance(value, CBORTag) else type(value).__name__
