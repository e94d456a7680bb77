"""A stage is a pure plan: from what the journal says to the tasks that should be done.

The plan has no sockets, no files and no clock. The runner does the tasks that have no answer
yet, each in the child process of the stage.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from lithoscope_messages import Fact, Message, StageName
from lithoscope_services.history import History

Json = Mapping[str, Any]  # whatever JSON can say


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One piece of work: a pure call with named inputs.

    Parameters
    ----------
    key
        SHA-256 of stage, algorithm version, input keys and parameters: equal keys, equal results.
    scan
        Scan it belongs to.
    inputs
        Keys of what it is made from.
    parameters
        What the result depends on besides the inputs, as JSON.
    arguments
        Where the inputs and outputs lie, and whatever else does not change the result, as JSON.
    """

    key: str
    scan: int
    inputs: tuple[str, ...]
    parameters: Json
    arguments: Json

    @property
    def parameters_sha256(self) -> str:
        """Hash of the parameters."""
        return json_sha256(self.parameters)


class Stage(Protocol):
    """What a stage has to say of itself."""

    @property
    def name(self) -> StageName:
        """Name of the service."""

    @property
    def algorithm_version(self) -> int:
        """Raised whenever equal inputs may give other results."""

    def plan(self, history: History) -> Sequence[Task]:
        """Give the tasks that have no answer yet and whose inputs are there, in order."""

    def execute(self, task: Task, store_root: str) -> Iterator[Fact]:
        """Do a task in the child process; yield each fact when what it announces is durable."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of following a running scan has brought.

    Parameters
    ----------
    messages
        Telemetry to be sent.
    is_idle
        Whether nothing more can be done before something new comes.
    """

    messages: tuple[Message, ...] = ()
    is_idle: bool = True


@runtime_checkable
class LiveStage(Protocol):
    """A stage that begins a scan before its task is there.

    What was begun is kept in the memory of the child process alone. Keys and results do not
    depend on it: with it, a task ends sooner.
    """

    def watch(self, history: History) -> Json | None:
        """Say which running scan is to be begun, and how; pure, as ``plan`` is."""

    def follow(self, watched: Json | None, store_root: str) -> None:
        """Follow another scan, or the same one with other parameters, or none."""

    def step(self) -> Step:
        """Do a little of what has come; returns within 0.3 s, so that a task need not wait."""

    def abandon(self, reason: str) -> None:
        """Forget what was begun of the scan that is followed, and begin it no more."""


@runtime_checkable
class PartedStage(Protocol):
    """A stage of which a large task can be done in parts, by several processes at the same time.

    The parts together write the same bytes and say the same as ``execute`` does. What is too large
    for JSON they lay into the scratch folder of the task, which goes when the task is done.
    """

    def begin(self, task: Task, store_root: str) -> Json:
        """Do what all parts need; ``parts`` in the answer lists them, none if it is not worth it.

        Each part is JSON, and so is all that is handed on.
        """

    def do_part(self, task: Task, store_root: str, begun: Json, part: Any) -> Iterator[Fact]:
        """Do one part; each fact is yielded when what it announces is durable."""

    def finish(
        self, task: Task, store_root: str, begun: Json, facts: Sequence[Fact]
    ) -> Iterator[Fact]:
        """Put the parts together, given the facts of all of them."""


def json_sha256(value: object) -> str:
    """Hash a JSON value in its canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def make_task(
    stage: Stage, scan: int, *, inputs: Sequence[str], parameters: Json, arguments: Json
) -> Task:
    """Make a task and its key."""
    key = json_sha256([stage.name, stage.algorithm_version, list(inputs), parameters])
    return Task(
        key=key, scan=scan, inputs=tuple(inputs), parameters=parameters, arguments=arguments
    )
