"""The gap rule against a real RE Manager with a simulated cycler and detector."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from waiting import until

pytest.importorskip("bluesky_queueserver", reason="pip install '.[beamline,dev]'")

from re_manager import Manager, Proxy, running_manager
from spine import Spine, spine

from lithoscope_messages import (
    ActionConfirmed,
    ActionFailed,
    ActionSent,
    ApprovalRequested,
    Armed,
    ArmRefused,
    ArmRequested,
    Disarmed,
    DisarmRequested,
    ExperimentDescription,
    ExperimentStarted,
    JournalMessage,
    LabelsReady,
    MetricsReady,
    MetricValue,
    ProposalMade,
    ScanDecided,
    ScanPhase,
    ScanStarted,
)
from lithoscope_services.audit import audit_entries
from lithoscope_services.settings import Settings, parse_settings

CURRENT_MA = 0.5
SETTINGS = """
[experiment]
name = "cell"

[[rules]]
id = "remaining_gap"
metric = "remaining_gap_um"
comparison = "below"
set_value = 100.0
reset_value = 120.0
gates = []
action = "pause"
then = "finer_scan"
then_parameters = { projections_factor = 2.0 }
mode = "auto"

[decide]
commissioned_models = ["layers-1"]

[actuators]
kind = "queueserver"
address = "ADDRESS"
cycler_function = "lithoscope_cycler"
timeout_s = 5.0
confirm_s = 20.0

[[actuator_plans]]
action = "finer_scan"
plan = "lithoscope_finer_scan"
bounds = [["projections_factor", 1.25, 4.0]]
"""


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    with running_manager(tmp_path_factory.mktemp("manager")) as made:
        yield made


@pytest.fixture(scope="module")
def proxy(manager: Manager) -> Iterator[Proxy]:
    with Proxy(manager.address) as made:
        yield made


@pytest.fixture(scope="module")
def services(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    with running_services(tmp_path_factory.mktemp("store"), proxy) as made:
        yield made


@contextmanager
def running_services(folder: Path, proxy: Proxy) -> Iterator[Spine]:
    """Run journal, decide and act; facts of the stages before them come from the tests."""
    with spine(folder, settings_for(proxy)) as made:
        made.start("journal", "decide", "act")

        def names() -> set[str]:
            return {entry.message.producer for entry in made.entries("system")}

        until(lambda: {"act", "decide"} <= names(), timeout_s=120, what="decide and act")
        yield made


def settings_for(proxy: Proxy) -> Settings:
    return parse_settings(SETTINGS.replace("ADDRESS", proxy.address), where="test")


@pytest.fixture
def lab(services: Spine, manager: Manager, proxy: Proxy, request: pytest.FixtureRequest) -> "Lab":
    """A new experiment; the beamline is as at the beginning, and nothing was asked of it yet."""
    manager.reset()
    proxy.requests.clear()
    return Lab(services, proxy, request.node.name[:60])


class Lab:
    """One experiment."""

    def __init__(self, services: Spine, proxy: Proxy, name: str) -> None:
        self.services, self.name = services, name
        self._settings = settings_for(proxy)

    def start(self, source: str = "live") -> None:
        described = ExperimentDescription.model_validate({"source": source})
        started = ExperimentStarted(
            **self._parts("start"),
            description=described,
            settings=self._settings.model_dump(mode="json", by_alias=True),
            format_version=1,
        )
        self.say("ingest", started)

    def say(self, role: Any, *messages: JournalMessage) -> None:
        with self.services.journal(role) as journal:
            journal.append(messages)

    def ask(self, kind: Any, key: str, **more: Any) -> None:
        parts = {"person": "Ada", "reason": "night shift", **self._parts(key), **more}
        self.say("command_line", kind(**parts))

    def all(self, *kinds: type[JournalMessage]) -> list[Any]:
        entries = self.services.entries(self.name)
        return [entry.message for entry in entries if isinstance(entry.message, kinds)]

    def wait_for(self, kind: type[JournalMessage], count: int = 1) -> list[Any]:
        until(lambda: len(self.all(kind)) >= count, timeout_s=120, what=kind.__name__)
        return self.all(kind)

    def arm(self) -> None:
        self.ask(ArmRequested, "arm", duration_s=3600.0)
        self.wait_for(Armed)

    def measure(self, scan: int, gap_um: float) -> None:
        """Say what the stages before decide say of a scan; its metrics come last."""
        parts = {**self._parts(f"{scan}"), "scan": scan}
        started = ScanStarted(
            **parts,
            expected=(),
            frame_shape=(24, 192),
            dtype="uint16",
            voxel_size_um=5.0,
            phase=ScanPhase(experiment_time_s=100.0 * scan),
        )
        labels = LabelsReady(
            **parts,
            work_key="1" * 64,
            path="volumes/0000.zarr",
            shape=(1, 1, 1),
            voxel_um=5.0,
            sha256="2" * 64,
            model="layers-1",
        )
        gap = MetricValue(value=gap_um, unit="um", low95=gap_um - 5, high95=gap_um + 5)
        metrics = MetricsReady(
            **parts,
            work_key=f"{scan:064x}",
            experiment_time_s=100.0 * scan,
            cycle=0,
            half_cycle=0,
            completeness=1.0,
            metrics={"remaining_gap_um": gap},
        )
        self.say("ingest", started)
        self.say("segment", labels)
        self.say("measure", metrics)

    def decided(self, scan: int) -> None:
        def is_decided() -> bool:
            return any(each.scan == scan for each in self.all(ScanDecided))

        until(is_decided, timeout_s=120, what=f"the decision on scan {scan}")

    def _parts(self, key: str) -> dict[str, Any]:
        return {
            "experiment": self.name,
            "key": key,
            "time_ns": time.time_ns(),
            "producer": "test",
        }


def item_of(request: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = request["params"]["item"]
    return item


def test_armed_the_gap_rule_pauses_the_cycler_and_queues_a_finer_scan(
    lab: Lab, manager: Manager, proxy: Proxy
) -> None:
    lab.start()
    lab.arm()
    lab.measure(0, 200.0)
    lab.decided(0)
    assert proxy.changing == []
    assert manager.cycler()["current_mA"] == pytest.approx(CURRENT_MA)

    lab.measure(1, 50.0)
    lab.wait_for(ActionConfirmed, 2)

    cycler = manager.cycler()
    (plan,) = manager.plans()
    paused, finer = lab.all(ActionSent)
    assert (cycler["state"], cycler["current_mA"]) == ("held", 0.0)
    assert paused.correlation_id in cycler["held_because"]
    assert (plan["name"], plan["kwargs"]) == (
        "lithoscope_finer_scan",
        {"projections_factor": 2.0},
    )
    assert plan["meta"]["lithoscope_correlation_id"] == finer.correlation_id
    methods = [request["method"] for request in proxy.changing]
    assert methods == ["function_execute", "queue_item_add"]
    document = audit_entries(lab.name, lab.services.entries(lab.name))
    told = [(each["action"], each["mode"], each["end"]["state"]) for each in document["decisions"]]
    assert told == [("pause", "auto", "confirmed"), ("finer_scan", "auto", "confirmed")]
    assert document["problems"] == []
    # Within 2 s, where a machine has nothing else to do: shown by -s, told in docs/acting.md.
    print([each["latency"] for each in document["decisions"]])  # noqa: T201


def test_unarmed_it_proposes_and_an_approval_sends_exactly_one(
    lab: Lab, manager: Manager, proxy: Proxy
) -> None:
    lab.start()
    lab.measure(0, 200.0)
    lab.measure(1, 50.0)
    pause, finer = lab.wait_for(ProposalMade, 2)
    lab.decided(1)

    # Neither asked nor told: not one byte of this experiment has gone to the manager.
    assert proxy.requests == []
    assert manager.cycler()["current_mA"] == pytest.approx(CURRENT_MA)
    assert (pause.action, finer.action) == ("pause", "finer_scan")

    lab.ask(ApprovalRequested, "first click", proposal=pause.proposal)
    lab.ask(ApprovalRequested, "second click", proposal=pause.proposal)
    lab.wait_for(ActionConfirmed)
    lab.ask(ApprovalRequested, "third click", proposal=pause.proposal)
    lab.measure(2, 200.0)
    lab.decided(2)

    (sent,) = proxy.changing
    assert item_of(sent)["kwargs"]["function"] == "hold"
    assert manager.cycler()["state"] == "held"
    assert manager.plans() == []


def test_a_locked_manager_is_left_alone(lab: Lab, manager: Manager, proxy: Proxy) -> None:
    lab.start()
    locked = manager.ask(
        "lock", environment=True, queue=True, lock_key="operators", user="Ada", note="in the hutch"
    )
    assert locked["success"], locked["msg"]

    lab.arm()
    lab.measure(0, 50.0)
    (failed,) = lab.wait_for(ActionFailed)
    lab.decided(0)

    assert "locked" in failed.error
    assert [request["method"] for request in proxy.requests] == ["status"]
    # Nothing was done to the cell, so nothing that follows it is either.
    assert manager.ask("unlock", lock_key="operators")["success"]
    assert manager.plans() == []


def test_a_replay_sends_nothing_and_cannot_be_armed(lab: Lab, proxy: Proxy) -> None:
    lab.start("replay")
    lab.ask(ArmRequested, "arm", duration_s=60.0)
    (refused,) = lab.wait_for(ArmRefused)
    lab.measure(0, 50.0)
    (pause, _) = lab.wait_for(ProposalMade, 2)
    lab.ask(ApprovalRequested, "yes", proposal=pause.proposal)
    (failed,) = lab.wait_for(ActionFailed)

    assert "only a live experiment acts" in refused.reason
    assert "only a live experiment acts" in failed.error
    assert proxy.requests == []


def test_a_lease_ends_when_asked_and_when_decide_falls_silent(lab: Lab, proxy: Proxy) -> None:
    lab.start()
    lab.arm()
    lab.ask(DisarmRequested, "disarm")
    (first,) = lab.wait_for(Disarmed)
    lab.ask(ArmRequested, "again", duration_s=3600.0)
    lab.wait_for(Armed, 2)

    lab.services.signal("decide", signal.SIGSTOP)
    second = lab.wait_for(Disarmed, 2)[1]
    lab.services.signal("decide", signal.SIGCONT)

    assert first.person == "Ada"
    assert "decide has been silent" in second.reason
    assert proxy.requests == []


def test_killed_after_sending_it_finds_what_it_did_and_does_not_do_it_again(
    manager: Manager, proxy: Proxy, tmp_path: Path
) -> None:
    manager.reset()
    proxy.requests.clear()
    with running_services(tmp_path, proxy) as services:
        lab = Lab(services, proxy, "killed")
        lab.start()
        lab.arm()
        proxy.swallowed = "function_execute"
        lab.measure(0, 50.0)
        until(lambda: bool(proxy.changing), timeout_s=120, what="the request")
        services.kill("act")
        proxy.swallowed = ""
        services.start("act")
        (confirmed,) = lab.wait_for(ActionConfirmed)
        (disarmed,) = lab.all(Disarmed)

    holds = [each for each in proxy.changing if item_of(each)["kwargs"]["function"] == "hold"]
    assert [item_of(each)["kwargs"]["correlation_id"] for each in holds] == [
        confirmed.correlation_id
    ]
    assert "restarted" in disarmed.reason
    assert manager.cycler()["state"] == "held"
