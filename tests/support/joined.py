"""What a joiner made of messages, and its checks."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from foreign import (
    N_DARKS,
    N_FLATS,
    N_PROJECTIONS,
    Kind,
    Sent,
    scan_of,
)

from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.array_1_0 import decode_array
from lithoscope_services.sources.stream import (
    Joiner,
    ScanBegun,
    ScanEnded,
    ScanFrame,
    SeriesEnd,
    StreamFrame,
)

Slot = tuple[Kind, int, int]
N_FRAMES = N_DARKS + N_FLATS + N_PROJECTIONS


def settings(**changes: Any) -> SourceSettings:  # values of any key
    parts: dict[str, Any] = {
        "kind": "array-1.0",
        "address": "tcp://127.0.0.1:9667",
        "n_darks": N_DARKS,
        "n_flats": N_FLATS,
        "n_projections": N_PROJECTIONS,
    }
    return SourceSettings(**(parts | changes))


RUNNING = {"numbers": "running", "first_frame": 1, "shape_order": "columns_first"}


class Outcome:
    """What a joiner made of messages, and its checks."""

    def __init__(self) -> None:
        self.scans: dict[int, dict[Slot, ScanFrame]] = {}
        self.ended: dict[int, ScanEnded] = {}
        self.refused: Counter[str] = Counter()

    def feed(self, joiner: Joiner, messages: Iterable[list[bytes]]) -> "Outcome":
        for parts in messages:
            try:
                frame = decode_array(parts, columns_first=b"ndattr" in parts[0])
                events = joiner.offer(frame)
            except SourceError as error:
                self.refused[joiner.refuse(error)] += 1
                continue
            self.take(events)
        return self

    def take(self, events: Iterable[object]) -> None:
        for event in events:
            match event:
                case ScanBegun():
                    self.scans[event.scan] = {}
                case ScanFrame():
                    key = event.key
                    frames = self.scans[key.scan]
                    assert (key.kind, key.set, key.index) not in frames
                    frames[key.kind, key.set, key.index] = event
                case ScanEnded():
                    self.ended[event.scan] = event

    def check(self, scan: int, sent: Iterable[Sent]) -> None:
        """A scan has just these frames, each with its own pixels."""
        expected = {frame.slot: frame for frame in sent}
        assert set(self.scans[scan]) == set(expected)
        for slot, frame in expected.items():
            np.testing.assert_array_equal(self.scans[scan][slot].pixels, frame.pixels)


def told(frames: Iterable[Sent]) -> list[StreamFrame]:
    """Frames whose sender numbers the series, as DECTRIS does."""
    positions = {each.slot: place for place, each in enumerate(scan_of(0))}
    return [
        StreamFrame(number=positions[each.slot], pixels=each.pixels, series=each.scan)
        for each in frames
    ]


def follow(joiner: Joiner, messages: Iterable[StreamFrame | SeriesEnd]) -> Outcome:
    out = Outcome()
    for message in messages:
        try:
            if isinstance(message, SeriesEnd):
                out.take(joiner.end(message))
            else:
                out.take(joiner.offer(message))
        except SourceError as error:
            out.refused[joiner.refuse(error)] += 1
    return out
