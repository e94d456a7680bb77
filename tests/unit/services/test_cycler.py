import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from lithoscope_pipeline.phantom import CellParameters
from lithoscope_pipeline.phantom.schedule import record_electrochemistry
from lithoscope_services.beamline.cycler import Cycler
from lithoscope_services.beamline.cycler_backend import CyclerLimits, CyclerStep
from lithoscope_services.beamline.cycler_requests import request_by_name
from lithoscope_services.beamline.cycler_simulator import SimulatedCycler, steps_between
from lithoscope_services.beamline.errors import CyclerError, CyclerHeldError, CyclerLimitError

CELL = CellParameters(seed=3, n_pulses=2, pulse_s=30.0, rest_s=20.0)
END_S = 120.0
CURRENT_MA = CELL.current_mA_cm2 * CELL.active_area_cm2
LIMITS = CyclerLimits(max_current_mA=1.0)
Values = dict[str, list[float]]


def with_cycler(
    work: Callable[[Cycler], Awaitable[None]],
    limits: CyclerLimits = LIMITS,
    seconds_per_s: float | None = None,
) -> None:
    """Run a piece of work on a connected channel."""

    async def run() -> None:
        channel = SimulatedCycler(CELL, stop_s=END_S, seconds_per_s=seconds_per_s)
        cycler = Cycler(channel, limits)
        await cycler.connect()
        try:
            await work(cycler)
        finally:
            await cycler.stop(success=False)

    asyncio.run(run())


async def fly(cycler: Cycler, steps: Sequence[CyclerStep]) -> Values:
    await cycler.prepare(steps)
    await cycler.kickoff()
    await cycler.complete()
    return collected(cycler)


def collected(cycler: Cycler) -> Values:
    joined: Values = {}
    for page in cycler.collect_pages():
        for name, values in page["data"].items():
            joined.setdefault(name, []).extend(values)
    return joined


async def value(cycler: Cycler, name: str) -> Any:  # a number or a text
    return (await cycler.read())[f"cycler-{name}"]["value"]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.005)  # the pace of looking


def test_readings_and_limits_are_described_with_their_units() -> None:
    async def work(cycler: Cycler) -> None:
        described = await cycler.describe()
        limits = await cycler.describe_configuration()

        assert described["cycler-potential_V"]["units"] == "V"
        assert described["cycler-current_mA"]["units"] == "mA"
        assert described["cycler-charge_mAh"]["units"] == "mAh"
        assert described["cycler-time_s"]["units"] == "s"
        assert limits["cycler-max_current_mA"]["units"] == "mA"
        assert limits["cycler-potential_high_V"]["units"] == "V"
        assert {key: each["units"] for key, each in (await cycler.describe_collect()).items()} == {
            "cycler-time_s": "s",
            "cycler-potential_V": "V",
            "cycler-current_mA": "mA",
            "cycler-charge_mAh": "mAh",
        }

    with_cycler(work)


def test_the_steps_of_the_schedule_give_its_record_to_the_last_digit() -> None:
    truth = record_electrochemistry(CELL, start_s=0.0, stop_s=END_S)

    async def work(cycler: Cycler) -> None:
        found = await fly(cycler, steps_between(CELL, 0.0, END_S))

        assert found["cycler-time_s"] == truth.time_s.tolist()
        assert found["cycler-potential_V"] == truth.potential_V.tolist()
        assert found["cycler-current_mA"] == truth.current_mA.tolist()
        assert found["cycler-charge_mAh"] == truth.charge_mAh.tolist()

    with_cycler(work)


def test_steps_of_a_window_are_those_of_the_whole() -> None:
    whole = steps_between(CELL, 0.0, END_S)

    parts = steps_between(CELL, 0.0, 35.5) + steps_between(CELL, 35.5, END_S)

    assert [step.current_mA for step in whole] == [0.0, CURRENT_MA, 0.0, -CURRENT_MA, 0.0]
    assert [step.duration_s for step in whole] == [20.0, 30.0, 20.0, 30.0, 20.0]
    assert [step.duration_s for step in parts] == [20.0, 16.0, 14.0, 20.0, 30.0, 20.0]


def test_a_current_of_ones_own_is_read_back() -> None:
    async def work(cycler: Cycler) -> None:
        await cycler.set(-0.3)

        assert await value(cycler, "current_mA") == -0.3
        assert await value(cycler, "potential_V") < 0
        assert await value(cycler, "state") == "passing"
        assert await cycler.locate() == {"setpoint": -0.3, "readback": -0.3}

    with_cycler(work)


def test_charge_of_ones_own_program_is_current_times_time() -> None:
    async def work(cycler: Cycler) -> None:
        await fly(cycler, [CyclerStep(current_mA=0.36, duration_s=100.0)])

        assert math.isclose(await value(cycler, "charge_mAh"), 0.36 * 100.0 / 3600.0)
        assert await value(cycler, "state") == "resting"

    with_cycler(work)


@pytest.mark.parametrize("current_mA", [1.001, -1.001, math.nan, math.inf])
def test_a_current_outside_the_limits_is_never_passed(current_mA: float) -> None:  # noqa: N803
    async def work(cycler: Cycler) -> None:
        with pytest.raises(CyclerLimitError, match="current_mA"):
            await cycler.set(current_mA)
        with pytest.raises(CyclerLimitError, match="current_mA"):
            await cycler.check_value(current_mA)
        with pytest.raises(CyclerLimitError, match="current_mA"):
            await cycler.prepare([CyclerStep(current_mA=current_mA, duration_s=1.0)])

        assert await value(cycler, "current_mA") == 0.0

    with_cycler(work)


@pytest.mark.parametrize("duration_s", [-1.0, 1e9, math.nan])
def test_a_step_of_no_sensible_length_is_refused(duration_s: float) -> None:
    async def work(cycler: Cycler) -> None:
        with pytest.raises(CyclerLimitError, match="duration_s"):
            await cycler.prepare([CyclerStep(current_mA=0.1, duration_s=duration_s)])

    with_cycler(work)


def test_limits_that_allow_nothing_are_refused() -> None:
    with pytest.raises(CyclerLimitError, match="max_current_mA"):
        CyclerLimits(max_current_mA=0.0)
    with pytest.raises(CyclerLimitError, match="window"):
        CyclerLimits(max_current_mA=1.0, potential_low_V=0.5, potential_high_V=0.5)


def test_a_potential_outside_the_window_ends_the_program_and_holds_the_channel() -> None:
    limits = CyclerLimits(max_current_mA=1.0, potential_low_V=-0.05, potential_high_V=0.05)

    async def work(cycler: Cycler) -> None:
        with pytest.raises(CyclerLimitError, match="potential"):
            await fly(cycler, steps_between(CELL, 0.0, END_S))

        assert cycler.is_held
        assert await value(cycler, "state") == "held"
        assert "lies outside" in await value(cycler, "held_because")
        assert await value(cycler, "current_mA") == 0.0

    with_cycler(work, limits)


def test_a_held_channel_takes_no_current_until_a_person_releases_it() -> None:
    async def work(cycler: Cycler) -> None:
        await cycler.set(0.2)
        await cycler.hold("gap below 20 um")

        with pytest.raises(CyclerHeldError, match="gap below 20 um"):
            await cycler.set(0.1)
        await cycler.pause()
        await cycler.resume()
        assert await value(cycler, "current_mA") == 0.0
        with pytest.raises(CyclerError, match="person"):
            await cycler.release(" ")
        await cycler.release("A. Person")
        assert await value(cycler, "current_mA") == 0.0, "a release passes no current by itself"
        await cycler.set(0.1)
        assert await value(cycler, "current_mA") == 0.1

    with_cycler(work)


def test_a_program_waits_while_it_is_held_and_then_passes_all_its_charge() -> None:
    async def work(cycler: Cycler) -> None:
        await cycler.prepare([CyclerStep(current_mA=0.5, duration_s=60.0)])
        await cycler.kickoff()

        async def has_begun() -> bool:
            return await value(cycler, "charge_mAh") > 0

        await until(has_begun)
        await cycler.hold("soft short")
        held_mAh = await value(cycler, "charge_mAh")  # noqa: N806 - unit
        await cycler.resume()
        await asyncio.sleep(0)
        assert await value(cycler, "charge_mAh") == held_mAh
        await cycler.release("A. Person")
        await cycler.complete()

        assert math.isclose(await value(cycler, "charge_mAh"), 0.5 * 60.0 / 3600.0)

    with_cycler(work, seconds_per_s=200.0)


def test_a_pause_of_the_engine_takes_the_current_away_and_gives_it_back() -> None:
    async def work(cycler: Cycler) -> None:
        await cycler.set(0.4)
        await cycler.pause()
        assert await value(cycler, "current_mA") == 0.0
        assert await value(cycler, "state") == "paused"

        await cycler.resume()

        assert await value(cycler, "current_mA") == 0.4

    with_cycler(work)


def test_a_stop_that_is_no_failure_leaves_a_program_alone() -> None:
    async def work(cycler: Cycler) -> None:
        await cycler.prepare([CyclerStep(current_mA=0.5, duration_s=60.0)])
        await cycler.kickoff()
        await cycler.stop(success=True)

        await cycler.complete()

        assert len(collected(cycler)["cycler-time_s"]) == 60

    with_cycler(work)


def test_a_stop_after_a_failure_ends_the_program_at_no_current() -> None:
    async def work(cycler: Cycler) -> None:
        await cycler.prepare([CyclerStep(current_mA=0.5, duration_s=3600.0)])
        await cycler.kickoff()

        await cycler.stop(success=False)

        with pytest.raises(CyclerError, match="stopped"):
            await cycler.complete()
        assert await value(cycler, "current_mA") == 0.0
        assert len(collected(cycler).get("cycler-time_s", [])) < 3600

    with_cycler(work, seconds_per_s=1.0)


def test_a_program_that_is_finished_early_ends_well_at_no_current() -> None:
    async def work(cycler: Cycler) -> None:
        await cycler.prepare([CyclerStep(current_mA=0.5, duration_s=3600.0)])
        await cycler.kickoff()

        await cycler.finish()

        await cycler.complete()
        assert await value(cycler, "current_mA") == 0.0

    with_cycler(work, seconds_per_s=1.0)


def test_a_current_is_not_set_into_a_running_program() -> None:
    async def work(cycler: Cycler) -> None:
        await cycler.prepare([CyclerStep(current_mA=0.5, duration_s=60.0)])
        await cycler.kickoff()

        with pytest.raises(CyclerError, match="program runs"):
            await cycler.set(0.1)

    with_cycler(work, seconds_per_s=1.0)


def test_only_calming_functions_can_be_requested_by_name() -> None:
    async def work(cycler: Cycler) -> None:
        await cycler.set(0.4)

        for name in ("release", "resume", "set", "_apply", "__init__"):
            with pytest.raises(CyclerError, match="may not be requested"):
                await request_by_name(cycler, name)
        for current_mA in (0.5, -0.1, None):  # noqa: N806 - unit
            with pytest.raises(CyclerLimitError, match="no lower current"):
                await request_by_name(cycler, "lower_current", current_mA=current_mA)
        lowered = await request_by_name(cycler, "lower_current", current_mA=0.2)
        held = await request_by_name(cycler, "hold", reason="rule gap")

        assert lowered["cycler-current_mA"]["value"] == 0.2
        assert held["cycler-current_mA"]["value"] == 0.0
        assert cycler.is_held

    with_cycler(work)


def test_the_allow_list_can_be_shorter() -> None:
    limits = CyclerLimits(max_current_mA=1.0, functions=frozenset({"read"}))

    async def work(cycler: Cycler) -> None:
        with pytest.raises(CyclerError, match="allowed: read"):
            await request_by_name(cycler, "hold")

    with_cycler(work, limits)


def test_kickoff_needs_steps_and_complete_needs_kickoff() -> None:
    async def work(cycler: Cycler) -> None:
        with pytest.raises(CyclerError, match="before prepare"):
            await cycler.kickoff()
        with pytest.raises(CyclerError, match="before kickoff"):
            await cycler.complete()

    with_cycler(work)
