"""Decode messages of DECTRIS Stream V2: one CBOR map in, a start, an image or an end out.

All keys but ``type`` and ``series_id`` are optional. What else is there and cannot be read is left
out, never guessed; pixels that do not fit their shape are refused.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeGuard

import cbor2
import numpy as np
from numpy.typing import NDArray

from lithoscope_services.errors import SourceError
from lithoscope_services.sources.dectris.arrays import read_image
from lithoscope_services.sources.dectris.structure import (
    MAX_DEPTH,
    SELF_DESCRIBED,
    check_structure,
)
from lithoscope_services.sources.stream.frame import Attribute

MAX_NUMBER = 2**63
MAX_ID_LENGTH = 128
MAX_ATTRIBUTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A goniometer axis: its angle at image n is ``start_deg + n * increment_deg``."""

    start_deg: float
    increment_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StartMessage:
    """A series begins.

    Parameters
    ----------
    series_id, series_unique_id
        Its number and its name; the name is None if there is none.
    arm_time_ns
        When the detector was armed, since 1970.
    axes
        Goniometer axes by name.
    attributes
        Numbers and texts of the user data.
    n_images, saturation_value
        None where the detector does not say.
    has_pixel_mask
        Whether masked pixels have been given the largest value; None if it is not said.
    """

    series_id: int
    series_unique_id: str | None = None
    arm_time_ns: int | None = None
    axes: Mapping[str, Axis] = field(default_factory=dict)
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    n_images: int | None = None
    saturation_value: int | None = None
    has_pixel_mask: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageMessage:
    """An image of a series.

    Parameters
    ----------
    series_id, series_unique_id
        As in :class:`StartMessage`.
    image_id
        From 0.
    pixels
        Of one channel, shape (rows, columns), little-endian.
    attributes
        Numbers and texts of the user data.
    time_ns
        When the exposure began, since 1970.
    """

    series_id: int
    image_id: int
    pixels: NDArray[np.generic]
    series_unique_id: str | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    time_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndMessage:
    """A series is over."""

    series_id: int
    series_unique_id: str | None = None


DectrisMessage = StartMessage | ImageMessage | EndMessage


def decode_message(data: bytes, *, channel: str | None = None) -> DectrisMessage:
    """Decode one message.

    Parameters
    ----------
    data
        As it was received.
    channel
        Name of the threshold whose image is taken; by default the first.

    Raises
    ------
    SourceError
        If it is none; the text begins with the field that is wrong.
    """
    found = _read_map(data)
    series_id = _whole_number(found, "series_id")
    unique_id = found.get("series_unique_id")
    if unique_id is not None and not (isinstance(unique_id, str) and len(unique_id) <= 128):
        raise SourceError(f"series_unique_id: {type(unique_id).__name__}, a short text is needed")
    match found.get("type"):
        case "start":
            return _start(found, series_id, unique_id)
        case "image":
            return ImageMessage(
                series_id=series_id,
                series_unique_id=unique_id,
                image_id=_whole_number(found, "image_id"),
                pixels=read_image(_channel(found.get("data"), channel)),
                attributes=plain_attributes(found.get("user_data")),
                time_ns=_begin_ns(found.get("series_date"), found.get("start_time")),
            )
        case "end":
            return EndMessage(series_id=series_id, series_unique_id=unique_id)
        case other:
            raise SourceError(
                f"type: {str(other)[:40]!r} came, start, image or end was expected; is the "
                "detector's stream format cbor?"
            )


# ``Any`` below: values of a message that nothing has been said of yet.
def _read_map(data: bytes) -> Mapping[str, Any]:
    content = data.removeprefix(SELF_DESCRIBED)
    check_structure(content)
    try:
        found = cbor2.loads(
            content,
            max_depth=2 * MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            strict_hashable_types=True,
        )
    except cbor2.CBORDecodeError as error:
        raise SourceError(f"cbor: {str(error)[:100]}") from error
    if not isinstance(found, Mapping):
        raise SourceError(f"cbor: {type(found).__name__} came, a map was expected")
    return found


def _start(found: Mapping[str, Any], series_id: int, unique_id: str | None) -> StartMessage:
    masked = found.get("pixel_mask_enabled")
    return StartMessage(
        series_id=series_id,
        series_unique_id=unique_id,
        arm_time_ns=_begin_ns(found.get("arm_date"), [0, 1]),
        axes=_axes(found.get("goniometer")),
        attributes=plain_attributes(found.get("user_data")),
        n_images=_optional_number(found.get("number_of_images")),
        saturation_value=_optional_number(found.get("saturation_value")),
        has_pixel_mask=masked if isinstance(masked, bool) else None,
    )


def _whole_number(found: Mapping[str, Any], key: str) -> int:
    number = found.get(key)
    if type(number) is not int or not 0 <= number < MAX_NUMBER:
        raise SourceError(f"{key}: {str(number)[:40]} came, a whole number from 0 was expected")
    return number


def _optional_number(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < MAX_NUMBER else None


def _channel(channels: object, name: str | None) -> object:
    if not isinstance(channels, Mapping) or not channels:
        raise SourceError("data: no map of channels came with the image")
    if name is None:
        return next(iter(channels.values()))
    if name not in channels:
        known = ", ".join(str(each)[:32] for each in list(channels)[:8])
        raise SourceError(f"data: no channel {name!r} but {known}; mend channel in [source]")
    return channels[name]


def _axes(goniometer: object) -> dict[str, Axis]:
    """Keep the axes whose two numbers are there and finite."""
    found: dict[str, Axis] = {}
    for name, axis in goniometer.items() if isinstance(goniometer, Mapping) else ():
        if not isinstance(name, str) or not isinstance(axis, Mapping):
            continue
        start_deg, increment_deg = axis.get("start"), axis.get("increment")
        if _is_angle(start_deg) and _is_angle(increment_deg) and len(found) < MAX_ATTRIBUTES:
            found[name[:MAX_ID_LENGTH]] = Axis(
                start_deg=float(start_deg), increment_deg=float(increment_deg)
            )
    return found


def _is_angle(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6


def plain_attributes(value: object) -> dict[str, Attribute]:
    """Keep the numbers and short texts of user data.

    Parameters
    ----------
    value
        A map, a text that holds a JSON object, or any text, which is kept as ``user_data``.
    """
    if isinstance(value, str):
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            parsed = None
        value = parsed if isinstance(parsed, dict) else {"user_data": value}
    if not isinstance(value, Mapping):
        return {}
    return {
        name: each
        for name, each in list(value.items())[:MAX_ATTRIBUTES]
        if isinstance(name, str) and len(name) <= MAX_ID_LENGTH and _is_plain(each)
    }


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_ID_LENGTH
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63


def _begin_ns(date: object, offset: object) -> int | None:
    """Give Unix time of a date and a ratio of seconds after it; what is no time is none."""
    if not isinstance(date, datetime) or not isinstance(offset, list | tuple) or len(offset) != 2:
        return None
    ticks, rate_hz = offset
    if type(ticks) is not int or type(rate_hz) is not int or rate_hz <= 0 or date.tzinfo is None:
        return None
    try:
        date_s = date.timestamp()
    except (OverflowError, ValueError):
        return None
    # A date has microseconds at best; whole numbers keep the ticks exact.
    time_ns = round(date_s * 1e6) * 1000 + ticks * 10**9 // rate_hz
    return time_ns if math.isfinite(date_s) and 0 < time_ns < MAX_NUMBER else None
