"""The child process of a stage: takes tasks as JSON lines, gives facts as JSON lines.

``python -m lithoscope_services.task_process STAGE STORE``. It ends when its input closes, so it
never outlives its service, whatever becomes of that. Between tasks a :class:`LiveStage` follows
the running scan, in steps so short that a task need not wait.
"""

import json
import os
import queue
import sys
import threading
import traceback
from typing import Any

from lithoscope_messages import encode
from lithoscope_services.errors import ServiceError
from lithoscope_services.stage import Json, LiveStage, Stage, Task
from lithoscope_services.stages import stage_named
from lithoscope_services.task_troubles import TROUBLES, name_of

#: Between two looks for new frames of the scan that is followed.
LOOK_S = 0.1


def task_to_json(task: Task) -> bytes:
    """Write a task as one line."""
    parts = {
        "key": task.key,
        "scan": task.scan,
        "inputs": task.inputs,
        "parameters": task.parameters,
        "arguments": task.arguments,
    }
    return json.dumps({"task": parts}).encode() + b"\n"


def watched_to_json(watched: Json | None) -> bytes:
    """Write what is to be followed as one line."""
    return json.dumps({"watched": watched}).encode() + b"\n"


def _task_of(parts: dict[str, Any]) -> Task:  # any JSON
    return Task(**{**parts, "inputs": tuple(parts["inputs"])})


def _read_lines(lines: "queue.Queue[bytes]") -> None:
    # Unbuffered: a buffered file would hold its lock when the interpreter ends.
    rest = b""
    while data := os.read(0, 1 << 16):
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            lines.put(line)
    # The service is gone: so are we, in the middle of whatever it was.
    os._exit(0)


def _say(kind: str, **parts: Any) -> None:  # any JSON
    # The real output: what libraries print must not be taken for an answer.
    rest = memoryview(json.dumps({"kind": kind, **parts}).encode() + b"\n")
    while rest:
        rest = rest[os.write(_OUTPUT, rest) :]


_OUTPUT = os.dup(1)


def main() -> None:
    """Do tasks until the input closes."""
    os.dup2(2, 1)
    stage = stage_named(sys.argv[1])
    store_root = sys.argv[2]
    live = stage if isinstance(stage, LiveStage) else None
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_read_lines, args=(lines,), daemon=True).start()
    _say("ready")
    wait_s: float | None = None  # for ever: nothing is followed
    while True:
        try:
            order = json.loads(lines.get(timeout=wait_s))
        except queue.Empty:
            wait_s = LOOK_S if live is None or _step(live) else 0.0
            continue
        if "task" in order:
            _do(stage, _task_of(order["task"]), store_root)
        elif live is not None:
            live.follow(order["watched"], store_root)
            wait_s = None if order["watched"] is None else 0.0


def _do(stage: Stage, task: Task, store_root: str) -> None:
    try:
        for fact in stage.execute(task, store_root):
            _say("fact", message=encode(fact).decode())
    except TROUBLES as error:
        _say(
            "failed",
            error=name_of(error),
            # ValueErrors are contracts broken by the data: trying again would not help.
            is_final=isinstance(error, ServiceError | ValueError),
            trace=traceback.format_exc(),
        )
    else:
        _say("done")


def _step(live: LiveStage) -> bool:
    """Follow the running scan a little, and tell whether there is nothing more to do."""
    try:
        step = live.step()
    except TROUBLES as error:
        # The task of the scan does all of it anew, and says what is wrong if it still is.
        live.abandon(name_of(error))
        _say("trouble", error=name_of(error), trace=traceback.format_exc())
        return True
    for message in step.messages:
        _say("telemetry", message=encode(message).decode())
    return step.is_idle


if __name__ == "__main__":
    main()
