"""Arm, disarm and release from the command line, against running services."""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from spine import Spine, spine
from typer.testing import CliRunner
from waiting import until

from lithoscope_messages import (
    AcknowledgeRequested,
    ActionConfirmed,
    AlarmAcknowledged,
    ApprovalRequested,
    ExperimentDescription,
    ExperimentStarted,
    HoldReleased,
    JournalMessage,
    ProposalMade,
)
from lithoscope_services.cli.app import make_app
from lithoscope_services.loop import endpoint
from lithoscope_services.settings import Settings
from lithoscope_store import InstanceFile, write_instance

NAME = "cell"


def parts(key: str) -> dict[str, Any]:
    now_ns = time.time_ns()
    return {"experiment": NAME, "key": key, "time_ns": now_ns, "producer": "test"}


def say(services: Spine, role: Any, *messages: JournalMessage) -> None:
    with services.journal(role) as journal:
        journal.append(messages)


def run(services: Spine, *command: str) -> tuple[int, str]:
    store = str(services.store.root)
    done = CliRunner().invoke(make_app(), [*command, "--store", store, "--person", "Ada"])
    return done.exit_code, done.output + str(done.exception or "")


def all_of(services: Spine, kind: type[JournalMessage]) -> list[Any]:
    return [e.message for e in services.entries(NAME) if isinstance(e.message, kind)]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    """A live experiment with the dry run, which is the default."""
    with spine(tmp_path_factory.mktemp("store"), Settings()) as made:
        made.start("journal", "decide", "act")
        instance = InstanceFile(
            id="test",
            pid=os.getpid(),
            version="0",
            runtime_dir=str(made.runtime_dir),
            endpoints={"journal": endpoint(made.runtime_dir, "journal")},
        )
        write_instance(made.store, instance)
        started = ExperimentStarted(
            **parts("start"),
            description=ExperimentDescription(source="live"),
            settings=Settings().model_dump(mode="json", by_alias=True),
            format_version=1,
        )
        say(made, "ingest", started)

        def names() -> set[str]:
            return {e.message.producer for e in made.entries("system")}

        until(lambda: {"act", "decide"} <= names(), timeout_s=120, what="act and decide")
        yield made


def test_a_lease_is_given_shown_and_ended(services: Spine) -> None:
    armed = run(services, "arm", NAME, "--hours", "1", "--reason", "night shift")
    first = run(services, "disarm", NAME)
    second = run(services, "disarm", NAME)

    assert armed[0] == 0, armed[1]
    assert "armed by Ada until" in armed[1]
    assert first == (0, f"{NAME} is disarmed\n")
    assert second == (0, f"{NAME} is not armed\n")


def test_without_a_reason_or_beyond_twelve_hours_nothing_is_armed(services: Spine) -> None:
    assert run(services, "arm", NAME)[0] == 2
    assert run(services, "arm", NAME, "--hours", "13", "--reason", "why")[0] == 2
    code, text = run(services, "arm", NAME, "--reason", " ")

    assert code == 1
    assert "say why" in text


def test_a_hold_that_was_approved_holds_the_plan_until_it_is_released(services: Spine) -> None:
    proposal = ProposalMade(
        **parts("p"),
        scan=0,
        proposal="p",
        rule="remaining_gap",
        rule_sha256="1" * 64,
        action="hold",
        parameters={},
        rule_class="reduces_risk",
        mode="propose",
        evidence=(),
        reason="small",
        experiment_time_s=0.0,
        expires_s=1e6,
    )
    say(services, "decide", proposal)
    approval = ApprovalRequested(**parts("yes"), person="Ada", proposal="p")
    say(services, "dashboard", approval)
    until(lambda: bool(all_of(services, ActionConfirmed)), timeout_s=60, what="the dry run")

    code, text = run(services, "release", NAME, "--reason", "it was noise")

    (confirmed,) = all_of(services, ActionConfirmed)
    assert "nothing left this machine" in confirmed.observed
    assert code == 0, text
    assert "release the cycler itself at the beamline" in text
    assert [each.person for each in all_of(services, HoldReleased)] == ["Ada"]


def test_an_alarm_is_acknowledged_once(services: Spine) -> None:
    for key in ("seen", "seen again"):
        say(
            services,
            "dashboard",
            AcknowledgeRequested(**parts(key), person="Ada", alarm="gap:0"),
        )
    until(lambda: bool(all_of(services, AlarmAcknowledged)), timeout_s=60, what="the fact")

    assert [each.alarm for each in all_of(services, AlarmAcknowledged)] == ["gap:0"]
