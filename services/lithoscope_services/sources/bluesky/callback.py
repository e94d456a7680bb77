"""A Bluesky callback that feeds ingest from within the RunEngine's own process, without 0MQ."""

import queue
import threading
import time
from types import TracebackType
from typing import Any, Self

import structlog

from lithoscope_services.errors import ServiceError, SourceError, StopRequested
from lithoscope_services.frame_link import FrameLink
from lithoscope_services.settings.tree import Settings
from lithoscope_services.sources.bluesky.decoder import Document, check_document
from lithoscope_services.sources.bluesky.feed import DocumentFeed
from lithoscope_services.sources.bluesky.known import Known
from lithoscope_services.sources.bluesky.source import describe_experiment

WAIT_S = 0.1
log = structlog.get_logger()


class LithoscopeCallback:
    """Subscribe it to a RunEngine: the scans of its runs go to a Lithoscope instance.

    It never holds up or ends a plan: documents wait in its memory and frames in the detector's
    files until a thread of its own has sent them, and what it cannot take is counted. A context
    manager that waits for the last scan; see :meth:`close`.

    Parameters
    ----------
    link
        To ingest, or its address: ``endpoints["frames"]`` of the instance. An open link stays
        open when this is closed.
    settings
        ``experiment.name``, ``[source] folder`` and, where runs do not say it, the counts of
        frames and ``[scan] voxel_size_um``.
    known
        What is known of an experiment that goes on; left out, it begins.

    Examples
    --------
    >>> with LithoscopeCallback(address, settings) as callback:  # doctest: +SKIP
    ...     RE.subscribe(callback)
    ...     RE(plan())
    """

    def __init__(
        self, link: FrameLink | str, settings: Settings, *, known: Known | None = None
    ) -> None:
        if settings.source.folder is None:
            raise SourceError(
                "source.folder is missing; give the one below which the detectors write"
            )
        self._settings = settings
        self._known = Known() if known is None else known
        self._documents: queue.SimpleQueue[Document | SourceError] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._idle = threading.Event()
        self._failure: ServiceError | None = None
        self._owned = isinstance(link, str)
        self._link = (
            FrameLink(link, settings.experiment.name, idle=self._check)
            if isinstance(link, str)
            else link
        )
        self._thread = threading.Thread(target=self._run, name="lithoscope-callback", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __call__(self, name: str, document: dict[str, Any]) -> None:
        """Take a document, as RunEngines give it; a copy is made at once."""
        self._idle.clear()
        try:
            self._documents.put(check_document(name, document))
        except SourceError as error:
            self._documents.put(error)

    def wait(self, timeout_s: float) -> bool:
        """Wait until the scans of all runs that have stopped are on the disk of ingest.

        Returns
        -------
        bool
            False if they were not in time.
        """
        end_s = time.monotonic() + timeout_s
        while self._thread.is_alive() and time.monotonic() < end_s:
            if self._idle.wait(WAIT_S):
                return True
        return self._idle.is_set()

    def close(self, *, timeout_s: float = 60.0, ends_experiment: bool = False) -> None:
        """Wait for the scans that are under way, and end the thread.

        Parameters
        ----------
        timeout_s
            How long scans are waited for.
        ends_experiment
            No further scan comes: ingest is told, and waits for the last one to be decided.

        Raises
        ------
        ServiceError
            If ingest did not take what was sent.
        """
        is_done = self.wait(timeout_s)
        self._stop.set()
        self._thread.join(timeout=10.0)
        try:
            if self._failure is not None:
                raise self._failure
            if not is_done:
                raise ServiceError(
                    f"callback: scans were not on disk after {timeout_s:.0f} s; look at "
                    "`lithoscope status`"
                )
            if ends_experiment:
                self._stop.clear()
                self._link.end_experiment()
        finally:
            if self._owned:
                self._link.close()

    def _check(self) -> None:
        if self._stop.is_set():
            raise StopRequested("the callback was closed")

    def _run(self) -> None:
        try:
            self._link.begin_experiment(describe_experiment(self._settings))
            feed = DocumentFeed(self._settings, self._link, self._known)
            while not self._stop.is_set():
                self._turn(feed)
        except StopRequested:
            log.info("callback_stopped")
        except ServiceError as error:
            # The plan goes on; who closes the callback is told.
            log.exception("callback_failed")
            self._failure = error

    def _turn(self, feed: DocumentFeed) -> None:
        wait_s = WAIT_S
        while True:
            try:
                found = self._documents.get(timeout=wait_s)
            except queue.Empty:
                break
            wait_s = 0.001
            if isinstance(found, SourceError):
                feed.refuse(found)
            else:
                feed.take(found)
        while feed.turn():
            self._check()
        if feed.is_idle and self._documents.empty():
            self._idle.set()
