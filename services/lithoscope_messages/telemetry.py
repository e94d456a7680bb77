"""The telemetry plane: newest wins, nothing is kept, losing one does no harm."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from lithoscope_messages._base import ExperimentName, Message, ScanNumber, TimeNs


class Life(StrEnum):
    """States of a service, in their order."""

    STARTING = "starting"
    READY = "ready"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPED = "stopped"
    FAILED = "failed"


class Heartbeat(Message):
    """A service lives."""

    type: Literal["Heartbeat"] = "Heartbeat"
    version: Literal[1] = 1
    service: Annotated[str, Field(max_length=64)]
    pid: int
    time_ns: TimeNs
    state: Life
    queue_depth: Annotated[int, Field(ge=0, description="Tasks or messages that wait")] = 0
    handled: Annotated[int, Field(ge=0)] = 0
    rejected: Annotated[int, Field(ge=0)] = 0
    lag_s: Annotated[float, Field(ge=0, description="Age of the oldest work that waits, s")] = 0.0
    doing: Annotated[str, Field(max_length=200, description="What it is at, for people")] = ""


class ScanProgress(Message):
    """How far the running scan is."""

    type: Literal["ScanProgress"] = "ScanProgress"
    version: Literal[1] = 1
    experiment: ExperimentName
    scan: ScanNumber
    time_ns: TimeNs
    stored: Annotated[int, Field(ge=0)]
    expected: Annotated[int, Field(ge=0)]
    credit_bytes: Annotated[int, Field(ge=0)]
    dropped: Annotated[int, Field(ge=0, description="Frames refused since the start")] = 0
