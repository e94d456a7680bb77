"""The child process of a stage: takes tasks as JSON lines, gives facts as JSON lines.

``python -m lithoscope_services.task_process STAGE STORE``. It ends when its input closes, so it
never outlives its service, whatever becomes of that.
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
from lithoscope_services.stage import Task
from lithoscope_services.stages import stage_named
from lithoscope_store import StoreError


def task_to_json(task: Task) -> bytes:
    """Write a task as one line."""
    parts = {
        "key": task.key,
        "scan": task.scan,
        "inputs": task.inputs,
        "parameters": task.parameters,
        "arguments": task.arguments,
    }
    return json.dumps(parts).encode() + b"\n"


def _task_from_json(line: bytes) -> Task:
    parts = json.loads(line)
    return Task(**{**parts, "inputs": tuple(parts["inputs"])})


def _read_tasks(tasks: "queue.Queue[bytes]") -> None:
    # Unbuffered: a buffered file would hold its lock when the interpreter ends.
    rest = b""
    while data := os.read(0, 1 << 16):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            tasks.put(line)
    # The service is gone: so are we, in the middle of whatever it was.
    os._exit(0)


def _say(kind: str, **parts: Any) -> None:  # any JSON
    # The real output: what libraries print must not be taken for an answer.
    os.write(_OUTPUT, json.dumps({"kind": kind, **parts}).encode() + b"\n")


_OUTPUT = os.dup(1)


def main() -> None:
    """Do tasks until the input closes."""
    os.dup2(2, 1)
    stage = stage_named(sys.argv[1])
    store_root = sys.argv[2]
    tasks: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_read_tasks, args=(tasks,), daemon=True).start()
    _say("ready")
    while True:
        task = _task_from_json(tasks.get())
        try:
            for fact in stage.execute(task, store_root):
                _say("fact", message=encode(fact).decode())
        except (
            *(ServiceError, StoreError, ValueError),
            *(OSError, MemoryError, ArithmeticError),
        ) as error:
            # ValueErrors are contracts broken by the data: trying again would not help.
            is_named = type(error).__module__.startswith("lithoscope_")
            _say(
                "failed",
                error=str(error) if is_named else f"{type(error).__name__}: {error}",
                is_final=isinstance(error, ServiceError | ValueError),
                trace=traceback.format_exc(),
            )
        else:
            _say("done")


if __name__ == "__main__":
    main()
