"""The pulses of the cycler: when each begins, its sign, and how much of it moves lithium.

Pulses are counted from 0; pulse ``p`` has ended when ``p + 1`` pulses have passed.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.phantom.parameters import LITHIUM_UM_PER_MAH_CM2, CellParameters

Vector = NDArray[np.floating]

# A soft short takes most of the current when it forms and heals in part within a minute; in later
# pulses less. Its mean, which lithium knows, stays.
_HEALING: Final = (0.6, 0.15)
_HEALING_SHARE: Final = 0.1  # of the bridged part of a pulse
_MOST: Final = 0.98


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """One pulse, as the truth tells it.

    Parameters
    ----------
    pulse
        Its number.
    start_s, duration_s
        Since the experiment began.
    charge_mAh_cm2
        Charge per area, negative in discharge.
    efficiency
        Share of it that moves lithium: what side reactions and a bridge leave.
    moved_um
        Dense lithium that it moves, as a thickness.
    is_bridged
        Whether a bridge carries current in it.
    """

    pulse: int
    start_s: float
    duration_s: float
    charge_mAh_cm2: float  # noqa: N815 - the unit is spelt so
    efficiency: float
    moved_um: float
    is_bridged: bool


def first_rest_s(cell: CellParameters) -> float:
    """Return how long the cell rests before the first pulse: one rest for each null scan."""
    return cell.cycling.n_null_scans * cell.rest_s


def pulse_start_s(cell: CellParameters, pulse: int) -> float:
    """Return when a pulse begins."""
    return first_rest_s(cell) + pulse * (cell.pulse_s + cell.rest_s)


def pulse_sign(cell: CellParameters, pulse: int) -> int:
    """Return 1 for a pulse that charges, -1 for one that discharges; half-cycles take turns."""
    return 1 if (pulse // cell.n_charge_pulses) % 2 == 0 else -1


def bridged_share(cell: CellParameters, pulse: int) -> float:
    """Return the share of a pulse that passes after the electrodes were bridged."""
    if cell.growth.bridge == "none":
        return 0.0
    return float(np.clip(pulse + 1 - cell.growth.bridge_pulse, 0.0, 1.0))


def pulse_efficiency(cell: CellParameters, pulse: int) -> float:
    """Return the share of a pulse's charge that moves lithium."""
    return cell.growth.efficiency * (1.0 - cell.growth.short_share * bridged_share(cell, pulse))


def leak_during(cell: CellParameters, pulse: int, since_s: Vector) -> Vector:
    """Return the share of the current that flows through a bridge.

    Parameters
    ----------
    cell
        With its bridge.
    pulse
        Number of the pulse.
    since_s
        Seconds since it began.

    Returns
    -------
    Vector
        Shape of ``since_s``; its mean over the bridged part of the pulse is ``short_share``.
        After the pulse it stays what it was at its end.
    """
    bridged = bridged_share(cell, pulse)
    if bridged == 0.0:
        return np.zeros_like(since_s)
    share = cell.growth.short_share
    passed = since_s / cell.pulse_s
    along = np.clip((passed - (1.0 - bridged)) / bridged, 0.0, 1.0)
    mean = _HEALING_SHARE * -np.expm1(-1.0 / _HEALING_SHARE)
    is_later = pulse > int(cell.growth.bridge_pulse)
    above = _HEALING[is_later] * (np.exp(-along / _HEALING_SHARE) - mean)
    # What would pass the whole current is held just below it, and the mean with it.
    most = _HEALING[is_later] * (1.0 - mean)
    room = min(1.0, (_MOST / share - 1.0) / most) if share > 0 else 0.0
    return np.where(passed >= 1.0 - bridged, share * (1.0 + max(room, 0.0) * above), 0.0)


def pulses_of(cell: CellParameters) -> tuple[Pulse, ...]:
    """Return all pulses of a cell."""
    charge = cell.pulse_charge_mAh_cm2
    return tuple(
        Pulse(
            pulse=pulse,
            start_s=pulse_start_s(cell, pulse),
            duration_s=cell.pulse_s,
            charge_mAh_cm2=pulse_sign(cell, pulse) * charge,
            efficiency=pulse_efficiency(cell, pulse),
            moved_um=pulse_efficiency(cell, pulse) * charge * LITHIUM_UM_PER_MAH_CM2,
            is_bridged=bridged_share(cell, pulse) > 0,
        )
        for pulse in range(cell.n_all_pulses)
    )
