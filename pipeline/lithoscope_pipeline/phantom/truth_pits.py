"""Pits and voids as one scan shows them against an earlier one."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from lithoscope_pipeline.phantom.texture import Map
from lithoscope_pipeline.phantom.truth import TruthMaps

_LEAST_VOID_VOXELS: Final = 2.0  # thinner voids are not counted: the published rule


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneMaps:
    """Flattened classes of a scan, micrometres, shape (n_z, n_x).

    Parameters
    ----------
    electrode_um
        Thickness of the stripping electrode.
    cavity_um
        Pit or void on it.
    redeposited_um, deposited_um, dendrite_um
        Lithium that was added.
    """

    electrode_um: Map
    cavity_um: Map
    redeposited_um: Map
    deposited_um: Map
    dendrite_um: Map

    @classmethod
    def of(cls, maps: TruthMaps) -> "PlaneMaps":
        """Flatten the maps of a scan."""
        thickness = maps.class_thickness_um()
        return cls(
            electrode_um=maps.surfaces.stripping_um,
            cavity_um=maps.surfaces.cavity_um,
            redeposited_um=maps.surfaces.redeposited_um,
            deposited_um=thickness["deposited"],
            dendrite_um=thickness["dendrite"],
        )


def pit_metrics(now: PlaneMaps, charged: PlaneMaps | None, *, voxel_um: float) -> dict[str, float]:
    """Compare pits, voids and lithium with those of the scan that ended a half-cycle.

    Parameters
    ----------
    now
        This scan.
    charged
        Last scan of the last half-cycle before that stripped the stripping side and plated the
        other, None in the first.
    voxel_um
        Edge of a voxel.

    Returns
    -------
    dict
        Shares of the plane, 0 to 1, and correlations; without those that cannot be said.
    """
    pits_um = now.cavity_um if charged is None else charged.cavity_um
    out = {
        "pearson_pit_dendrite": pearson(pits_um, now.dendrite_um),
        "pearson_pit_deposited": pearson(pits_um, now.deposited_um),
    }
    if charged is not None:
        lost_um = charged.deposited_um + charged.dendrite_um - now.deposited_um - now.dendrite_um
        out["pearson_loss_gain"] = pearson(lost_um, now.redeposited_um - charged.redeposited_um)
    found = {name: value for name, value in out.items() if value is not None}
    if charged is None or not charged.cavity_um.any():
        return found
    is_pit = charged.cavity_um >= 0.5 * voxel_um
    if is_pit.any():
        is_unfilled = charged.cavity_um[is_pit] > now.redeposited_um[is_pit]
        found["unfilled_pit_fraction"] = float(is_unfilled.mean())
    share = float((void_depth_um(now, charged) >= _LEAST_VOID_VOXELS * voxel_um).mean())
    return found | {"void_area_fraction": share, "contact_area_fraction": 1.0 - share}


def void_depth_um(now: PlaneMaps, charged: PlaneMaps) -> Map:
    """Return how much of the pits of an earlier scan is not redeposited now, (z, x)."""
    bottom_um = charged.electrode_um
    top_um = bottom_um + charged.cavity_um
    low_um = now.electrode_um + now.cavity_um
    high_um = low_um + now.redeposited_um
    filled_um = np.minimum(top_um, high_um) - np.maximum(bottom_um, low_um)
    return np.asarray(charged.cavity_um - np.maximum(filled_um, 0.0))


def pearson(first: Map, second: Map) -> float | None:
    """Return the correlation of two maps, None if one of them is even."""
    a, b = first - first.mean(), second - second.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 1e-9 * first.size else None
