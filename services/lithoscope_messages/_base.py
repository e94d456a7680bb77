"""What all messages share: frozen, no unknown fields, one type and one version each."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Key = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        description="Idempotency key: two facts of one type and key are one",
    ),
]
ExperimentName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="Name of the experiment: one folder of the store",
    ),
]
ScanNumber = Annotated[int, Field(ge=0, le=9999, description="Number of the scan, from 0")]
TileNumber = Annotated[int, Field(ge=0, le=99, description="Vertical field of view, from 0")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256, hexadecimal")]
TimeNs = Annotated[int, Field(ge=0, description="Unix time, ns")]
RelativePath = Annotated[
    str,
    Field(
        # Parts of plain names only, none of which begins with a dot: no "..", no absolute path.
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$",
        max_length=512,
        description="Path below the folder of the experiment",
    ),
]


class Value(BaseModel):
    """A frozen part of a message."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class Message(Value):
    """A message: its subclass has ``type: Literal[...]`` and ``version: Literal[n]``."""


class Lifted(Value):
    """A message that is read in the version before its own too; readers see only the new one."""

    @classmethod
    def lift(cls, older: dict[str, Any]) -> dict[str, Any]:
        """Give the fields of this version from those of the version before; a pure function."""
        return older

    @model_validator(mode="before")
    @classmethod
    def _lift(cls, data: Any) -> Any:  # any JSON, checked right after this
        version = cls.model_fields["version"].default
        if isinstance(data, dict) and data.get("version") == version - 1:
            return {**cls.lift(data), "version": version}
        return data


class Hops(Value):
    """When a piece of work was received, started and finished."""

    received_ns: TimeNs
    started_ns: TimeNs
    finished_ns: TimeNs
    duration_s: Annotated[float, Field(ge=0, description="From a monotonic clock, s")]


class Fact(Message):
    """Something that has happened; kept in the journal for ever."""

    experiment: ExperimentName
    key: Key
    time_ns: TimeNs
    producer: Annotated[str, Field(max_length=64, description="Service that says so")]
    inputs: Annotated[
        tuple[str, ...], Field(description="Content keys of what this was made from")
    ] = ()
    parameters_sha256: Annotated[
        Sha256 | None, Field(description="Hash of the parameters it was made with")
    ] = None
    algorithm_version: Annotated[
        int | None, Field(ge=0, description="Version of the algorithm, kept in the stage")
    ] = None
    hops: Hops | None = None


class ScanFact(Fact):
    """A fact about one scan."""

    scan: ScanNumber


class Request(Message):
    """What a person or a program asks for; only ``decide`` turns it into facts."""

    experiment: ExperimentName
    key: Key
    time_ns: TimeNs
    producer: Annotated[str, Field(max_length=64, description="dashboard or command line")]
    person: Annotated[str, Field(min_length=1, max_length=128, description="Who asks")]
    reason: Annotated[str, Field(max_length=1000, description="Why")] = ""
