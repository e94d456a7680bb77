"""A channel of a potentiostat as a Bluesky device, with its limits inside.

A program of steps is flown: ``prepare`` takes the steps, ``kickoff`` starts them, ``complete``
ends with the last, and what was read meanwhile is collected as pages of events, one a reading.
A single current is set as any movable is. Three things take the current away:

1. The RunEngine pauses: ``pause`` and ``resume`` are called by it. The step goes on afterwards.
2. A protective action: ``hold``. It stays until a person calls ``release``; no plan, pause or
   resume ends it, and no current but 0 is taken meanwhile.
3. A potential outside the window: as 2, and the program that runs fails.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

import structlog
from bluesky.protocols import Location, PartialEventPage, Reading
from event_model import DataKey
from ophyd_async.core import (
    AsyncStatus,
    Device,
    DeviceMock,
    SignalR,
    StandardReadable,
    StandardReadableFormat,
    StrictEnum,
    soft_signal_r_and_setter,
)

from lithoscope_services.beamline.cycler_backend import (
    CyclerBackend,
    CyclerLimits,
    CyclerSample,
    CyclerStep,
)
from lithoscope_services.beamline.cycler_samples import UNITS, describe_samples, sample_pages
from lithoscope_services.beamline.errors import CyclerError, CyclerHeldError, CyclerLimitError
from lithoscope_services.beamline.metadata import SAMPLE_KEYS

#: Signals follow the readings at this pace.
SHOW_S = 0.05
log = structlog.get_logger()


class CyclerState(StrictEnum):
    """What a channel does."""

    RESTING = "resting"
    PASSING = "passing"
    PAUSED = "paused"
    HELD = "held"


class Cycler(StandardReadable):
    """One channel of a potentiostat.

    Reading it gives time, potential, current and charge with their units; its state and why it is
    held stand beside them, its limits in the configuration.

    Parameters
    ----------
    backend
        The driver, or :class:`~lithoscope_services.beamline.cycler_simulator.SimulatedCycler`.
    limits
        What the channel never exceeds.
    name
        Of the device; data keys are ``<name>-potential_V`` and so on.
    """

    def __init__(self, backend: CyclerBackend, limits: CyclerLimits, name: str = "cycler") -> None:
        self._backend = backend
        self.limits = limits
        made = {key: soft_signal_r_and_setter(float, units=UNITS[key]) for key in SAMPLE_KEYS}
        self._set_sample = {key: setter for key, (_, setter) in made.items()}
        with self.add_children_as_readables(StandardReadableFormat.HINTED_SIGNAL):
            self.potential_V: SignalR[float] = made["potential_V"][0]
            self.current_mA: SignalR[float] = made["current_mA"][0]
            self.charge_mAh: SignalR[float] = made["charge_mAh"][0]
        with self.add_children_as_readables(StandardReadableFormat.UNCACHED_SIGNAL):
            self.time_s: SignalR[float] = made["time_s"][0]
            self.state, self._set_state = soft_signal_r_and_setter(CyclerState)
            self.held_because, self._set_held_because = soft_signal_r_and_setter(str)
        with self.add_children_as_readables(StandardReadableFormat.CONFIG_SIGNAL):
            self.max_current_mA, _ = soft_signal_r_and_setter(
                float, limits.max_current_mA, units="mA"
            )
            self.potential_low_V, _ = soft_signal_r_and_setter(
                float, limits.potential_low_V, units="V"
            )
            self.potential_high_V, _ = soft_signal_r_and_setter(
                float, limits.potential_high_V, units="V"
            )
        self._demand_mA = 0.0
        self._is_paused = False
        self._is_finished = False
        self._steps: tuple[CyclerStep, ...] = ()
        self._program: asyncio.Task[None] | None = None
        self._unread: list[CyclerSample] = []
        self._last_time_s = float("-inf")
        self._last: CyclerSample | None = None
        self._shown_s = 0.0
        self._held_text = self._excess = ""
        self._changed = asyncio.Event()
        super().__init__(name=name)

    async def connect(
        self,
        mock: bool | DeviceMock[Any] = False,
        timeout: float = 10.0,
        force_reconnect: bool = False,
    ) -> None:
        """Reach the channel."""
        await Device.connect(self, mock, timeout, force_reconnect)
        if not mock:
            await asyncio.wait_for(self._backend.connect(), timeout)
            await self._look()

    @property
    def is_held(self) -> bool:
        """Whether a protective action keeps the current away."""
        return bool(self._held_text)

    @AsyncStatus.wrap
    async def set(self, current_mA: float) -> None:  # noqa: N803 - the unit is mA
        """Pass a constant current until another is set; the status ends when it flows.

        Raises
        ------
        CyclerLimitError, CyclerHeldError, CyclerError
            In the status: if it is outside the limits, if the channel is held, or if a program
            runs.
        """
        self.limits.check_current(current_mA)
        if current_mA and self.is_held:
            raise CyclerHeldError(
                f"{self.name}: {current_mA} mA was asked for, the channel is held "
                f"({self._held_text}); a person must release it first"
            )
        if self._is_running:
            raise CyclerError(f"{self.name}: a program runs; wait for its end, or stop it")
        self._demand_mA = current_mA
        await self._apply()
        await self._look()

    async def check_value(self, current_mA: float) -> None:  # noqa: N803 - the unit is mA
        """Raise if a plan may not set this current; called by simulators of plans."""
        self.limits.check_current(current_mA)

    async def locate(self) -> Location[float]:
        """Give the current that was asked for and the one that flows."""
        await self._look()
        return Location(setpoint=self._demand_mA, readback=await self.current_mA.get_value())

    @AsyncStatus.wrap
    async def prepare(self, steps: Sequence[CyclerStep]) -> None:
        """Take the steps of a program; nothing flows yet.

        Raises
        ------
        CyclerLimitError, CyclerError
            In the status: if any step is outside the limits, or a program runs.
        """
        for step in steps:
            self.limits.check_step(step)
        if self._is_running:
            raise CyclerError(f"{self.name}: a program runs; wait for its end before the next")
        self._steps = tuple(steps)
        self._is_paused = False
        self._program = None
        self._unread.clear()

    @AsyncStatus.wrap
    async def kickoff(self) -> None:
        """Start the program; while the channel is held it waits with its first current."""
        if not self._steps:
            raise CyclerError(f"{self.name}: kickoff came before prepare; give it steps first")
        steps, self._steps = self._steps, ()
        self._is_finished = False
        self._program = asyncio.create_task(self._run(steps), name=f"{self.name} program")

    @AsyncStatus.wrap
    async def complete(self) -> None:
        """Wait for the end of the program.

        Raises
        ------
        CyclerLimitError, CyclerError
            In the status: if the potential left its window, and the channel is held then; if the
            program was stopped.
        """
        if self._program is None:
            raise CyclerError(f"{self.name}: complete came before kickoff")
        program = self._program
        # Who stops waiting does not stop the cell, so it is not awaited itself.
        await asyncio.wait([program])
        if program.cancelled() and not self._is_finished:
            raise CyclerError(f"{self.name}: the program was stopped before its end")
        if not program.cancelled():
            program.result()

    async def describe_collect(self) -> dict[str, DataKey]:
        """Describe the events of :meth:`collect_pages`."""
        return describe_samples(self.name)

    def collect_pages(self) -> Iterator[PartialEventPage]:
        """Give what was read since the last call, one event a reading."""
        samples, self._unread = self._unread, []
        return sample_pages(self.name, samples)

    @property
    def _is_running(self) -> bool:
        return self._program is not None and not self._program.done()

    async def _run(self, steps: Sequence[CyclerStep]) -> None:
        period_s = self._backend.sample_period_s
        try:
            for step in steps:
                self._demand_mA = step.current_mA
                await self._apply()
                n_left = round(step.duration_s / period_s)
                while n_left > 0:
                    self._check_excess()
                    if self._is_paused or self.is_held:
                        await self._idle(period_s)
                        continue
                    await self._keep(await self._backend.next_sample())
                    await self._trip()
                    n_left -= 1
            self._check_excess()
        finally:
            self._demand_mA = 0.0
            await self._apply()

    def _check_excess(self) -> None:
        if self._excess:
            raise CyclerLimitError(
                f"{self.name}: {self._excess}; the channel is held at no current"
            )

    async def _idle(self, period_s: float) -> None:
        """Record the rest that a pause or a hold makes, until it may be over."""
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), period_s)
        except TimeoutError:
            await self._keep(await self._backend.read())

    async def _keep(self, sample: CyclerSample) -> None:
        self._last = sample
        if sample.time_s > self._last_time_s:
            self._last_time_s = sample.time_s
            self._unread.append(sample)
        # A simulated second may take microseconds: others must have their turn.
        if time.monotonic() - self._shown_s > SHOW_S:
            self._show(sample)
            await asyncio.sleep(0)

    async def pause(self) -> None:
        """Rest while the RunEngine is paused; it calls this."""
        self._is_paused = True
        await self._apply()

    async def resume(self) -> None:
        """Go on after a pause, unless the channel is held."""
        self._is_paused = False
        await self._apply()

    async def hold(self, reason: str) -> None:
        """Take the current away for protection, until a person releases the channel.

        Parameters
        ----------
        reason
            Which rule or whom it comes from; it stands in every reading.
        """
        self._held_text = reason or "no reason was given"
        self._set_held_because(self._held_text)
        log.warning("cycler_held", device=self.name, reason=self._held_text)
        await self._apply()

    async def release(self, person: str) -> None:
        """End a hold; a program that waited goes on where it stood.

        Parameters
        ----------
        person
            Who decided it. Nothing in this package calls this by itself.

        Raises
        ------
        CyclerError
            If nobody takes it on himself.
        """
        if not person.strip():
            raise CyclerError(f"{self.name}: a hold is released by a person; give a name")
        log.warning("cycler_released", device=self.name, person=person, was=self._held_text)
        self._held_text = self._excess = ""
        self._set_held_because("")
        if not self._is_running:
            self._demand_mA = 0.0
        await self._apply()

    async def stop(self, success: bool = True) -> None:
        """End what runs and rest, if a plan failed; one that only pauses calls :meth:`pause`."""
        if not (success and self._is_running):
            await self._end()

    async def finish(self) -> None:
        """End what runs before its time and rest, because a plan wants it so."""
        self._is_finished = True
        await self._end()

    async def _end(self) -> None:
        if self._program is not None and not self._program.done():
            self._program.cancel()
            await asyncio.wait([self._program])
        # An engine that aborts out of a pause does not resume first.
        self._is_paused = False
        self._demand_mA = 0.0
        await self._apply()

    async def lower_current(self, current_mA: float | None) -> None:  # noqa: N803 - unit mA
        """Lower the current that flows until the next step or the next current.

        Parameters
        ----------
        current_mA
            Of the same sign as the present one and not larger; 0 is always taken.

        Raises
        ------
        CyclerLimitError
            If it is no lower current, or none is given.
        """
        now = self._demand_mA
        is_lower = current_mA is not None and (
            current_mA == 0
            or (current_mA * now > 0 and abs(current_mA) <= abs(now) and not self.is_held)
        )
        if current_mA is None or not is_lower:
            raise CyclerLimitError(
                f"{self.name}: current_mA: {current_mA} is no lower current than {now} mA"
            )
        self._demand_mA = current_mA
        await self._apply()

    async def read(self) -> dict[str, Reading[float]]:
        """Read time, potential, current and charge as they are now."""
        await self._look()
        found: dict[str, Reading[float]] = await super().read()
        return found

    async def _apply(self) -> None:
        is_kept_away = self._is_paused or self.is_held
        current = 0.0 if is_kept_away else self._demand_mA
        await self._backend.set_current(current)
        if self.is_held:
            self._set_state(CyclerState.HELD)
        elif self._is_paused:
            self._set_state(CyclerState.PAUSED)
        else:
            self._set_state(CyclerState.PASSING if current else CyclerState.RESTING)
        self._changed.set()

    async def _look(self) -> None:
        self._last = await self._backend.read()
        self._show(self._last)
        await self._trip()

    async def _trip(self) -> None:
        """Hold the channel if the last reading lies outside the window."""
        excess = None if self._last is None else self.limits.find_excess(self._last)
        if excess is not None and not self.is_held:
            self._excess = excess
            await self.hold(excess)

    def _show(self, sample: CyclerSample) -> None:
        self._shown_s = time.monotonic()
        for key, setter in self._set_sample.items():
            setter(getattr(sample, key))
