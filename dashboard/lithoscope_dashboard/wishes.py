"""What a person may ask for, checked field by field, and the message that it becomes. Pure."""

import hashlib
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lithoscope_dashboard.palette import PAINTED_CLASSES
from lithoscope_messages import (
    MAX_RUNS,
    AcknowledgeRequested,
    ApprovalRequested,
    ArmRequested,
    DisarmRequested,
    ExperimentName,
    HoldReleaseRequested,
    Key,
    PaintRequested,
    PlaneAxis,
    RejectionRequested,
    ReplayControlRequested,
    RequestMessage,
    RetryRequested,
)
from lithoscope_store.accounts import RoleName

#: Takes paint away.
UNPAINTED = 255
_PAINT = frozenset({UNPAINTED, *(each.value for each in PAINTED_CLASSES)})


def _check_class(value: int) -> int:
    if value not in _PAINT:
        raise ValueError(f"{value} is no class that can be painted")
    return value


PaintedClass = Annotated[int, AfterValidator(_check_class)]
Reason = Annotated[str, Field(max_length=1000)]


class _Wish(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    experiment: ExperimentName
    nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    reason: Reason = ""
    name: Annotated[str, Field(max_length=64)] = ""


class Answer(_Wish):
    """Yes or no to a proposal."""

    ask: Literal["approve", "reject"]
    proposal: Key


class Arm(_Wish):
    """A lease to act."""

    ask: Literal["arm"]
    reason: Annotated[str, Field(min_length=1, max_length=1000)]
    duration_s: Annotated[float, Field(gt=0, le=43_200)]


class Disarm(_Wish):
    """The end of the lease."""

    ask: Literal["disarm"]


class Acknowledge(_Wish):
    """Somebody has seen an alarm."""

    ask: Literal["acknowledge"]
    alarm: Key


class Release(_Wish):
    """The plan shall go on after a hold."""

    ask: Literal["release"]
    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class Retry(_Wish):
    """A failed stage shall be tried again."""

    ask: Literal["retry"]
    scan: Annotated[int, Field(ge=0, le=9999)]
    stage: Literal["reconstruct", "register", "segment", "measure", "decide"]


class Replay(_Wish):
    """Pause, seek or speed of the replay that runs."""

    ask: Literal["replay"]
    action: Literal["pause", "resume", "seek", "speed"]
    value: Annotated[float | None, Field(ge=0, le=10_000)] = None


class Paint(_Wish):
    """Pixels of one plane, painted or cleared.

    ``token`` names the voxels that were looked at; ``runs`` are first pixel (row by row), pixels
    and class, 255 to clear.
    """

    ask: Literal["paint"]
    scan: Annotated[int, Field(ge=0, le=9999)]
    token: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    axis: PlaneAxis
    index: Annotated[int, Field(ge=0, le=99_999)]
    round: Annotated[int, Field(ge=1, le=99)]
    runs: Annotated[
        tuple[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)], PaintedClass], ...],
        Field(min_length=1, max_length=MAX_RUNS),
    ]


Wish = Annotated[
    Answer | Arm | Disarm | Acknowledge | Release | Retry | Replay | Paint,
    Field(discriminator="ask"),
]

#: Ending a lease needs no rights; giving one needs the most.
NEEDS: dict[str, RoleName] = {
    "approve": "operator",
    "reject": "operator",
    "arm": "admin",
    "disarm": "viewer",
    "acknowledge": "operator",
    "release": "operator",
    "retry": "operator",
    "replay": "operator",
    "paint": "operator",
}


def message_of(
    wish: Wish, person: str, time_ns: int, *, attempt: int = 0, path: str = ""
) -> RequestMessage:
    """Write what a person asks for as it stands in the journal.

    Parameters
    ----------
    wish
        What was asked for.
    person
        Who asks.
    time_ns
        Now, Unix time, ns.
    attempt
        How often the proposal could not be sent before: then an answer is a new one.
    path
        The volume that is painted on.
    """
    parts: dict[str, Any] = {
        "experiment": wish.experiment,
        "key": f"{wish.ask}:{wish.nonce}",
        "time_ns": time_ns,
        "producer": "dashboard",
        "person": person,
        "reason": wish.reason.strip(),
    }
    match wish:
        case Answer():
            # A second click of the same person is the same; a key has at most 256 characters.
            digest = hashlib.sha256(f"{wish.proposal}\n{person}".encode()).hexdigest()[:32]
            parts["key"] = f"{wish.ask}:{digest}" + (f":{attempt}" if attempt else "")
            kind = ApprovalRequested if wish.ask == "approve" else RejectionRequested
            return kind(**parts, proposal=wish.proposal)
        case Arm():
            return ArmRequested(**parts, duration_s=wish.duration_s)
        case Disarm():
            return DisarmRequested(**parts)
        case Acknowledge():
            return AcknowledgeRequested(**parts, alarm=wish.alarm)
        case Release():
            return HoldReleaseRequested(**parts)
        case Retry():
            return RetryRequested(**parts, scan=wish.scan, stage=wish.stage)
        case Replay():
            return ReplayControlRequested(**parts, action=wish.action, value=wish.value)
        case Paint():
            place = wish.model_dump(include={"scan", "axis", "index", "round", "runs"})
            return PaintRequested(**parts, **place, path=path)
