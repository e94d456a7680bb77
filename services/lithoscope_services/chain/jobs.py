"""Jobs as files: what an executor is told are three names, what comes back lies on the disk.

A job is JSON beside the experiment, its answer another file that is written at once when the work
is durable. Whoever loses a process, a scheduler or the command itself loses no answer.
"""

import json
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from lithoscope_messages import Fact, FactMessage, adapter_of, decode, encode
from lithoscope_services.chain.reuse import reuse_result
from lithoscope_services.chain.scratch import jobs_folder
from lithoscope_services.errors import ServiceError
from lithoscope_services.stage import Json, PartedStage, Stage, Task, make_task
from lithoscope_services.stages import stage_named
from lithoscope_services.task_troubles import TROUBLES, name_of
from lithoscope_store import ExperimentPaths, Store
from lithoscope_store.durable import make_directory, write_atomic

Kind = Literal["task", "begin", "part", "finish", "reuse"]
_FACTS = adapter_of(FactMessage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be done.

    Parameters
    ----------
    id
        Name of its files.
    kind
        A whole task, what its parts need, a part, the putting together, or the taking over of a
        result from another experiment.
    stage
        Of the task.
    task
        The task.
    given
        What the kind needs besides: ``begun``, ``part``, ``facts`` or ``source``.
    """

    id: str
    kind: Kind
    stage: str
    task: Task
    given: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAnswer:
    """What became of a job.

    Parameters
    ----------
    facts
        To be appended.
    begun
        Of a ``begin``: for its parts.
    error
        Empty if all is well.
    is_final
        Whether trying again would not help.
    trace
        For the log.
    started_ns, finished_ns, duration_s
        When it was worked on.
    """

    facts: tuple[Fact, ...] = ()
    begun: Json | None = None
    error: str = ""
    is_final: bool = False
    trace: str = ""
    started_ns: int
    finished_ns: int
    duration_s: float


def write_job(paths: ExperimentPaths, job: Job) -> None:
    """Lay a job where :func:`run_job` finds it."""
    make_directory(jobs_folder(paths))
    text = json.dumps(asdict(job), separators=(",", ":"), allow_nan=False)
    write_atomic(_job_file(paths, job.id), text.encode())


def read_answer(paths: ExperimentPaths, job_id: str) -> JobAnswer | None:
    """Read what became of a job; None if it has no answer yet."""
    try:
        parts = json.loads(_answer_file(paths, job_id).read_bytes())
    except FileNotFoundError:
        return None
    facts = tuple(decode(text.encode(), _FACTS) for text in parts.pop("facts"))
    return JobAnswer(facts=facts, **parts)


def forget_answer(paths: ExperimentPaths, job_id: str) -> None:
    """Take an answer away, so that the job is done again."""
    _answer_file(paths, job_id).unlink(missing_ok=True)


def run_job(store_root: str, experiment: str, job_id: str) -> str:
    """Do a job that lies on the disk, and lay its answer beside it.

    Called in processes that know nothing but these three names. A job that has an answer is not
    done again.

    Parameters
    ----------
    store_root, experiment
        Where it lies.
    job_id
        Which.

    Returns
    -------
    str
        The same ``job_id``.
    """
    paths = Store(Path(store_root)).experiment(experiment)
    if _answer_file(paths, job_id).exists():
        return job_id
    job = _read_job(paths, job_id)
    started_ns, started_s = time.time_ns(), time.monotonic()
    facts: list[str] = []
    said: dict[str, Any] = {}
    try:
        begun, found = _do(job, store_root)
        said["begun"] = begun
        facts = [encode(fact).decode() for fact in found]
    except TROUBLES as error:
        said |= {
            "error": name_of(error),
            "is_final": isinstance(error, ServiceError | ValueError),
            "trace": traceback.format_exc(),
        }
    answer = {
        **said,
        "facts": facts,
        "started_ns": started_ns,
        "finished_ns": time.time_ns(),
        "duration_s": time.monotonic() - started_s,
    }
    write_atomic(_answer_file(paths, job_id), json.dumps(answer, allow_nan=False).encode())
    return job_id


def _do(job: Job, store_root: str) -> tuple[Json | None, Iterator[Fact]]:
    stage = stage_named(job.stage)
    if job.kind == "reuse":
        return None, reuse_result(job.task, store_root, job.given["source"])
    _check_version(stage, job.task)
    if job.kind == "task":
        return None, stage.execute(job.task, store_root)
    if not isinstance(stage, PartedStage):
        raise ServiceError(f"{job.stage} knows no parts; all machines need the same lithoscope")
    if job.kind == "begin":
        return stage.begin(job.task, store_root), iter(())
    begun = job.given["begun"]
    if job.kind == "part":
        return None, stage.do_part(job.task, store_root, begun, job.given["part"])
    return None, stage.finish(job.task, store_root, begun, decode_facts(job.given["facts"]))


def encode_facts(facts: Sequence[Fact]) -> list[str]:
    """Write facts as JSON texts."""
    return [encode(fact).decode() for fact in facts]


def decode_facts(texts: Sequence[str]) -> list[Fact]:
    """Read facts from JSON texts."""
    return [decode(text.encode(), _FACTS) for text in texts]


def _check_version(stage: Stage, task: Task) -> None:
    """Refuse a task that this program would do otherwise than the one that planned it."""
    made = make_task(
        stage,
        task.scan,
        inputs=task.inputs,
        parameters=task.parameters,
        arguments=task.arguments,
    )
    if made.key != task.key:
        raise ServiceError(
            f"this worker has another version of {stage.name} than the command; install the "
            "same lithoscope on all machines"
        )


def _read_job(paths: ExperimentPaths, job_id: str) -> Job:
    parts = json.loads(_job_file(paths, job_id).read_bytes())
    task: Mapping[str, Any] = parts.pop("task")
    return Job(task=Task(**{**task, "inputs": tuple(task["inputs"])}), **parts)


def _job_file(paths: ExperimentPaths, job_id: str) -> Path:
    return jobs_folder(paths) / f"{job_id}.json"


def _answer_file(paths: ExperimentPaths, job_id: str) -> Path:
    return jobs_folder(paths) / f"{job_id}.answer.json"
