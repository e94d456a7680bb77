"""The supervisor: starts the services, starts them again when they end, ends them together.

``python -m lithoscope_services.supervisor PLAN.json --lifeline-fd N``. Each child holds the read
end of a pipe whose write end is here alone: when this process is gone, however it went, the pipes
close and the children stop by themselves.
"""

import argparse
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from lithoscope_services.logs import configure_logs
from lithoscope_services.loop import Loop

LOOK_S = 0.1
BACKOFF_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
STEADY_S = 20.0
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildPlan:
    """How one child is run.

    Parameters
    ----------
    name
        Of the service.
    command
        Program and arguments; ``--lifeline-fd N`` is put behind them.
    ends
        Whether an exit with code 0 is its natural end; else it is started again.
    """

    name: str
    command: tuple[str, ...]
    ends: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorPlan:
    """What a supervisor runs, in the order of starting; stopped in the reverse order."""

    runtime_dir: Path
    drain_timeout_s: float
    children: tuple[ChildPlan, ...]

    def save(self, path: Path) -> None:
        """Write the plan as JSON."""
        parts = {
            "runtime_dir": str(self.runtime_dir),
            "drain_timeout_s": self.drain_timeout_s,
            "children": [
                {"name": child.name, "command": list(child.command), "ends": child.ends}
                for child in self.children
            ],
        }
        path.write_text(json.dumps(parts, indent=2))

    @classmethod
    def load(cls, path: Path) -> "SupervisorPlan":
        """Read a plan."""
        parts = json.loads(path.read_text())
        children = tuple(
            ChildPlan(name=each["name"], command=tuple(each["command"]), ends=each["ends"])
            for each in parts["children"]
        )
        return cls(
            runtime_dir=Path(parts["runtime_dir"]),
            drain_timeout_s=parts["drain_timeout_s"],
            children=children,
        )


class _Child:
    """One child: its process, its life-line, and when it may be started again."""

    def __init__(self, plan: ChildPlan) -> None:
        self.plan = plan
        self.process: subprocess.Popen[bytes] | None = None
        self.has_ended = False
        self._lifeline = -1
        self._starts = 0
        self._started_s = self._due_s = 0.0

    def look(self) -> None:
        """Start it if it should run and does not."""
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            self._bury(code)
        if not self.has_ended and time.monotonic() >= self._due_s:
            self._start()

    def signal(self, number: int) -> None:
        """Send it a signal if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def _start(self) -> None:
        read_fd, self._lifeline = os.pipe()
        self._started_s = time.monotonic()
        self._starts += 1
        # A session of its own: Ctrl-C reaches the front process alone, which ends all in order.
        self.process = subprocess.Popen(
            [*self.plan.command, "--lifeline-fd", str(read_fd)],
            pass_fds=(read_fd,),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(read_fd)
        log.info("service_started", name=self.plan.name, pid=self.process.pid)

    def _bury(self, code: int) -> None:
        now_s = time.monotonic()
        os.close(self._lifeline)
        self.process = None
        if code == 0 and self.plan.ends:
            self.has_ended = True
            log.info("service_done", name=self.plan.name)
            return
        if now_s - self._started_s > STEADY_S:
            self._starts = 0
        wait_s = BACKOFF_S[min(self._starts, len(BACKOFF_S) - 1)]
        self._due_s = now_s + wait_s
        log.warning("service_ended", name=self.plan.name, code=code, again_in_s=wait_s)


class Supervisor:
    """Runs the children of a plan.

    Parameters
    ----------
    loop
        Of this process.
    plan
        What to run.
    """

    def __init__(self, loop: Loop, plan: SupervisorPlan) -> None:
        self._loop = loop
        self._plan = plan
        self._children = [_Child(child) for child in plan.children]

    def run(self) -> None:
        """Run the children until told to stop, then stop them."""
        self._loop.every(LOOK_S, self._look)
        try:
            self._loop.run()
        finally:
            self._stop()

    def _look(self) -> None:
        for child in self._children:
            child.look()
        running = sum(child.process is not None for child in self._children)
        self._loop.pulse.doing = f"{running} of {len(self._children)} services run"

    def _stop(self) -> None:
        """End the children, the first started last: the journal hears all the others out."""
        begin_s = time.monotonic()
        deadline_s = begin_s + self._plan.drain_timeout_s
        first, others = self._children[:1], self._children[1:]
        for group in (others, first):
            for child in group:
                child.signal(signal.SIGTERM)
            self._wait(group, deadline_s)
        for child in self._children:
            if child.process is not None and child.process.poll() is None:
                log.error("service_killed", name=child.plan.name, pid=child.process.pid)
                child.process.kill()
                child.process.wait()
        log.info("all_stopped", duration_s=round(time.monotonic() - begin_s, 2))

    @staticmethod
    def _wait(group: list[_Child], deadline_s: float) -> None:
        for child in group:
            if child.process is not None:
                try:
                    child.process.wait(max(0.05, deadline_s - time.monotonic()))
                except subprocess.TimeoutExpired:
                    continue
                log.info("service_stopped", name=child.plan.name)


def main() -> None:
    """Run the supervisor of a plan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--lifeline-fd", type=int, required=True)
    arguments = parser.parse_args()
    configure_logs("supervisor")
    plan = SupervisorPlan.load(arguments.plan)
    with Loop("supervisor", plan.runtime_dir, arguments.lifeline_fd) as loop:
        Supervisor(loop, plan).run()


if __name__ == "__main__":
    main()
