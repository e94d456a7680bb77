"""Ingest: takes frames from sources, makes them durable, acknowledges, and owns the life cycle.

It alone says ExperimentStarted, ScanStarted, ScanCompleted and ExperimentEnded. What it has
acknowledged is on disk; what it has not, the source still has.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
import zmq

from lithoscope_messages import (
    SYSTEM_JOURNAL,
    Abandoned,
    Acknowledgement,
    BlueskyDocument,
    FeedHead,
    FrameHeader,
    Message,
    MessageError,
    Refusal,
    ScanEnd,
    ScanProgress,
    SourceMessage,
    adapter_of,
    decode,
    encode,
    reason_of,
)
from lithoscope_services.announce import service_started
from lithoscope_services.errors import JournalRefusedError, StopRequested
from lithoscope_services.intake import Pixels
from lithoscope_services.intake_experiment import ExperimentIntake, NotYet
from lithoscope_services.journal_client import FeedReader, JournalClient
from lithoscope_services.loop import Loop, endpoint
from lithoscope_services.ranges import Ranges
from lithoscope_services.settings.tree import Settings
from lithoscope_services.sockets import FRAMES, bind
from lithoscope_store import LockedError, Store, StoreError, StoreFullError

_SOURCES = adapter_of(SourceMessage)
log = structlog.get_logger()


@dataclass(slots=True)
class _Session:
    """One sender: whom to answer, and what of it has been dealt with."""

    identity: bytes
    handled: Ranges = field(default_factory=Ranges)
    written: set[int] = field(default_factory=set)
    refusals: list[Refusal] = field(default_factory=list)
    is_owed: bool = False


class IngestService:
    """Takes what sources send.

    Parameters
    ----------
    loop
        Of this process.
    store
        Where frames go.
    settings
        Of the instance; they are written into ExperimentStarted.
    """

    def __init__(self, loop: Loop, store: Store, settings: Settings) -> None:
        self._loop = loop
        self._store = store
        self._settings = settings
        self._sessions: dict[str, _Session] = {}
        self._experiments: dict[str, ExperimentIntake] = {}
        self._is_full = False
        self._router = loop.socket(zmq.ROUTER, FRAMES)
        self._journal = JournalClient(
            loop.context, endpoint(loop.runtime_dir, "journal"), "ingest", idle=loop.idle
        )
        self._feed = FeedReader(loop.context, endpoint(loop.runtime_dir, "feed"))

    def run(self) -> None:
        """Work until told to stop."""
        try:
            self._journal.append([service_started("ingest")])
            self._resume()
            address = self._settings.instance.frames_endpoint
            bind(self._router, address or endpoint(self._loop.runtime_dir, "frames"))
            self._loop.watch(self._router, self._serve)
            self._loop.watch(self._feed.socket, self._follow)
            self._loop.every(1.0, self._tick)
            self._loop.run()
        except StopRequested:
            log.info("stopped_while_waiting")
        finally:
            for experiment in self._experiments.values():
                experiment.close()
            self._journal.close()
            self._feed.close()

    def _resume(self) -> None:
        for head in self._journal.experiments():
            if head.experiment == SYSTEM_JOURNAL or head.sealed:
                continue
            try:
                self._experiment(head.experiment)
            except LockedError:
                raise  # its last instance is still ending: we are started again soon
            except StoreError as error:
                # One damaged experiment must not keep all the others from being measured.
                log.error("experiment_unreadable", experiment=head.experiment, error=str(error))

    def _experiment(self, name: str) -> ExperimentIntake:
        if name not in self._experiments:
            self._experiments[name] = ExperimentIntake(
                name, self._store, self._settings, self._journal
            )
        return self._experiments[name]

    def _serve(self) -> None:
        """Take what comes within one group commit, make it durable, acknowledge it."""
        self._look_at_disk()
        end_s = time.monotonic() + self._settings.ingest.group_commit_ms / 1000
        taken = 0
        while time.monotonic() < end_s and taken < self._settings.ingest.buffer_bytes:
            try:
                # Not copied: pixels go to disk from where the socket has put them.
                parts = self._router.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            taken += sum(map(len, parts))
            self._take(parts)
        self._commit()
        self._acknowledge()

    def _take(self, parts: Sequence[zmq.Frame]) -> None:
        try:
            if len(parts) not in (2, 3):
                raise MessageError(f"{len(parts)} parts, 2 or 3 were expected")
            message = decode(parts[1].buffer, _SOURCES)
        except MessageError as error:
            self._loop.pulse.rejected += 1
            log.warning("message_rejected", error=str(error))
            for experiment in self._experiments.values():
                experiment.reject("unreadable")
            return
        session = self._sessions.setdefault(message.session, _Session(parts[0].bytes))
        session.identity, session.is_owed = parts[0].bytes, True
        is_again = message.sequence in session.handled or message.sequence in session.written
        try:
            if isinstance(message, FrameHeader):
                payload = parts[2].buffer if len(parts) == 3 else b""
                self._take_frame(message, payload, session, is_again=is_again)
            elif not (isinstance(message, Abandoned) and is_again):
                self._take_other(message, session)
        except NotYet:
            log.debug("not_yet", type=message.type)
        except StoreFullError as error:
            self._complain(str(error))
        except JournalRefusedError as error:
            self._look_at_disk()
            if self._is_full:
                log.error("journal_full", error=str(error))
            else:
                self._refuse(session, message.session, message.sequence, str(error))
        except (MessageError, StoreError) as error:
            if isinstance(message, FrameHeader) and not is_again:
                self._count_rejected(message, error)
            self._refuse(session, message.session, message.sequence, str(error))
        self._loop.pulse.handled += 1

    def _take_frame(
        self, header: FrameHeader, payload: Pixels, session: _Session, *, is_again: bool
    ) -> None:
        experiment = self._experiment(header.experiment)
        if self._is_full:
            # What is left of the disk is the journal's; the source keeps the frame.
            experiment.hear()
            raise NotYet
        experiment.write(header, payload, is_again=is_again)
        session.written.add(header.sequence)

    def _take_other(self, message: SourceMessage, session: _Session) -> None:
        self._commit()
        if self._is_full and isinstance(message, ScanEnd | BlueskyDocument):
            # Frames that were sent before it had to be left with the source.
            raise NotYet
        self._experiment(message.experiment).take(message)
        session.handled.add(message.sequence)

    def _count_rejected(self, header: FrameHeader, error: Exception) -> None:
        experiment = self._experiments.get(header.experiment)
        if experiment is not None:
            experiment.reject(reason_of(error) if isinstance(error, MessageError) else "store")

    def _refuse(self, session: _Session, name: str, sequence: int, reason: str) -> None:
        self._loop.pulse.rejected += 1
        log.warning("message_refused", sequence=sequence, reason=reason)
        session.handled.add(sequence)
        # Sent after the commit that keeps its count.
        session.refusals.append(Refusal(session=name, sequence=sequence, reason=reason[:1000]))

    def _commit(self) -> None:
        """Make all frames durable, then tell the journal; only then count them as handled."""
        try:
            for experiment in self._experiments.values():
                experiment.commit()
        except StoreFullError as error:
            for session in self._sessions.values():
                session.written.clear()
            self._complain(str(error))
            return
        except JournalRefusedError as error:
            self._look_at_disk()
            if not self._is_full:
                raise
            # The frames are on disk but not announced: they come again, and then are.
            log.error("journal_full", error=str(error))
            for session in self._sessions.values():
                session.written.clear()
            return
        for session in self._sessions.values():
            for sequence in sorted(session.written):
                session.handled.add(sequence)
            session.written.clear()

    def _complain(self, error: str) -> None:
        """Take no more frames, and say so where people and the record will find it."""
        self._is_full = True
        log.error("store_full", error=error)
        for experiment in self._experiments.values():
            try:
                experiment.complain(error)
            except JournalRefusedError as refusal:
                log.error("journal_full", error=str(refusal))

    def _look_at_disk(self, *, is_periodic: bool = False) -> None:
        """Stop taking frames before the journal has no room left; go on when there is some."""
        usage = shutil.disk_usage(self._store.root)
        was_full = self._is_full
        self._is_full = usage.free < self._settings.ingest.min_free_fraction * usage.total
        if self._is_full and (not was_full or is_periodic):
            self._complain(
                f"the disk of {self._store.root} is nearly full, {usage.free // 2**20} MiB are "
                "left; free space on it and the scan goes on, nothing is lost"
            )
        elif was_full and not self._is_full:
            log.info("store_has_room", free_bytes=usage.free)
            for session in self._sessions.values():
                session.is_owed = True
            self._acknowledge()

    def _acknowledge(self) -> None:
        credit = self._credit_bytes()
        for name, session in self._sessions.items():
            if session.is_owed:
                session.is_owed = False
                for refusal in session.refusals:
                    self._send(session, refusal)
                session.refusals.clear()
                self._send(
                    session,
                    Acknowledgement(
                        session=name,
                        contiguous=session.handled.contiguous,
                        ranges=session.handled.later(1000),
                        credit_bytes=credit,
                    ),
                )

    def _send(self, session: _Session, message: Message) -> None:
        try:
            self._router.send_multipart([session.identity, encode(message)])
        except zmq.ZMQError as error:
            # The source is gone; when it comes back it asks by sending again.
            log.info("source_gone", error=str(error))

    def _credit_bytes(self) -> int:
        return 0 if self._is_full else self._settings.ingest.buffer_bytes

    def _follow(self) -> None:
        while (message := self._feed.receive()) is not None:
            if message.experiment in self._experiments:
                head = message.head if isinstance(message, FeedHead) else message.entry.number
                self._experiments[message.experiment].follow(head)

    def _tick(self) -> None:
        self._look_at_disk(is_periodic=True)
        for experiment in list(self._experiments.values()):
            experiment.tick()
            self._report(experiment)
            if experiment.is_over:
                experiment.close()
                del self._experiments[experiment.name]

    def _report(self, experiment: ExperimentIntake) -> None:
        scan = experiment.running
        if self._is_full:
            self._loop.pulse.doing = "the disk is nearly full: no frame is taken, free space"
        elif scan is None:
            self._loop.pulse.doing = ""
        else:
            self._loop.pulse.doing = f"{experiment.name} scan {scan.scan}: {scan.n_stored} frames"
        if scan is None:
            return
        progress = ScanProgress(
            experiment=experiment.name,
            scan=scan.scan,
            time_ns=time.time_ns(),
            stored=scan.n_stored,
            expected=scan.n_expected,
            credit_bytes=self._credit_bytes(),
            dropped=scan.tally.rejected.total(),
        )
        self._loop.publish(encode(progress))
