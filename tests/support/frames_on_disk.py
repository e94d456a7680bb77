"""Small frames in a frame store."""

from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import FrameDtype, FrameHeader, FrameKey, FrameKind
from lithoscope_store.frame_store import FrameWriter
from lithoscope_store.layout import ExperimentPaths

ROWS, COLUMNS = 10, 7
Pixels = NDArray[Any]


def pixels_of(index: int, dtype: str = "uint16", rows: int = ROWS) -> Pixels:
    rng = np.random.default_rng(index)
    return rng.integers(1, 250, (rows, COLUMNS)).astype(dtype)


def header_of(
    index: int,
    pixels: Pixels,
    *,
    kind: FrameKind = "projection",
    set: int = 0,
    dtype: FrameDtype = "uint16",
    tile: int = 0,
) -> FrameHeader:
    return FrameHeader(
        experiment="cell-1",
        scan=0,
        tile=tile,
        kind=kind,
        set=set,
        index=index,
        session="0" * 32,
        sequence=index,
        theta_deg=0.5 * index if kind == "projection" else None,
        theta_source="encoder",
        time_ns=100 + index,
        dtype=dtype,
        shape=pixels.shape,
        crc32c=google_crc32c.value(pixels.tobytes()),
    )


def store_frames(paths: ExperimentPaths, indices: list[int]) -> None:
    with FrameWriter(paths, 0, 0, slab_rows=4) as writer:
        for index in indices:
            writer.write(header_of(index, pixels_of(index)), pixels_of(index).tobytes())


def key_of(index: int, kind: FrameKind = "projection", set: int = 0) -> FrameKey:
    return FrameKey(scan=0, tile=0, kind=kind, set=set, index=index)
