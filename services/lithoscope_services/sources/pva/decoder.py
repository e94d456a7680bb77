"""Decode an NTNDArray, given as a plain mapping: pixels, number, time and attributes.

Traps of the format: dimensions come fastest first; compressed pixels are bytes whose true type is
a number in the codec's parameters; the clock of the detector may be any.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import MAX_FRAME_BYTES
from lithoscope_services.errors import SourceError
from lithoscope_services.sources.pva.compression import unpack_pixels
from lithoscope_services.sources.stream.frame import Attribute, StreamFrame

#: Those of the frames plane.
DTYPES = ("uint8", "uint16", "uint32", "float32")
#: Numbers of pvData's ScalarType.
_SCALAR_TYPES = {5: "uint8", 6: "uint16", 7: "uint32", 9: "float32"}
MAX_SIDE = 16_384
MAX_ATTRIBUTES = 256
MAX_TEXT = 256
#: uniqueId is a signed number that runs over into the negative ones.
_UNSIGNED = 2**32 - 1
_DAY_NS = 86_400 * 10**9
#: A clock that shows an earlier time than 2000-01-01 was not set.
_FIRST_S = 946_684_800
Fields = Mapping[str, Any]  # of a structure that nothing has been said of yet


def decode_ndarray(fields: Fields) -> StreamFrame:
    """Decode one image.

    Parameters
    ----------
    fields
        The structure as nested mappings and lists, its ``value`` an array of one axis: what
        ``todict`` of p4p gives.

    Returns
    -------
    StreamFrame
        Neither kind nor angle are told: they are attributes, or other channels.

    Raises
    ------
    SourceError
        If it is no image that can be taken; the text begins with the field that is wrong.
    """
    attributes = _attributes(fields.get("attribute"))
    rows, columns = _shape(fields.get("dimension"), attributes)
    stored = fields.get("value")
    if not isinstance(stored, np.ndarray) or stored.ndim != 1:
        raise SourceError(f"value: {type(stored).__name__} came, an array was expected")
    codec = _codec(fields.get("codec"))
    if codec.get("name"):
        pixels = _unpacked(stored, codec, rows * columns)
    else:
        pixels = _plain(stored, rows * columns)
    return StreamFrame(
        number=_number(fields.get("uniqueId")),
        pixels=pixels.reshape(rows, columns),
        attributes=attributes,
        time_ns=_time_ns(fields),
    )


def _shape(dimensions: object, attributes: Mapping[str, Attribute]) -> tuple[int, int]:
    if attributes.get("ColorMode", 0) not in (0, "Mono"):
        raise SourceError(
            f"ColorMode: {str(attributes['ColorMode'])[:20]} came, only Mono (0) is taken; "
            "set the camera to it"
        )
    if not isinstance(dimensions, Sequence):
        raise SourceError("dimension: a list was expected")
    sides = [each.get("size") if isinstance(each, Mapping) else None for each in dimensions[:8]]
    if len(sides) != 2 or not all(type(side) is int and 1 <= side <= MAX_SIDE for side in sides):
        raise SourceError(
            f"dimension: {str(sides)[:60]} came, two sizes in 1..{MAX_SIDE} were expected"
        )
    columns, rows = sides
    return int(rows or 0), int(columns or 0)


def _codec(codec: object) -> Fields:
    if codec is None:
        return {}
    if not isinstance(codec, Mapping) or not isinstance(codec.get("name", ""), str):
        raise SourceError("codec: a structure with a name was expected")
    return codec


def _plain(stored: NDArray[Any], n_pixels: int) -> NDArray[Any]:
    if stored.dtype.name not in DTYPES:
        raise SourceError(
            f"value: pixels of {stored.dtype.name}, one of {', '.join(DTYPES)} is taken; set the "
            "data type of the camera"
        )
    if stored.size != n_pixels:
        raise SourceError(f"value: {stored.size} pixels came, the dimensions say {n_pixels}")
    if stored.nbytes > MAX_FRAME_BYTES:
        raise SourceError(f"value: {stored.nbytes} bytes, at most {MAX_FRAME_BYTES} are taken")
    return stored.astype(stored.dtype.newbyteorder("<"), copy=False)


def _unpacked(stored: NDArray[Any], codec: Fields, n_pixels: int) -> NDArray[Any]:
    if stored.dtype.itemsize != 1:
        raise SourceError(f"value: bytes were expected behind a codec, {stored.dtype.name} came")
    number = codec.get("parameters")
    if isinstance(number, Mapping):
        number = number.get("value")
    name = _SCALAR_TYPES.get(number) if type(number) is int else None
    if name is None and codec["name"] != "jpeg":
        raise SourceError(
            f"codec: pixels of type {str(number)[:20]}, one of "
            f"{', '.join(f'{k} ({v})' for k, v in _SCALAR_TYPES.items())} is taken"
        )
    dtype = np.dtype(name or "uint8").newbyteorder("<")
    n_bytes = n_pixels * dtype.itemsize
    if n_bytes > MAX_FRAME_BYTES:
        raise SourceError(f"dimension: {n_bytes} bytes, at most {MAX_FRAME_BYTES} are taken")
    packed = stored.view(np.uint8)
    return unpack_pixels(
        packed, codec["name"], element_bytes=dtype.itemsize, n_bytes=n_bytes
    ).view(dtype)


def _number(unique_id: object) -> int:
    if type(unique_id) is not int or not -(2**31) <= unique_id < 2**31:
        raise SourceError(f"uniqueId: {str(unique_id)[:40]} came, a whole number was expected")
    return unique_id & _UNSIGNED


def _attributes(listed: object) -> dict[str, Attribute]:
    """Keep numbers and short texts by name."""
    if listed is None:
        return {}
    if not isinstance(listed, Sequence) or len(listed) > MAX_ATTRIBUTES:
        raise SourceError(f"attribute: at most {MAX_ATTRIBUTES} in a list are taken")
    found: dict[str, Attribute] = {}
    for each in listed:
        name = each.get("name") if isinstance(each, Mapping) else None
        value = each.get("value") if isinstance(each, Mapping) else None
        is_text = isinstance(value, str) and len(value) <= MAX_TEXT
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if isinstance(name, str) and value is not None and (is_text or is_number):
            found[name[:MAX_TEXT]] = value
    return found


def _time_ns(fields: Fields) -> int | None:
    """Give the detector's time where it agrees with the server's to a day, else the server's.

    Some detectors count from their start, others from the epoch of EPICS.
    """
    of_data, of_server = stamp_ns(fields.get("dataTimeStamp")), stamp_ns(fields.get("timeStamp"))
    if of_data is None or of_server is None:
        return of_server if of_data is None else of_data
    return of_data if abs(of_data - of_server) < _DAY_NS else of_server


def stamp_ns(stamp: object) -> int | None:
    """Read a time stamp, nanoseconds since 1970; None if no clock set it."""
    if not isinstance(stamp, Mapping):
        return None
    seconds, nanoseconds = stamp.get("secondsPastEpoch"), stamp.get("nanoseconds")
    if type(seconds) is not int or type(nanoseconds) is not int:
        return None
    if not _FIRST_S < seconds < 2**32 or not 0 <= nanoseconds < 10**9:
        return None
    return seconds * 10**9 + nanoseconds


def is_angle(value: object) -> bool:
    """Whether a value is a finite number that can be an angle in degrees."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and abs(value) < 1e6
    )
