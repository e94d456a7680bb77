"""What our plans write into Bluesky's documents, and where: the contract with who reads them.

A run of phase ``scan`` holds one scan. Its frames lie in one stream a set, with one external data
key for the images and one for the angles of projections; the other keys of a run start tell what
the account of the scan is checked against. A run of phase ``pulse`` holds one pulse and its rest;
what the cycler read lies in the stream ``electrochemistry``, one event a second.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError

from lithoscope_messages import ExpectedCount, FrameKind

#: In the start of every run: whose scans these are.
EXPERIMENT: Final = "lithoscope_experiment"
#: ``scan`` or ``pulse``.
PHASE: Final = "lithoscope_phase"
#: In the start of a scan: its number from 0, and which vertical field of view this is.
SCAN: Final = "lithoscope_scan"
TILE: Final = "lithoscope_tile"
#: Frames of each set, such as ``{"dark": 5, "flat": 10, "projection": 1500, "flat_1": 10}``; of
#: several tiles a list of all, such as ``[{"tile": 0, "kind": "dark", "set": 0, "count": 5}]``.
EXPECTED: Final = "lithoscope_expected"
VOXEL_SIZE_UM: Final = "lithoscope_voxel_size_um"
ENERGY_KEV: Final = "lithoscope_energy_keV"
DISTANCE_MM: Final = "lithoscope_distance_mm"
#: Where the scan stands in the cycling. No current means that no pulse follows.
TIME_S: Final = "lithoscope_time_s"
CYCLE: Final = "lithoscope_cycle"
HALF_CYCLE: Final = "lithoscope_half_cycle"
PULSE: Final = "lithoscope_pulse"
NEXT_CURRENT_MA: Final = "lithoscope_next_current_mA"
#: In the run start after a scan: how long the plan had waited for the verdict on it, s; and if
#: none came in time, what the plan did and by how much the rest became longer.
WAITED_S: Final = "lithoscope_waited_s"
ON_TIMEOUT: Final = "lithoscope_on_timeout"
EXTENDED_REST_S: Final = "lithoscope_extended_rest_s"

Phase = Literal["scan", "pulse"]

#: Stream of the cycler; its data keys end in these, after the name of the device and a hyphen.
ELECTROCHEMISTRY: Final = "electrochemistry"
SAMPLE_KEYS: Final = ("time_s", "potential_V", "current_mA", "charge_mAh")

#: The data key of the angles of projections ends in this.
THETA_SUFFIX: Final = "theta_deg"

_STREAMS: Final[Mapping[FrameKind, str]] = {
    "dark": "darks",
    "flat": "flats",
    "projection": "projections",
}
_LIST: Final = TypeAdapter(tuple[ExpectedCount, ...])
_NAME = re.compile(r"(?P<name>[a-z]+?)(?:_(?P<set>[1-9][0-9]{0,2}))?")


def stream_name(kind: FrameKind, set_: int = 0) -> str:
    """Name the stream of a set of frames: ``flats``, ``flats_1``."""
    return _STREAMS[kind] + (f"_{set_}" if set_ else "")


def parse_stream_name(name: str) -> tuple[FrameKind, int] | None:
    """Give kind and set of the frames in a stream, None if it holds no frames."""
    return _parse(name, {stream: kind for kind, stream in _STREAMS.items()})


def expected_value(
    expected: tuple[ExpectedCount, ...],
) -> dict[str, int] | list[dict[str, Any]]:
    """Write the value of ``lithoscope_expected``."""
    if any(each.tile for each in expected):
        return [each.model_dump() for each in expected]
    return {each.kind + (f"_{each.set}" if each.set else ""): each.count for each in expected}


def parse_expected(value: Any) -> tuple[ExpectedCount, ...]:
    """Read the value of ``lithoscope_expected``.

    Parameters
    ----------
    value
        What stands in a document; ``Any`` because anybody may have written it.

    Raises
    ------
    ValueError
        If it is none; the text begins with the field.
    """
    if isinstance(value, list):
        try:
            return _LIST.validate_python(value)
        except ValidationError as error:
            raise ValueError(f"{EXPECTED}: {error.errors()[0]['msg']}") from error
    if not isinstance(value, Mapping):
        raise ValueError(f"{EXPECTED}: an object of counts was expected, {value!r:.80} came")
    kinds: dict[str, FrameKind] = {kind: kind for kind in _STREAMS}
    found = []
    for name, count in value.items():
        known = _parse(str(name), kinds)
        if known is None:
            raise ValueError(
                f"{EXPECTED}.{name!s:.40}: no set of frames; name it dark, flat or projection, "
                "later sets flat_1 and so on"
            )
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ValueError(f"{EXPECTED}.{name}: a count was expected, {count!r:.80} came")
        found.append(ExpectedCount(kind=known[0], set=known[1], count=count))
    return tuple(found)


def _parse(text: str, names: Mapping[str, FrameKind]) -> tuple[FrameKind, int] | None:
    match = _NAME.fullmatch(text)
    if match is None or match["name"] not in names:
        return None
    return names[match["name"]], int(match["set"] or 0)
