import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lithoscope_messages import (
    ApprovalRequested,
    Entry,
    FramesStored,
    JournalMessage,
    ScanAccount,
    ScanCompleted,
    ServiceStarted,
)
from lithoscope_store.chain import entry_hash, verify_chain
from lithoscope_store.errors import (
    CorruptDataError,
    JournalSealedError,
    NotStoredError,
    StoreFormatError,
    WrongJournalError,
)
from lithoscope_store.journal_database import JournalDatabase
from lithoscope_store.journal_reading import read_journal


def frames_stored(key: str, *, count: int = 1, experiment: str = "cell-1") -> FramesStored:
    return FramesStored(
        experiment=experiment,
        key=key,
        time_ns=5,
        producer="ingest",
        scan=0,
        tile=0,
        kind="projection",
        set=0,
        first=0,
        count=count,
    )


def service_started(key: str) -> ServiceStarted:
    return ServiceStarted(
        experiment="cell-1",
        key=key,
        time_ns=6,
        producer="µ-service",
        service="ingest",
        pid=1,
        software_version="0",
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cell-1" / "journal.sqlite"


def test_entries_are_numbered_from_one_and_chained(path: Path) -> None:
    with JournalDatabase(path, "cell-1", clock=lambda: 7) as journal:
        done = journal.append([frames_stored("a"), service_started("a")])

    first, second = done.entries
    assert done.new == done.entries
    assert (first.number, second.number) == (1, 2)
    assert first.appended_ns == 7
    assert first.previous_hash == "0" * 64
    assert first.hash == entry_hash("0" * 64, frames_stored("a").model_dump_json())
    assert second.previous_hash == first.hash


def test_a_double_gives_the_first_entry_of_its_kind(path: Path) -> None:
    with JournalDatabase(path, "cell-1") as journal:
        first = journal.append([frames_stored("a", count=1)])
        again = journal.append([frames_stored("a", count=2), frames_stored("b")])

        assert again.entries[0] == first.entries[0]
        assert [entry.number for entry in again.new] == [2]
        assert journal.head == 2


def test_a_double_within_one_append_is_written_once(path: Path) -> None:
    with JournalDatabase(path, "cell-1") as journal:
        done = journal.append([frames_stored("a"), frames_stored("a")])

        assert [entry.number for entry in done.entries] == [1, 1]
        assert journal.head == 1


def test_reading_goes_on_from_a_number(path: Path) -> None:
    with JournalDatabase(path, "cell-1") as journal:
        journal.append([frames_stored(str(i)) for i in range(5)])

        head, entries = journal.read_since(1, limit=2)

    assert head == 5
    assert [entry.number for entry in entries] == [2, 3]


def test_a_message_of_another_experiment_writes_nothing(path: Path) -> None:
    with JournalDatabase(path, "cell-1") as journal:
        with pytest.raises(WrongJournalError, match="cell-2"):
            journal.append([frames_stored("a"), frames_stored("b", experiment="cell-2")])

        assert journal.head == 0


def test_a_journal_remembers_when_opened_again(path: Path) -> None:
    with JournalDatabase(path, "cell-1") as journal:
        written = journal.append([frames_stored("a")]).entries

    with JournalDatabase(path, "cell-1") as journal:
        journal.append([frames_stored("b")])
        entries = journal.read_since(0).entries

    assert entries[0] == written[0]
    assert verify_chain(entries) == []


def test_a_sealed_journal_is_one_plain_file_that_takes_no_more(path: Path) -> None:
    with JournalDatabase(path, "cell-1") as journal:
        journal.append([frames_stored("a")])
        journal.seal()

        with pytest.raises(JournalSealedError, match="is over"):
            journal.append([frames_stored("b")])

        assert os.listdir(path.parent) == ["journal.sqlite"]
    assert path.read_bytes()[18:20] == b"\x01\x01"  # not WAL: SQLite file format, section 1.3.3


def test_a_sealed_journal_stays_sealed(path: Path) -> None:
    with JournalDatabase(path, "cell-1") as journal:
        journal.append([frames_stored("a")])
        journal.seal()

    with JournalDatabase(path, "cell-1") as journal:
        assert journal.is_sealed
        assert journal.head == 1


def test_a_stored_journal_is_read_without_changing_it(path: Path) -> None:
    with JournalDatabase(path, "cell-1") as journal:
        written = journal.append([frames_stored("a"), service_started("b")]).entries
        journal.seal()
    before = path.read_bytes()

    assert read_journal(path) == list(written)
    assert path.read_bytes() == before


def test_a_missing_journal_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotStoredError, match="there is no journal at"):
        read_journal(tmp_path / "none.sqlite")


def test_a_newer_journal_is_refused(path: Path) -> None:
    JournalDatabase(path, "cell-1").close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 2")
    connection.close()

    with pytest.raises(StoreFormatError, match="install a newer lithoscope"):
        JournalDatabase(path, "cell-1")
    with pytest.raises(StoreFormatError, match="install a newer lithoscope"):
        read_journal(path)


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_text("this is text, and long enough that SQLite looks at its header " * 20)

    with pytest.raises(CorruptDataError, match="damaged or no journal"):
        JournalDatabase(path, "cell-1")


def test_the_journal_of_another_experiment_is_refused(path: Path) -> None:
    JournalDatabase(path, "cell-1").close()

    with pytest.raises(StoreFormatError, match="is the journal of 'cell-1'"):
        JournalDatabase(path, "cell-2")


def test_a_changed_message_is_found_and_named(path: Path) -> None:
    with JournalDatabase(path, "cell-1") as journal:
        journal.append([frames_stored("a"), frames_stored("b"), frames_stored("c")])
    connection = sqlite3.connect(path)
    connection.execute(
        "UPDATE entries SET message_json = replace(message_json, '\"count\":1', '\"count\":2') "
        "WHERE number = 2"
    )
    connection.commit()
    connection.close()

    with pytest.raises(CorruptDataError, match="entry 2 is not what was written"):
        read_journal(path)


def test_a_removed_entry_is_found(path: Path) -> None:
    with JournalDatabase(path, "cell-1") as journal:
        journal.append([frames_stored("a"), frames_stored("b"), frames_stored("c")])
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM entries WHERE number = 2")
    connection.commit()
    connection.close()

    with pytest.raises(CorruptDataError, match="entry 2 does not follow"):
        read_journal(path)


def test_verifying_names_what_does_not_fit(path: Path) -> None:
    with JournalDatabase(path, "cell-1") as journal:
        one, two, three = journal.append([frames_stored(key) for key in "abc"]).entries
    forged = two.model_copy(update={"message": frames_stored("b", count=9)})

    assert verify_chain([one, two, three]) == []
    assert verify_chain([two, three], after=1, previous_hash=one.hash) == []
    assert verify_chain([one, forged, three]) == [
        "entry 2 is not what was written: its hash does not fit"
    ]
    assert verify_chain([one, three]) == ["entry 2 is missing, 3 stands in its place"]


def test_an_entry_keeps_its_hash_over_the_wire(path: Path) -> None:
    request = ApprovalRequested(
        experiment="cell-1",
        key="é",
        time_ns=1,
        producer="dashboard",
        person="Ada \u2028 \x7f",
        reason="0.1 µm",
        proposal="p",
    )
    with JournalDatabase(path, "cell-1") as journal:
        (entry,) = journal.append([request]).entries

    received = Entry.model_validate_json(entry.model_dump_json())

    assert verify_chain([received]) == []


#: As version 1 wrote it; the bytes count, for the hash is made of them.
SCAN_COMPLETED_1 = (
    '{"experiment":"cell-1","key":"0","time_ns":1,"producer":"ingest","inputs":[],'
    '"parameters_sha256":null,"algorithm_version":null,"hops":null,"scan":0,'
    '"type":"ScanCompleted","version":1,"reason":"scan_end","account":{"sets":[],"missing":2,'
    '"largest_gap_deg":1.5,"completeness":0.9,"edge_on_coverage":1.0},'
    f'"frames_sha256":"{"0" * 64}"' + "}"
)


@pytest.fixture
def old_journal(path: Path) -> Path:
    """Make a journal in which an entry of version 1 stands before one of today."""
    with JournalDatabase(path, "cell-1") as journal:
        journal.append([frames_stored("a")])
        first = journal.read_since(0).entries[0]
    with closing(sqlite3.connect(path)) as connection, connection:
        digest = entry_hash(first.hash, SCAN_COMPLETED_1)
        connection.execute(
            "INSERT INTO entries VALUES (2, 1, ?, ?, 'ScanCompleted', '0', ?)",
            (first.hash, digest, SCAN_COMPLETED_1),
        )
    with JournalDatabase(path, "cell-1") as journal:
        journal.append([frames_stored("b")])
    return path


def test_an_entry_of_the_version_before_is_lifted_and_its_hash_still_holds(
    old_journal: Path,
) -> None:
    entries = read_journal(old_journal)

    lifted = entries[1].message
    assert isinstance(lifted, ScanCompleted)
    assert (lifted.version, lifted.account.missing, lifted.account.doubled) == (2, 2, None)
    assert entries[1].written_json == SCAN_COMPLETED_1
    assert [entry.written_json for entry in (entries[0], entries[2])] == [None, None]
    assert verify_chain(entries) == []
    received = [Entry.model_validate_json(entry.model_dump_json()) for entry in entries]
    assert verify_chain(received) == []


def test_a_lifted_entry_that_is_not_what_was_written_shows(old_journal: Path) -> None:
    one, two, three = read_journal(old_journal)
    account = ScanAccount(sets=(), missing=0, completeness=1.0)
    other = two.message.model_copy(update={"account": account})

    for forged in (
        two.model_copy(update={"message": other}),
        two.model_copy(update={"written_json": "{}"}),
        two.model_copy(update={"written_json": SCAN_COMPLETED_1.replace("0.9", "1.0")}),
    ):
        assert verify_chain([one, forged, three]) == [
            "entry 2 is not what was written: its hash does not fit"
        ]


def test_a_double_of_an_entry_of_the_version_before_is_that_entry(old_journal: Path) -> None:
    with JournalDatabase(old_journal, "cell-1") as journal:
        lifted = journal.read_since(1).entries[0]
        again = journal.append([lifted.message])

    assert (again.entries, again.new) == ((lifted,), ())


messages = st.lists(
    st.builds(frames_stored, st.sampled_from("abcd"), count=st.integers(0, 3))
    | st.builds(service_started, st.sampled_from("abcd")),
    min_size=1,
    max_size=6,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.lists(messages, min_size=1, max_size=4))
def test_appending_all_again_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[JournalMessage]]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.sqlite"
    with JournalDatabase(path, "cell-1") as journal:
        numbers = [[entry.number for entry in journal.append(b).entries] for b in batches]
        first_time = journal.read_since(0).entries
        repeated = [journal.append(batch) for batch in batches]

        assert journal.read_since(0).entries == first_time
        assert [[entry.number for entry in done.entries] for done in repeated] == numbers
        assert all(done.new == () for done in repeated)
        assert len({(e.message.type, e.message.key) for e in first_time}) == len(first_time)
        assert verify_chain(first_time) == []


WRITER = """
    import sys
    from pathlib import Path
    from lithoscope_messages import ServiceStarted
    from lithoscope_store.journal_database import JournalDatabase

    with JournalDatabase(Path(sys.argv[1]), "cell-1") as journal:
        for i in range(1_000_000):
            message = ServiceStarted(
                experiment="cell-1", key=str(i), time_ns=0, producer="test",
                service="test", pid=1, software_version="0",
            )
            journal.append([message])
            print(i, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    stdout = writer.stdout
    assert stdout is not None
    acknowledged = [int(stdout.readline()) for _ in range(20)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in stdout.read().split()]
    writer.wait(10)
    stdout.close()

    stored = read_journal(path)

    assert verify_chain(stored) == []
    assert {entry.message.key for entry in stored} >= {str(i) for i in acknowledged}
    with JournalDatabase(path, "cell-1") as journal:
        assert journal.append([service_started("again")]).new[0].number == len(stored) + 1
