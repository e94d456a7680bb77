"""The service ``label``: stores what people paint, and has a forest answer while they go on.

The loop stores strokes; one thread beside it trains and answers, so that there is never a second
training while one runs, and the newest wins.
"""

import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from lithoscope_messages import (
    SYSTEM_JOURNAL,
    Entry,
    ExperimentEnded,
    FeedHead,
    Life,
    PaintRequested,
    SlicePainted,
)
from lithoscope_services.announce import service_started
from lithoscope_services.errors import JournalRefusedError, StopRequested
from lithoscope_services.journal_client import FeedReader, JournalClient
from lithoscope_services.loop import Loop, endpoint
from lithoscope_services.painting.classes import PAINTED_CLASSES
from lithoscope_services.painting.job import AnswerJob
from lithoscope_store import Store, StoreError, StoreFullError, UnsafePathError
from lithoscope_store.answers import AnswerFiles
from lithoscope_store.painted_labels import paint, painted_marks
from lithoscope_store.painted_planes import PaintLayer

#: Behind all stages: a scan must not wait for a painter.
_NICE = 10
_PLACE = "volumes/"
log = structlog.get_logger()


@dataclass(slots=True)
class _Known:
    """What was read of an experiment."""

    number: int = 0
    is_over: bool = False
    waiting: dict[str, PaintRequested] = field(default_factory=dict)

    def fold(self, entry: Entry) -> None:
        self.number = entry.number
        match entry.message:
            case PaintRequested():
                self.waiting[entry.message.key] = entry.message
            case SlicePainted():
                self.waiting.pop(entry.message.request or "", None)
            case ExperimentEnded():
                self.is_over = True
            case _:
                pass


class LabelService:
    """Takes what is painted in all experiments of an instance that are not over.

    Parameters
    ----------
    loop
        Of this process.
    store
        Where the volumes lie.
    """

    def __init__(self, loop: Loop, store: Store) -> None:
        self._loop = loop
        self._store = store
        self._known: dict[str, _Known] = {}
        self._journal = JournalClient(
            loop.context, endpoint(loop.runtime_dir, "journal"), "label", idle=loop.idle
        )
        self._feed = FeedReader(loop.context, endpoint(loop.runtime_dir, "feed"))
        self._thread = ThreadPoolExecutor(
            max_workers=1,
            thread_name_prefix="forest",
            initializer=lambda: os.nice(_NICE),  # on Linux of this thread alone
        )
        self._wanted: tuple[AnswerJob, AnswerFiles] | None = None
        self._answering: Future[None] | None = None
        self._bell_fd, self._ring_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        """Store and answer until told to stop."""
        self._loop.watch(self._feed.socket, self._follow)
        self._loop.watch(self._bell_fd, self._answered)
        try:
            self._journal.append([service_started("label")])
            for head in self._journal.experiments():
                if not head.sealed and head.experiment != SYSTEM_JOURNAL:
                    self._read(head.experiment)
                    self._recover(head.experiment)
            self._loop.run()
        except StopRequested:
            log.info("stopped_while_waiting")
        finally:
            self._loop.stop()
            self._thread.shutdown(wait=True, cancel_futures=True)
            self._journal.close()
            self._feed.close()
            for fd in (self._bell_fd, self._ring_fd):
                os.close(fd)

    def _follow(self) -> None:
        while (message := self._feed.receive()) is not None:
            if message.experiment == SYSTEM_JOURNAL:
                continue
            known = self._known.setdefault(message.experiment, _Known())
            if isinstance(message, FeedHead):
                if message.head > known.number:
                    self._read(message.experiment)
            elif message.entry.number == known.number + 1:
                known.fold(message.entry)
                self._store_waiting(message.experiment)
            elif message.entry.number > known.number:
                self._read(message.experiment)

    def _read(self, experiment: str) -> None:
        known = self._known.setdefault(experiment, _Known())
        while True:
            page = self._journal.read_since(experiment, known.number)
            for entry in page.entries:
                known.fold(entry)
            if known.number >= page.head or not page.entries:
                break
        self._store_waiting(experiment)

    def _store_waiting(self, experiment: str) -> None:
        known = self._known[experiment]
        for key in list(known.waiting):
            request = known.waiting.pop(key)
            if not known.is_over:
                self._take(request)

    def _take(self, request: PaintRequested) -> None:
        """Store a stroke, say so, and ask for the answer to it."""
        paths = self._store.experiment(request.experiment)
        layer = PaintLayer(axis=request.axis, person=request.person, round=request.round)
        try:
            if not request.path.startswith(_PLACE):
                raise UnsafePathError(f"{request.path} is no volume of {_PLACE}")
            volume = paths.resolve(request.path)
            counts = paint(
                volume,
                layer,
                request.index,
                request.runs,
                PAINTED_CLASSES,
                time_ns=request.time_ns,
            )
        except StoreFullError:
            raise  # it is taken up again when this process is
        except StoreError as error:
            self._loop.pulse.rejected += 1
            log.warning("paint_refused", person=request.person, error=str(error))
            return
        fact = SlicePainted(
            experiment=request.experiment,
            key=request.key,
            time_ns=time.time_ns(),
            producer="label",
            inputs=(request.key,),
            scan=request.scan,
            request=request.key,
            path=request.path,
            label_name=layer.label_name,
            axis=request.axis,
            index=request.index,
            round=request.round,
            person=request.person,
            n_pixels=counts,
        )
        try:
            self._journal.append([fact])
        except JournalRefusedError as error:
            log.warning("experiment_is_over", error=str(error))
            return
        self._loop.pulse.handled += 1
        self._ask(
            request.experiment,
            AnswerJob(volume=volume, scan=request.scan, axis=request.axis, index=request.index),
        )

    def _recover(self, experiment: str) -> None:
        """Ask for the answer to strokes that an earlier process has stored and not answered."""
        paths = self._store.experiment(experiment)
        newest = None
        for volume in (paths.root / "volumes").glob("[0-9]*-*"):
            for mark in painted_marks(volume):
                if newest is None or mark.time_ns > newest[1].time_ns:
                    newest = volume, mark
        if newest is None or self._wanted is not None or self._answering is not None:
            return
        volume, mark = newest
        scan = int(volume.name.partition("-")[0])
        if AnswerFiles.of(self._store, experiment, scan).read_state().of_ns < mark.time_ns:
            job = AnswerJob(volume=volume, scan=scan, axis=mark.layer.axis, index=mark.index)
            self._ask(experiment, job)

    def _ask(self, experiment: str, job: AnswerJob) -> None:
        self._wanted = job, AnswerFiles.of(self._store, experiment, job.scan)
        self._begin()

    def _begin(self) -> None:
        if self._wanted is None or self._answering is not None:
            return
        job, files = self._wanted
        self._wanted = None
        self._loop.pulse.state = Life.RUNNING
        self._loop.pulse.doing = f"answers what was painted on scan {job.scan}"
        self._answering = self._thread.submit(self._answer, job, files)
        self._answering.add_done_callback(lambda _: self._ring())

    def _answer(self, job: AnswerJob, files: AnswerFiles) -> None:
        """Train and answer; in the thread."""
        # Loaded with the first stroke: most experiments are never painted on.
        from lithoscope_services.painting.answer import answer

        answer(job, files, is_stale=self._is_stale)

    def _is_stale(self) -> bool:
        return self._wanted is not None or self._loop.is_stopping

    def _ring(self) -> None:
        with suppress(BlockingIOError, OSError):  # the bell rings already, or nobody listens
            os.write(self._ring_fd, b"\0")

    def _answered(self) -> None:
        with suppress(BlockingIOError):  # nobody rang
            os.read(self._bell_fd, 4096)
        if self._answering is None or not self._answering.done():
            return
        self._answering.result()
        self._answering = None
        self._loop.pulse.state = Life.READY
        self._loop.pulse.doing = ""
        self._begin()
