"""Reading a journal file: its entries, each checked against the chain, and what it belongs to."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lithoscope_messages import (
    Entry,
    JournalMessage,
    Lifted,
    MessageError,
    adapter_of,
    decode,
)
from lithoscope_store.chain import FIRST_PREVIOUS_HASH, entry_hash
from lithoscope_store.errors import (
    CorruptDataError,
    NotStoredError,
    StoreError,
    StoreFormatError,
    StoreFullError,
)
from lithoscope_store.layout import check_format_version

COLUMNS = "number, appended_ns, previous_hash, hash, message_json"
_MESSAGES = adapter_of(JournalMessage)
Row = tuple[int, int, str, str, str]


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
    with open_to_read(path) as connection:
        if not check_journal(connection, path):
            return []
        return list(read_entries(connection, path, 0, -1))


def journal_owner(path: Path) -> tuple[str | None, bool]:
    """Give the name of the experiment that a journal file belongs to, and whether it is sealed.

    Raises
    ------
    NotStoredError
        If there is no file.
    StoreFormatError, CorruptDataError
        If it is no journal, or of a newer version.
    """
    with open_to_read(path) as connection:
        if not check_journal(connection, path):
            return None, False
        return read_property(connection, "experiment"), read_property(connection, "sealed") == "1"


@contextmanager
def open_to_read(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a journal file that is only read.

    Raises
    ------
    NotStoredError
        If there is no file.
    StoreFormatError, CorruptDataError
        If what is done with it finds that it is no journal.
    """
    if not path.is_file():
        raise NotStoredError(f"there is no journal at {path}; check --store and the name")
    with (
        naming_errors(path),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection,
    ):
        yield connection


def check_journal(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether there is a journal in the file; refuses what is none or of a newer version."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if version == 0 and tables == 0:
        return False
    check_format_version(version, path)
    return True


def read_property(connection: sqlite3.Connection, name: str) -> str | None:
    """Read what a journal says of itself."""
    row = connection.execute("SELECT value FROM journal WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else None


def read_entries(
    connection: sqlite3.Connection, path: Path, after: int, limit: int
) -> Iterator[Entry]:
    """Read entries that stand after a number, and follow the chain."""
    previous = connection.execute("SELECT hash FROM entries WHERE number = ?", (after,)).fetchone()
    previous_hash = str(previous[0]) if previous else FIRST_PREVIOUS_HASH
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM entries WHERE number > ? ORDER BY number LIMIT ?", (after, limit)
    )
    for number, row in enumerate(rows, start=after + 1):
        if row[0] != number or row[2] != previous_hash:
            raise CorruptDataError(
                f"{path}: entry {number} does not follow the one before it; restore a copy"
            )
        entry = to_entry(row, path)
        previous_hash = entry.hash
        yield entry


def to_entry(row: Row, path: Path) -> Entry:
    """Read a row, and check its hash."""
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
def naming_errors(path: Path) -> Iterator[None]:
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
        # A damaged schema lacks tables, a damaged text is none: statements of ours are right.
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, 0):
            raise CorruptDataError(f"{path} is damaged or no journal ({error})") from error
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR):
            raise StoreError(f"{path} cannot be read or written ({error})") from error
        raise
