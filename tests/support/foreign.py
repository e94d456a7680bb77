"""A foreign sender for tests: array-1.0 messages as detectors write them, from nothing of ours."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ROWS, COLUMNS = 4, 6
Kind = Literal["dark", "flat", "projection"]
KINDS: dict[int, Kind] = {0: "dark", 1: "flat", 2: "projection"}
N_DARKS, N_FLATS, N_PROJECTIONS = 2, 3, 40


@dataclass(frozen=True, slots=True)
class Sent:
    """One frame as the sender means it: set 1 are flats after the projections."""

    scan: int
    scan_index: int
    set: int
    index: int

    @property
    def slot(self) -> tuple[Kind, int, int]:
        return KINDS[self.scan_index], self.set, self.index

    @property
    def pixels(self) -> NDArray[np.uint16]:
        """Noise that no other frame has."""
        seed = (self.scan, self.scan_index, self.set, self.index)
        return np.random.default_rng(seed).integers(0, 65_535, (ROWS, COLUMNS), np.uint16)


def scan_of(scan: int, *, n_flats_after: int = 0) -> list[Sent]:
    """Give the frames of a scan in the order in which they are taken."""
    counts = ((0, 0, N_DARKS), (1, 0, N_FLATS), (2, 0, N_PROJECTIONS), (1, 1, n_flats_after))
    return [Sent(scan, k, s, index) for k, s, count in counts for index in range(count)]


def gigafrost(frame: Sent) -> list[bytes]:
    """Write a message as GigaFRoST does: numbers start anew with each kind."""
    header = {
        "image_attributes": {"scan_index": frame.scan_index, "image_is_complete": True},
        "frame": frame.index,
        "source": "gigafrost",
        "shape": list(frame.pixels.shape),
        "type": "uint16",
    }
    return [json.dumps(header).encode(), frame.pixels.tobytes()]


def areadetector(frame: Sent, unique_id: int, *, theta_deg: float = 0.0) -> list[bytes]:
    """Write a message as NDPluginZMQ does: numbers run on, texts are not escaped."""
    rows, columns = frame.pixels.shape
    header = (
        f'{{"htype":["array-1.0"], "type":"uint16", "shape":[{columns},{rows}], '
        f'"frame":{unique_id}, "timeStamp":1132531200.5, "encoding":"", '
        f'"ndattr":{{"FrameType":"{KINDS[frame.scan_index]}","SampleRotary":{theta_deg},'
        '"Comment":"cell "7""}}'
    )
    return [header.encode(), frame.pixels.tobytes()]


def doubled(frames: Sequence[Sent], *, seed: int = 3) -> list[Sent]:
    """Send one in twenty twice."""
    noise = random.Random(seed)
    return [each for frame in frames for each in [frame] * (2 if noise.random() < 0.05 else 1)]


def thinned(frames: Sequence[Sent], *, seed: int = 6) -> list[Sent]:
    """Lose one in twenty."""
    noise = random.Random(seed)
    return [frame for frame in frames if noise.random() >= 0.05]


def shuffled(frames: Sequence[Sent], *, seed: int = 5) -> list[Sent]:
    """Send in any order."""
    found = list(frames)
    random.Random(seed).shuffle(found)
    return found


def garbage(*, seed: int = 6) -> Iterator[list[bytes]]:
    """Give messages that are none, and some that nearly are."""
    noise = random.Random(seed)
    good = gigafrost(Sent(9, 2, 0, 1))
    while True:
        yield [noise.randbytes(noise.randrange(30)) for _ in range(noise.randint(1, 4))]
        yield [good[0], good[1][:-1]]
        yield [good[0].replace(b"40", b"4"), b""]
        yield [good[0].replace(b"true", b"false"), good[1]]
