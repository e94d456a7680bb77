"""What is true of a simulated cell: labels and metrics, from its surfaces and not from voxels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from lithoscope_pipeline.geometry import LabelVolume
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.phantom.bodies import Segments
from lithoscope_pipeline.phantom.growth import LayerPlanes, Surfaces
from lithoscope_pipeline.phantom.parameters import LITHIUM_UM3_PER_MAH
from lithoscope_pipeline.phantom.texture import Map
from lithoscope_pipeline.phantom.truth_gaps import gap_metrics

_VISIBLE_VOXELS: Final = 0.5  # a thinner class fills no voxel and covers nothing
_PLATING_CLASSES: Final = ("plating_electrode", "deposited", "dendrite")
_STRIPPING_CLASSES: Final = ("stripping_electrode", "redeposited")


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthMaps:
    """The cell at the voxel columns of a region.

    Parameters
    ----------
    surfaces
        Heights, shape (n_z, n_x), micrometres.
    planes
        Mean planes; the outer faces of the electrodes are flat.
    mode_um, threshold_um
        Height of the plated layer around each column, and the height above the plating
        electrode from which lithium counts as dendrite, shape (n_z, n_x).
    voxel_um
        Distance of the columns.
    """

    surfaces: Surfaces
    planes: LayerPlanes
    mode_um: Map
    threshold_um: Map
    voxel_um: float

    @property
    def plated_um(self) -> Map:
        """Thickness of all plated lithium."""
        return self.surfaces.layer_um + self.surfaces.bodies.thickness_um

    @property
    def dendrite_um(self) -> Map:
        """Thickness of the lithium above the threshold."""
        surfaces = self.surfaces
        of_layer_um = np.minimum(
            np.maximum(surfaces.floor_um - self.threshold_um, 0.0), surfaces.layer_um
        )
        return of_layer_um + surfaces.bodies.above(self.threshold_um).thickness_um

    def class_thickness_um(self) -> dict[str, Map]:
        """Return the thickness of each class that a report measures, shape (n_z, n_x) each."""
        surfaces, dendrite_um = self.surfaces, self.dendrite_um
        return {
            "stripping_electrode": surfaces.stripping_um,
            "redeposited": surfaces.redeposited_um,
            "plating_electrode": surfaces.plating_um,
            "deposited": self.plated_um - dendrite_um,
            "dendrite": dendrite_um,
            "pit": surfaces.pit_um,
            "void": surfaces.buried_void_um + surfaces.lift_um,
        }

    @property
    def stripping_surface_um(self) -> Map:
        """Place of the stripping side's surface along y."""
        return self.planes.outer_low_um + self.surfaces.stripping_side_um

    @property
    def plating_inner_um(self) -> Map:
        """Place of the plating electrode's inner face along y."""
        return self.planes.outer_high_um - self.surfaces.plating_um


def voxel_labels(maps: TruthMaps, y_um: Map) -> LabelVolume:
    """Label voxels by what lies at their centres.

    Parameters
    ----------
    maps
        The region's columns.
    y_um
        Centre of each voxel along y, shape (n_y,), equally spaced.

    Returns
    -------
    LabelVolume
        Values of `lithoscope_pipeline.labels.Label`, shape (n_z, n_y, n_x).
    """
    y = y_um[None, :, None]
    surfaces, planes = maps.surfaces, maps.planes

    def column(heights_um: Map) -> Map:
        return heights_um[:, None, :]

    shape = surfaces.layer_um.shape[0], y_um.size, surfaces.layer_um.shape[1]
    out = np.full(shape, Label.ELECTROLYTE, np.uint8)
    height = column(maps.plating_inner_um) - y
    out[height <= column(surfaces.floor_um)] = Label.DEPOSITED
    _mark(out, surfaces.bodies, maps.plating_inner_um, y_um, Label.DEPOSITED)
    out[(out == Label.DEPOSITED) & (height > column(maps.threshold_um))] = Label.DENDRITE
    out[height <= column(surfaces.lift_um)] = Label.VOID
    out[height <= 0] = Label.PLATING_ELECTRODE

    electrode_um = planes.outer_low_um + surfaces.stripping_um
    covered_um = electrode_um + surfaces.cavity_um
    out[y < column(covered_um + surfaces.redeposited_um)] = Label.REDEPOSITED
    is_cavity = y < column(covered_um)
    is_covered = np.broadcast_to(column(surfaces.redeposited_um) > 0, shape)
    out[is_cavity & is_covered] = Label.VOID
    out[is_cavity & ~is_covered] = Label.PIT
    out[y < column(electrode_um)] = Label.STRIPPING_ELECTRODE
    is_outside = (y_um < planes.outer_low_um) | (y_um >= planes.outer_high_um)
    out[:, is_outside] = Label.BACKGROUND
    return out


def _mark(out: LabelVolume, segments: Segments, inner_um: Map, y_um: Map, label: Label) -> None:
    """Label the voxels whose centres lie in pieces of columns, heights counting down from y."""
    step_um = y_um[1] - y_um[0] if y_um.size > 1 else 1.0
    face_um = inner_um.ravel()[segments.column] - y_um[0]
    first = np.ceil((face_um - segments.high_um) / step_um).astype(np.intp)
    last = np.floor((face_um - segments.low_um) / step_um).astype(np.intp)
    first, last = np.maximum(first, 0), np.minimum(last, y_um.size - 1)
    counts = np.maximum(last - first + 1, 0)
    starts = np.cumsum(counts) - counts
    rows = np.arange(int(counts.sum())) - np.repeat(starts - first, counts)
    z, x = np.divmod(np.repeat(segments.column, counts), segments.shape[1])
    out[z, rows, x] = label


def layer_metrics(maps: TruthMaps) -> dict[str, float]:
    """Return the metrics that one moment has; names and units as in the reports.

    Parameters
    ----------
    maps
        The region's columns.

    Returns
    -------
    dict
        Volumes, thicknesses, coverages and gaps. Volumes are integrals of the heights, without
        rounding to voxels; a class covers a column where it is at least half a voxel thick.
    """
    thickness = maps.class_thickness_um()
    area_um2 = maps.mode_um.size * maps.voxel_um**2
    out: dict[str, float] = {}
    for name, map_um in thickness.items():
        out[f"{name}_volume_um3"] = float(map_um.mean()) * area_um2
        out[f"{name}_thickness_um"] = float(map_um.mean())
        covered = map_um >= _VISIBLE_VOXELS * maps.voxel_um
        out[f"{name}_coverage"] = float(covered.mean())
    lithium = (*_PLATING_CLASSES, *_STRIPPING_CLASSES)
    out["li_total_volume_um3"] = sum(out[f"{name}_volume_um3"] for name in lithium)
    out["stripping_side_thickness_um"] = (
        out["stripping_electrode_thickness_um"] + out["redeposited_thickness_um"]
    )
    out["plating_side_thickness_um"] = (
        out["plating_electrode_thickness_um"] + out["deposited_thickness_um"]
    )
    gaps = gap_metrics(
        maps.surfaces,
        low_um=maps.stripping_surface_um,
        inner_um=maps.plating_inner_um,
        mode_um=maps.mode_um,
        voxel_um=maps.voxel_um,
    )
    own_um = maps.plating_inner_um - maps.planes.outer_low_um - maps.surfaces.stripping_um
    electrolyte_um = (
        maps.plating_inner_um - maps.surfaces.lift_um - maps.plated_um - maps.stripping_surface_um
    )
    return (
        out
        | gaps
        | {
            "electrolyte_thickness_um": float(electrolyte_um.mean()),
            "electrode_gap_um": float(own_um.mean()),
            "stack_thickness_um": maps.planes.outer_high_um - maps.planes.outer_low_um,
        }
    )


def charge_metrics(
    now: Mapping[str, float],
    before: Mapping[str, float],
    *,
    is_plating: bool,
    passed_mAh_cm2: float,  # noqa: N803 - the unit is spelt so
    area_cm2: float,
    active_area_cm2: float,
) -> dict[str, float]:
    """Compare the lithium that moved in a half-cycle with the charge that passed in it.

    Parameters
    ----------
    now, before
        Metrics of this moment and of the last scan of the previous half-cycle.
    is_plating
        Whether the plating side receives the lithium.
    passed_mAh_cm2
        Charge since then, per area.
    area_cm2, active_area_cm2
        Area of the region and of the cell.

    Returns
    -------
    dict
        Travelled and Faraday volumes, and their ratios where a pulse has passed.
    """
    classes = _PLATING_CLASSES if is_plating else _STRIPPING_CLASSES
    names = [f"{name}_volume_um3" for name in classes]
    travelled_um3 = sum(now[name] - before[name] for name in names)
    faraday_um3 = passed_mAh_cm2 * area_cm2 * LITHIUM_UM3_PER_MAH
    out = {
        "area_seen_fraction": area_cm2 / active_area_cm2,
        "li_travelled_volume_um3": travelled_um3,
        "faraday_volume_um3": faraday_um3,
    }
    if faraday_um3 > 0:
        ratio = travelled_um3 / faraday_um3
        out["ct_faraday_ratio"] = ratio
        out["ct_faraday_ratio_whole_cell"] = ratio * out["area_seen_fraction"]
        out["missing_capacity_fraction"] = 1.0 - ratio
    return out


def metric_unit(name: str) -> str:
    """Return the unit that the name of a metric ends in, ``"1"`` if none."""
    for ending, unit in (("_um3", "um3"), ("_um", "um")):
        if name.endswith(ending):
            return unit
    return "1"
