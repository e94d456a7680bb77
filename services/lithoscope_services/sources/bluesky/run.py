"""What the documents of one run say, folded in whatever order they come.

A run has streams (descriptors); a stream's frames lie in resources (datasets of files), and each
datum says which rows of a resource are which frames of a stream. Of all of these any may be lost.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lithoscope_messages import FrameKind
from lithoscope_services.beamline.metadata import SAMPLE_KEYS, THETA_SUFFIX, parse_stream_name
from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.bluesky.decoder import Document
from lithoscope_services.sources.bluesky.start import RunStart
from lithoscope_services.sources.file_scan import MAX_EDGE_PX, wire_dtype

HDF5 = "application/x-hdf5"
MAX_FRAMES = 10**6
#: Ways of reading a resource that would give other frames than its rows.
_CHANGES = ("slice", "squeeze")


@dataclass(slots=True, kw_only=True)
class Resource:
    """A dataset that a detector writes.

    Parameters
    ----------
    uid, data_key
        Of the document.
    uri, dataset
        Which file, and which dataset of it.
    taken
        Rows that are frames of a stream.
    """

    uid: str
    data_key: str
    uri: str
    dataset: str
    taken: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What a descriptor says.

    Parameters
    ----------
    uid, name
        Of the descriptor.
    kind, set
        Of its frames by its name; None where that says nothing.
    image_key
        Data key of the images, None if it has none.
    frames_per_event
        How many images each index of a resource stands for.
    theta_key
        Data key of the angles that lie in a resource, None if there is none.
    thetas_per_event
        How many rows of the angles each index stands for.
    theta_event_key
        Data key of the angles that come in events, None if there is none.
    described
        Rows and columns of an image and its type on the wire, as far as the descriptor says it.
    sample_keys
        Data keys of the cycler's time (may be empty), potential and current; empty if it is none.
    """

    uid: str
    name: str
    kind: FrameKind | None
    set: int
    image_key: str | None
    frames_per_event: int
    theta_key: str | None
    thetas_per_event: int
    theta_event_key: str | None
    described: tuple[tuple[int, int], str]
    sample_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Datum:
    """Rows of a resource that are now written: event ``first_number + i`` is index ``first + i``.

    Numbers count from 0.
    """

    stream: str
    resource: str
    first: int
    first_number: int
    count: int


@dataclass(slots=True, kw_only=True)
class Run:
    """One run, as far as it is known.

    Parameters
    ----------
    start
        Its beginning.
    streams, resources
        By uid of their document.
    datums
        All that came.
    spans
        The same by stream and resource, neighbours joined.
    thetas_deg
        Angles from events: by stream and number of the event.
    stop
        Its end, None while it goes on.
    heard_s
        When something of it came last, on the caller's clock.
    """

    start: RunStart
    streams: dict[str, Stream] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    datums: list[Datum] = field(default_factory=list)
    spans: dict[tuple[str, str], list[Datum]] = field(default_factory=dict)
    thetas_deg: dict[tuple[str, int], float] = field(default_factory=dict)
    stop: Document | None = None
    heard_s: float = 0.0

    @property
    def uid(self) -> str:
        """Of the run."""
        return self.start.uid

    @property
    def image_streams(self) -> list[Stream]:
        """Streams that have images."""
        return [each for each in self.streams.values() if each.image_key is not None]

    @property
    def has_images(self) -> bool:
        """Whether it is a scan, as far as is known."""
        return bool(self.image_streams)

    def add(self, datum: Datum) -> None:
        """Take a datum."""
        self.datums.append(datum)
        spans = self.spans.setdefault((datum.stream, datum.resource), [])
        if spans and _follows(datum, spans[-1]):
            spans[-1] = replace(spans[-1], count=spans[-1].count + datum.count)
        else:
            spans.append(datum)

    def datums_of(self, stream: str, data_key: str | None) -> list[Datum]:
        """Give the datums of a stream that belong to a data key, neighbours joined."""
        return [
            span
            for (uid, resource), spans in self.spans.items()
            if uid == stream
            and resource in self.resources
            and self.resources[resource].data_key == data_key
            for span in spans
        ]

    def stream_of(self, kind: FrameKind, set_: int) -> Stream | None:
        """Give the stream of this name, if its descriptor came."""
        return next(
            (each for each in self.image_streams if (each.kind, each.set) == (kind, set_)), None
        )


def _follows(datum: Datum, before: Datum) -> bool:
    return (datum.first, datum.first_number) == (
        before.first + before.count,
        before.first_number + before.count,
    )


def read_stream(document: Document, settings: SourceSettings) -> Stream:
    """Read a descriptor.

    Parameters
    ----------
    document
        The descriptor.
    settings
        ``channel`` is the data key of the images; None takes the only one that has images.

    Raises
    ------
    SourceError
        If its images are none that can be taken; the text begins with the field.
    """
    keys: Mapping[str, Mapping[str, Any]] = document.body["data_keys"]
    name = str(document.body.get("name", ""))
    images = [key for key, about in keys.items() if _is_image(about)]
    if settings.channel is not None:
        images = [key for key in images if key == settings.channel]
    if len(images) > 1:
        raise SourceError(
            f"descriptor.data_keys: {', '.join(sorted(images))[:120]} of stream {name!r} all have "
            "images; choose one with `channel` in [source]"
        )
    found = images[0] if images else None
    if found is not None and not str(keys[found].get("external", "")).startswith("STREAM:"):
        raise SourceError(
            f"descriptor.data_keys.{found}.external: images that are no STREAM: are not taken; "
            "use detectors that emit stream_resource and stream_datum, as ophyd-async does"
        )
    thetas = [k for k in keys if k.endswith(THETA_SUFFIX) or k == settings.theta_attribute]
    theta_key = next((key for key in thetas if "external" in keys[key]), None)
    place = parse_stream_name(name)
    return Stream(
        uid=document.uid,
        name=name,
        kind=place[0] if place is not None else None,
        set=place[1] if place is not None else 0,
        image_key=found,
        frames_per_event=_rows_per_event(keys[found], 2) if found is not None else 1,
        theta_key=theta_key,
        thetas_per_event=_rows_per_event(keys[theta_key], 0) if theta_key is not None else 1,
        theta_event_key=next((key for key in thetas if "external" not in keys[key]), None),
        described=_described(keys[found]) if found is not None else ((1, 1), "uint16"),
        sample_keys=_sample_keys(keys),
    )


def read_resource(document: Document) -> Resource:
    """Read a stream_resource.

    Raises
    ------
    SourceError
        If it is no dataset of an HDF5 file.
    """
    body = document.body
    if body["mimetype"] != HDF5:
        raise SourceError(
            f"stream_resource.mimetype: {body['mimetype'][:80]!r} is not taken; write {HDF5}"
        )
    parameters = body["parameters"]
    dataset = parameters.get("dataset", parameters.get("path"))
    if not isinstance(dataset, str) or not 0 < len(dataset) < 1000:
        raise SourceError("stream_resource.parameters.dataset: the name of a dataset was expected")
    for name in _CHANGES:
        if parameters.get(name):
            raise SourceError(f"stream_resource.parameters.{name}: is not taken; leave it out")
    return Resource(uid=document.uid, data_key=body["data_key"], uri=body["uri"], dataset=dataset)


def read_datum(document: Document) -> Datum:
    """Read a stream_datum.

    Raises
    ------
    SourceError
        If its ranges are none, or do not fit each other.
    """
    body = document.body
    ranges = {}
    for name, lowest in (("indices", 0), ("seq_nums", 1)):
        start, stop = body[name]["start"], body[name]["stop"]
        if not lowest <= start < stop <= MAX_FRAMES:
            raise SourceError(
                f"stream_datum.{name}: {start} to {stop}, a range from {lowest} to at most "
                f"{MAX_FRAMES} was expected"
            )
        ranges[name] = range(int(start), int(stop))
    if len(ranges["indices"]) != len(ranges["seq_nums"]):
        raise SourceError(
            f"stream_datum.seq_nums: {len(ranges['seq_nums'])} numbers for "
            f"{len(ranges['indices'])} indices"
        )
    return Datum(
        stream=body["descriptor"],
        resource=body["stream_resource"],
        first=ranges["indices"].start,
        first_number=ranges["seq_nums"].start - 1,
        count=len(ranges["indices"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One event: when it was, and its data."""

    number: int
    unix_s: float | None
    data: Mapping[str, Any]


def read_events(document: Document) -> Iterator[Reading]:
    """Read an event, or each of an event_page.

    Raises
    ------
    SourceError
        If its columns do not fit each other.
    """
    body = document.body
    data = body.get("data", {})
    if not isinstance(data, dict):
        raise SourceError(f"{document.name}.data: an object was expected")
    if document.name == "event":
        yield Reading(number=_number(body["seq_num"]), unix_s=number(body.get("time")), data=data)
        return
    numbers = body["seq_num"]
    times = body.get("time", [None] * len(numbers))
    columns = {key: column for key, column in data.items() if isinstance(column, list)}
    if {len(times), *map(len, columns.values())} - {len(numbers)}:
        raise SourceError("event_page.data: columns of unequal length")
    for row, seq_num in enumerate(numbers):
        yield Reading(
            number=_number(seq_num),
            unix_s=number(times[row]),
            data={key: column[row] for key, column in columns.items()},
        )


def number(value: object) -> float | None:
    """Give a finite number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A whole number of JSON may be too long for a float.
    return float(value) if abs(value) < 1e300 and math.isfinite(value) else None


def _number(seq_num: object) -> int:
    if not isinstance(seq_num, int) or not 1 <= seq_num <= MAX_FRAMES:
        raise SourceError(f"event.seq_num: {str(seq_num)[:40]}, 1 to {MAX_FRAMES} were expected")
    return seq_num - 1


def _is_image(about: Mapping[str, Any]) -> bool:
    """Tell images by their two sides; before them may stand the number of images an event."""
    shape = about.get("shape", [])
    if len(shape) not in (2, 3) or not all(isinstance(side, int) for side in shape[-2:]):
        return False
    return all(side > 1 for side in shape[-2:]) and about.get("dtype") == "array"


def _rows_per_event(about: Mapping[str, Any], ndim: int) -> int:
    """Give how many rows an event has: what stands before the sides of one of them."""
    shape = about["shape"]
    count = shape[0] if len(shape) == ndim + 1 else 1
    if not isinstance(count, int) or not 1 <= count <= MAX_FRAMES:
        raise SourceError(f"descriptor.data_keys: {str(count)[:40]} rows an event")
    return count


def _described(about: Mapping[str, Any]) -> tuple[tuple[int, int], str]:
    rows, columns = (min(side, MAX_EDGE_PX) for side in about["shape"][-2:])
    try:
        dtype = wire_dtype(np.dtype(about.get("dtype_numpy", "<u2"))).name
    except TypeError:
        dtype = "uint16"
    return (rows, columns), dtype


def _sample_keys(keys: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    found = []
    for suffix in SAMPLE_KEYS[:3]:
        key = next((k for k in keys if k.endswith(suffix) and "external" not in keys[k]), "")
        found.append(key)
    return tuple(found) if all(found[1:]) else ()
