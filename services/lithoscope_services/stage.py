"""A stage is a pure plan: from what the journal says to the tasks that should be done.

The plan has no sockets, no files and no clock. The runner does the tasks that have no answer
yet, each in the child process of the stage.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lithoscope_messages import Fact, StageName
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
