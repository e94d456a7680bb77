"""What stands in channels beside the images: the kind of what is being taken, and its angles."""

import bisect
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from lithoscope_messages import FrameKind
from lithoscope_services.errors import SourceError
from lithoscope_services.sources.pva.decoder import Fields, is_angle
from lithoscope_services.sources.stream.places import kind_named

T = TypeVar("T")
#: Changes that are remembered: a frame may come a little later than the next change.
MAX_CHANGES = 64
MAX_ANGLES = 10**6


class Timeline(Generic[T]):
    """A value that changes, and which of its states held when an image was taken."""

    def __init__(self) -> None:
        self._times_ns: list[int] = []
        self._values: list[T | None] = []

    @property
    def has_begun(self) -> bool:
        """Whether anything was noted."""
        return bool(self._values)

    def note(self, time_ns: int, value: T | None) -> None:
        """Remember a change; None where the new value cannot be used."""
        place = bisect.bisect_right(self._times_ns, time_ns)
        self._times_ns.insert(place, time_ns)
        self._values.insert(place, value)
        if len(self._times_ns) > MAX_CHANGES:
            del self._times_ns[0], self._values[0]

    def at(self, time_ns: int | None) -> T | None:
        """Give the value at a time; the newest if the time is not known."""
        if not self._values:
            return None
        if time_ns is None:
            return self._values[-1]
        # Before the first change that is known: clocks may differ a little.
        return self._values[max(0, bisect.bisect_right(self._times_ns, time_ns) - 1)]


def kind_in(fields: Fields) -> FrameKind:
    """Read the kind from a channel: a text, an enumeration or a text in characters.

    Raises
    ------
    SourceError
        If it names none.
    """
    value = _value(fields)
    if isinstance(value, Mapping):
        value = _chosen(value)
    elif isinstance(value, np.ndarray) and value.dtype.itemsize == 1 and value.size <= 256:
        value = value.tobytes().split(b"\0")[0].decode("utf-8", "replace")
    kind = kind_named(value) if isinstance(value, str) else None
    if kind is None:
        raise SourceError(
            f"kind_channel: {str(value)[:40]!r} came, dark, flat or projection was expected"
        )
    return kind


def angles_in(fields: Fields) -> float | tuple[float, ...]:
    """Read from a channel one angle, or those of all projections of a scan, degrees.

    Raises
    ------
    SourceError
        If something else stands there.
    """
    value = _value(fields)
    if isinstance(value, np.ndarray):
        value = value[: MAX_ANGLES + 1].tolist() if value.dtype.kind in "iuf" else None
    if isinstance(value, list) and 0 < len(value) <= MAX_ANGLES and all(map(is_angle, value)):
        return tuple(map(float, value))
    if is_angle(value):
        return float(value)
    raise SourceError(f"theta_channel: {str(value)[:40]!r} came, angles in degrees were expected")


def _value(fields: Fields) -> Any:  # nothing has been said of it yet
    if not isinstance(fields, Mapping):
        raise SourceError("value: a structure was expected")
    return fields.get("value")


def _chosen(value: Fields) -> object:
    index, choices = value.get("index"), value.get("choices")
    if type(index) is int and isinstance(choices, Sequence) and 0 <= index < len(choices):
        return choices[index]
    return None
