"""What is on disk of a scan, against what was sent."""

from collections.abc import Iterable

import numpy as np
from foreign import Sent
from spine import Spine

from lithoscope_store import FrameReader


def check_stored(services: Spine, name: str, scan: int, sent: Iterable[Sent]) -> None:
    """The store has these frames and no others, each with the pixels that were sent."""
    expected = {frame.slot: frame.pixels for frame in sent}
    reader = FrameReader(services.store.experiment(name), scan, 0)
    assert {(key.kind, key.set, key.index) for key in reader.keys} == set(expected)
    for key in reader.keys:
        pixels = expected[key.kind, key.set, key.index]
        np.testing.assert_array_equal(reader.read_frame(key), pixels)
