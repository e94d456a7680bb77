"""What the cycler does beyond one cycle of pulses."""

from dataclasses import dataclass

from lithoscope_pipeline.errors import ParameterError


@dataclass(frozen=True, slots=True, kw_only=True)
class CyclingParameters:
    """Cycles, and the rest before the first pulse.

    Parameters
    ----------
    n_cycles
        Cycles of charge and discharge, one after the other.
    n_null_scans
        Scans in the rest before the first pulse, which is that many rests long: nothing changes
        between them, so that their spread is that of the measurement. Limits of detection need 4.
    """

    n_cycles: int = 1
    n_null_scans: int = 1

    def __post_init__(self) -> None:
        if self.n_cycles < 1 or self.n_null_scans < 1:
            raise ParameterError(
                f"n_cycles is {self.n_cycles} and n_null_scans {self.n_null_scans}; "
                "at least 1 of each is needed"
            )
