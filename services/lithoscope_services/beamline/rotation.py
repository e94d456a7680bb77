"""A simulated rotation stage: moves within limits, flies angles, and knows where it was."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from ophyd_async.core import (
    AsyncStatus,
    FlyMotorInfo,
    MovableLogic,
    SignalR,
    StandardMovable,
    StandardReadable,
    StandardReadableFormat,
    TimeoutCalculator,
    WatchableAsyncStatus,
    soft_signal_r_and_setter,
    soft_signal_rw,
)

from lithoscope_services.beamline.errors import BeamlineError
from lithoscope_services.beamline.requests import Flight

_UPDATE_S = 0.1


@dataclass
class _RotationLogic(MovableLogic[float]):
    """How the stage moves: at its velocity, or at once if that is 0."""

    set_readback: Callable[[float], None]
    velocity_deg_s: SignalR[float]
    low_deg: float
    high_deg: float

    async def check_move(self, new_position: float) -> None:
        """Refuse an angle outside the limits."""
        if not self.low_deg <= new_position <= self.high_deg:
            raise BeamlineError(
                f"{self.readback.name}: {new_position} degrees was asked for, the stage turns "
                f"from {self.low_deg} to {self.high_deg}"
            )

    async def move(self, new_position: float, timeout: TimeoutCalculator) -> None:
        """Turn to an angle."""
        begin_deg = await self.readback.get_value()
        velocity_deg_s = await self.velocity_deg_s.get_value()
        await self.setpoint.set(new_position)
        way_deg, begin_s = new_position - begin_deg, time.monotonic()
        duration_s = abs(way_deg) / velocity_deg_s if velocity_deg_s else 0.0
        while (passed_s := time.monotonic() - begin_s) < duration_s:
            self.set_readback(begin_deg + way_deg * passed_s / duration_s)
            await asyncio.sleep(min(_UPDATE_S, duration_s - passed_s))
        self.set_readback(new_position)

    async def stop(self) -> None:
        """Stay where it is."""
        await self.setpoint.set(await self.readback.get_value())


class RotationStage(StandardReadable, StandardMovable[float]):
    """A rotation stage, in degrees.

    It is flown through the angles of a :class:`Flight`; ``encoder_deg`` then says what each
    exposure saw. Flown with ophyd-async's plain ``FlyMotorInfo`` it turns at constant speed.

    Parameters
    ----------
    low_deg, high_deg
        Limits.
    max_velocity_deg_s
        Fastest turn; a flight that needs more is refused.
    is_instant
        Whether it is there at once, for simulations that do not wait.
    name
        Of the device.
    """

    def __init__(
        self,
        *,
        low_deg: float = -3600.0,
        high_deg: float = 3600.0,
        max_velocity_deg_s: float = 720.0,
        is_instant: bool = True,
        name: str = "rotation",
    ) -> None:
        self._limits_deg = (low_deg, high_deg)
        self._max_velocity_deg_s = max_velocity_deg_s
        self._is_instant = is_instant
        with self.add_children_as_readables(StandardReadableFormat.HINTED_SIGNAL):
            self.readback, self._set_readback = soft_signal_r_and_setter(float, units="deg")
        with self.add_children_as_readables(StandardReadableFormat.CONFIG_SIGNAL):
            self.velocity_deg_s = soft_signal_rw(
                float, 0.0 if is_instant else max_velocity_deg_s, units="deg/s"
            )
            self.low_deg, _ = soft_signal_r_and_setter(float, low_deg, units="deg")
            self.high_deg, _ = soft_signal_r_and_setter(float, high_deg, units="deg")
        self.setpoint = soft_signal_rw(float, units="deg")
        #: How often it was staged; each time a scan begins.
        self.n_stagings = 0
        self._flight: FlyMotorInfo | None = None
        self._move: WatchableAsyncStatus[float] | None = None
        super().__init__(name=name)

    @cached_property
    def movable_logic(self) -> MovableLogic[float]:
        """How it moves."""
        low_deg, high_deg = self._limits_deg
        return _RotationLogic(
            setpoint=self.setpoint,
            readback=self.readback,
            set_readback=self._set_readback,
            velocity_deg_s=self.velocity_deg_s,
            low_deg=low_deg,
            high_deg=high_deg,
        )

    @property
    def encoder_deg(self) -> tuple[float, ...]:
        """Angle in the middle of each exposure of the flight; empty if there is none."""
        return self._flight.thetas_deg if isinstance(self._flight, Flight) else ()

    @AsyncStatus.wrap
    async def stage(self) -> None:
        """Get ready for a scan."""
        self.n_stagings += 1
        self._flight = self._move = None
        await super().stage()

    @AsyncStatus.wrap
    async def prepare(self, value: FlyMotorInfo) -> None:
        """Turn to the start of a flight.

        Raises
        ------
        BeamlineError
            In the status: if it leaves the limits or is too fast.
        """
        for position_deg in (value.start_position, value.end_position):
            await self.movable_logic.check_move(position_deg)
        if not self._is_instant and value.speed > self._max_velocity_deg_s:
            raise BeamlineError(
                f"{self.name}: {value.speed:.4g} degrees a second are needed, the stage turns at "
                f"most {self._max_velocity_deg_s}; expose longer, or take smaller steps"
            )
        await self.velocity_deg_s.set(0.0 if self._is_instant else self._max_velocity_deg_s)
        await self.set(value.start_position)
        self._flight = value
        if not self._is_instant:
            await self.velocity_deg_s.set(value.speed)

    @AsyncStatus.wrap
    async def kickoff(self) -> None:
        """Begin the flight."""
        if self._flight is None:
            raise BeamlineError(f"{self.name}: kickoff came before prepare; give it a flight")
        self._move = self.set(self._flight.end_position)

    @AsyncStatus.wrap
    async def complete(self) -> None:
        """Wait for the end of the flight."""
        if self._move is None:
            raise BeamlineError(f"{self.name}: complete came before kickoff")
        await self._move
