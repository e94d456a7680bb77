"""The other end of a task process: start it, send it tasks, take its answers, end it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lithoscope_services.stage import Json, Task
from lithoscope_services.task_process import task_to_json, watched_to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One line of a task process."""

    kind: str
    message: str = ""
    error: str = ""
    is_final: bool = False
    trace: str = ""


class Child:
    """The task process of a stage.

    Parameters
    ----------
    stage
        Name of the stage.
    store_root
        Folder of the store.
    """

    def __init__(self, stage: str, store_root: Path) -> None:
        self._command = [
            sys.executable,
            "-m",
            "lithoscope_services.task_process",
            stage,
            str(store_root),
        ]
        self.start()

    def start(self) -> None:
        """Start the process."""
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._rest = b""
        self.is_ready = False
        self.has_ended = False
        os.set_blocking(self.output_fd, False)

    @property
    def output_fd(self) -> int:
        """Descriptor to poll for answers."""
        return self._process.stdout.fileno()  # type: ignore[union-attr] # a pipe was asked for

    def send(self, task: Task) -> None:
        """Give it a task. A process that is gone shows in :meth:`receive`."""
        self._write(task_to_json(task))

    def watch(self, watched: Json | None) -> None:
        """Tell it which running scan to follow between tasks, or none."""
        self._write(watched_to_json(watched))

    def _write(self, line: bytes) -> None:
        try:
            self._process.stdin.write(line)  # type: ignore[union-attr] # as above
        except BrokenPipeError:
            self.has_ended = True

    def receive(self) -> list[Answer]:
        """Take the answers that have come, without waiting."""
        try:
            data = os.read(self.output_fd, 1 << 20)
        except BlockingIOError:
            return []
        self.has_ended = self.has_ended or not data
        *lines, self._rest = (self._rest + data).split(b"\n")
        answers = [Answer(**json.loads(line)) for line in lines]
        if any(answer.kind == "ready" for answer in answers):
            self.is_ready = True
        return answers

    def kill(self) -> int:
        """End the process at once and give its exit code."""
        self._process.kill()
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        return code
