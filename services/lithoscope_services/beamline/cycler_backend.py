"""What a potentiostat must offer to be a channel of ours, and what no channel may do."""

from dataclasses import dataclass, field
from typing import Protocol

from lithoscope_services.beamline.errors import CyclerLimitError

#: What may be requested by name: it can calm a cell down, never the opposite.
CALMING_FUNCTIONS = frozenset({"read", "hold", "lower_current"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CyclerSample:
    """One reading of a channel.

    Parameters
    ----------
    time_s
        Seconds since the experiment began, on the clock of the potentiostat; it never falls.
    potential_V
        Of the plating against the stripping electrode.
    current_mA
        Positive while the plating side is charged.
    charge_mAh
        Net charge since the experiment began.
    """

    time_s: float
    potential_V: float  # noqa: N815 - the unit is V
    current_mA: float  # noqa: N815 - the unit is mA
    charge_mAh: float  # noqa: N815 - the unit is mAh


@dataclass(frozen=True, slots=True, kw_only=True)
class CyclerStep:
    """A constant current for some time; 0 mA is a rest.

    Parameters
    ----------
    current_mA
        Positive charges the plating side.
    duration_s
        At least one reading long, or 0 for a step that is left out.
    """

    current_mA: float  # noqa: N815 - the unit is mA
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CyclerLimits:
    """What a channel never exceeds, whoever asks; set where the device is made and nowhere else.

    Parameters
    ----------
    max_current_mA
        Of either sign.
    potential_low_V, potential_high_V
        A reading outside holds the channel at no current.
    max_step_s
        Longest step.
    functions
        What may be requested by name.
    """

    max_current_mA: float  # noqa: N815 - the unit is mA
    potential_low_V: float = -1.0  # noqa: N815 - the unit is V
    potential_high_V: float = 1.0  # noqa: N815 - the unit is V
    max_step_s: float = 86_400.0
    functions: frozenset[str] = field(default=CALMING_FUNCTIONS)

    def __post_init__(self) -> None:
        if not self.max_current_mA > 0:
            raise CyclerLimitError(
                f"max_current_mA is {self.max_current_mA}; a current above 0 is needed"
            )
        if not self.potential_low_V < self.potential_high_V:
            raise CyclerLimitError(
                f"the potential window {self.potential_low_V} to {self.potential_high_V} V is "
                "empty; give the lower edge first"
            )

    def check_current(self, current_mA: float) -> None:  # noqa: N803 - the unit is mA
        """Refuse a current that a channel must not pass.

        Raises
        ------
        CyclerLimitError
            If it is too large, or no number.
        """
        # Written so that a NaN fails too.
        if not abs(current_mA) <= self.max_current_mA:
            raise CyclerLimitError(
                f"current_mA: {current_mA} was asked for, this channel passes at most "
                f"{self.max_current_mA} of either sign; lower it, or make the device anew with "
                "other limits"
            )

    def check_step(self, step: CyclerStep) -> None:
        """Refuse a step that a channel must not take.

        Raises
        ------
        CyclerLimitError
            If its current is too large or its duration is none.
        """
        self.check_current(step.current_mA)
        if not 0 <= step.duration_s <= self.max_step_s:
            raise CyclerLimitError(
                f"duration_s: {step.duration_s} was asked for, this channel takes steps of 0 to "
                f"{self.max_step_s} s"
            )

    def find_excess(self, sample: CyclerSample) -> str | None:
        """Say what of a reading lies outside the window, None if all is inside."""
        if self.potential_low_V <= sample.potential_V <= self.potential_high_V:
            return None
        return (
            f"potential {sample.potential_V:.4g} V at {sample.time_s:.0f} s lies outside "
            f"{self.potential_low_V} to {self.potential_high_V} V"
        )


class CyclerBackend(Protocol):
    """One channel of a potentiostat, as a driver offers it to :class:`Cycler`.

    The methods are awaited in the loop of the RunEngine; what blocks goes to a thread.
    ``set_current`` and ``read`` may be called while ``next_sample`` waits: a hold must not wait
    with it. Leave the limits of the potentiostat itself in force: those of the device are the
    second fence, not the first.
    """

    @property
    def sample_period_s(self) -> float:
        """Seconds between two readings, such as 1."""
        ...

    async def connect(self) -> None:
        """Reach the channel; raise what the driver raises if it is not there."""
        ...

    async def set_current(self, current_mA: float) -> None:  # noqa: N803 - the unit is mA
        """Pass a constant current from now on; 0 rests at open circuit."""
        ...

    async def read(self) -> CyclerSample:
        """Give the reading as it is now."""
        ...

    async def next_sample(self) -> CyclerSample:
        """Wait for the next reading, one sample period after the last, and give it."""
        ...
