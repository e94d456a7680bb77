"""Where the lithium is: what has left one electrode has come to the other.

A pulse takes ``m`` (dense lithium, as a thickness) from one electrode and brings it to the other.
Lithium that comes back to the stripping side is redeposited, and taken first when it goes again.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from lithoscope_pipeline.phantom.parameters import CellParameters

_SLOWING: Final = 0.055  # width of the change of rate, as a share of the charge
_LATE_RATE: Final = 0.14  # of thickening, against the early rate
_NOTHING_UM: Final = 1.0e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What has moved after some pulses.

    Parameters
    ----------
    cycle
        Number of the cycle, from 0; a boundary belongs to the earlier one.
    charged, discharged
        Lithium moved in each half of this cycle, as a share of what a half-cycle without a
        short moves.
    missing_um
        Dense lithium that the stripping side lacks.
    recession_um
        The most that it has ever lacked: what the electrode itself lost.
    plated_porosity
        Share of the plated volume that is not metal.
    is_bridged
        Whether a bridge carries part of the current.
    """

    cycle: int
    charged: float
    discharged: float
    missing_um: float
    recession_um: float
    plated_porosity: float
    is_bridged: bool

    @property
    def redeposited_um(self) -> float:
        """Dense lithium that came back to the stripping side."""
        returned_um = self.recession_um - self.missing_um
        return returned_um if returned_um > _NOTHING_UM else 0.0


def lithium_after(cell: CellParameters, n_pulses: float) -> Ledger:
    """Follow the lithium through charge and discharge.

    Parameters
    ----------
    cell
        Its pulses, its efficiency and its bridge.
    n_pulses
        Pulses that have passed, of all cycles; not only whole ones.

    Returns
    -------
    Ledger
        Continuous in ``n_pulses``.
    """
    n_half = cell.n_charge_pulses
    cycle = max(int(np.ceil(n_pulses / cell.n_pulses)) - 1, 0)
    missing, most = 0.0, 0.0  # in pulses that move lithium
    charged, discharged = 0.0, 0.0
    for each in range(cycle + 1):
        start = each * cell.n_pulses
        charged, discharged = (
            _moving(cell, min(n_pulses, first + n_half)) - _moving(cell, min(n_pulses, first))
            for first in (start, start + n_half)
        )
        most = max(most, missing + charged)
        missing += charged - discharged
    charged /= n_half
    moved_um = cell.moved_um_per_pulse
    has_bridge = cell.growth.bridge != "none"
    return Ledger(
        cycle=cycle,
        charged=charged,
        discharged=discharged / n_half,
        missing_um=missing * moved_um,
        recession_um=most * moved_um,
        plated_porosity=_plated_porosity(cell, charged if cycle == 0 else 1.0),
        is_bridged=has_bridge and n_pulses >= cell.growth.bridge_pulse,
    )


def _moving(cell: CellParameters, n_pulses: float) -> float:
    """Return how many pulses without a short would have moved as much lithium."""
    if cell.growth.bridge == "none":
        return n_pulses
    before = min(n_pulses, cell.growth.bridge_pulse)
    return before + (n_pulses - before) * (1.0 - cell.growth.short_share)


def _plated_porosity(cell: CellParameters, charged: float) -> float:
    """Return the porosity at which the plated side thickens as it should."""
    growth = cell.growth
    if growth.slows_at == 0:
        return growth.plated_porosity
    shares = np.array([max(charged, 1e-6), 1.0])
    # The integral of a rate that falls like a logistic function from 1 to the late rate.
    falling = _SLOWING * (
        np.logaddexp(0.0, growth.slows_at / _SLOWING)
        - np.logaddexp(0.0, (growth.slows_at - shares) / _SLOWING)
    )
    thickness = _LATE_RATE * shares + (1.0 - _LATE_RATE) * falling
    metal = (1.0 - growth.plated_porosity) * shares[0] * thickness[1] / thickness[0]
    return 1.0 - float(metal)
