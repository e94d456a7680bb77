"""Charge to lithium and back: Faraday's law for the part of the cell that is seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from lithoscope_pipeline.metric import Metric, measured, not_measured

# 1 mAh = 3.6 C deposits 1 / 3860 g of lithium of 0.534 g/cm3; 1 cm3 = 1e12 um3.
UM3_PER_MAH = 1.0 / 3860.0 / 0.534 * 1.0e12
# The same over 1 cm2 = 1e8 um2.
UM_PER_MAH_CM2 = UM3_PER_MAH / 1.0e8
UM2_PER_CM2 = 1.0e8

Side = Literal["plating", "stripping"]
#: The cycler wrote nothing for a time in which current may have flowed.
RECORD_GAP: Final = "charge_record_gap"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeState:
    """What the cycler says about the moment of a scan.

    Parameters
    ----------
    receiving_side
        Side that receives lithium in this half-cycle.
    charge_mAh
        ``|integral of I dt|`` of the whole cell since the last scan of the previous half-cycle.
    n_pulses
        Current pulses in the same time; half a pulse counts as a half.
    net_charge_mAh
        Integral of I dt since scan 0, positive while the plating side receives.
    bounds_mAh
        Least and largest ``charge_mAh`` that the record allows where it has gaps; None where it
        has none.
    """

    receiving_side: Side
    charge_mAh: float  # noqa: N815 - a unit, spelt as units are
    n_pulses: float
    net_charge_mAh: float  # noqa: N815
    bounds_mAh: tuple[float, float] | None = None  # noqa: N815


def faraday_thickness_um(*, current_density_mA_cm2: float, time_s: float) -> float:  # noqa: N803
    """Give the thickness of dense lithium that a current density plates in a time."""
    return current_density_mA_cm2 * time_s / 3600 * UM_PER_MAH_CM2


def faraday_volume_um3(charge_mAh: float, *, area_share: float = 1.0) -> float:  # noqa: N803
    """Give the volume of dense lithium that a charge of the cell plates in a share of its area."""
    return charge_mAh * UM3_PER_MAH * area_share


def measure_charge(
    metrics: Mapping[str, Metric],
    charge: ChargeState | None,
    *,
    half_cycle_start: Mapping[str, Metric] | None,
    area_seen_fraction: float,
) -> dict[str, Metric]:
    """Compare the lithium that travelled in the image with the charge that flowed.

    Parameters
    ----------
    metrics
        Volumes of this scan.
    charge
        State of the cycler, None when it is not known.
    half_cycle_start
        Metrics of the last scan of the previous half-cycle (of scan 0 in the first).
    area_seen_fraction
        Area of the region of interest over the active area of the cell.

    Returns
    -------
    dict
        ``li_travelled_volume_um3``, ``faraday_volume_um3``, ``ct_faraday_ratio``,
        ``ct_faraday_ratio_whole_cell``, ``missing_capacity_fraction``.
    """
    travelled = _travelled(metrics, charge, half_cycle_start)
    if charge is None:
        faraday = not_measured("um3", "no_electrochemistry")
    else:
        faraday = _faraday(charge, area_seen_fraction)

    ratio = _ratio(travelled, faraday, charge)
    whole, missing = ratio, ratio
    if ratio.value is not None:
        flags = _flags(charge)
        whole = measured(ratio.value * area_seen_fraction, "1", voxels=ratio.voxels, flags=flags)
        missing = measured(1 - ratio.value, "1", voxels=ratio.voxels, flags=flags)
    return {
        "li_travelled_volume_um3": travelled,
        "faraday_volume_um3": faraday,
        "ct_faraday_ratio": ratio,
        "ct_faraday_ratio_whole_cell": whole,
        "missing_capacity_fraction": missing,
    }


def measure_efficiency(
    metrics: Mapping[str, Metric],
    charge: ChargeState | None,
    half_cycle_start: Mapping[str, Metric] | None,
) -> Metric:
    """Give the share of the plated lithium that has been stripped again, as the image shows it.

    Parameters
    ----------
    metrics, charge, half_cycle_start
        As for `measure_charge`.

    Returns
    -------
    Metric
        ``coulombic_efficiency_ct``: what the plating side lost in this half-cycle over what it
        gained in the one before, at its end: when the net charge is within half a pulse of zero.
        Without a value before that. Equal to the efficiency of the charge if the plated layer is
        as porous when it is stripped as when it was plated.
    """
    if charge is None:
        return not_measured("1", "no_electrochemistry")
    if half_cycle_start is None or charge.receiving_side == "plating":
        return not_measured("1", "nothing_stripped_yet")
    if not is_discharged(charge):
        return not_measured("1", "net_charge_not_zero")
    gained = half_cycle_start.get("li_travelled_volume_um3")
    now = side_volume_um3(metrics, "plating")
    then = side_volume_um3(half_cycle_start, "plating")
    if gained is None or gained.value is None or now.value is None or then.value is None:
        return not_measured("1", "side_volume_unknown")
    if gained.value <= 0:
        return not_measured("1", "nothing_plated")
    return measured(
        (then.value - now.value) / gained.value, "1", voxels=now.voxels, flags=_flags(charge)
    )


def is_discharged(charge: ChargeState) -> bool:
    """Say whether all charge has been taken back, to half a pulse."""
    pulse_mah = charge.charge_mAh / charge.n_pulses if charge.n_pulses else 0.0
    return abs(charge.net_charge_mAh) <= pulse_mah / 2


def side_volume_um3(metrics: Mapping[str, Metric], side: Side) -> Metric:
    """Add up the lithium of one side; dendrites grow from the side that is plated first."""
    names = {
        "plating": ("plating_electrode", "deposited", "dendrite"),
        "stripping": ("stripping_electrode", "redeposited"),
    }[side]
    parts = [metrics.get(f"{name}_volume_um3") for name in names]
    values = [part.value for part in parts if part is not None and part.value is not None]
    if len(values) < len(names):
        return not_measured("um3", "side_volume_unknown")
    voxels = sum(part.voxels for part in parts if part is not None)
    return measured(sum(values), "um3", voxels=voxels)


def _faraday(charge: ChargeState, area_share: float) -> Metric:
    """Give the volume of the charge, between those of its bounds where the record has gaps."""
    volume_um3 = faraday_volume_um3(charge.charge_mAh, area_share=area_share)
    if charge.bounds_mAh is None:
        return measured(volume_um3, "um3")
    low, high = (faraday_volume_um3(end, area_share=area_share) for end in charge.bounds_mAh)
    return Metric(
        value=volume_um3,
        unit="um3",
        low95=min(low, volume_um3),
        high95=max(high, volume_um3),
        flags=(RECORD_GAP,),
    )


def _flags(charge: ChargeState | None) -> tuple[str, ...]:
    return () if charge is None or charge.bounds_mAh is None else (RECORD_GAP,)


def _travelled(
    metrics: Mapping[str, Metric],
    charge: ChargeState | None,
    half_cycle_start: Mapping[str, Metric] | None,
) -> Metric:
    if charge is None:
        return not_measured("um3", "no_electrochemistry")
    if half_cycle_start is None:
        return not_measured("um3", "no_reference_scan")
    now = side_volume_um3(metrics, charge.receiving_side)
    then = side_volume_um3(half_cycle_start, charge.receiving_side)
    if now.value is None or then.value is None:
        return not_measured("um3", "side_volume_unknown")
    return measured(now.value - then.value, "um3", voxels=now.voxels)


def _ratio(travelled: Metric, faraday: Metric, charge: ChargeState | None) -> Metric:
    if travelled.value is None or faraday.value is None or charge is None:
        return not_measured("1", (travelled.flags + faraday.flags)[0])
    if charge.n_pulses < 1 or faraday.value <= 0:
        return not_measured("1", "less_than_one_pulse")
    return measured(
        travelled.value / faraday.value, "1", voxels=travelled.voxels, flags=_flags(charge)
    )
