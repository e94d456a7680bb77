"""The journal service: appends facts, numbers and chains them, answers readers, feeds followers.

It alone opens a live journal file. An append is acknowledged after the commit and only then
published. When an experiment has ended its file is sealed and a manifest is written beside it.
"""

import threading

import structlog

from lithoscope_messages import (
    MAY_APPEND,
    SYSTEM_JOURNAL,
    AppendDone,
    AppendRefused,
    AppendRequested,
    Entries,
    ExperimentEnded,
    ExperimentHead,
    Experiments,
    FeedEntry,
    FeedHead,
    JournalRequest,
    ListExperiments,
    Message,
    ReadSince,
)
from lithoscope_services.errors import JournalRefusedError
from lithoscope_services.journal_door import FEED_HEAD_S, JournalDoor, fitting_page
from lithoscope_services.loop import Loop
from lithoscope_store import JournalDatabase, Store, StoreError, write_manifest

log = structlog.get_logger()


class JournalService:
    """Serves the journals of one store.

    Parameters
    ----------
    loop
        Of this process.
    store
        Whose journals are served.
    only
        Serve this experiment alone, beside the journal of the instance: an embedded instance must
        not go on with another that was left unfinished.
    """

    def __init__(self, loop: Loop, store: Store, *, only: str | None = None) -> None:
        self._loop = loop
        self._store = store
        self._only = only
        self._open: dict[str, JournalDatabase] = {}
        self._sealing: dict[str, threading.Thread] = {}
        self._unsealed: set[str] = set()
        self._door = JournalDoor(loop, self._answer)
        for name in self._names():
            if not store.experiment(name).manifest.exists():
                self._resume(name)
        loop.every(FEED_HEAD_S, self._say_heads)

    def close(self) -> None:
        """Close all files."""
        for thread in self._sealing.values():
            thread.join(timeout=2.0)
        for database in self._open.values():
            database.close()

    def _resume(self, name: str) -> None:
        try:
            database = self._database(name)
        except StoreError as error:
            log.error("journal_unreadable", experiment=name, error=str(error))
            return
        if database.is_sealed or self._has_ended(database):
            self._seal(name)

    @staticmethod
    def _has_ended(database: JournalDatabase) -> bool:
        entries = database.read_since(max(0, database.head - 1), 1).entries
        return bool(entries) and isinstance(entries[-1].message, ExperimentEnded)

    def _answer(self, request: JournalRequest) -> Message:
        match request:
            case AppendRequested():
                return self._append(request)
            case ReadSince():
                return self._read(request)
            case ListExperiments():
                return self._list(request)

    def _append(self, request: AppendRequested) -> AppendDone | AppendRefused:
        try:
            name = self._check(request)
            appended = self._database(name, create=True).append(request.messages)
        except (JournalRefusedError, StoreError) as error:
            self._loop.pulse.rejected += 1
            log.warning("append_refused", role=request.role, error=str(error))
            return AppendRefused(request=request.request, reason=str(error))
        for entry in appended.new:
            self._door.publish(name, FeedEntry(experiment=name, entry=entry))
        if any(isinstance(message, ExperimentEnded) for message in request.messages):
            self._seal(name)
        return AppendDone(
            request=request.request, numbers=tuple(entry.number for entry in appended.entries)
        )

    def _check(self, request: AppendRequested) -> str:
        names = {message.experiment for message in request.messages}
        if len(names) != 1:
            raise JournalRefusedError(
                f"one append is about one experiment, this one about {sorted(names)}"
            )
        forbidden = {message.type for message in request.messages} - MAY_APPEND[request.role]
        if forbidden:
            raise JournalRefusedError(f"role {request.role} may not append {sorted(forbidden)}")
        return names.pop()

    def _read(self, request: ReadSince) -> Entries:
        try:
            database = self._database(request.experiment)
        except StoreError as error:
            log.info("read_of_unknown_experiment", error=str(error))
            return Entries(
                request=request.request, experiment=request.experiment, head=0, entries=()
            )
        return fitting_page(request, lambda limit: database.read_since(request.after, limit))

    def _list(self, request: ListExperiments) -> Experiments:
        heads = []
        for name in self._names():
            try:
                database = self._database(name)
            except StoreError as error:
                log.warning("journal_unreadable", experiment=name, error=str(error))
                continue
            is_sealed = database.is_sealed
            heads.append(ExperimentHead(experiment=name, head=database.head, sealed=is_sealed))
            if is_sealed and name not in self._sealing:
                # A store keeps hundreds of old experiments; a process, about as many open files.
                self._open.pop(name).close()
        return Experiments(request=request.request, experiments=tuple(heads))

    def _names(self) -> list[str]:
        names = self._store.experiments()
        return names if self._only is None else [name for name in names if name == self._only]

    def _database(self, name: str, *, create: bool = False) -> JournalDatabase:
        if self._only is not None and name not in (self._only, SYSTEM_JOURNAL):
            raise StoreError(
                f"this instance serves {self._only} alone, not {name}; start one with "
                "`lithoscope up` for it"
            )
        database = self._open.get(name)
        if database is None:
            path = self._store.journal(name)
            if not create and not path.exists():
                raise StoreError(f"{path} is not there; no fact of {name!r} was ever written")
            database = JournalDatabase(path, name)
            self._open[name] = database
        return database

    def _seal(self, name: str) -> None:
        """Close an ended experiment for good; its checksums are summed up beside the loop."""
        database = self._database(name)
        try:
            database.seal()
        except StoreError as error:
            # Somebody reads the file just now; it takes nothing more, and is tried again.
            log.warning("not_sealed_yet", experiment=name, error=str(error))
            self._unsealed.add(name)
            return
        self._unsealed.discard(name)
        log.info("experiment_sealed", experiment=name, head=database.head)
        # A manifest cut short by a stop is simply not there; the next start makes it.
        thread = threading.Thread(
            target=write_manifest, args=(self._store.experiment(name),), daemon=True
        )
        thread.start()
        self._sealing[name] = thread

    def _say_heads(self) -> None:
        for name, database in self._open.items():
            self._door.publish(name, FeedHead(experiment=name, head=database.head))
        for name in list(self._unsealed):
            self._seal(name)
