import asyncio
from collections.abc import Awaitable, Callable

import pytest
from ophyd_async.core import FlyMotorInfo

from lithoscope_services.beamline.errors import BeamlineError
from lithoscope_services.beamline.requests import Flight
from lithoscope_services.beamline.rotation import RotationStage
from lithoscope_services.beamline.shutter import SamplePlace, Shutter, ShutterState


def with_stage(work: Callable[[RotationStage], Awaitable[None]], stage: RotationStage) -> None:
    async def run() -> None:
        await stage.connect()
        await work(stage)

    asyncio.run(run())


def test_the_stage_moves_to_where_it_is_told_and_says_so_in_degrees() -> None:
    async def work(stage: RotationStage) -> None:
        await stage.set(12.5)

        assert await stage.locate() == {"setpoint": 12.5, "readback": 12.5}
        assert (await stage.describe())["rotation"]["units"] == "deg"

    with_stage(work, RotationStage())


@pytest.mark.parametrize("theta_deg", [-11.0, 191.0])
def test_the_stage_leaves_its_limits_neither_by_a_move_nor_in_flight(theta_deg: float) -> None:
    async def work(stage: RotationStage) -> None:
        with pytest.raises(BeamlineError, match="from -10 to 190"):
            await stage.set(theta_deg)
        with pytest.raises(BeamlineError, match="from -10 to 190"):
            await stage.prepare(Flight.through((0.0, theta_deg), exposure_s=1.0))

        assert await stage.readback.get_value() == 0.0

    with_stage(work, RotationStage(low_deg=-10, high_deg=190))


def test_a_flight_that_is_too_fast_is_refused() -> None:
    async def work(stage: RotationStage) -> None:
        with pytest.raises(BeamlineError, match="at most 20"):
            await stage.prepare(Flight.through((0.0, 1.0, 2.0), exposure_s=0.01))

    with_stage(work, RotationStage(is_instant=False, max_velocity_deg_s=20.0))


def test_a_moving_stage_can_be_stopped_on_its_way() -> None:
    async def work(stage: RotationStage) -> None:
        moving = stage.set(1000.0)
        async with asyncio.timeout(10):
            while await stage.readback.get_value() <= 0:
                await asyncio.sleep(0.005)  # the pace of looking
        await stage.stop(success=True)  # type: ignore[no-untyped-call] # of ophyd-async
        await moving

        assert 0 < await stage.readback.get_value() < 1000

    with_stage(work, RotationStage(is_instant=False, max_velocity_deg_s=20.0))


@pytest.mark.parametrize("is_instant", [True, False])
def test_a_flight_ends_behind_its_last_angle(is_instant: bool) -> None:
    async def work(stage: RotationStage) -> None:
        await stage.prepare(Flight.through((0.0, 1.0, 2.0, 3.0), exposure_s=0.01))
        assert stage.encoder_deg == (0.0, 1.0, 2.0, 3.0)
        await stage.kickoff()
        await stage.complete()

        assert await stage.readback.get_value() == 3.5

    with_stage(work, RotationStage(is_instant=is_instant))


def test_a_plain_flight_of_a_motor_has_no_encoder() -> None:
    async def work(stage: RotationStage) -> None:
        await stage.prepare(FlyMotorInfo(start_position=0, end_position=5, time_for_move=1))

        assert stage.encoder_deg == ()
        assert await stage.readback.get_value() == 0

    with_stage(work, RotationStage())


def test_a_flight_is_prepared_before_it_begins() -> None:
    async def work(stage: RotationStage) -> None:
        with pytest.raises(BeamlineError, match="before prepare"):
            await stage.kickoff()
        with pytest.raises(BeamlineError, match="before kickoff"):
            await stage.complete()

    with_stage(work, RotationStage())


def test_shutter_and_sample_take_their_two_places_and_no_other() -> None:
    async def run() -> None:
        shutter, sample = Shutter(), SamplePlace()
        await shutter.connect()
        await sample.connect()

        assert await shutter.state.get_value() == ShutterState.CLOSED
        await shutter.set("Open")
        await sample.set("Out")
        assert (await shutter.read())["shutter-state"]["value"] == "Open"
        assert (await sample.read())["sample-place"]["value"] == "Out"
        with pytest.raises(ValueError, match="Ajar"):
            await shutter.set("Ajar")

    asyncio.run(run())
