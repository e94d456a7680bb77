"""The frames plane: what a source says to ingest, and what ingest answers.

One frame is a :class:`FrameHeader` and its pixels, C order, little-endian. All messages of a
session are numbered; ingest acknowledges a number when what it stands for is on disk.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lithoscope_messages._base import (
    ExperimentName,
    Lifted,
    Message,
    ScanNumber,
    TileNumber,
    TimeNs,
    Value,
)
from lithoscope_messages.reasons import Reasons

FrameKind = Literal["projection", "dark", "flat"]
ThetaSource = Literal["frame", "table", "formula", "encoder"]
FrameDtype = Literal["uint8", "uint16", "uint32", "float32"]
Codec = Literal["none", "bslz4", "blosc"]
MAX_FRAME_BYTES = 256 * 2**20

Session = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="uuid of the sender")]
Sequence = Annotated[int, Field(ge=0, description="Number of the message in its session")]


class FrameKey(Value):
    """What makes two frames one: doubles collapse by it."""

    scan: ScanNumber
    tile: TileNumber = 0
    kind: FrameKind
    set: Annotated[int, Field(ge=0, le=99, description="Tells flats before from flats after")] = 0
    index: Annotated[int, Field(ge=0, lt=10**6, description="Number of the frame in its set")]


class FrameHeader(Message):
    """One image of the detector; its pixels follow as raw bytes."""

    type: Literal["FrameHeader"] = "FrameHeader"
    version: Literal[1] = 1
    experiment: ExperimentName
    scan: ScanNumber
    tile: TileNumber = 0
    kind: FrameKind
    set: Annotated[int, Field(ge=0, le=99, description="Tells flats before from flats after")] = 0
    index: Annotated[int, Field(ge=0, lt=10**6, description="Number of the frame in its set")]
    session: Session
    sequence: Sequence
    theta_deg: Annotated[float | None, Field(description="Angle of the sample, degrees")] = None
    theta_source: ThetaSource = "frame"
    time_ns: TimeNs
    dtype: FrameDtype
    shape: Annotated[
        tuple[int, int], Field(description="Rows and columns; each at least 1, at most 16384")
    ]
    codec: Codec = "none"
    crc32c: Annotated[int, Field(ge=0, lt=2**32, description="CRC-32C of the payload as sent")]

    @model_validator(mode="after")
    def _is_plausible(self) -> "FrameHeader":
        rows, columns = self.shape
        if not (1 <= rows <= 16384 and 1 <= columns <= 16384):
            raise ValueError(f"shape {self.shape}: rows and columns must be in 1..16384")
        if self.kind == "projection" and self.theta_deg is None:
            raise ValueError("theta_deg: a projection needs its angle")
        return self

    @property
    def frame_key(self) -> FrameKey:
        """The key under which this frame is stored."""
        return FrameKey(
            scan=self.scan, tile=self.tile, kind=self.kind, set=self.set, index=self.index
        )


class ExperimentDescription(Value):
    """What a source knows of an experiment when it starts; null leaves it to the settings."""

    source: Annotated[
        Literal["live", "simulated", "files", "volumes", "replay", "reprocess"],
        Field(description="Where the frames come from; nothing is ever sent to act for a replay"),
    ] = "live"
    made_from: Annotated[
        ExperimentName | None,
        Field(description="Of a replay or a re-processing: the experiment whose frames these are"),
    ] = None
    n_scans: Annotated[int | None, Field(ge=1, description="Scans planned, if known")] = None
    sample: Annotated[str, Field(max_length=200, description="Name of the sample")] = ""
    active_area_cm2: Annotated[float | None, Field(gt=0, description="Of the whole cell")] = None
    first_current_sign: Annotated[
        Literal[-1, 1] | None, Field(description="Sign of the current in the first half-cycle")
    ] = None
    edge_on_deg: Annotated[
        float | None,
        Field(description="Angle at which the beam runs along the electrode planes, degrees"),
    ] = None
    seed: Annotated[int | None, Field(description="Seed of a simulated experiment")] = None
    size: Annotated[str | None, Field(description="Size of a simulated experiment")] = None


class ExperimentBegin(Lifted, Message):
    """The first message of a session: which experiment it feeds.

    Version 1 knew no ``made_from``.
    """

    type: Literal["ExperimentBegin"] = "ExperimentBegin"
    version: Literal[2] = 2
    experiment: ExperimentName
    session: Session
    sequence: Sequence
    time_ns: TimeNs
    description: ExperimentDescription


class ExperimentEnd(Message):
    """No further scan comes for this experiment."""

    type: Literal["ExperimentEnd"] = "ExperimentEnd"
    version: Literal[1] = 1
    experiment: ExperimentName
    session: Session
    sequence: Sequence
    time_ns: TimeNs


Origin = Annotated[
    str,
    Field(max_length=512, description="File or run that the frames are from, as it is named"),
]


class ExpectedCount(Value):
    """How many frames of one set a scan will send."""

    tile: TileNumber = 0
    kind: FrameKind
    set: Annotated[int, Field(ge=0, le=99, description="Set of the frames")] = 0
    count: Annotated[int, Field(ge=0, lt=10**6, description="Frames that will come")]


class ScanPhase(Value):
    """Where in the cycling a scan stands."""

    experiment_time_s: Annotated[float, Field(description="Since the experiment began, s")] = 0.0
    cycle: Annotated[int, Field(ge=0, description="From 0")] = 0
    half_cycle: Annotated[int, Field(ge=0, description="From 0; even ones plate")] = 0
    pulse: Annotated[int, Field(ge=0, description="Pulses before this scan")] = 0
    next_current_mA: Annotated[  # noqa: N815 - the unit is mA
        float | None, Field(description="Current of the next pulse, mA; null when there is none")
    ] = None


class ScanBegin(Lifted, Message):
    """A scan begins: what to expect of it; version 1 had no ``origin``."""

    type: Literal["ScanBegin"] = "ScanBegin"
    version: Literal[2] = 2
    experiment: ExperimentName
    scan: ScanNumber
    session: Session
    sequence: Sequence
    time_ns: TimeNs
    expected: tuple[ExpectedCount, ...]
    frame_shape: Annotated[tuple[int, int], Field(description="Rows and columns of a frame")]
    dtype: FrameDtype
    voxel_size_um: Annotated[float, Field(gt=0, description="Pixel in the sample plane, µm")]
    energy_keV: Annotated[  # noqa: N815 - the unit is keV
        float | None, Field(gt=0, description="Photon energy, keV")
    ] = None
    distance_mm: Annotated[float | None, Field(ge=0, description="Sample to detector, mm")] = None
    rotation_axis_px: Annotated[
        float | None, Field(description="Axis if the source knows it; null: find it")
    ] = None
    phase: ScanPhase = ScanPhase()
    origin: Origin = ""


class ScanEnd(Lifted, Message):
    """All frames of a scan have been sent; version 1 did not say what became of the others."""

    type: Literal["ScanEnd"] = "ScanEnd"
    version: Literal[2] = 2
    experiment: ExperimentName
    scan: ScanNumber
    session: Session
    sequence: Sequence
    time_ns: TimeNs
    rejected: Annotated[
        Reasons, Field(description="Frames that the source had to leave out, by reason")
    ] = Field(default_factory=dict)
    fetched: Annotated[
        int, Field(ge=0, description="Frames that the stream lost and the detector's file had")
    ] = 0


class Abandoned(Message):
    """The sender no longer has the message of this number; its credit is given back."""

    type: Literal["Abandoned"] = "Abandoned"
    version: Literal[1] = 1
    experiment: ExperimentName
    session: Session
    sequence: Sequence
    abandoned: Annotated[int, Field(ge=0, description="Number of the message that is lost")]


class ElectrochemistrySamples(Message):
    """Samples of the cycler, numbered from the start of the experiment."""

    type: Literal["ElectrochemistrySamples"] = "ElectrochemistrySamples"
    version: Literal[1] = 1
    experiment: ExperimentName
    session: Session
    sequence: Sequence
    first: Annotated[int, Field(ge=0, description="Number of the first sample")]
    time_s: Annotated[tuple[float, ...], Field(max_length=100_000, description="s")]
    potential_V: Annotated[tuple[float, ...], Field(description="V")]  # noqa: N815 - the unit
    current_mA: Annotated[tuple[float, ...], Field(description="mA")]  # noqa: N815 - the unit

    @model_validator(mode="after")
    def _are_columns(self) -> "ElectrochemistrySamples":
        if not len(self.time_s) == len(self.potential_V) == len(self.current_mA):
            raise ValueError("time_s, potential_V and current_mA must be equally long")
        return self


class BlueskyDocument(Message):
    """A document of a Bluesky run, stored as it came."""

    type: Literal["BlueskyDocument"] = "BlueskyDocument"
    version: Literal[1] = 1
    experiment: ExperimentName
    session: Session
    sequence: Sequence
    name: Annotated[str, Field(max_length=32, description="start, descriptor, event, stop …")]
    document_json: Annotated[str, Field(max_length=2**20, description="The document as JSON")]


class VerdictMissed(Message):
    """The plan went on without an answer of ours, or held for it."""

    type: Literal["VerdictMissed"] = "VerdictMissed"
    version: Literal[1] = 1
    experiment: ExperimentName
    scan: ScanNumber
    session: Session
    sequence: Sequence
    waited_s: Annotated[float, Field(ge=0, description="How long the plan waited, s")]
    plan_did: Literal["continue", "hold"]


class Acknowledgement(Message):
    """What of a session is on disk, and how many bytes more may be sent."""

    type: Literal["Acknowledgement"] = "Acknowledgement"
    version: Literal[1] = 1
    session: Session
    contiguous: Annotated[int, Field(ge=-1, description="All numbers up to this are on disk")]
    ranges: Annotated[
        tuple[tuple[int, int], ...],
        Field(max_length=1000, description="First and last of later numbers on disk"),
    ] = ()
    credit_bytes: Annotated[int, Field(ge=0, description="Unacknowledged bytes allowed")]


class Refusal(Message):
    """A message that will never be stored, and why; its number counts as acknowledged."""

    type: Literal["Refusal"] = "Refusal"
    version: Literal[1] = 1
    session: Session
    sequence: Sequence
    reason: Annotated[str, Field(max_length=1000, description="What, where, what to do")]


SourceMessage = (
    FrameHeader
    | ExperimentBegin
    | ExperimentEnd
    | ScanBegin
    | ScanEnd
    | Abandoned
    | ElectrochemistrySamples
    | BlueskyDocument
    | VerdictMissed
)
IngestReply = Acknowledgement | Refusal
