"""Devices with two places: the shutter of the beam, and the sample in it or beside it."""

from ophyd_async.core import (
    AsyncStatus,
    InOut,
    SignalRW,
    StandardReadable,
    StandardReadableFormat,
    StrictEnum,
    soft_signal_rw,
)


class ShutterState(StrictEnum):
    """Whether the beam reaches the sample."""

    OPEN = "Open"
    CLOSED = "Closed"


class Shutter(StandardReadable):
    """A simulated shutter; closed until it is opened."""

    def __init__(self, name: str = "shutter") -> None:
        with self.add_children_as_readables(StandardReadableFormat.HINTED_SIGNAL):
            self.state: SignalRW[ShutterState] = soft_signal_rw(ShutterState, ShutterState.CLOSED)
        super().__init__(name=name)

    @AsyncStatus.wrap
    async def set(self, value: ShutterState | str) -> None:
        """Open or close it."""
        await self.state.set(ShutterState(value))


class SamplePlace(StandardReadable):
    """A simulated stage that takes the sample out of the beam for flats; in until then."""

    def __init__(self, name: str = "sample") -> None:
        with self.add_children_as_readables(StandardReadableFormat.HINTED_SIGNAL):
            self.place: SignalRW[InOut] = soft_signal_rw(InOut, InOut.IN)
        super().__init__(name=name)

    @AsyncStatus.wrap
    async def set(self, value: InOut | str) -> None:
        """Move the sample in or out."""
        await self.place.set(InOut(value))
