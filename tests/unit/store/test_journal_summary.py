"""A journal in short."""

import sqlite3
from pathlib import Path

import pytest

from lithoscope_messages import (
    ExperimentDescription,
    ExperimentEnded,
    ExperimentStarted,
    JournalMessage,
)
from lithoscope_store import CorruptDataError, JournalDatabase, NotStoredError
from lithoscope_store.journal_summary import journal_summary


def write(path: Path, *messages: JournalMessage) -> None:
    database = JournalDatabase(path, "cell")
    database.append(messages)
    database.close()


def started() -> ExperimentStarted:
    about = ExperimentDescription(source="replay", made_from="first", sample="cell 7")
    return ExperimentStarted(
        experiment="cell",
        key="start",
        time_ns=1,
        producer="ingest",
        description=about,
        settings={},
        format_version=1,
    )


def test_it_says_whose_it_is_and_how_far_it_came(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    ended = ExperimentEnded(experiment="cell", key="end", time_ns=2, producer="ingest", n_scans=0)
    write(path, started())
    before = journal_summary(path)
    write(path, ended)
    after = journal_summary(path)

    assert (before.source, before.made_from, before.sample) == ("replay", "first", "cell 7")
    assert (before.n_entries, before.has_ended) == (1, False)
    assert (after.n_entries, after.n_scans, after.has_ended) == (2, 0, True)


def test_what_is_no_journal_is_named(tmp_path: Path) -> None:
    nothing, garbage = tmp_path / "nothing.sqlite", tmp_path / "garbage.sqlite"
    garbage.write_bytes(b"no database" * 100)
    sqlite3.connect(tmp_path / "empty.sqlite").close()

    with pytest.raises(NotStoredError):
        journal_summary(nothing)
    with pytest.raises(CorruptDataError):
        journal_summary(garbage)
