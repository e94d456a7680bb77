"""What comes of a stream, scans and frames in their places, and what a restart must know."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import FrameKey, ThetaSource
from lithoscope_services.sources.stream.places import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanBegun:
    """A scan begins."""

    scan: int
    frame_shape: tuple[int, int]
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScanFrame:
    """A frame of the open scan."""

    key: FrameKey
    pixels: NDArray[np.generic]
    theta_deg: float | None
    theta_source: ThetaSource
    time_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanEnded:
    """A scan is closed.

    Parameters
    ----------
    scan
        Its number.
    frame_shape, dtype
        Of its frames.
    absent
        Frames that did not come.
    seen
        Checksum of each frame that came.
    refused
        How many came meanwhile and were not taken, by reason.
    """

    scan: int
    frame_shape: tuple[int, int]
    dtype: str
    absent: tuple[Slot, ...]
    seen: Mapping[Slot, int]
    refused: Mapping[str, int]

    @property
    def missing(self) -> int:
        """How many frames did not come."""
        return len(self.absent)


Event = ScanBegun | ScanFrame | ScanEnded


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A scan that was open when the last process ended.

    Parameters
    ----------
    scan
        Its number.
    frame_shape, dtype
        Of its frames.
    seen
        Checksum of each frame that is stored.
    """

    scan: int
    frame_shape: tuple[int, int]
    dtype: str
    seen: Mapping[Slot, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Where the sender's counter stood in a scan: what a restart must know."""

    scan: int
    series: int | None
    turns: int
    last: int
