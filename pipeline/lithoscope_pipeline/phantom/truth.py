"""What is true of a simulated cell: labels and metrics, from its surfaces and not from voxels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from lithoscope_pipeline.geometry import LabelVolume
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.phantom.growth import LayerPlanes, Surfaces
from lithoscope_pipeline.phantom.parameters import LITHIUM_UM3_PER_MAH
from lithoscope_pipeline.phantom.texture import Map

_VISIBLE_VOXELS: Final = 0.5  # thinner lithium fills no voxel and covers nothing
_GAP_CANDIDATES: Final = 64  # columns with the smallest gap along y: the shortest starts there
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
        return self.surfaces.top_um - self.surfaces.hole_um

    @property
    def dendrite_um(self) -> Map:
        """Thickness of the lithium above the threshold."""
        foot_um = np.maximum(self.surfaces.layer_um + self.surfaces.hole_um, self.threshold_um)
        of_layer_um = np.maximum(self.surfaces.layer_um - self.threshold_um, 0.0)
        of_column_um = np.maximum(self.surfaces.top_um - foot_um, 0.0)
        return of_layer_um + of_column_um

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
        Centre of each voxel along y, shape (n_y,).

    Returns
    -------
    LabelVolume
        Values of `lithoscope_pipeline.labels.Label`, shape (n_z, n_y, n_x).
    """
    y = y_um[None, :, None]
    surfaces = maps.surfaces

    def column(heights_um: Map) -> Map:
        return heights_um[:, None, :]

    shape = surfaces.layer_um.shape[0], y_um.size, surfaces.layer_um.shape[1]
    out = np.full(shape, Label.ELECTROLYTE, np.uint8)
    height = column(maps.plating_inner_um) - y
    plated = height <= column(surfaces.layer_um)
    plated |= (height > surfaces.root_um) & (height <= column(surfaces.dendrite_um))
    out[plated] = Label.DEPOSITED
    out[plated & (height > column(maps.threshold_um))] = Label.DENDRITE
    out[height <= 0] = Label.PLATING_ELECTRODE
    out[y < column(maps.stripping_surface_um)] = Label.REDEPOSITED
    out[y < column(maps.planes.outer_low_um + surfaces.stripping_um)] = Label.STRIPPING_ELECTRODE
    is_outside = (y_um < maps.planes.outer_low_um) | (y_um >= maps.planes.outer_high_um)
    out[:, is_outside] = Label.BACKGROUND
    return out


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
    surfaces = maps.surfaces
    area_um2 = surfaces.layer_um.size * maps.voxel_um**2
    thickness = {
        "stripping_electrode": surfaces.stripping_um,
        "redeposited": surfaces.redeposited_um,
        "plating_electrode": surfaces.plating_um,
        "deposited": maps.plated_um - maps.dendrite_um,
        "dendrite": maps.dendrite_um,
    }
    out: dict[str, float] = {}
    for name, map_um in thickness.items():
        out[f"{name}_volume_um3"] = float(map_um.mean()) * area_um2
        out[f"{name}_thickness_um"] = float(map_um.mean())
        covered = map_um >= _VISIBLE_VOXELS * maps.voxel_um
        out[f"{name}_coverage"] = float(covered.mean())
    dead_um = np.where(surfaces.hole_um > 0, surfaces.dendrite_um - surfaces.root_um, 0.0)
    out["dead_lithium_disconnected_volume_um3"] = float(dead_um.mean()) * area_um2
    out["li_total_volume_um3"] = sum(out[f"{name}_volume_um3"] for name in thickness)
    out["stripping_side_thickness_um"] = (
        out["stripping_electrode_thickness_um"] + out["redeposited_thickness_um"]
    )
    out["plating_side_thickness_um"] = (
        out["plating_electrode_thickness_um"] + out["deposited_thickness_um"]
    )
    return out | _gap_metrics(maps)


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


def _gap_metrics(maps: TruthMaps) -> dict[str, float]:
    surfaces, low_um, inner_um = maps.surfaces, maps.stripping_surface_um, maps.plating_inner_um
    is_dead = surfaces.hole_um > 0
    connected_um = np.where(is_dead, surfaces.layer_um, surfaces.top_um)
    remaining_um = _shortest_um(low_um, inner_um - connected_um, maps.voxel_um)
    # By way of a detached dendrite the two ways through electrolyte add up.
    by_dead_um = np.inf
    if is_dead.any():
        tips_um = np.where(is_dead, inner_um - surfaces.top_um, np.inf)
        crossed_um = float(surfaces.hole_um[is_dead].min())
        by_dead_um = _shortest_um(low_um, tips_um, maps.voxel_um) + crossed_um
    electrolyte_um = inner_um - maps.plated_um - low_um
    own_um = inner_um - maps.planes.outer_low_um - surfaces.stripping_um
    return {
        "electrolyte_thickness_um": float(electrolyte_um.mean()),
        "electrode_gap_um": float(own_um.mean()),
        "stack_thickness_um": maps.planes.outer_high_um - maps.planes.outer_low_um,
        "remaining_gap_um": remaining_um,
        "remaining_gap_any_um": min(remaining_um, by_dead_um),
        "tip_height_um": max(0.0, float((surfaces.top_um - maps.mode_um).max())),
    }


def _shortest_um(low_um: Map, high_um: Map, voxel_um: float) -> float:
    """Return the shortest distance between two facing surfaces."""
    gap_um = high_um - low_um
    nearest = np.argsort(gap_um, axis=None)[:_GAP_CANDIDATES]
    along_z, along_x = (np.arange(n) * voxel_um for n in gap_um.shape)
    shortest = np.inf
    for z, x in zip(*np.unravel_index(nearest, gap_um.shape), strict=True):
        in_plane = (along_z - along_z[z])[:, None] ** 2 + (along_x - along_x[x]) ** 2
        shortest = min(shortest, float((in_plane + (high_um[z, x] - low_um) ** 2).min()))
    return float(np.sqrt(shortest))


def metric_unit(name: str) -> str:
    """Return the unit that the name of a metric ends in, ``"1"`` if none."""
    for ending, unit in (("_um3", "um3"), ("_um", "um")):
        if name.endswith(ending):
            return unit
    return "1"
