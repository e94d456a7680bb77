"""When scans are taken, what charge has passed, and what the cycler records."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.phantom.parameters import S_PER_H, CellParameters
from lithoscope_pipeline.phantom.texture import seeded

Vector = NDArray[np.floating]

_POTENTIAL_STREAM: Final = 41
# A plausible symmetric lithium cell with a polymer electrolyte: an ohmic step, and a part that
# builds up with a time constant and falls off in the rest.
_RESISTANCE_OHM_CM2: Final = 60.0
_POLARISATION_OHM_CM2: Final = 25.0
_POLARISATION_S: Final = 180.0
_PEAK_DECAY_PULSES: Final = 2.0  # the first pulses of a half-cycle meet fresh nuclei
_PEAK_SHARE: Final = 0.35
_NOISE_V: Final = 2.0e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanPoint:
    """When a scan is taken and what has passed by then.

    Parameters
    ----------
    scan
        Number of the scan, from 0.
    time_s
        Start of the scan since the experiment began.
    charge_mAh, charge_mAh_cm2
        Net charge, of the cell and per area: it rises in charge and falls in discharge.
    throughput_mAh_cm2
        Charge passed in either direction, per area; it never falls.
    cycle, half_cycle
        Numbered from 0; scan 0 belongs to the first of each, and half-cycles are counted on.
    pulse
        Pulses that have ended.
    """

    scan: int
    time_s: float
    charge_mAh: float  # noqa: N815 - the unit is spelt so
    charge_mAh_cm2: float  # noqa: N815
    throughput_mAh_cm2: float  # noqa: N815
    cycle: int
    half_cycle: int
    pulse: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Electrochemistry:
    """What the cycler recorded, once a second; all arrays of shape (n,), float64."""

    time_s: Vector
    potential_V: Vector  # noqa: N815 - the unit is spelt so
    current_mA: Vector  # noqa: N815
    charge_mAh: Vector  # noqa: N815


def make_schedule(cell: CellParameters, n_scans: int) -> tuple[ScanPoint, ...]:
    """Spread scans over the whole cycle, from the pristine cell to the end of discharge.

    Parameters
    ----------
    cell
        Its pulses and rests: first all charging, then all discharging ones.
    n_scans
        Scans to take, from 1. Scans that share a rest divide it evenly.

    Returns
    -------
    tuple of ScanPoint
        In the order of time; the first before any current.

    Raises
    ------
    ParameterError
        If ``n_scans`` is not positive.
    """
    if n_scans < 1:
        raise ParameterError(f"n_scans is {n_scans}; at least 1 is needed")
    last = max(n_scans - 1, 1)
    pulses = [(scan * cell.n_pulses * 2 + last) // (2 * last) for scan in range(n_scans)]
    points = []
    for scan, pulse in enumerate(pulses):
        rank = pulses[:scan].count(pulse)
        share = (rank + 1) / (pulses.count(pulse) + 1)
        # A first rest lies before the first pulse.
        time_s = pulse * (cell.pulse_s + cell.rest_s) + share * cell.rest_s
        charge = _net_charge_mAh(cell, time_s)
        points.append(
            ScanPoint(
                scan=scan,
                time_s=time_s,
                charge_mAh=charge,
                charge_mAh_cm2=charge / cell.active_area_cm2,
                throughput_mAh_cm2=pulse * cell.pulse_charge_mAh_cm2,
                cycle=0,
                half_cycle=int(pulse > cell.n_charge_pulses),
                pulse=pulse,
            )
        )
    return tuple(points)


def record_electrochemistry(
    cell: CellParameters, *, start_s: float, stop_s: float
) -> Electrochemistry:
    """Record current, charge and potential at whole seconds in ``start_s <= time < stop_s``.

    Parameters
    ----------
    cell
        Its pulses, area and seed.
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
    overpotential = np.zeros_like(time_s)
    for pulse in range(cell.n_pulses):
        begin_s, sign = _pulse_start_s(cell, pulse), _sign(cell, pulse)
        since_s = time_s - begin_s
        is_on = (since_s >= 0) & (since_s < cell.pulse_s)
        current[is_on] = sign * cell.current_mA_cm2 * cell.active_area_cm2
        charge += sign * np.clip(since_s, 0.0, cell.pulse_s)
        within = pulse % cell.n_charge_pulses
        factor = 1.0 + _PEAK_SHARE * np.exp(-within / _PEAK_DECAY_PULSES)
        overpotential[is_on] += sign * _RESISTANCE_OHM_CM2 * factor
        built = 1.0 - np.exp(-np.clip(since_s, 0.0, cell.pulse_s) / _POLARISATION_S)
        left = np.exp(-np.maximum(since_s - cell.pulse_s, 0.0) / _POLARISATION_S)
        overpotential += sign * _POLARISATION_OHM_CM2 * built * left
    # One stream for the whole experiment, so that a window cuts it and does not restart it.
    rng = seeded(cell.seed, _POTENTIAL_STREAM)
    noise = rng.standard_normal(int(seconds[-1]) + 1 if seconds.size else 0)[seconds]
    return Electrochemistry(
        time_s=time_s,
        potential_V=overpotential * cell.current_mA_cm2 * 1e-3 + _NOISE_V * noise,
        current_mA=current,
        charge_mAh=charge * cell.current_mA_cm2 * cell.active_area_cm2 / S_PER_H,
    )


def _pulse_start_s(cell: CellParameters, pulse: int) -> float:
    return cell.rest_s + pulse * (cell.pulse_s + cell.rest_s)


def _sign(cell: CellParameters, pulse: int) -> float:
    return 1.0 if pulse < cell.n_charge_pulses else -1.0


def _net_charge_mAh(cell: CellParameters, time_s: float) -> float:  # noqa: N802
    seconds = sum(
        _sign(cell, pulse) * min(max(time_s - _pulse_start_s(cell, pulse), 0.0), cell.pulse_s)
        for pulse in range(cell.n_pulses)
    )
    return seconds * cell.current_mA_cm2 * cell.active_area_cm2 / S_PER_H
