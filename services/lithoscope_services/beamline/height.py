"""A stage that takes the sample up and down, so that a scan can have several tiles."""

from ophyd_async.core import (
    AsyncStatus,
    StandardReadable,
    StandardReadableFormat,
    soft_signal_rw,
)


class SampleHeight(StandardReadable):
    """A simulated vertical stage with one place a tile; at the lowest until it is moved."""

    def __init__(self, name: str = "height") -> None:
        with self.add_children_as_readables(StandardReadableFormat.HINTED_SIGNAL):
            self.tile = soft_signal_rw(int, 0)
        super().__init__(name=name)

    @AsyncStatus.wrap
    async def set(self, value: int) -> None:
        """Go to a tile."""
        await self.tile.set(value)
