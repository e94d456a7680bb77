"""How early a warning comes before a bridge, and how often for nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lithoscope_pipeline.growth_histories import GrowthHistory

#: A bridge whose last scan before it left more of the gap than this came within one pulse.
ONE_PULSE_SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one way of warning does with some histories."""

    leads: tuple[float, ...]
    n_bridged: int
    n_false: int
    n_sound: int

    @property
    def loss(self) -> float:
        """The worse of the share that is missed and the share that is warned of for nothing."""
        return max(1.0 - len(self.leads) / self.n_bridged, self.n_false / self.n_sound)

    def cells(self) -> list[str]:
        """Write what was warned of, what for nothing, and the leads."""
        return [
            *share_cells(len(self.leads), self.n_bridged),
            *share_cells(self.n_false, self.n_sound),
            ", ".join(
                f"{each:.1f}" for each in np.quantile(self.leads or [0.0], (0.05, 0.5, 0.95))
            ),
        ]


def is_within_one_pulse(history: GrowthHistory) -> bool:
    """Say whether no scan showed that a bridge was near."""
    bridge, true = history.bridge_pulse, history.true_um
    return bridge is not None and bool(true[int(np.ceil(bridge)) - 1] > ONE_PULSE_SHARE * true[0])


def lead_pulses(history: GrowthHistory, values: NDArray[np.float64], limit: float) -> float | None:
    """Give the pulses from the first scan under a limit to the bridge; None without one."""
    low = np.flatnonzero(values < limit)
    bridge = history.bridge_pulse
    if not len(low) or bridge is None or low[0] >= bridge:
        return None
    return float(bridge - low[0])


def together(scores: Sequence[Score]) -> Score:
    """Count the histories of several scores as one."""
    return Score(
        leads=tuple(lead for each in scores for lead in each.leads),
        n_bridged=sum(each.n_bridged for each in scores),
        n_false=sum(each.n_false for each in scores),
        n_sound=sum(each.n_sound for each in scores),
    )


def share_cells(k: int, n: int) -> list[str]:
    """Write a share with its Clopper-Pearson bounds."""
    if not n:
        return ["none", ""]
    interval = stats.binomtest(k, n).proportion_ci()
    return [f"{k} of {n}, {k / n:.1%}", f"{interval.low:.1%} to {interval.high:.1%}"]
