"""Experiments as rules see them: a gap with its interval, and a potential, scan after scan."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.growth_histories.laws import GrowthLaw, close_gap
from lithoscope_pipeline.growth_histories.residuals import Residuals

Vector = NDArray[np.float64]
#: ``inside``: it bridges in view; ``outside``: where no image shows it; ``none``: growth stops far
#: from the other side; ``near_miss``: it stops close to it.
Fate = Literal["inside", "outside", "none", "near_miss"]

#: Thickness of the electrolyte, micrometres: 274 in the reference cell.
_GAP_UM: Final = (200.0, 350.0)
#: Pulses until a gap is bridged; the tallest dendrite of the simulator would need about 16.
_CLOSE_PULSES: Final = (6.0, 40.0)
#: What is left of the gap where growth stops.
_LEFT: Final = (0.25, 0.95)
_NEARLY_NOTHING_LEFT: Final = (0.03, 0.25)
_PULSE_S: Final = 1800.0
_CURRENT_MA: Final = 0.75
_VOLTAGE_SPREAD: Final = 0.02
#: Share of the current that a fresh bridge carries.
_LEAK: Final = (0.1, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthHistory:
    """One experiment at the level of its metrics, one scan after each pulse.

    Parameters
    ----------
    law, fate
        How it grew, and to what end.
    true_um, gap_um
        Gap of each scan, in truth and as measured, not negative.
    low95_um, high95_um
        Its interval.
    voltage_drop
        ``voltage_drop_share`` of the pulse before each scan.
    bridge_pulse
        Pulses until the cell was bridged, wherever; None if it never was.
    pulse_s, current_mA
        Time from pulse to pulse, and the current of all of them.
    """

    law: GrowthLaw
    fate: Fate
    true_um: Vector
    gap_um: Vector
    low95_um: Vector
    high95_um: Vector
    voltage_drop: Vector
    bridge_pulse: float | None
    pulse_s: float = _PULSE_S
    current_mA: float = _CURRENT_MA  # noqa: N815 - the unit is mA

    @property
    def n_scans(self) -> int:
        """How many scans there are; scan ``i`` follows pulse ``i``."""
        return len(self.gap_um)


def make_history(
    law: GrowthLaw,
    fate: Fate,
    *,
    residuals: Residuals,
    rng: np.random.Generator,
    n_pulses: int = 48,
) -> GrowthHistory:
    """Make an experiment.

    Parameters
    ----------
    law, fate
        How the nearest tip in view grows, and to what end.
    residuals
        Errors of the measured gap, a whole trajectory for each experiment.
    rng
        Draws all else.
    n_pulses
        Pulses of one direction; the history ends with the bridge, should it come before.

    Returns
    -------
    GrowthHistory
        With two scans after the bridge, in which only the potential speaks for one outside.
    """
    start_um = rng.uniform(*_GAP_UM)
    close_pulses = float(np.exp(rng.uniform(*np.log(_CLOSE_PULSES))))
    left = {
        "inside": (0.0, 0.0),
        "outside": _LEFT,
        "none": _LEFT,
        "near_miss": _NEARLY_NOTHING_LEFT,
    }[fate]
    course = close_gap(
        law,
        start_um=start_um,
        close_pulses=close_pulses,
        n_pulses=n_pulses,
        rng=rng,
        stop_um=start_um * rng.uniform(*left),
    )
    bridge = course.bridge_pulse
    if fate == "outside":
        bridge = close_pulses * rng.uniform(0.5, 1.0)
    n_scans = n_pulses + 1 if bridge is None else min(n_pulses, int(np.ceil(bridge)) + 1) + 1
    true = course.gap_um[:n_scans]
    wide = residuals.half_width_um
    measured = np.maximum(true + residuals.draw(n_scans, rng) * (true > 0), 0.0)
    return GrowthHistory(
        law=law,
        fate=fate,
        true_um=true,
        gap_um=measured,
        low95_um=np.maximum(measured - wide, 0.0),
        high95_um=measured + wide,
        voltage_drop=_voltage_drop(n_scans, bridge, rng),
        bridge_pulse=bridge,
    )


def _voltage_drop(n_scans: int, bridge: float | None, rng: np.random.Generator) -> Vector:
    """Give how far each pulse's potential fell; it stays low for the pulse after a bridge."""
    drop = np.abs(_VOLTAGE_SPREAD * rng.standard_normal(n_scans))
    if bridge is not None:
        drop[int(np.ceil(bridge)) :] += rng.uniform(*_LEAK)
    return np.minimum(drop, 0.98)
