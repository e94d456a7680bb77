"""The journal plane: appending, reading since a number, and the feed."""

from typing import Annotated, Literal

from pydantic import Field

from lithoscope_messages._base import ExperimentName, Lifted, Message, Sha256, TimeNs, Value
from lithoscope_messages.union import JournalMessage

SYSTEM_JOURNAL = "system"
Role = Literal[
    "supervisor",
    "journal",
    "ingest",
    "reconstruct",
    "register",
    "segment",
    "measure",
    "decide",
    "act",
    "label",
    "dashboard",
    "command_line",
]


class Entry(Value):
    """A fact or a request in its place: numbered, and chained to the one before it.

    ``hash`` is SHA-256 of ``previous_hash``, a newline and the message's JSON as it was written;
    the first entry of an experiment has 64 zeros as ``previous_hash``.
    """

    number: Annotated[int, Field(ge=1, description="From 1, without gaps, per experiment")]
    appended_ns: TimeNs
    previous_hash: Sha256
    hash: Sha256
    message: JournalMessage = Field(discriminator="type")
    written_json: Annotated[
        str | None,
        Field(description="The message as written, where an older version of it was lifted"),
    ] = None


class AppendRequested(Message):
    """Write these, all or none."""

    type: Literal["AppendRequested"] = "AppendRequested"
    version: Literal[1] = 1
    request: Annotated[str, Field(max_length=64, description="Echoed in the answer")]
    role: Role
    messages: Annotated[
        tuple[Annotated[JournalMessage, Field(discriminator="type")], ...],
        Field(min_length=1, max_length=1000),
    ]


class AppendDone(Message):
    """They are on disk; doubles have the number of the first of their kind."""

    type: Literal["AppendDone"] = "AppendDone"
    version: Literal[1] = 1
    request: str
    numbers: tuple[int, ...]


class AppendRefused(Message):
    """They were not written, and why."""

    type: Literal["AppendRefused"] = "AppendRefused"
    version: Literal[1] = 1
    request: str
    reason: str


class ReadSince(Message):
    """Send me what stands after this number."""

    type: Literal["ReadSince"] = "ReadSince"
    version: Literal[1] = 1
    request: str
    experiment: ExperimentName
    after: Annotated[int, Field(ge=0)]
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000


class Entries(Lifted, Message):
    """Entries in order, and the number of the last one there is.

    Entries of version 1 did not say how a lifted message was written.
    """

    type: Literal["Entries"] = "Entries"
    version: Literal[2] = 2
    request: str
    experiment: ExperimentName
    head: Annotated[int, Field(ge=0)]
    entries: tuple[Entry, ...]


class ListExperiments(Message):
    """Tell me which experiments the journal keeps."""

    type: Literal["ListExperiments"] = "ListExperiments"
    version: Literal[1] = 1
    request: str


class ExperimentHead(Value):
    """An experiment and the number of its last entry."""

    experiment: ExperimentName
    head: Annotated[int, Field(ge=0)]
    sealed: bool


class Experiments(Message):
    """All experiments of the store."""

    type: Literal["Experiments"] = "Experiments"
    version: Literal[1] = 1
    request: str
    experiments: tuple[ExperimentHead, ...]


class FeedEntry(Lifted, Message):
    """One new entry, on the feed; see :class:`Entries` for its versions."""

    type: Literal["FeedEntry"] = "FeedEntry"
    version: Literal[2] = 2
    experiment: ExperimentName
    entry: Entry


class FeedHead(Message):
    """The head number, said every second so that a lost last entry shows."""

    type: Literal["FeedHead"] = "FeedHead"
    version: Literal[1] = 1
    experiment: ExperimentName
    head: Annotated[int, Field(ge=0)]


JournalRequest = AppendRequested | ReadSince | ListExperiments
JournalReply = AppendDone | AppendRefused | Entries | Experiments
Feed = FeedEntry | FeedHead
