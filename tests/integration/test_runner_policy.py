"""What a runner does with a task that fails: a few tries, one fact, and then other work."""

import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from spine import Spine, spine

from lithoscope_messages import (
    ExperimentDescription,
    ExperimentStarted,
    Fact,
    RetryRequested,
    StageFailed,
    StageName,
    WorkStarted,
)
from lithoscope_services.history import History
from lithoscope_services.loop import Loop
from lithoscope_services.runner import MAX_FAILURES, Runner
from lithoscope_services.stage import Task, make_task

DECIDED: dict[str, Any] = {"expired": [], "scans": []}


class OneTask:
    """A stage that always wants the same, done by the real stage ``decide`` in its child."""

    name: StageName = "decide"
    algorithm_version = 1

    def __init__(self, arguments: dict[str, Any], parameters: dict[str, Any]) -> None:
        self._arguments = arguments
        self._parameters = parameters

    def plan(self, history: History) -> Sequence[Task]:
        return [
            make_task(
                self,
                0,
                inputs=[],
                parameters=self._parameters,
                arguments={"experiment": history.experiment, **self._arguments},
            )
        ]

    def execute(self, task: Task, store_root: str) -> Iterator[Fact]:
        raise NotImplementedError("the child has a stage of its own")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Spine]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    with spine(tmp_path / "store") as made:
        made.start("journal")
        begun = ExperimentStarted(
            experiment="cell",
            key="cell",
            time_ns=1,
            producer="test",
            description=ExperimentDescription(),
            settings={},
            format_version=1,
        )
        made.store.experiment("cell").create()
        with made.journal("ingest") as client:
            client.append([begun])
        yield made
    for number, handler in handlers.items():
        signal.signal(number, handler)


def run_until(services: Spine, stage: OneTask, is_done: Callable[[], bool]) -> None:
    """Run a runner in this process until a condition holds; it is looked at now and then."""
    with Loop("decide", services.runtime_dir) as loop:

        def look() -> None:
            if is_done():
                loop.stop()

        loop.every(0.2, look)
        Runner(loop, stage, services.store.root).run()


def found(services: Spine) -> tuple[list[WorkStarted], list[StageFailed]]:
    messages = [entry.message for entry in services.entries("cell")]
    return (
        [message for message in messages if isinstance(message, WorkStarted)],
        [message for message in messages if isinstance(message, StageFailed)],
    )


def test_a_task_that_ends_its_process_is_given_up_after_three_tries(services: Spine) -> None:
    broken = OneTask({}, {})  # decide finds no "expired" among the arguments: a bug of ours

    run_until(services, broken, lambda: bool(found(services)[1]))

    starts, failures = found(services)
    assert [start.attempt for start in starts] == list(range(1, MAX_FAILURES + 1))
    assert failures[0].attempts == MAX_FAILURES
    assert "ended its process with code 1" in failures[0].error


def test_bad_data_is_given_up_at_once_and_not_tried_again_without_a_request(
    services: Spine,
) -> None:
    refused = OneTask(DECIDED, {"rules": [{"id": "NO GOOD NAME"}]})
    looks = 0

    def has_waited() -> bool:
        nonlocal looks
        looks += bool(found(services)[1])
        return looks > 5

    run_until(services, refused, has_waited)

    starts, failures = found(services)
    assert len(starts) == 1
    assert failures[0].attempts == 1
    assert "rules" in failures[0].error or "id" in failures[0].error


def test_a_person_may_ask_for_another_try(services: Spine) -> None:
    refused = OneTask(DECIDED, {"rules": [{"id": "NO GOOD NAME"}]})
    run_until(services, refused, lambda: bool(found(services)[1]))
    request = RetryRequested(
        experiment="cell",
        key="again",
        time_ns=2,
        producer="test",
        person="somebody",
        scan=0,
        stage="decide",
    )
    with services.journal() as client:
        client.append([request])

    run_until(services, refused, lambda: len(found(services)[1]) == 2)

    starts, failures = found(services)
    assert [start.attempt for start in starts] == [1, 2]
    assert failures[0].key != failures[1].key
