"""Keys of tasks: equal work has equal keys, and what changes a result changes the key."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from lithoscope_messages import Fact, StageName
from lithoscope_services.history import History
from lithoscope_services.stage import Task, make_task
from lithoscope_services.stages import stage_named


class Plain:
    name: StageName = "measure"

    def __init__(self, algorithm_version: int = 1) -> None:
        self.algorithm_version = algorithm_version

    def plan(self, history: History) -> Sequence[Task]:
        return []

    def execute(self, task: Task, store_root: str) -> Iterator[Fact]:
        yield from ()


def task(version: int = 1, scan: int = 0, **changes: Any) -> Task:
    parts: dict[str, Any] = {
        "inputs": ["a", "b"],
        "parameters": {"x": 1.5, "y": [1, 2]},
        "arguments": {"experiment": "cell"},
    }
    return make_task(Plain(version), scan, **(parts | changes))


def test_the_key_has_not_changed_since_experiments_were_stored_with_it() -> None:
    # sha256 of ["measure",1,["a","b"],{"x":1.5,"y":[1,2]}], made with the program sha256sum
    expected = "de85e855a734e1f284464dbdfd3463a8989ff954f3bbe52def016ecf23812413"

    assert task().key == expected


@pytest.mark.parametrize(
    "other",
    [
        task(version=2),
        task(inputs=["b", "a"]),
        task(inputs=["a"]),
        task(parameters={"x": 1.5, "y": [2, 1]}),
        task(parameters={"x": 1.5}),
    ],
    ids=["version", "order of inputs", "inputs", "value", "fewer parameters"],
)
def test_what_may_change_a_result_changes_the_key(other: Task) -> None:
    assert other.key != task().key


@pytest.mark.parametrize(
    "other",
    [
        task(scan=7),
        task(arguments={"experiment": "another"}),
        task(parameters={"y": [1, 2], "x": 1.5}),
        task(parameters={"x": 1.5, "y": (1, 2)}),
    ],
    ids=["scan", "experiment", "order of names", "tuple"],
)
def test_what_does_not_change_a_result_leaves_the_key_alone(other: Task) -> None:
    assert other.key == task().key


def test_a_parameter_that_is_no_number_has_no_key() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        task(parameters={"x": float("nan")})


@pytest.mark.parametrize("name", ["reconstruct", "register", "segment", "measure", "decide"])
def test_each_stage_is_found_by_its_name_and_plans_nothing_for_nothing(name: str) -> None:
    stage = stage_named(name)

    assert stage.name == name
    assert stage.algorithm_version >= 1
    assert list(stage.plan(History("cell"))) == []
