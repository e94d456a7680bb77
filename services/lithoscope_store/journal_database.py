"""The journal of one experiment in one SQLite file.

WAL with ``synchronous=FULL``: what ``append`` has returned survives a power cut. Only the journal
service opens a live file; all others ask it.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from lithoscope_messages import Entry, JournalMessage, Lifted, MessageError, adapter_of, decode
from lithoscope_store.chain import FIRST_PREVIOUS_HASH, entry_hash
from lithoscope_store.durable import fsync_directory, make_directory
from lithoscope_store.errors import (
    CorruptDataError,
    JournalSealedError,
    NotStoredError,
    StoreError,
    StoreFormatError,
    StoreFullError,
    WrongJournalError,
)
from lithoscope_store.layout import FORMAT_VERSION, check_format_version

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
_COLUMNS = "number, appended_ns, previous_hash, hash, message_json"
_MESSAGES = adapter_of(JournalMessage)
_Row = tuple[int, int, str, str, str]


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
        with _naming_errors(path):
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        try:
            with _naming_errors(path):
                self._open()
        except (StoreError, sqlite3.Error):
            self._connection.close()
            raise
        if is_new:
            fsync_directory(path.parent)

    @property
    def head(self) -> int:
        """Number of the last entry; 0 if there is none."""
        with _naming_errors(self.path):
            return self._last()[0]

    @property
    def is_sealed(self) -> bool:
        """Whether the experiment is over and nothing can be appended."""
        with _naming_errors(self.path):
            return _property(self._connection, "sealed") == "1"

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
        with _naming_errors(self.path), self._transaction():
            return self._insert(messages)

    def read_since(self, after: int, limit: int = 1000) -> JournalPage:
        """Read up to ``limit`` entries that stand after number ``after``, and the head.

        Raises
        ------
        CorruptDataError
            If an entry is not what was written; the text names it.
        """
        with _naming_errors(self.path):
            head = self._last()[0]
            return JournalPage(head, tuple(_read(self._connection, self.path, after, limit)))

    def seal(self) -> None:
        """Close the experiment for ever: one plain file, without WAL, that takes no more."""
        with _naming_errors(self.path):
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
        if not _check(self._connection, self.path):
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._create()
        owner = _property(self._connection, "experiment")
        if owner != self.experiment:
            raise StoreFormatError(
                f"{self.path} is the journal of {owner!r}, not of {self.experiment!r}; "
                "a folder cannot be renamed by hand, use `lithoscope export` and `import`"
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
                f"SELECT {_COLUMNS} FROM entries WHERE type = ? AND key = ?",
                (message.type, message.key),
            ).fetchone()
            if row:
                entries.append(_entry(row, self.path))
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
                f"INSERT INTO entries ({_COLUMNS}, type, key) VALUES (?, ?, ?, ?, ?, ?, ?)",
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


def read_journal(path: Path) -> list[Entry]:
    """Read all entries of an experiment that is sealed or not running.

    Raises
    ------
    NotStoredError
        If there is no journal.
    StoreFormatError
        If a newer version has written it, or if it is no journal.
    CorruptDataError
        If an entry is not what was written; the text names it.
    """
    if not path.is_file():
        raise NotStoredError(f"there is no journal at {path}; check --store and the name")
    with (
        _naming_errors(path),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection,
    ):
        if not _check(connection, path):
            return []
        return list(_read(connection, path, 0, -1))


def _check(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether there is a journal in the file; refuses what is none or of a newer version."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if version == 0 and tables == 0:
        return False
    check_format_version(version, path)
    return True


def _property(connection: sqlite3.Connection, name: str) -> str | None:
    row = connection.execute("SELECT value FROM journal WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else None


def _read(connection: sqlite3.Connection, path: Path, after: int, limit: int) -> Iterator[Entry]:
    previous = connection.execute("SELECT hash FROM entries WHERE number = ?", (after,)).fetchone()
    previous_hash = str(previous[0]) if previous else FIRST_PREVIOUS_HASH
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM entries WHERE number > ? ORDER BY number LIMIT ?", (after, limit)
    )
    for number, row in enumerate(rows, start=after + 1):
        if row[0] != number or row[2] != previous_hash:
            raise CorruptDataError(
                f"{path}: entry {number} does not follow the one before it; restore a copy"
            )
        entry = _entry(row, path)
        previous_hash = entry.hash
        yield entry


def _entry(row: _Row, path: Path) -> Entry:
    number, appended_ns, previous_hash, stored_hash, text = row
    if entry_hash(previous_hash, text) != stored_hash:
        raise CorruptDataError(
            f"{path}: entry {number} is not what was written, its hash does not fit; "
            "restore a copy"
        )
    try:
        message = decode(text.encode(), _MESSAGES)
    except MessageError as error:
        raise StoreFormatError(
            f"{path}: entry {number} is of a kind that this program does not know ({error}); "
            "install a newer lithoscope"
        ) from error
    return Entry(
        number=number,
        appended_ns=appended_ns,
        previous_hash=previous_hash,
        hash=stored_hash,
        message=message,
        written_json=text if _is_lifted(text, message) else None,
    )


def _is_lifted(text: str, message: JournalMessage) -> bool:
    # Only a message with an older version is parsed twice: there are few of them.
    return (
        isinstance(message, Lifted)
        and json.loads(text).get("version", message.version) != message.version
    )


@contextmanager
def _naming_errors(path: Path) -> Iterator[None]:
    """Say which file it was, and tell a full disk and a damaged file from our own mistakes."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise StoreFullError(
                f"no space left while writing {path}; nothing already stored is lost; "
                "free space on this disk"
            ) from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise CorruptDataError(f"{path} is damaged or no journal ({error})") from error
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR):
            raise StoreError(f"{path} cannot be read or written ({error})") from error
        raise
