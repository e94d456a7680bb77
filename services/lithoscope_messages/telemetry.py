"""The telemetry plane: newest wins, nothing is kept, losing one does no harm."""

import base64
import binascii
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lithoscope_messages._base import ExperimentName, Message, ScanNumber, TimeNs, Value


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


class GreySlice(Value):
    """A small picture, 8 bits a pixel, rows from the top.

    Telemetry is one part a message, so that the newest can replace the others; hence Base64.
    """

    shape: Annotated[
        tuple[Annotated[int, Field(ge=1, le=512)], Annotated[int, Field(ge=1, le=512)]],
        Field(description="Rows and columns"),
    ]
    pixels_base64: Annotated[
        str, Field(max_length=349_528, description="uint8, C order, in Base64 (RFC 4648)")
    ]

    @classmethod
    def of(cls, pixels: bytes, shape: tuple[int, int]) -> Self:
        """Make it of the pixels in C order."""
        return cls(shape=shape, pixels_base64=base64.b64encode(pixels).decode())

    @property
    def pixels(self) -> bytes:
        """The pixels, uint8 in C order."""
        return base64.b64decode(self.pixels_base64, validate=True)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        try:
            n_pixels = len(self.pixels)
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"pixels_base64 is no Base64: {error}") from error
        if n_pixels != self.shape[0] * self.shape[1]:
            raise ValueError(f"{n_pixels} pixels given, {self.shape} has another number")
        return self


class ReconstructionPreview(Message):
    """What is seen of the running scan so far: three slices through a coarse volume.

    Nothing may be measured in it: it is of binned frames, its axis may be a guess, and what is
    still to come may stand in it from the scan before.
    """

    type: Literal["ReconstructionPreview"] = "ReconstructionPreview"
    version: Literal[1] = 1
    experiment: ExperimentName
    scan: ScanNumber
    time_ns: TimeNs
    views_used: Annotated[int, Field(ge=0, description="Projections of this scan in it")]
    views_expected: Annotated[int, Field(ge=0, description="Projections announced")]
    views_filled: Annotated[
        int, Field(ge=0, description="Projections of the scan before, in place of those to come")
    ] = 0
    binning: Annotated[int, Field(ge=1, description="Detector pixels a voxel, each way")]
    voxel_um: Annotated[float, Field(gt=0, description="Edge of a voxel of the slices")]
    axis_px: Annotated[float, Field(description="Rotation axis, detector column, not binned")]
    axis_source: Annotated[
        Literal["given", "scan_before", "found", "detector_centre"],
        Field(description="Where the axis is from; detector_centre: it is not known yet"),
    ]
    low_per_cm: Annotated[float, Field(description="Shown as 0, 1/cm")]
    high_per_cm: Annotated[float, Field(description="Shown as 255, 1/cm")]
    z_slice: Annotated[GreySlice, Field(description="Across the rotation axis: y down, x right")]
    y_slice: Annotated[GreySlice, Field(description="Through the axis: z down, x right")]
    x_slice: Annotated[GreySlice, Field(description="Through the axis: z down, y right")]
