"""The runner: the only owner of a stage's sockets, child process and place in the journal."""

import time
from collections import Counter
from functools import partial
from pathlib import Path

import structlog

from lithoscope_messages import (
    SYSTEM_JOURNAL,
    Entry,
    FactMessage,
    FeedEntry,
    FeedHead,
    Hops,
    JournalMessage,
    Life,
    StageFailed,
    WorkStarted,
    adapter_of,
    decode,
)
from lithoscope_services.announce import service_started
from lithoscope_services.child import Answer, Child
from lithoscope_services.errors import StopRequested
from lithoscope_services.history import History
from lithoscope_services.journal_client import FeedReader, JournalClient
from lithoscope_services.loop import Loop, endpoint
from lithoscope_services.stage import Json, LiveStage, Stage, Task

_FACTS = adapter_of(FactMessage)
MAX_FAILURES = 3
# A start without an end is a service that was killed, not a task that failed; but a task that
# takes its service down each time must not be tried for ever.
MAX_STARTS = 12
RETRY_BACKOFF_S = 0.5
# What is begun early is worth less than a child that is there when its task comes.
MAX_DEATHS_FOLLOWING = 3
log = structlog.get_logger()


class Runner:
    """Does the tasks of a stage that have no answer, one at a time, in the journal's order.

    Parameters
    ----------
    loop
        Of this process.
    stage
        Whose plan is followed.
    store_root
        Folder of the store.
    """

    def __init__(self, loop: Loop, stage: Stage, store_root: Path) -> None:
        self._loop = loop
        self._stage = stage
        self._histories: dict[str, History] = {}
        self._failures: dict[str, int] = {}
        self._not_before_s = 0.0
        self._task: tuple[str, Task] | None = None
        self._started_ns = self._received_ns = 0
        self._started_s = 0.0
        self._journal = JournalClient(
            loop.context, endpoint(loop.runtime_dir, "journal"), stage.name, idle=loop.idle
        )
        self._feed = FeedReader(loop.context, endpoint(loop.runtime_dir, "feed"))
        self._child = Child(stage.name, store_root)
        self._live = stage if isinstance(stage, LiveStage) else None
        self._watched: Json | None = None
        self._deaths: Counter[str] = Counter()

    def run(self) -> None:
        """Work until told to stop."""
        self._loop.watch(self._feed.socket, self._follow)
        self._loop.watch(self._child.output_fd, self._take_answers)
        try:
            self._journal.append([service_started(self._stage.name)])
            self._catch_up()
            self._loop.every(0.5, self._advance)
            self._loop.run()
        except StopRequested:
            log.info("stopped_while_waiting")
        finally:
            self._child.kill()
            self._journal.close()
            self._feed.close()

    def _catch_up(self) -> None:
        for head in self._journal.experiments():
            if not head.sealed:
                self._read(head.experiment)

    def _read(self, experiment: str) -> None:
        if experiment == SYSTEM_JOURNAL:
            return
        history = self._histories.setdefault(experiment, History(experiment))
        history.catch_up(partial(self._journal.read_since, experiment))

    def _follow(self) -> None:
        while (message := self._feed.receive()) is not None:
            if message.experiment == SYSTEM_JOURNAL:
                continue
            history = self._histories.get(message.experiment)
            known = 0 if history is None else history.number
            if isinstance(message, FeedHead):
                if message.head > known:
                    self._read(message.experiment)
            elif self._is_next(message, history):
                self._extend(message.experiment, message.entry)
            elif message.entry.number > known:
                self._read(message.experiment)
        self._advance()

    @staticmethod
    def _is_next(message: FeedEntry, history: History | None) -> bool:
        return history is not None and message.entry.number == history.number + 1

    def _extend(self, experiment: str, entry: Entry) -> None:
        self._histories[experiment].extend([entry])

    def _advance(self) -> None:
        """Start the next task if the child is free."""
        if self._task is not None or time.monotonic() < self._not_before_s:
            return
        if not self._child.is_ready:
            return
        waiting = [
            (experiment, task)
            for experiment, history in self._histories.items()
            if history.ended is None
            for task in self._stage.plan(history)
            if task.key not in history.given_up
        ]
        self._loop.pulse.queue_depth = len(waiting)
        if not waiting:
            self._loop.pulse.state, self._loop.pulse.doing = Life.READY, ""
            self._loop.pulse.oldest_s = None
            self._watch()
            return
        if self._loop.pulse.oldest_s is None:
            self._loop.pulse.oldest_s = time.monotonic()
        self._start(*waiting[0])

    def _watch(self) -> None:
        """Let the idle child begin the scan that runs."""
        if self._live is None:
            return
        wanted = (
            self._live.watch(history)
            for history in self._histories.values()
            if history.ended is None
        )
        watched = next((each for each in wanted if each is not None), None)
        if watched is not None and self._deaths[_scan_of(watched)] >= MAX_DEATHS_FOLLOWING:
            watched = None
        if watched is not None:
            self._loop.pulse.doing = f"follows {watched['experiment']} scan {watched['scan']}"
        if watched != self._watched:
            self._watched = watched
            self._child.watch(watched)

    def _start(self, experiment: str, task: Task) -> None:
        history = self._histories[experiment]
        attempt = history.attempts.get(task.key, 0) + 1
        if history.starts_of(task.key) >= MAX_STARTS:
            self._give_up(experiment, task, f"begun {MAX_STARTS} times and never ended")
            return
        self._started_ns, self._started_s = time.time_ns(), time.monotonic()
        self._append(
            experiment,
            [
                WorkStarted(
                    experiment=experiment,
                    key=f"{task.key}:{attempt}",
                    time_ns=self._started_ns,
                    producer=self._stage.name,
                    scan=task.scan,
                    stage=self._stage.name,
                    work_key=task.key,
                    attempt=attempt,
                )
            ],
        )
        self._task = (experiment, task)
        self._loop.pulse.state = Life.RUNNING
        self._loop.pulse.doing = f"{experiment} scan {task.scan}"
        self._child.send(task)

    def _take_answers(self) -> None:
        for answer in self._child.receive():
            self._take(answer)
        if self._child.has_ended:
            self._revive()
        self._advance()

    def _take(self, answer: Answer) -> None:
        if answer.kind == "telemetry":
            self._loop.publish(answer.message.encode())
            return
        if answer.kind == "trouble":
            log.warning("following_failed", error=answer.error, trace=answer.trace)
            return
        if self._task is None:
            return
        experiment, task = self._task
        if answer.kind == "fact":
            self._append(experiment, [self._stamp(answer.message)])
        elif answer.kind == "done":
            self._finish()
            log.info(
                "task_done",
                experiment=experiment,
                scan=task.scan,
                duration_s=round(time.monotonic() - self._started_s, 3),
            )
        elif answer.kind == "failed":
            log.error("task_failed", scan=task.scan, error=answer.error, trace=answer.trace)
            self._failed(answer.error, is_final=answer.is_final)

    def _finish(self) -> None:
        self._task = None
        self._loop.pulse.handled += 1
        self._loop.pulse.oldest_s = None

    def _failed(self, error: str, *, is_final: bool) -> None:
        if self._task is None:
            return
        experiment, task = self._task
        self._finish()
        count = self._failures[task.key] = self._failures.get(task.key, 0) + 1
        if is_final or count >= MAX_FAILURES:
            self._give_up(experiment, task, error)
        else:
            self._not_before_s = time.monotonic() + RETRY_BACKOFF_S * 2**count

    def _give_up(self, experiment: str, task: Task, error: str) -> None:
        history = self._histories[experiment]
        retries = history.retries.get((task.scan, self._stage.name), 0)
        self._loop.pulse.rejected += 1
        self._append(
            experiment,
            [
                StageFailed(
                    experiment=experiment,
                    key=f"{task.key}:{retries}",
                    time_ns=time.time_ns(),
                    producer=self._stage.name,
                    scan=task.scan,
                    stage=self._stage.name,
                    work_key=task.key,
                    attempts=max(1, self._failures.pop(task.key, 0)),
                    error=error[:2000],
                )
            ],
        )

    def _revive(self) -> None:
        """Replace a child process that ended by itself."""
        self._loop.unwatch(self._child.output_fd)
        code = self._child.kill()
        if self._task is None and self._watched is not None:
            log.warning("child_died_following", code=code)
            self._deaths[_scan_of(self._watched)] += 1
        self._watched = None
        self._failed(f"the task ended its process with code {code}", is_final=False)
        self._child.start()
        self._loop.watch(self._child.output_fd, self._take_answers)

    def _stamp(self, message: str) -> JournalMessage:
        fact: FactMessage = decode(message.encode(), _FACTS)
        now_ns = time.time_ns()
        hops = Hops(
            received_ns=self._started_ns,
            started_ns=self._started_ns,
            finished_ns=now_ns,
            duration_s=time.monotonic() - self._started_s,
        )
        return fact.model_copy(update={"hops": hops, "time_ns": now_ns})

    def _append(self, experiment: str, messages: list[JournalMessage]) -> None:
        """Write facts, and know them before the feed brings them back."""
        self._journal.append(messages)
        self._read(experiment)


def _scan_of(watched: Json) -> str:
    return f"{watched['experiment']}/{watched['scan']}"
