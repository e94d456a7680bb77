"""Who does the jobs: this process, one after another, or a cluster."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lithoscope_services.chain.jobs import run_job


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that is no longer under way.

    ``error`` says why it has no answer, such as a worker that died; empty if it has one.
    """

    job_id: str
    error: str = ""


class Executor(Protocol):
    """Does jobs somewhere, in any order."""

    def submit(self, job_id: str, *, priority: int) -> None:
        """Take a job that lies on the disk; a higher priority comes first."""

    def wait(self, timeout_s: float) -> Sequence[Ended]:
        """Give the jobs that have ended since, waiting for the first at most so long."""

    def close(self) -> None:
        """Let go of everything; jobs that are under way may be lost."""


class InProcess:
    """Does jobs in this process, one after another.

    Parameters
    ----------
    store_root, experiment
        Where the jobs lie.
    """

    def __init__(self, store_root: str, experiment: str) -> None:
        self._where = store_root, experiment
        self._waiting: deque[str] = deque()

    def submit(self, job_id: str, *, priority: int) -> None:
        """Take a job; they are done as they come, whatever the priority."""
        del priority
        self._waiting.append(job_id)

    def wait(self, timeout_s: float) -> Sequence[Ended]:
        """Do the next job."""
        del timeout_s
        if not self._waiting:
            return ()
        job_id = self._waiting.popleft()
        run_job(*self._where, job_id)
        return (Ended(job_id),)

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
