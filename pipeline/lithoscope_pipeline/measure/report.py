"""All metrics and maps of one label volume."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatImage, LabelVolume
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure.charge import UM2_PER_CM2, ChargeState, measure_charge
from lithoscope_pipeline.measure.connectivity import (
    connect_lithium,
    measure_dead_lithium,
    measure_gap,
    tip_height_px,
)
from lithoscope_pipeline.measure.counts import (
    conservation_residual,
    count_columns,
    measure_counts,
    thickness_maps,
)
from lithoscope_pipeline.measure.layers import measure_layers, surface_height_maps
from lithoscope_pipeline.measure.metric import Metric, measured, not_measured


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceMetrics:
    """Metrics of earlier scans that this one is compared with.

    Parameters
    ----------
    first_scan
        Metrics of scan 0.
    half_cycle_start
        Metrics of the last scan of the previous half-cycle; in the first, those of scan 0.
    """

    first_scan: Mapping[str, Metric]
    half_cycle_start: Mapping[str, Metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one label volume says.

    Parameters
    ----------
    metrics
        Metrics by name.
    maps
        In-plane maps (z, x) by name, the unit in the name; NaN where a column has no value.
    """

    metrics: dict[str, Metric]
    maps: dict[str, FloatImage]


def measure_labels(
    labels: LabelVolume,
    *,
    voxel_um: float,
    charge: ChargeState | None = None,
    reference: ReferenceMetrics | None = None,
    active_area_cm2: float | None = None,
    unsegmented: Collection[Label] = (),
) -> Measurement:
    """Measure a label volume: volumes, thicknesses, coverage, gaps, tips, dead lithium, charge.

    Parameters
    ----------
    labels
        Final labels, shape (z, y, x), uint8. Either direction of y is accepted: the electrodes
        say where the stripping side is.
    voxel_um
        Edge of a voxel, micrometres.
    charge
        State of the cycler at this scan.
    reference
        Earlier metrics; None makes the scan its own reference, as scan 0 is.
    active_area_cm2
        Active area of the whole cell.
    unsegmented
        Classes that the segmentation does not tell apart; their metrics have no value.

    Returns
    -------
    Measurement
        Metrics with the names of the reference, none of them NaN, and maps.

    Raises
    ------
    ShapeError
        If the labels are not a volume of known classes.
    ParameterError
        If a length or area is not positive.
    """
    _check(labels, voxel_um=voxel_um, active_area_cm2=active_area_cm2)
    volume = _stripping_side_first(labels)
    counts = count_columns(volume)
    metrics = measure_counts(counts, voxel_um=voxel_um, unsegmented=unsegmented)
    metrics |= measure_layers(volume, voxel_um=voxel_um)

    connectivity = connect_lithium(volume)
    gaps, gap_map = measure_gap(volume, connectivity, voxel_um=voxel_um)
    metrics |= gaps
    metrics["dead_lithium_disconnected_volume_um3"] = measure_dead_lithium(
        connectivity, voxel_um=voxel_um
    )
    metrics["dead_lithium_remaining_volume_um3"] = _remaining_plated(metrics, charge)

    first_scan = metrics if reference is None else reference.first_scan
    tip_px, tip_voxels = tip_height_px(volume, voxel_um=voxel_um)
    metrics["penetration_fraction"] = _penetration(tip_px * voxel_um, tip_voxels, first_scan)
    metrics["li_conservation_residual_um3"] = conservation_residual(metrics, first_scan)

    area_um2 = counts.n_pixels * voxel_um**2
    metrics |= _measure_area_and_charge(
        metrics, charge, reference, area_um2=area_um2, active_area_cm2=active_area_cm2
    )
    maps = thickness_maps(counts, voxel_um=voxel_um)
    maps |= surface_height_maps(volume, voxel_um=voxel_um)
    maps["remaining_gap_um"] = gap_map
    return Measurement(metrics=metrics, maps=maps)


def _check(labels: LabelVolume, *, voxel_um: float, active_area_cm2: float | None) -> None:
    if labels.ndim != 3 or labels.size == 0:
        msg = f"labels have shape {labels.shape}, a volume (z, y, x) is needed"
        raise ShapeError(msg)
    if labels.min() < 0 or labels.max() > max(Label):
        msg = f"labels reach {labels.min()}..{labels.max()}, classes are 0..{max(Label)}"
        raise ShapeError(msg)
    if not voxel_um > 0:
        msg = f"voxel_um is {voxel_um}, a positive length is needed"
        raise ParameterError(msg)
    if active_area_cm2 is not None and not active_area_cm2 > 0:
        msg = f"active_area_cm2 is {active_area_cm2}, a positive area is needed"
        raise ParameterError(msg)


def _stripping_side_first(labels: LabelVolume) -> LabelVolume:
    """Turn y over if the stripping electrode is at its high end."""
    rows = np.arange(labels.shape[1])
    per_row = [
        (labels == label).sum(axis=(0, 2))
        for label in (Label.STRIPPING_ELECTRODE, Label.PLATING_ELECTRODE)
    ]
    if not all(n.any() for n in per_row):
        return labels
    stripping, plating = (float((n * rows).sum() / n.sum()) for n in per_row)
    return labels if stripping <= plating else labels[:, ::-1]


def _remaining_plated(metrics: Mapping[str, Metric], charge: ChargeState | None) -> Metric:
    """Give the plated lithium that is left when all charge has been taken back."""
    if charge is None:
        return not_measured("um3", "no_electrochemistry")
    pulse_mah = charge.charge_mAh / charge.n_pulses if charge.n_pulses else 0.0
    if abs(charge.net_charge_mAh) > pulse_mah / 2:
        return not_measured("um3", "net_charge_not_zero")
    parts = [metrics[f"{name}_volume_um3"] for name in ("deposited", "dendrite")]
    volume = sum(part.value or 0.0 for part in parts)
    return measured(volume, "um3", voxels=sum(part.voxels for part in parts))


def _penetration(tip_um: float, voxels: int, first_scan: Mapping[str, Metric]) -> Metric:
    electrolyte_um = first_scan["electrolyte_thickness_um"].value
    if not electrolyte_um:
        return not_measured("1", "no_electrolyte_in_reference_scan")
    return measured(tip_um / electrolyte_um, "1", voxels=voxels)


def _measure_area_and_charge(
    metrics: Mapping[str, Metric],
    charge: ChargeState | None,
    reference: ReferenceMetrics | None,
    *,
    area_um2: float,
    active_area_cm2: float | None,
) -> dict[str, Metric]:
    if active_area_cm2 is None:
        reason = not_measured("1", "no_active_area")
        unknown = measure_charge(metrics, None, half_cycle_start=None, area_seen_fraction=1.0)
        blank = {name: not_measured(m.unit, "no_active_area") for name, m in unknown.items()}
        return {"area_seen_fraction": reason, **blank}
    seen = area_um2 / (active_area_cm2 * UM2_PER_CM2)
    half_cycle_start = metrics if reference is None else reference.half_cycle_start
    return {
        "area_seen_fraction": measured(seen, "1"),
        **measure_charge(
            metrics, charge, half_cycle_start=half_cycle_start, area_seen_fraction=seen
        ),
    }
