"""What policy knows of a scan: its numbers, where it stands in the cycling, and its troubles."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lithoscope_pipeline.decide.rule import Mode

if TYPE_CHECKING:  # settings hold rules and must load at once; measuring takes much of SciPy
    from lithoscope_pipeline.metric import Metric


#: A number that is missing for one of these is not hidden: there is nothing yet to be measured.
NOT_YET: Final = frozenset(
    {
        "current_strips_that_side",
        "gap_not_closing",
        "less_than_one_pulse",
        "no_pits_in_reference_scan",
        "no_pulse_yet",
        "no_reference_scan",
        "no_variation",
        "too_few_scans",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRecord:
    """One scan as policy sees it; all of it is recorded, so that a replay sees the same.

    Parameters
    ----------
    scan
        Its number.
    time_s
        When it was taken, since the experiment began.
    pulse
        Pulses before it.
    last_current_mA, next_current_mA
        Signed current of the pulse before and of the one that is to come; None: not known.
    metrics
        All numbers by name: of its labels, of its quality, and of the pulse before it.
    model
        Name of what made the labels.
    image_mode
        Most that a rule on its images may do: ``dry_run`` where what made the labels was never
        commissioned.
    is_unregistered
        Whether it was not laid over the first scan.
    failure
        Why it has no numbers; empty when it has.
    """

    scan: int
    time_s: float
    pulse: float = 0.0
    last_current_mA: float | None = None  # noqa: N815 - the unit is mA
    next_current_mA: float | None = None  # noqa: N815
    metrics: Mapping[str, "Metric"] = field(default_factory=dict)
    model: str = ""
    image_mode: Mode = "auto"
    is_unregistered: bool = False
    failure: str = ""

    @property
    def is_reversed_next(self) -> bool:
        """Whether the next pulse takes lithium from where the last one brought it."""
        last, following = self.last_current_mA, self.next_current_mA
        return last is not None and following is not None and last * following < 0

    @property
    def current_ratio(self) -> float:
        """Next current over last, not under 1: what is not known, or lower, warns as before."""
        last, following = self.last_current_mA, self.next_current_mA
        if not last or following is None or not math.isfinite(following / last):
            return 1.0
        return max(1.0, abs(following / last))
