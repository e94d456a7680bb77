"""When scans are taken and what charge has passed by then."""

from dataclasses import dataclass

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.phantom.electrochemistry import Electrochemistry, record_electrochemistry
from lithoscope_pipeline.phantom.parameters import S_PER_H, CellParameters
from lithoscope_pipeline.phantom.pulses import first_rest_s, pulse_sign, pulse_start_s

__all__ = ["Electrochemistry", "ScanPoint", "make_schedule", "record_electrochemistry"]


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


def make_schedule(cell: CellParameters, n_scans: int) -> tuple[ScanPoint, ...]:
    """Spread scans over all cycles, from the pristine cell to the end of the last discharge.

    Parameters
    ----------
    cell
        Its pulses and rests: in each cycle first all charging, then all discharging ones.
    n_scans
        Scans to take, those before the first pulse included. Scans that share a rest divide it
        evenly.

    Returns
    -------
    tuple of ScanPoint
        In the order of time; the first before any current.

    Raises
    ------
    ParameterError
        If ``n_scans`` is not positive, or less than the scans before the first pulse.
    """
    n_null = cell.cycling.n_null_scans
    if n_scans < max(1, n_null):
        raise ParameterError(f"n_scans is {n_scans}; at least {max(1, n_null)} is needed")
    n_spread = n_scans - n_null + 1
    last = max(n_spread - 1, 1)
    pulses = [0] * (n_null - 1) + [
        (scan * cell.n_all_pulses * 2 + last) // (2 * last) for scan in range(n_spread)
    ]
    points = []
    for scan, pulse in enumerate(pulses):
        share = (pulses[:scan].count(pulse) + 1) / (pulses.count(pulse) + 1)
        # A rest follows each pulse; the first one lies before the first pulse.
        rest_s = cell.rest_s if pulse else first_rest_s(cell)
        time_s = pulse_start_s(cell, pulse) - rest_s * (1.0 - share)
        charge = _net_charge_mAh(cell, time_s)
        half_cycle = max(pulse - 1, 0) // cell.n_charge_pulses
        points.append(
            ScanPoint(
                scan=scan,
                time_s=time_s,
                charge_mAh=charge,
                charge_mAh_cm2=charge / cell.active_area_cm2,
                throughput_mAh_cm2=pulse * cell.pulse_charge_mAh_cm2,
                cycle=half_cycle // 2,
                half_cycle=half_cycle,
                pulse=pulse,
            )
        )
    return tuple(points)


def _net_charge_mAh(cell: CellParameters, time_s: float) -> float:  # noqa: N802
    seconds = sum(
        pulse_sign(cell, pulse) * min(max(time_s - pulse_start_s(cell, pulse), 0.0), cell.pulse_s)
        for pulse in range(cell.n_all_pulses)
    )
    return seconds * cell.current_mA_cm2 * cell.active_area_cm2 / S_PER_H
