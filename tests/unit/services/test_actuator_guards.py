"""When nothing may be sent: drawn from a seed, and one by one."""

import random
from collections.abc import Callable

import pytest
from actuator_driver import Driver, parts, proposal
from queue_model import Faults, QueueModel

from lithoscope_messages import (
    ActionFailed,
    ActionSent,
    Armed,
    ArmRefused,
    ArmRequested,
    Disarmed,
    DisarmRequested,
    LabelsReady,
    ScanDecided,
    ScanStarted,
)
from lithoscope_messages.frames import ScanPhase
from lithoscope_services.actuators.guards import Limits
from lithoscope_services.actuators.queue_server import QueueServerActuator
from lithoscope_services.settings import ActuatorPlanSettings, ActuatorSettings

NONE = Faults(
    lost_request=0, delayed_request=0, lost_answer=0, crash=0, refusal=0, failing_function=0
)
CHANGING = ("function_execute", "queue_item_add")


def make(source: str = "live", seed: int = 1, **limits: object) -> Driver:
    model = QueueModel(random.Random(seed), NONE)
    settings = ActuatorSettings(
        kind="queueserver", address="tcp://127.0.0.1:60615", cycler_function="lithoscope_cycler"
    )
    plans = (
        ActuatorPlanSettings(action="finer_scan", bounds=(("projections_factor", 1.0, 4.0),)),
        ActuatorPlanSettings(action="repeat_flats", bounds=(("n_flats", 5.0, 50.0),)),
    )
    actuator = QueueServerActuator(model, settings, plans)
    return Driver(actuator, model, source=source, limits=Limits(**limits))  # type: ignore[arg-type]


def n_sent(driver: Driver) -> int:
    return sum(driver.model.requests[method] for method in CHANGING)


def labels(driver: Driver, model: str, scan: int = 0) -> None:
    driver.append(
        LabelsReady(
            **parts(f"labels-{scan}"),
            scan=scan,
            work_key="0" * 64,
            path="volumes/v.zarr",
            shape=(1, 1, 1),
            voxel_um=1.0,
            sha256="0" * 64,
            model=model,
        )
    )


def decided(driver: Driver, rules_sha256: str, scan: int = 0) -> None:
    driver.append(
        ScanDecided(
            **parts(f"decided-{scan}"),
            scan=scan,
            verdict="continue",
            rules_evaluated=(),
            rules_sha256=rules_sha256,
        )
    )


def armed(driver: Driver, duration_s: float = 3600.0) -> Driver:
    labels(driver, "layers-1")
    decided(driver, "a" * 64)
    driver.arm("arm", duration_s)
    driver.run(seconds=1.0)
    assert driver.log.of(Armed), driver.log.of(ArmRefused)
    return driver


def at(driver: Driver, time_s: float) -> None:
    driver.append(
        ScanStarted(
            **parts(f"scan-at-{time_s}"),
            scan=1,
            expected=(),
            frame_shape=(1, 1),
            dtype="uint16",
            voxel_size_um=1.0,
            phase=ScanPhase(experiment_time_s=time_s),
        )
    )


def lease_over(driver: Driver, rng: random.Random) -> None:
    armed(driver, duration_s=rng.uniform(2.0, 100.0))
    driver.run(seconds=200.0)


def disarmed(driver: Driver, rng: random.Random) -> None:
    armed(driver)
    driver.append(DisarmRequested(**parts("disarm"), person="Ben"))
    driver.run(seconds=rng.uniform(0.0, 2.0))


def restarted(driver: Driver, rng: random.Random) -> None:
    armed(driver)
    driver.restart()


def other_model(driver: Driver, rng: random.Random) -> None:
    armed(driver)
    labels(driver, f"unet-{rng.random()}", scan=1)


def other_rules(driver: Driver, rng: random.Random) -> None:
    armed(driver)
    decided(driver, f"{rng.getrandbits(256):064x}", scan=1)


def silent(driver: Driver, rng: random.Random) -> None:
    armed(driver)
    driver.machine.leases.trouble = "decide has been silent for some seconds"


def never_armed(driver: Driver, rng: random.Random) -> None:
    labels(driver, "layers-1")


LEASES: tuple[Callable[[Driver, random.Random], None], ...] = (
    lease_over,
    disarmed,
    restarted,
    other_model,
    other_rules,
    silent,
    never_armed,
)


def blocked_case(seed: int) -> int:
    """Make one thing or several wrong, propose what else would be sent; give what was sent."""
    rng = random.Random(seed)
    wrong = rng.choice(("source", "off", "lease", "mode", "stale", "expired", "risk"))
    source = (
        rng.choice(("replay", "files", "volumes", "simulated")) if wrong == "source" else "live"
    )
    driver = make(source, seed, is_off=wrong == "off", max_data_age_s=60.0)
    if wrong in ("source", "off"):
        driver.arm("arm")
        driver.run(seconds=1.0)
        assert not driver.log.of(Armed)
    elif wrong == "lease":
        rng.choice(LEASES)(driver, rng)
    else:
        armed(driver)
    changes: dict[str, object] = {"scan": 2}
    if wrong == "mode":
        # What decide makes of a closed gate: wrong model, missing charge, a Faraday ratio outside.
        changes["mode"] = rng.choice(("propose", "dry_run", "off"))
        changes["failed_gates"] = (rng.choice(("model", "charge", "faraday", "age")),)
    if wrong == "expired":
        changes["expires_s"] = 101.0
        at(driver, 500.0)
    if wrong == "risk":
        changes["action"] = rng.choice(("scan_more", "scan_less", "finer_scan", "note"))
    else:
        changes["action"] = rng.choice(("hold", "pause", "lower_current", "repeat_flats"))
    driver.append(proposal("p", **changes))  # type: ignore[arg-type]
    if wrong == "stale":
        if rng.random() < 0.5:
            decided(driver, "a" * 64, scan=rng.randint(3, 9))
        else:
            driver.model.advance(rng.uniform(61.0, 1e5))
    driver.run(seconds=5.0)
    return n_sent(driver) + len(driver.log.of(ActionSent))


def test_nothing_is_sent_while_anything_stands_against_it(is_soak: bool) -> None:
    sent = {seed: blocked_case(seed) for seed in range(10_000 if is_soak else 600)}

    assert {seed: count for seed, count in sent.items() if count} == {}


def test_the_same_proposals_are_sent_when_nothing_stands_against_them() -> None:
    for action in ("hold", "pause", "lower_current", "repeat_flats"):
        driver = armed(make())
        driver.append(proposal("p", action, scan=2))

        driver.run(seconds=5.0)

        assert n_sent(driver) == 1, action


@pytest.mark.parametrize("source", ["replay", "files", "volumes"])
def test_even_an_approval_sends_nothing_for_what_is_over(source: str) -> None:
    driver = make(source)
    driver.append(proposal("p", mode="propose"))
    driver.approve("p")

    driver.run(seconds=5.0)

    assert n_sent(driver) == 0
    (failed,) = driver.log.of(ActionFailed)
    assert "only a live experiment acts" in failed.error


def test_an_approval_sends_once_however_often_it_is_given() -> None:
    driver = make()
    driver.append(proposal("p", mode="propose"))
    driver.run(seconds=2.0)
    assert n_sent(driver) == 0

    driver.approve("p")
    driver.run(seconds=2.0)
    driver.approve("p")
    driver.run(seconds=20.0)

    assert n_sent(driver) == 1


def test_an_approval_that_could_not_be_sent_at_once_has_to_be_given_again() -> None:
    driver = make(max_wait_s=60.0)
    driver.append(proposal("p", mode="propose"))
    driver.approve("p")
    driver.model.advance(61.0)
    driver.run(seconds=5.0)
    assert n_sent(driver) == 0
    assert "approve it again" in driver.log.of(ActionFailed)[0].error

    driver.approve("p", again=True)
    driver.run(seconds=5.0)

    assert n_sent(driver) == 1


def test_what_was_vetoed_can_be_approved_when_the_veto_is_gone() -> None:
    driver = make()
    driver.model.locked = {"environment": True}
    driver.append(proposal("p", mode="propose"))
    driver.approve("p")
    driver.run(seconds=5.0)
    driver.model.locked = {}
    driver.run(seconds=5.0)
    assert n_sent(driver) == 0

    driver.approve("p", again=True)
    driver.run(seconds=5.0)

    assert n_sent(driver) == 1


def test_a_finer_scan_is_queued_by_itself_only_after_what_it_follows() -> None:
    driver = armed(make())
    driver.append(proposal("first", scan=2))
    driver.append(proposal("then", "finer_scan", scan=2, follows="first"))
    driver.append(proposal("alone", "finer_scan", scan=2))

    driver.run(seconds=5.0)

    assert [sent.proposal for sent in driver.log.of(ActionSent)] == ["first", "then"]


def test_a_finer_scan_waits_for_a_person_while_the_queue_runs() -> None:
    driver = armed(make())
    driver.model.manager_state = "executing_queue"
    driver.append(proposal("first", scan=2))
    driver.append(proposal("then", "finer_scan", scan=2, follows="first"))

    driver.run(seconds=5.0)
    assert driver.model.requests["queue_item_add"] == 0
    driver.approve("then")
    driver.run(seconds=5.0)

    assert driver.model.requests["queue_item_add"] == 1


def test_a_locked_queue_server_is_a_veto_and_is_asked_once() -> None:
    driver = armed(make())
    driver.model.locked = {"environment": True, "queue": True}
    driver.append(proposal("p", scan=2))

    driver.run(seconds=30.0)

    assert n_sent(driver) == 0
    assert driver.model.requests["status"] == 1
    (failed,) = driver.log.of(ActionFailed)
    assert "locked" in failed.error


def test_an_unknown_end_ends_the_lease_until_its_alarm_is_acknowledged() -> None:
    driver = armed(make())
    driver.append(proposal("p", scan=2))
    driver.model.faults = Faults(lost_request=0, lost_answer=1.0, crash=0, delayed_request=0)
    driver.model.mute_after = "function_execute"
    driver.run(seconds=60.0)
    assert [end.type for end in driver.ends_of("p")] == ["ActionUnknown"]
    driver.model.faults = NONE
    driver.model.mute_after = ""

    driver.arm("again")
    driver.run(seconds=2.0)
    (refused,) = driver.log.of(ArmRefused)
    driver.acknowledge()
    driver.arm("once more")
    driver.run(seconds=2.0)

    assert "unknown" in driver.log.of(Disarmed)[0].reason
    assert "acknowledge" in refused.reason
    assert driver.log.of(Armed)[-1].request == "once more"


def test_a_lease_is_at_most_twelve_hours_and_says_for_what_it_is_given() -> None:
    driver = armed(make(), duration_s=43_200.0)

    (lease,) = driver.log.of(Armed)

    assert (lease.rules_sha256, lease.model) == ("a" * 64, "layers-1")
    assert lease.ends_ns - lease.time_ns == 43_200 * 10**9
    with pytest.raises(ValueError, match="43200"):
        ArmRequested(**parts("x"), person="Ada", reason="why", duration_s=43_201.0)


def test_a_request_to_arm_from_before_a_restart_is_refused() -> None:
    driver = make()
    driver.arm("arm")
    driver.restart()

    driver.run(seconds=2.0)

    assert not driver.log.of(Armed)
    assert "ask again" in driver.log.of(ArmRefused)[0].reason


def test_a_lease_needs_a_reason() -> None:
    driver = make()
    driver.append(ArmRequested(**parts("arm", driver.model.now_ns), person="A", duration_s=60.0))

    driver.run(seconds=1.0)

    assert "say why" in driver.log.of(ArmRefused)[0].reason


def test_protective_actions_are_not_counted_against_the_limit_of_an_hour() -> None:
    driver = armed(make(max_per_hour=1))
    for scan in range(2, 5):
        driver.append(proposal(f"flats-{scan}", "repeat_flats", scan=scan))
        driver.append(proposal(f"hold-{scan}", "hold", scan=scan))
        driver.run(seconds=5.0)

    sent = [each.proposal for each in driver.log.of(ActionSent)]

    assert sent == ["flats-2", "hold-2", "hold-3", "hold-4"]
