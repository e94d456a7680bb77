"""What is to be answered of what was painted."""

from dataclasses import dataclass
from pathlib import Path

from lithoscope_store.painted_planes import Axis


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerJob:
    """What is to be answered.

    Parameters
    ----------
    volume, scan
        What was painted on.
    axis, index
        The plane that was painted last: it is answered first, and planes of its axis alone.
    """

    volume: Path
    scan: int
    axis: Axis
    index: int
