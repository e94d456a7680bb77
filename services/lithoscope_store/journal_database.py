"""The journal of one experiment in one SQLite file.

WAL with ``synchronous=FULL``: what ``append`` has returned survives a power cut. Only the journal
service opens a live file; all others ask it.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from lithoscope_messages import (
    MAY_AMEND,
    Entry,
    JournalMessage,
)
from lithoscope_store.chain import FIRST_PREVIOUS_HASH, entry_hash
from lithoscope_store.durable import fsync_directory, make_directory
from lithoscope_store.errors import (
    JournalSealedError,
    StoreError,
    StoreFormatError,
    WrongJournalError,
)
from lithoscope_store.journal_reading import (
    COLUMNS,
    check_journal,
    naming_errors,
    read_entries,
    read_property,
    to_entry,
)
from lithoscope_store.layout import FORMAT_VERSION

_SCHEMA = """
CREATE TABLE journal (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE entries (
    number INTEGER PRIMARY KEY,
    appended_ns INTEGER NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    message_json TEXT NOT NULL,
    UNIQUE (type, key)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of the messages of one append.

    ``entries`` has one for each message, in their order: a double has the entry of the first of
    its kind. ``new`` has those that this append wrote.
    """

    entries: tuple[Entry, ...]
    new: tuple[Entry, ...]


class JournalPage(NamedTuple):
    """A run of entries, and the number of the last entry there is."""

    head: int
    entries: tuple[Entry, ...]


class JournalDatabase:
    """The journal of one experiment, open for writing.

    Parameters
    ----------
    path
        The file; it is made with its folder if there is none.
    experiment
        Whose messages it takes.
    clock
        Gives ``appended_ns``.

    Raises
    ------
    StoreFormatError
        If a newer version has written it, if it is no journal, or if it is that of another
        experiment.
    """

    def __init__(
        self, path: Path, experiment: str, *, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self.path = path
        self.experiment = experiment
        self._clock = clock
        make_directory(path.parent)
        is_new = not path.exists()
        with naming_errors(path):
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        try:
            with naming_errors(path):
                self._open()
        except (StoreError, sqlite3.Error):
            self._connection.close()
            raise
        if is_new:
            fsync_directory(path.parent)

    @property
    def head(self) -> int:
        """Number of the last entry; 0 if there is none."""
        with naming_errors(self.path):
            return self._last()[0]

    @property
    def is_sealed(self) -> bool:
        """Whether the experiment is over and nothing can be appended."""
        with naming_errors(self.path):
            return read_property(self._connection, "sealed") == "1"

    def append(self, messages: Sequence[JournalMessage]) -> Appended:
        """Write messages, all or none; they are on the disk when this returns.

        Two messages of one type and key are one: of the second nothing is written.

        Raises
        ------
        JournalSealedError
            If the experiment is over.
        WrongJournalError
            If one is of another experiment.
        StoreFullError
            If there is no space left; nothing was written.
        """
        for message in messages:
            if message.experiment != self.experiment:
                raise WrongJournalError(
                    f"{message.type} is of experiment {message.experiment!r}, "
                    f"{self.path} is the journal of {self.experiment!r}"
                )
        if self.is_sealed:
            raise JournalSealedError(
                f"{self.path} is sealed: experiment {self.experiment!r} is over; "
                "use another name, or reprocess it under another name"
            )
        with naming_errors(self.path), self._transaction():
            return self._insert(messages)

    def amend(self, messages: Sequence[JournalMessage]) -> Appended:
        """Write what may still be said after the end; the journal stays sealed.

        Raises
        ------
        WrongJournalError
            If the journal is not sealed, or takes no such message once it is.
        """
        forbidden = sorted({message.type for message in messages} - MAY_AMEND)
        if forbidden or not self.is_sealed:
            raise WrongJournalError(
                f"{self.path} takes {', '.join(sorted(MAY_AMEND))} alone, after it was sealed; "
                f"not {', '.join(forbidden) or 'before'}"
            )
        with naming_errors(self.path), self._transaction():
            return self._insert(messages)

    def read_since(self, after: int, limit: int = 1000) -> JournalPage:
        """Read up to ``limit`` entries that stand after number ``after``, and the head.

        Raises
        ------
        CorruptDataError
            If an entry is not what was written; the text names it.
        """
        with naming_errors(self.path):
            head = self._last()[0]
            return JournalPage(
                head, tuple(read_entries(self._connection, self.path, after, limit))
            )

    def seal(self) -> None:
        """Close the experiment for ever: one plain file, without WAL, that takes no more."""
        with naming_errors(self.path):
            self._connection.execute("UPDATE journal SET value = '1' WHERE name = 'sealed'")
            self._leave_wal()

    def close(self) -> None:
        """Close the file; closing twice does no harm."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> None:
        if not check_journal(self._connection, self.path):
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._create()
        owner = read_property(self._connection, "experiment")
        if owner != self.experiment:
            raise StoreFormatError(
                f"{self.path} is the journal of {owner!r}, not of {self.experiment!r}; "
                "an experiment keeps its name: every entry has it, and the chain; rename the "
                "folder back"
            )
        if self.is_sealed:
            self._leave_wal()  # a crash may have come between the mark and this
            return
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")

    def _create(self) -> None:
        with self._transaction():
            for statement in _SCHEMA.split(";"):
                self._connection.execute(statement)
            self._connection.executemany(
                "INSERT INTO journal VALUES (?, ?)",
                [("experiment", self.experiment), ("sealed", "0")],
            )
            self._connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")

    def _leave_wal(self) -> None:
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        mode = self._connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
        if mode != "delete":
            raise StoreError(
                f"{self.path} is open elsewhere and cannot be sealed; stop its reader"
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        finally:
            # Not after COMMIT; SQLite itself rolls back on some errors, such as a full disk.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _last(self) -> tuple[int, str]:
        row = self._connection.execute(
            "SELECT number, hash FROM entries ORDER BY number DESC LIMIT 1"
        ).fetchone()
        return (int(row[0]), str(row[1])) if row else (0, FIRST_PREVIOUS_HASH)

    def _insert(self, messages: Sequence[JournalMessage]) -> Appended:
        number, previous_hash = self._last()
        entries, new = [], []
        for message in messages:
            row = self._connection.execute(
                f"SELECT {COLUMNS} FROM entries WHERE type = ? AND key = ?",
                (message.type, message.key),
            ).fetchone()
            if row:
                entries.append(to_entry(row, self.path))
                continue
            number += 1
            text = message.model_dump_json()
            entry = Entry(
                number=number,
                appended_ns=self._clock(),
                previous_hash=previous_hash,
                hash=entry_hash(previous_hash, text),
                message=message,
            )
            self._connection.execute(
                f"INSERT INTO entries ({COLUMNS}, type, key) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    entry.appended_ns,
                    previous_hash,
                    entry.hash,
                    text,
                    message.type,
                    message.key,
                ),
            )
            previous_hash = entry.hash
            entries.append(entry)
            new.append(entry)
        return Appended(entries=tuple(entries), new=tuple(new))
