"""What a foreign stream sends: frames and the marks around them, and who receives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import FrameKind

Attribute = float | int | str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamFrame:
    """One frame as its sender described it.

    Parameters
    ----------
    number
        The sender's counter.
    pixels
        Shape (rows, columns), little-endian, of a type that the frames plane carries.
    kind
        Dark, flat or projection, where the frame says so.
    theta_deg
        Angle, degrees, where the frame says it.
    thetas_deg
        Angles of all projections of its scan, degrees, where the sender says those.
    series
        Number of the series that the frame belongs to, where the sender numbers them; it must
        not fall.
    is_complete
        False if the detector says that parts of the image are missing.
    attributes
        NDAttributes by name.
    time_ns
        When it was taken, since 1970, if the sender says so.
    """

    number: int
    pixels: NDArray[np.generic]
    kind: FrameKind | None = None
    theta_deg: float | None = None
    thetas_deg: Sequence[float] | None = None
    series: int | None = None
    is_complete: bool = True
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    time_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesEnd:
    """The sender says that no more frames of a series come."""

    series: int


StreamMessage = StreamFrame | SeriesEnd


class Receiver(Protocol):
    """One end of a foreign stream; a context manager that closes it."""

    def __enter__(self) -> Self:
        """Connect."""
        ...

    def __exit__(self, *about: object) -> None:
        """Close what was opened."""
        ...

    def receive(self, wait_s: float) -> StreamMessage | None:
        """Give the next message, None if there was none in time or it means nothing to a scan.

        Raises
        ------
        SourceError
            If what came is no message of this stream; the text begins with the field that is
            wrong. The stream goes on.
        """
        ...
