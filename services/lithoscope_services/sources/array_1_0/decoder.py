"""Decode array-1.0 messages of the PSI and their dialects: two parts in, one frame out.

Dialects: plain (std_daq and others), ADZMQ (areaDetector's NDPluginZMQ) and GigaFRoST, whose
headers have no ``htype`` but ``image_attributes``.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lithoscope_messages import MAX_FRAME_BYTES, FrameKind
from lithoscope_services.errors import SourceError
from lithoscope_services.sources.array_1_0.attributes import plain_attributes, read_header
from lithoscope_services.sources.stream.frame import StreamFrame

#: EPICS counts from 1990-01-01 UTC.
EPICS_EPOCH_S = 631_152_000
MAX_SIDE = 16_384
MAX_NUMBER = 2**63
_BY_INDEX: tuple[FrameKind, ...] = ("dark", "flat", "projection")
#: Those of the frames plane; nobody's detector sends the others.
DTYPES = ("uint8", "uint16", "uint32", "float32")


def decode_array(parts: Sequence[bytes], *, columns_first: bool = False) -> StreamFrame:
    """Decode one message.

    Parameters
    ----------
    parts
        As they were received.
    columns_first
        Whether ``shape`` is [columns, rows], as areaDetector writes it; the standard says
        [rows, columns]. The pixels are the same.

    Raises
    ------
    SourceError
        If the message is none; the text begins with the field that is wrong.
    """
    if len(parts) != 2:
        raise SourceError(f"parts: {len(parts)} came, a header and its pixels were expected")
    header = read_header(parts[0])
    image = _image_attributes(header)
    _check_type(header, is_gigafrost=image is not None)
    rows, columns = _shape(header, columns_first=columns_first)
    dtype = _dtype(header, is_gigafrost=image is not None)
    encoding = header.get("encoding", "")
    if encoding not in ("", "none", None):
        raise SourceError(
            f"encoding: {str(encoding)[:40]!r} is not taken; switch the sender's compression off"
        )
    n_bytes = rows * columns * dtype.itemsize
    if n_bytes > MAX_FRAME_BYTES:
        raise SourceError(f"shape: {n_bytes} bytes, at most {MAX_FRAME_BYTES} are taken")
    if len(parts[1]) != n_bytes:
        raise SourceError(
            f"pixels: {len(parts[1])} bytes came, {rows} x {columns} {dtype.name} need {n_bytes}"
        )
    pixels = np.frombuffer(parts[1], dtype).reshape(rows, columns)
    return StreamFrame(
        number=_number(header),
        pixels=pixels.astype(dtype.newbyteorder("<"), copy=False),
        kind=None if image is None else _kind(image),
        is_complete=image is None or image.get("image_is_complete", True) is True,
        attributes=plain_attributes(header.get("ndattr")),
        time_ns=_time_ns(header.get("timeStamp")),
    )


# ``Any`` below: values of a header that nothing has been said of yet.
def _image_attributes(header: Mapping[str, Any]) -> Mapping[str, Any] | None:
    image = header.get("image_attributes")
    if image is not None and not isinstance(image, dict):
        raise SourceError("image_attributes: an object was expected")
    return image


def _check_type(header: Mapping[str, Any], *, is_gigafrost: bool) -> None:
    htype = header.get("htype")
    # areaDetector writes a list of one.
    if htype in ("array-1.0", ["array-1.0"]) or (htype is None and is_gigafrost):
        return
    raise SourceError(f"htype: {str(htype)[:40]!r} came, array-1.0 was expected")


def _shape(header: Mapping[str, Any], *, columns_first: bool) -> tuple[int, int]:
    shape = header.get("shape")
    if (
        not isinstance(shape, list)
        or len(shape) != 2
        or not all(type(side) is int and 1 <= side <= MAX_SIDE for side in shape)
    ):
        raise SourceError(
            f"shape: {str(shape)[:60]} came, two whole numbers in 1..{MAX_SIDE} were expected"
        )
    first, second = shape
    return (second, first) if columns_first else (first, second)


def _dtype(header: Mapping[str, Any], *, is_gigafrost: bool) -> "np.dtype[Any]":
    name = header.get("type", "uint16" if is_gigafrost else None)
    if name not in DTYPES:
        raise SourceError(f"type: {str(name)[:40]!r} came, one of {', '.join(DTYPES)} is taken")
    # Its own standard misspells the key in an example, and senders followed.
    order = header.get("endianness", header.get("endianess", "little"))
    if order not in ("little", "big"):
        raise SourceError(f"endianness: {str(order)[:40]!r} came, little or big was expected")
    return np.dtype(name).newbyteorder("<" if order == "little" else ">")


def _number(header: Mapping[str, Any]) -> int:
    number = header.get("frame")
    if type(number) is not int or not 0 <= number < MAX_NUMBER:
        raise SourceError(f"frame: {str(number)[:40]} came, a whole number from 0 was expected")
    return number


def _kind(image: Mapping[str, Any]) -> FrameKind:
    index = image.get("scan_index")
    if type(index) is not int or index not in (0, 1, 2):
        raise SourceError(f"scan_index: {str(index)[:40]} came, 0, 1 or 2 was expected")
    return _BY_INDEX[index]


def _time_ns(stamp: object) -> int | None:
    """Give Unix time; what is no time of a working clock is none."""
    if not isinstance(stamp, int | float) or isinstance(stamp, bool):
        return None
    if not math.isfinite(stamp) or not 0 < stamp < 2**32:
        return None
    return int((stamp + EPICS_EPOCH_S) * 1e9)
