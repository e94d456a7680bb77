"""The one writer of an experiment without services: plans, gives out jobs, keeps the journal."""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from lithoscope_messages import (
    ExperimentEnded,
    Fact,
    Hops,
    JournalMessage,
    SlabReady,
    StageFailed,
    StageName,
    WorkStarted,
)
from lithoscope_services.chain.executor import Ended, Executor
from lithoscope_services.chain.jobs import (
    Job,
    JobAnswer,
    Kind,
    encode_facts,
    forget_answer,
    read_answer,
    write_job,
)
from lithoscope_services.chain.reuse import KnownResults
from lithoscope_services.chain.scratch import jobs_folder, scratch_folder
from lithoscope_services.history import History
from lithoscope_services.runner import MAX_FAILURES
from lithoscope_services.stage import Json, PartedStage, Stage, Task
from lithoscope_services.stages import stage_named
from lithoscope_services.task_troubles import TROUBLES, name_of
from lithoscope_store import ExperimentPaths, JournalDatabase

LOOK_S = 0.5
STAGES: tuple[StageName, ...] = ("reconstruct", "register", "segment", "measure", "decide")
#: So small that sending it away takes longer than doing it.
_INLINE = frozenset({"decide"})
log = structlog.get_logger()


@dataclass(slots=True)
class _Work:
    """A task under way."""

    stage: Stage
    task: Task
    started_ns: int
    started_s: float
    waits_for: dict[str, Kind] = field(default_factory=dict)
    begun: Json | None = None
    slabs: dict[str, Fact] = field(default_factory=dict)


class Chain:
    """Takes an experiment through its stages.

    The journal is the truth: what stands there is not done again, whatever becomes of this
    process. Only this object writes it; the lock of the experiment must be held.

    Parameters
    ----------
    paths
        Of the experiment.
    database
        Its journal, open.
    executor
        Who does the jobs.
    stages
        That are run.
    known
        Results that are taken over where their key fits.
    n_beside
        Jobs that are done at the same time on one machine; they share its memory.
    look
        Called again and again; may raise to stop.
    on_step
        Called with the number of stages of scans that were settled since.
    """

    def __init__(
        self,
        paths: ExperimentPaths,
        database: JournalDatabase,
        executor: Executor,
        *,
        stages: Sequence[StageName] = STAGES,
        known: KnownResults | None = None,
        n_beside: int = 1,
        look: Callable[[], None] = lambda: None,
        on_step: Callable[[int], None] = lambda _n: None,
    ) -> None:
        self._paths = paths
        self._database = database
        self._executor = executor
        self._stages = [stage_named(name) for name in stages]
        self._known = known
        self._n_beside = n_beside
        self._look, self._on_step = look, on_step
        self._works: dict[str, _Work] = {}
        self._of_job: dict[str, str] = {}
        self._failures: Counter[str] = Counter()
        self._done: set[str] = set()
        self._n_settled = 0
        self.history = History(paths.name)
        self.history.catch_up(self._database.read_since)

    def run(self) -> None:
        """Work until nothing is left to be done."""
        self._say_steps()
        while True:
            self._look()
            for stage, task in self._planned():
                self._start(stage, task)
            if not self._works:
                if not any(True for _ in self._planned()):
                    return
                continue
            for ended in self._executor.wait(LOOK_S):
                self._take(ended)
            self._say_steps()

    def end(self) -> None:
        """Say that the experiment is over, and take away what was only for the work."""
        if self.history.ended is None:
            n_scans = len(self.history.scans)
            self._append([ExperimentEnded(**self._common(self._paths.name), n_scans=n_scans)])
        shutil.rmtree(jobs_folder(self._paths), ignore_errors=True)

    def _planned(self) -> Iterator[tuple[Stage, Task]]:
        for stage in self._stages:
            for task in stage.plan(self.history):
                # A task that was done and is planned again would be planned for ever.
                known = self.history.given_up | self._works.keys() | self._done
                if task.key not in known:
                    yield stage, task

    def _start(self, stage: Stage, task: Task) -> None:
        work = _Work(stage, task, time.time_ns(), time.monotonic())
        self._works[task.key] = work
        attempt = self.history.attempts.get(task.key, 0) + 1
        self._append([self._work_started(stage, task, attempt)])
        source = None if self._known is None else self._known.source_of(task)
        if stage.name in _INLINE:
            self._do_here(work)
        elif source is not None:
            self._submit(work, "reuse", {"source": source})
        else:
            self._submit(work, "begin" if isinstance(stage, PartedStage) else "task", {})

    def _do_here(self, work: _Work) -> None:
        try:
            facts = list(work.stage.execute(work.task, self._store_root))
        except TROUBLES as error:
            self._give_up(work, name_of(error), attempts=1)
            return
        self._append([self._stamp(work, fact) for fact in facts])
        self._close(work)

    @property
    def _store_root(self) -> str:
        return str(self._paths.root.parent)

    def _submit(self, work: _Work, kind: Kind, given: Json, suffix: str = "") -> None:
        task = work.task
        job_id = f"{task.scan:04d}-{work.stage.name}-{task.key[:16]}-{kind}{suffix}"
        if "memory_share" in task.arguments and self._n_beside > 1:
            share = task.arguments["memory_share"] / self._n_beside
            arguments = {**task.arguments, "memory_share": share}
            task = Task(
                key=task.key,
                scan=task.scan,
                inputs=task.inputs,
                parameters=task.parameters,
                arguments=arguments,
            )
        write_job(
            self._paths, Job(id=job_id, kind=kind, stage=work.stage.name, task=task, given=given)
        )
        known = read_answer(self._paths, job_id)
        if known is not None and known.error:
            # What failed for a command that was ended is tried again by the next one.
            forget_answer(self._paths, job_id)
        work.waits_for[job_id] = kind
        self._of_job[job_id] = task.key
        # Earlier scans first: later ones wait for them, and disks are read in one direction.
        self._executor.submit(job_id, priority=-task.scan)

    def _take(self, ended: Ended) -> None:
        key = self._of_job.get(ended.job_id)
        work = None if key is None else self._works.get(key)
        if work is None or ended.job_id not in work.waits_for:
            return
        answer = read_answer(self._paths, ended.job_id)
        if answer is None:
            self._failed(work, ended.job_id, ended.error or "its answer is missing", False)
        elif answer.error:
            log.error("job_failed", job=ended.job_id, error=answer.error, trace=answer.trace)
            forget_answer(self._paths, ended.job_id)
            self._failed(work, ended.job_id, answer.error, answer.is_final)
        else:
            self._go_on(work, work.waits_for.pop(ended.job_id), answer)

    def _go_on(self, work: _Work, kind: Kind, answer: JobAnswer) -> None:
        """Take the answer of a job, and give out what comes after it."""
        self._append([self._stamp(work, fact, answer) for fact in answer.facts])
        work.slabs |= {fact.key: fact for fact in answer.facts if isinstance(fact, SlabReady)}
        if kind == "begin":
            work.begun = answer.begun or {"parts": []}
            for number, part in enumerate(work.begun["parts"]):
                self._submit(work, "part", {"begun": work.begun, "part": part}, f"-{number}")
            if not work.waits_for:
                self._submit(work, "task", {})
        elif kind == "part" and not work.waits_for:
            facts = encode_facts(list(work.slabs.values()))
            self._submit(work, "finish", {"begun": work.begun, "facts": facts})
        elif not work.waits_for:
            self._close(work)

    def _close(self, work: _Work) -> None:
        shutil.rmtree(scratch_folder(self._paths, work.task.key), ignore_errors=True)
        del self._works[work.task.key]
        self._done.add(work.task.key)

    def _failed(self, work: _Work, job_id: str, error: str, is_final: bool) -> None:
        self._failures[job_id] += 1
        if not is_final and self._failures[job_id] < MAX_FAILURES:
            self._executor.submit(job_id, priority=-work.task.scan)
            return
        self._give_up(work, error, attempts=self._failures[job_id])

    def _give_up(self, work: _Work, error: str, *, attempts: int) -> None:
        task, name = work.task, work.stage.name
        retries = self.history.retries.get((task.scan, name), 0)
        self._append(
            [
                StageFailed(
                    **self._common(f"{task.key}:{retries}", producer=name),
                    scan=task.scan,
                    stage=name,
                    work_key=task.key,
                    attempts=attempts,
                    error=error[:2000],
                )
            ]
        )
        # Parts that are still under way come to nothing.
        del self._works[task.key]

    def _work_started(self, stage: Stage, task: Task, attempt: int) -> WorkStarted:
        return WorkStarted(
            **self._common(f"{task.key}:{attempt}", producer=stage.name),
            scan=task.scan,
            stage=stage.name,
            work_key=task.key,
            attempt=attempt,
        )

    def _stamp(self, work: _Work, fact: Fact, answer: JobAnswer | None = None) -> JournalMessage:
        now_ns = time.time_ns()
        hops = Hops(
            received_ns=work.started_ns,
            started_ns=work.started_ns if answer is None else answer.started_ns,
            finished_ns=now_ns if answer is None else answer.finished_ns,
            duration_s=(
                time.monotonic() - work.started_s if answer is None else answer.duration_s
            ),
        )
        stamped: JournalMessage = fact.model_copy(  # type: ignore[assignment] # facts all
            update={"hops": hops, "time_ns": now_ns}
        )
        return stamped

    def _common(self, key: str, producer: str = "command_line") -> dict[str, Any]:
        return {
            "experiment": self._paths.name,
            "key": key,
            "time_ns": time.time_ns(),
            "producer": producer,
        }

    def _append(self, messages: Sequence[JournalMessage]) -> None:
        if messages:
            self._database.append(messages)
            self.history.catch_up(self._database.read_since)

    def _say_steps(self) -> None:
        n_settled = sum(
            sum(
                fact is not None
                for fact in (s.volume, s.transform, s.labels, s.metrics, s.decided)
            )
            for s in self.history.in_order()
        )
        self._on_step(n_settled - self._n_settled)
        self._n_settled = n_settled
