"""What a journal file says in short: how long it is, how many scans; no chain is checked."""

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from lithoscope_store.errors import NotStoredError
from lithoscope_store.journal_reading import check_journal, open_to_read, read_property


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSummary:
    """A journal in short; times are Unix times, ns.

    ``source`` is where its frames came from, ``made_from`` the experiment whose they were.
    """

    is_sealed: bool
    n_entries: int
    n_scans: int
    n_measured: int
    n_proposals: int
    began_ns: int | None
    newest_ns: int | None
    has_ended: bool
    source: str
    sample: str
    made_from: str


def journal_summary(path: Path) -> JournalSummary:
    """Read a journal in short: some milliseconds, however long it is.

    Raises
    ------
    NotStoredError
        If there is no journal, or nothing in it.
    StoreFormatError, CorruptDataError
        If it is no journal, or of a newer version.
    """
    with open_to_read(path) as connection:
        if not check_journal(connection, path):
            raise NotStoredError(f"nothing stands in {path}")
        is_sealed = read_property(connection, "sealed") == "1"
        n_entries, began_ns, newest_ns = connection.execute(
            "SELECT count(*), min(appended_ns), max(appended_ns) FROM entries"
        ).fetchone()
        started = connection.execute(
            "SELECT message_json FROM entries WHERE type = 'ExperimentStarted' LIMIT 1"
        ).fetchone()
        counts = {
            kind: _count(connection, kind)
            for kind in ("ScanStarted", "MetricsReady", "ProposalMade", "ExperimentEnded")
        }
    about = _description(None if started is None else started[0])
    return JournalSummary(
        is_sealed=is_sealed,
        n_entries=n_entries,
        n_scans=counts["ScanStarted"],
        n_measured=counts["MetricsReady"],
        n_proposals=counts["ProposalMade"],
        began_ns=began_ns,
        newest_ns=newest_ns,
        has_ended=counts["ExperimentEnded"] > 0,
        source=str(about.get("source") or ""),
        sample=str(about.get("sample") or ""),
        made_from=str(about.get("made_from") or ""),
    )


def _count(connection: sqlite3.Connection, kind: str) -> int:
    (count,) = connection.execute(
        "SELECT count(*) FROM entries WHERE type = ?", (kind,)
    ).fetchone()
    return int(count)


def _description(text: str | None) -> dict[str, object]:
    """Read the description of the experiment out of a message of any version."""
    message = {} if text is None else json.loads(text)
    found = message.get("description") if isinstance(message, dict) else None
    return found if isinstance(found, dict) else {}
