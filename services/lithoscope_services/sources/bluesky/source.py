"""The process that follows Bluesky documents and feeds ingest with the scans of their runs."""

import time

import structlog
import zmq

from lithoscope_messages import ExperimentDescription
from lithoscope_services.beside import Stopper, run_beside
from lithoscope_services.errors import SourceError
from lithoscope_services.frame_link import FrameLink
from lithoscope_services.history import History
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.loop import Loop, endpoint
from lithoscope_services.settings.tree import Settings
from lithoscope_services.sources.bluesky.feed import DocumentFeed
from lithoscope_services.sources.bluesky.known import known_of, stored_documents
from lithoscope_services.sources.bluesky.receiver import DocumentReceiver
from lithoscope_store import Store

#: In the runtime directory: which scan a run is, where runs do not say so.
STATE = "bluesky.state"
WAIT_S = 0.1
#: Documents taken before frames are looked at again.
MAX_AT_ONCE = 1000
#: A scan may be complete before its RunStop: how long that is waited for at the end.
STOP_WAIT_S = 5.0
log = structlog.get_logger()


def run_bluesky_source(loop: Loop, settings: Settings, store: Store) -> None:
    """Feed ingest from the documents of the settings' proxy, beside the loop.

    Parameters
    ----------
    loop
        Of this process.
    settings
        Of the instance.
    store
        Where the documents and frames of scans that were open before lie.

    Raises
    ------
    ServiceError
        If it cannot go on.
    """

    def work(stopper: Stopper) -> None:
        _follow_proxy(loop, settings, store, stopper)

    run_beside(loop, settings.source.kind, work)


def describe_experiment(settings: Settings) -> ExperimentDescription:
    """Say what the settings know of the experiment."""
    experiment = settings.experiment
    return ExperimentDescription(
        source="live",
        n_scans=experiment.n_scans,
        sample=experiment.sample,
        active_area_cm2=experiment.active_area_cm2,
        first_current_sign=experiment.first_current_sign,
        edge_on_deg=experiment.edge_on_deg,
    )


def _follow_proxy(loop: Loop, settings: Settings, store: Store, stopper: Stopper) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    name, runtime_dir = settings.experiment.name, loop.runtime_dir
    frames = settings.instance.frames_endpoint or endpoint(runtime_dir, "frames")
    try:
        with (
            # First of all: what is published while the journal is read must not be missed.
            DocumentReceiver(settings.source) as receiver,
            JournalClient(
                context, endpoint(runtime_dir, "journal"), "command_line", idle=stopper.check
            ) as journal,
            FrameLink(frames, name, idle=stopper.check) as link,
        ):
            history = History(name)
            history.extend(journal.read_all(name))
            if history.ended is not None:
                return
            link.begin_experiment(describe_experiment(settings))
            paths = store.experiment(name)
            feed = DocumentFeed(
                settings, link, known_of(history, paths), state=runtime_dir / STATE
            )
            feed.restore(stored_documents(paths.documents))
            log.info("documents_followed", address=settings.source.address)
            _follow(receiver, feed, loop, settings, stopper)
            link.end_experiment()
    finally:
        context.term()


def _follow(
    receiver: DocumentReceiver,
    feed: DocumentFeed,
    loop: Loop,
    settings: Settings,
    stopper: Stopper,
) -> None:
    n_scans = settings.experiment.n_scans
    ended_s: float | None = None
    is_busy = False
    while ended_s is None or (feed.awaits_stop and time.monotonic() - ended_s < STOP_WAIT_S):
        stopper.check()
        if receiver.wait(0.0 if is_busy else WAIT_S):
            _take_all(receiver, feed)
        is_busy = feed.turn()
        loop.pulse.handled, loop.pulse.rejected = feed.n_handled, feed.n_refused
        loop.pulse.doing = "" if feed.open_scan is None else f"scan {feed.open_scan}"
        has_all = n_scans is not None and feed.open_scan is None and feed.n_closed >= n_scans
        if has_all and ended_s is None:
            ended_s = time.monotonic()


def _take_all(receiver: DocumentReceiver, feed: DocumentFeed) -> None:
    """Take what has come; what is no document is counted and left."""
    for _ in range(MAX_AT_ONCE):
        if not receiver.wait(0.0):
            return
        try:
            document = receiver.receive()
        except SourceError as error:
            feed.refuse(error)
            continue
        if document is not None:
            feed.take(document)
