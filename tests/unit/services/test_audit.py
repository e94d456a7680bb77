"""What an audit tells, and that it sees what was changed."""

import json
import sqlite3
from pathlib import Path

import pytest
from actuator_driver import parts, proposal
from typer.testing import CliRunner

from lithoscope_messages import (
    ActionApproved,
    ActionConfirmed,
    ActionFailed,
    ActionSent,
    Armed,
    Disarmed,
    Evidence,
    ExperimentDescription,
    ExperimentStarted,
    JournalMessage,
    MetricsReady,
)
from lithoscope_services.cli.app import make_app
from lithoscope_store import JournalDatabase, Store

NAME = "cell"
EVIDENCE = Evidence(metric="remaining_gap_um", value=50.0, low95=45.0, bound_used="low95")


def messages() -> list[JournalMessage]:
    started = ExperimentStarted(
        **parts("start"), description=ExperimentDescription(), settings={}, format_version=1
    )
    metrics = MetricsReady(
        **parts("m"),
        scan=0,
        work_key="1" * 64,
        experiment_time_s=0.0,
        cycle=0,
        half_cycle=0,
        completeness=1.0,
        metrics={},
    )
    armed = Armed(
        **parts("arm"), person="Ada", reason="night shift", request="arm", ends_ns=10**18
    )
    sent = ActionSent(
        **parts("p"),
        scan=0,
        proposal="p",
        actuator="queueserver",
        correlation_id="c1",
        request={"method": "function_execute"},
    )
    return [
        started,
        metrics,
        armed,
        proposal("p", evidence=(EVIDENCE,)),
        ActionFailed(**parts("c0"), scan=0, proposal="p", correlation_id="c0", error="locked"),
        ActionApproved(**parts("yes"), scan=0, proposal="p", person="Ben", reason="do it"),
        sent,
        ActionConfirmed(
            **parts("c1"), scan=0, proposal="p", correlation_id="c1", observed="state held"
        ),
        Disarmed(**parts("arm:end"), person="Ada", reason="asked for"),
    ]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with one experiment that is over."""
    made = Store(tmp_path)
    made.experiment(NAME).create()
    with JournalDatabase(made.journal(NAME), NAME) as journal:
        journal.append(messages())
    return made


def run(store: Store, *more: str) -> tuple[int, str]:
    done = CliRunner().invoke(make_app(), ["audit", NAME, "--store", str(store.root), *more])
    return done.exit_code, done.stdout


def test_it_tells_a_decision_from_its_evidence_to_its_effect(store: Store) -> None:
    code, text = run(store, "--json")

    document = json.loads(text)
    (decision,) = document["decisions"]
    assert (code, document["problems"], document["entries"]) == (0, [], 9)
    assert decision["evidence"][0]["low95"] == 45.0
    assert [answer["person"] for answer in decision["answers"]] == ["Ben"]
    assert decision["sent"]["request"] == {"method": "function_execute"}
    assert [(each["state"], each["text"]) for each in decision["attempts"]] == [
        ("failed", "locked"),
        ("confirmed", "state held"),
    ]
    assert decision["end"]["correlation_id"] == decision["sent"]["correlation_id"]
    assert decision["latency"]["metrics_to_end_s"] >= 0
    assert [event["what"] for event in document["events"]] == ["Armed", "Disarmed"]


def test_a_person_reads_who_what_why_and_when(store: Store) -> None:
    code, text = run(store)

    assert code == 0
    for word in ("chain of 9 entries holds", "rule remaining_gap", "by Ben", "night shift"):
        assert word in text
    assert "remaining_gap_um = 50.0" in text


def test_a_changed_entry_shows(store: Store) -> None:
    with sqlite3.connect(store.journal(NAME)) as connection:
        connection.execute(
            "UPDATE entries SET message_json = replace(message_json, 'Ben', 'Bob') "
            "WHERE number = 6"
        )
    connection.close()

    code, text = run(store, "--json")

    assert code == 1
    assert "entry 6" in json.loads(text)["problems"][0]
