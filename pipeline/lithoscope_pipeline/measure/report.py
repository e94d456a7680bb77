"""All metrics, maps and objects of one label volume."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure.bridge import measure_bridge
from lithoscope_pipeline.measure.cavities import CavityFindings, measure_cavities
from lithoscope_pipeline.measure.charge import (
    RECORD_GAP,
    UM2_PER_CM2,
    ChargeState,
    is_discharged,
    measure_charge,
    measure_efficiency,
)
from lithoscope_pipeline.measure.components import Pieces
from lithoscope_pipeline.measure.connectivity import connect_lithium, measure_dead_lithium
from lithoscope_pipeline.measure.counts import conservation_residual, measure_counts
from lithoscope_pipeline.measure.current_density import GrowthStep, map_current_density
from lithoscope_pipeline.measure.dispersion import measure_dispersion
from lithoscope_pipeline.measure.gaps import Gaps, measure_gaps
from lithoscope_pipeline.measure.layers import measure_layers
from lithoscope_pipeline.measure.maps import measure_maps
from lithoscope_pipeline.measure.objects import (
    KINDS,
    Kind,
    ObjectTable,
    ScanObjects,
    list_objects,
)
from lithoscope_pipeline.measure.roughness import measure_roughness
from lithoscope_pipeline.measure.runs import LabelSource
from lithoscope_pipeline.measure.scan import Reading, ReadScan, read_scan
from lithoscope_pipeline.measure.tips import dendrite_heights_px, measure_tip
from lithoscope_pipeline.measure.tracking import EarlierObjects, track_objects
from lithoscope_pipeline.measure.whole_cell import measure_whole_cell_gap
from lithoscope_pipeline.metric import Metric, measured, not_measured


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
class PreviousScan:
    """The scan before, which growth and objects are compared with.

    Parameters
    ----------
    labels
        Its labels, on the same grid.
    objects
        What was said of its objects.
    n_pulses
        Pulses since then.
    heights_um
        Its maps ``stripping_height_um`` and ``plating_height_um``.
    step
        What lies between; None if no current has flowed, or nobody knows.
    """

    labels: LabelSource
    objects: ObjectTable
    n_pulses: float
    heights_um: Mapping[str, FloatImage]
    step: GrowthStep | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierScans:
    """Earlier scans that are laid over the present one voxel by voxel.

    Parameters
    ----------
    charged
        Labels of the last scan of the last half-cycle before this one that stripped the stripping
        side: its pits are compared with. None in the first half-cycle.
    previous
        The scan before.
    """

    charged: LabelSource | None = None
    previous: PreviousScan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one label volume says.

    Parameters
    ----------
    metrics
        Metrics by name.
    maps
        Maps by name, the unit in the name; in-plane (z, x) but for those that end in ``_yx`` and
        ``_zy``. NaN where a pixel has no value.
    objects
        Dendrites and pits.
    """

    metrics: dict[str, Metric]
    maps: dict[str, FloatImage]
    objects: ObjectTable


def measure_labels(
    labels: LabelSource,
    *,
    voxel_um: float,
    charge: ChargeState | None = None,
    reference: ReferenceMetrics | None = None,
    active_area_cm2: float | None = None,
    unsegmented: Collection[Label] = (),
    earlier: EarlierScans | None = None,
    lithium_share: LabelSource | None = None,
    reading: Reading | None = None,
) -> Measurement:
    """Measure a label volume: volumes, thicknesses, coverage, gaps, tips, dead lithium, charge.

    Parameters
    ----------
    labels
        Final labels, shape (z, y, x), integers: an array, or a volume that is read slab by slab.
        Either direction of y is accepted: the electrodes say where the stripping side is.
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
    earlier
        Earlier scans on the same grid, where this one may be laid over them.
    lithium_share
        Probability of lithium in 255ths, shape of the labels, where it was kept.
    reading
        How volumes are read.

    Returns
    -------
    Measurement
        Metrics with the names of the reference, none of them NaN; maps; objects.

    Raises
    ------
    ShapeError
        If the labels are not a volume of known classes, or those of two scans do not fit.
    ParameterError
        If a length or area is not positive.
    """
    _check(voxel_um=voxel_um, active_area_cm2=active_area_cm2)
    scan = read_scan(labels, voxel_um=voxel_um, lithium_share=lithium_share, reading=reading)
    earlier = EarlierScans() if earlier is None else earlier
    # Correlations need the most for a while: they come before anything else is kept.
    cavities = _measure_cavities(scan, earlier.charged, unsegmented, reading)
    metrics = measure_counts(scan.counts, voxel_um=voxel_um, unsegmented=unsegmented)
    metrics |= measure_layers(scan.faces, voxel_um=voxel_um)

    dendrites = scan.pieces_of(Label.DENDRITE)
    gaps, metrics["dead_lithium_disconnected_volume_um3"] = _measure_gaps(scan, dendrites)
    metrics |= gaps.metrics
    metrics["dead_lithium_remaining_volume_um3"] = _remaining_plated(metrics, charge)

    first_scan = metrics if reference is None else reference.first_scan
    heights_px = dendrite_heights_px(scan.runs, dendrites, scan.faces, voxel_um=voxel_um)
    metrics["tip_height_um"] = measure_tip(dendrites, heights_px, voxel_um=voxel_um)
    metrics["penetration_fraction"] = _penetration(metrics["tip_height_um"], first_scan)
    metrics["li_conservation_residual_um3"] = conservation_residual(metrics, first_scan)

    metrics |= cavities.metrics
    metrics |= _measure_area_and_charge(
        metrics,
        charge,
        reference,
        area_um2=scan.counts.n_pixels * voxel_um**2,
        active_area_cm2=active_area_cm2,
    )
    found = ScanObjects(
        pieces={"dendrite": dendrites, "pit": scan.pieces_of(Label.PIT)},
        dendrite_heights_um=heights_px * voxel_um,
        dendrite_gaps_um=gaps.of_dendrites_um,
    )
    objects = _list_objects(scan, found, earlier.previous, reading)
    metrics |= measure_roughness(scan.heights)
    metrics |= measure_dispersion(objects, plane=scan.runs.plane, voxel_um=voxel_um)
    metrics["whole_cell_gap_um"] = measure_whole_cell_gap(
        gaps.map_um, metrics["remaining_gap_um"], metrics["area_seen_fraction"], voxel_um=voxel_um
    )
    metrics["bridge_probability"] = _bridge(labels, lithium_share, reading)
    # Pieces and maps are both large: one goes before the other comes.
    del dendrites, found
    maps = measure_maps(scan, gap_um=gaps.map_um, void_depth_um=cavities.void_depth_um)
    maps |= _current_maps(scan, earlier.previous)
    return Measurement(metrics=metrics, maps=maps, objects=objects)


def _check(*, voxel_um: float, active_area_cm2: float | None) -> None:
    if not voxel_um > 0:
        msg = f"voxel_um is {voxel_um}, a positive length is needed"
        raise ParameterError(msg)
    if active_area_cm2 is not None and not active_area_cm2 > 0:
        msg = f"active_area_cm2 is {active_area_cm2}, a positive area is needed"
        raise ParameterError(msg)


def _measure_gaps(scan: ReadScan, dendrites: Pieces) -> tuple[Gaps, Metric]:
    """Measure gaps, and the lithium that hangs on neither electrode."""
    connectivity = connect_lithium(scan.runs)
    gaps = measure_gaps(scan.runs, connectivity, dendrites, voxel_um=scan.voxel_um)
    return gaps, measure_dead_lithium(connectivity, voxel_um=scan.voxel_um)


def _measure_cavities(
    scan: ReadScan,
    charged: LabelSource | None,
    unsegmented: Collection[Label],
    reading: Reading | None,
) -> CavityFindings:
    """Compare pits and voids with those of the charged scan, where there are such classes."""
    then = None
    if charged is not None:
        then = read_scan(charged, voxel_um=scan.voxel_um, reading=reading).from_above()
    found = measure_cavities(scan.from_above(), then, voxel_um=scan.voxel_um)
    if Label.PIT not in unsegmented:
        return found
    missing = not_measured("1", "class_not_segmented")
    return CavityFindings(
        metrics={
            name: metric if name == "pearson_loss_gain" else missing
            for name, metric in found.metrics.items()
        },
        void_depth_um=None,
    )


def _list_objects(
    scan: ReadScan, found: ScanObjects, previous: PreviousScan | None, reading: Reading | None
) -> ObjectTable:
    """List the objects, with the tracks of those of the scan before."""
    listed = list_objects(scan, found)
    if previous is None:
        return listed
    then = read_scan(previous.labels, voxel_um=scan.voxel_um, reading=reading)
    pieces: dict[Kind, Pieces] = {kind: then.pieces_of(label) for kind, label in KINDS}
    before = EarlierObjects(
        scan=then, pieces=pieces, table=previous.objects, n_pulses=previous.n_pulses
    )
    return track_objects(scan, found, listed, before)


def _bridge(
    labels: LabelSource, lithium_share: LabelSource | None, reading: Reading | None
) -> Metric:
    slab_slices = (Reading() if reading is None else reading).slab_slices
    return measure_bridge(labels, lithium_share, slab_slices=slab_slices)


def _current_maps(scan: ReadScan, previous: PreviousScan | None) -> dict[str, FloatImage]:
    """Map where the current flowed on both sides."""
    if previous is None or previous.step is None:
        return {}
    maps = {}
    for side, height_um in (
        ("stripping", scan.heights.stripping_um),
        ("plating", scan.heights.plating_um),
    ):
        before_um = previous.heights_um[f"{side}_height_um"]
        found = map_current_density(height_um, before_um, previous.step)
        maps[f"{side}_current_density_mA_cm2"] = found.density_mA_cm2
        maps[f"{side}_current_limit_mA_cm2"] = found.limit_mA_cm2
    return maps


def _remaining_plated(metrics: Mapping[str, Metric], charge: ChargeState | None) -> Metric:
    """Give the plated lithium that is left when all charge has been taken back."""
    if charge is None:
        return not_measured("um3", "no_electrochemistry")
    if not is_discharged(charge):
        return not_measured("um3", "net_charge_not_zero")
    parts = [metrics[f"{name}_volume_um3"] for name in ("deposited", "dendrite")]
    volume = sum(part.value or 0.0 for part in parts)
    flags = () if charge.bounds_mAh is None else (RECORD_GAP,)
    return measured(volume, "um3", voxels=sum(part.voxels for part in parts), flags=flags)


def _penetration(tip: Metric, first_scan: Mapping[str, Metric]) -> Metric:
    electrolyte_um = first_scan["electrolyte_thickness_um"].value
    if not electrolyte_um:
        return not_measured("1", "no_electrolyte_in_reference_scan")
    return measured((tip.value or 0.0) / electrolyte_um, "1", voxels=tip.voxels)


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
        blank["coulombic_efficiency_ct"] = reason
        return {"area_seen_fraction": reason, **blank}
    seen = area_um2 / (active_area_cm2 * UM2_PER_CM2)
    half_cycle_start = metrics if reference is None else reference.half_cycle_start
    return {
        "area_seen_fraction": measured(seen, "1"),
        "coulombic_efficiency_ct": measure_efficiency(
            metrics, charge, None if reference is None else half_cycle_start
        ),
        **measure_charge(
            metrics, charge, half_cycle_start=half_cycle_start, area_seen_fraction=seen
        ),
    }
