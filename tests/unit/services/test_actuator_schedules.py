"""Crashes between any two steps, and a queue server that loses, repeats and delays."""

import random
from collections import Counter
from dataclasses import dataclass, field

from actuator_driver import Driver, proposal
from queue_model import Faults, QueueModel

from lithoscope_messages import ActionConfirmed, ActionFailed
from lithoscope_services.actuators.queue_server import QueueServerActuator
from lithoscope_services.settings import ActuatorPlanSettings, ActuatorSettings

PLANS = (
    ActuatorPlanSettings(action="finer_scan", bounds=(("projections_factor", 1.0, 4.0),)),
    ActuatorPlanSettings(
        action="repeat_flats", plan="repeat_flats", bounds=(("n_flats", 5.0, 200.0),)
    ),
)
ACTIONS = ("pause", "lower_current", "finer_scan", "repeat_flats")


@dataclass(slots=True)
class Outcomes:
    """What became of the actions of many schedules."""

    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    done: Counter[tuple[str, int]] = field(default_factory=Counter)
    n_schedules: int = 0
    n_actions: int = 0
    n_crashes: int = 0
    n_requests: int = 0
    n_lies: int = 0


def queue_actuator(model: QueueModel) -> QueueServerActuator:
    settings = ActuatorSettings(
        kind="queueserver", address="tcp://127.0.0.1:60615", cycler_function="lithoscope_cycler"
    )
    return QueueServerActuator(model, settings, PLANS)


def run_schedule(seed: int, out: Outcomes) -> None:
    """Propose, arm, approve, crash; then let everything come to its end."""
    rng = random.Random(seed)
    faults = Faults(
        lost_request=rng.uniform(0, 0.3),
        delayed_request=rng.uniform(0, 0.3),
        lost_answer=rng.uniform(0, 0.4),
        crash=rng.choice((0.0, 0.02, 0.1)),
    )
    model = QueueModel(rng, faults)
    driver = Driver(queue_actuator(model), model, crash=rng.choice((0.0, 0.05, 0.2)))
    keys = []
    for scan in range(rng.randint(1, 4)):
        driver.acknowledge()
        driver.arm(f"arm-{scan}")
        driver.run(seconds=2.0)
        key = f"p-{scan}"
        keys.append(key)
        driver.append(proposal(key, rng.choice(ACTIONS), scan=scan))
        driver.run(seconds=rng.uniform(0.0, 20.0))
        if rng.random() < 0.7:
            driver.approve(key)
        driver.run(seconds=rng.uniform(0.0, 60.0))
    driver.run(seconds=200.0)
    model.advance(60.0)
    _count(driver, model, keys, out)


def _count(driver: Driver, model: QueueModel, keys: list[str], out: Outcomes) -> None:
    out.n_schedules += 1
    out.n_crashes += driver.n_crashes
    out.n_requests += model.requests.total()
    for key in keys:
        sent = driver.sent_of(key)
        assert len(sent) <= 1, f"{key}: {len(sent)} intents"
        if not sent:
            continue
        action = sent[0].request["item"]["kwargs"].get("function") or "plan"
        n_done = model.done[sent[0].correlation_id]
        ends = [end for end in driver.ends_of(key) if end.correlation_id == sent[0].correlation_id]
        assert len(ends) == 1, f"{key}: ends {ends}"
        out.n_actions += 1
        out.ends[action, ends[0].type] += 1
        out.done[ends[0].type, n_done] += 1
        wrong = isinstance(ends[0], ActionConfirmed) and n_done != 1
        wrong |= isinstance(ends[0], ActionFailed) and n_done != 0
        out.n_lies += wrong
    # Nothing was ever done that no intent stands for.
    known = {each.correlation_id for key in keys for each in driver.sent_of(key)}
    assert set(model.done) <= known


def test_every_action_is_done_at_most_once_and_has_an_end(is_soak: bool) -> None:
    out = Outcomes()

    for seed in range(2000 if is_soak else 150):
        run_schedule(seed, out)

    if is_soak:
        from benchmarks.actuator_soak import write_table

        write_table(out)
    assert max(n_done for _, n_done in out.done) <= 1
    assert out.n_lies == 0
    # The schedules are no walk in the park, and every end was met.
    assert {end for _, end in out.ends} == {"ActionConfirmed", "ActionFailed", "ActionUnknown"}
    assert out.n_crashes > out.n_schedules


def test_without_faults_an_armed_action_is_confirmed_at_once() -> None:
    none = Faults(
        lost_request=0,
        delayed_request=0,
        lost_answer=0,
        crash=0,
        refusal=0,
        failing_function=0,
    )
    model = QueueModel(random.Random(1), none)
    driver = Driver(queue_actuator(model), model)
    driver.arm("arm")
    driver.run(seconds=1.0)

    driver.append(proposal("p"))
    driver.run(seconds=1.0)

    assert [end.type for end in driver.ends_of("p")] == ["ActionConfirmed"]
    assert model.done.total() == 1
    assert model.requests["function_execute"] == 1
