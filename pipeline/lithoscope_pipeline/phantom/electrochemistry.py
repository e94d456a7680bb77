"""What the cycler of a simulated cell records: galvanostatic intermittent titration at 1 Hz.

The potential is that of a symmetric lithium cell with a polymer electrolyte: an ohmic step at
both ends of a pulse, polarisation that builds up and relaxes over seconds to minutes, and a peak
where a half-cycle begins on fresh nuclei [1]_. Voids under the lithium raise the resistance in
discharge and from cycle to cycle. A bridge lets part of the current pass by: the potential
collapses to what the rest of it needs and recovers in part; polarisation relaxes through the
bridge, so that its shape flattens [2]_.

References
----------
.. [1] K. N. Wood et al., ACS Cent. Sci. 2, 790 (2016). doi:10.1021/acscentsci.6b00260
.. [2] S. Menkin et al., Faraday Discuss. 248, 277 (2024). doi:10.1039/D3FD00101F
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from lithoscope_pipeline.phantom.parameters import S_PER_H, CellParameters
from lithoscope_pipeline.phantom.pulses import Vector, leak_during, pulse_sign, pulse_start_s
from lithoscope_pipeline.phantom.texture import seeded

_POTENTIAL_STREAM: Final = 41
_RESISTANCE_OHM_CM2: Final = 60.0
# Three time constants stand for diffusion, whose potential falls with the root of time.
_POLARISATION: Final = ((12.0, 4.0), (10.0, 40.0), (16.0, 400.0))  # (ohm cm2, s)
_PEAK_OHM_CM2: Final = 22.0
_PEAK_S: Final = 90.0
_PEAK_DECAY_PULSES: Final = 2.0
_VOID_SHARE: Final = 0.2  # rise of the resistance through a discharge
_AGEING_SHARE: Final = 0.08  # a cycle
_NOISE_V: Final = 2.0e-4
_BRIDGE_NOISE: Final = 10.0  # times as much while all of the current passes through a bridge


@dataclass(frozen=True, slots=True, kw_only=True)
class Electrochemistry:
    """What the cycler recorded, once a second; all arrays of shape (n,), float64."""

    time_s: Vector
    potential_V: Vector  # noqa: N815 - the unit is spelt so
    current_mA: Vector  # noqa: N815
    charge_mAh: Vector  # noqa: N815


def record_electrochemistry(
    cell: CellParameters, *, start_s: float, stop_s: float
) -> Electrochemistry:
    """Record current, charge and potential at whole seconds in ``start_s <= time < stop_s``.

    Parameters
    ----------
    cell
        Its pulses, area, bridge and seed.
    start_s, stop_s
        Seconds since the experiment began.

    Returns
    -------
    Electrochemistry
        The same values whatever the window they are asked for in.
    """
    seconds = np.arange(int(np.ceil(start_s)), int(np.ceil(stop_s)))
    time_s = seconds.astype(np.float64)
    current = np.zeros_like(time_s)
    charge = np.zeros_like(time_s)
    step_ohm_cm2 = np.zeros_like(time_s)
    slow_ohm_cm2 = np.zeros_like(time_s)
    leak = np.zeros_like(time_s)
    for pulse in range(cell.n_all_pulses):
        sign, since_s = pulse_sign(cell, pulse), time_s - pulse_start_s(cell, pulse)
        charge += sign * np.clip(since_s, 0.0, cell.pulse_s)
        has_begun = since_s >= 0
        if not has_begun.any():
            break
        is_on = has_begun & (since_s < cell.pulse_s)
        current[is_on] = sign * cell.current_mA_cm2 * cell.active_area_cm2
        leak[has_begun] = leak_during(cell, pulse, since_s[has_begun])
        step, slow = _response_ohm_cm2(cell, pulse, since_s[has_begun])
        step_ohm_cm2[has_begun] += sign * step
        slow_ohm_cm2[has_begun] += sign * slow
    # One stream for the whole experiment, so that a window cuts it and does not restart it.
    rng = seeded(cell.seed, _POTENTIAL_STREAM)
    noise = rng.standard_normal(int(seconds[-1]) + 1 if seconds.size else 0)[seconds]
    noise_V = _NOISE_V * noise * (1.0 + _BRIDGE_NOISE * leak * (current != 0))  # noqa: N806
    ohm_cm2 = (1.0 - leak) * (step_ohm_cm2 + (1.0 - leak) * slow_ohm_cm2)
    return Electrochemistry(
        time_s=time_s,
        potential_V=ohm_cm2 * cell.current_mA_cm2 * 1e-3 + noise_V,
        current_mA=current,
        charge_mAh=charge * cell.current_mA_cm2 * cell.active_area_cm2 / S_PER_H,
    )


def _response_ohm_cm2(cell: CellParameters, pulse: int, since_s: Vector) -> tuple[Vector, Vector]:
    """Return the step and the slow part that a pulse adds, potential per current density."""
    half_cycle, within = divmod(pulse, cell.n_charge_pulses)
    ageing = 1.0 + _AGEING_SHARE * (half_cycle // 2)
    voids = _VOID_SHARE * within / cell.n_charge_pulses if half_cycle % 2 else 0.0
    peak = _PEAK_OHM_CM2 * np.exp(-within / _PEAK_DECAY_PULSES - since_s / _PEAK_S)
    on_s = np.minimum(since_s, cell.pulse_s)
    off_s = np.maximum(since_s - cell.pulse_s, 0.0)
    is_on = since_s < cell.pulse_s
    step = np.where(is_on, _RESISTANCE_OHM_CM2 * (ageing + voids), 0.0)
    slow = np.where(is_on, peak, 0.0)
    for resistance, constant_s in _POLARISATION:
        built = 1.0 - np.exp(-on_s / constant_s)
        slow += resistance * ageing * built * np.exp(-off_s / constant_s)
    return step, slow
