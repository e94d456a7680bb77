"""What kind of number each metric is: bounds, what it scales with, what it is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportion:
    """A metric that is ``offset`` plus a multiple of the lithium that travelled."""

    offset: float


#: Follow from the charge and from what was given at set-up; labels have no part in them.
EXACT: Final = frozenset({"area_seen_fraction", "faraday_volume_um3"})

FROM_TRAVELLED: Final[Mapping[str, Proportion]] = MappingProxyType(
    {
        "ct_faraday_ratio": Proportion(offset=0.0),
        "ct_faraday_ratio_whole_cell": Proportion(offset=0.0),
        "missing_capacity_fraction": Proportion(offset=1.0),
    }
)

#: Compare scans, or rest on what earlier ones have shown: registration has a part in them.
COMPARING: Final = frozenset(
    {
        "contact_area_fraction",
        "deposited_coverage",
        "deposited_occupied_fraction",
        "deposited_thickness_um",
        "deposited_volume_um3",
        "li_conservation_residual_um3",
        "li_travelled_volume_um3",
        "pearson_loss_gain",
        "redeposited_coverage",
        "redeposited_occupied_fraction",
        "redeposited_thickness_um",
        "redeposited_volume_um3",
        "unfilled_pit_fraction",
        "void_area_fraction",
    }
)

_CLASSES: Final = ("dendrite", "pit", "deposited", "redeposited", "void")
_AMOUNTS: Final = ("volume_um3", "thickness_um", "coverage", "occupied_fraction")
#: Not there before the first pulse: only of these can one ask whether they are detected.
GROWN: Final = frozenset(
    {
        *(f"{name}_{amount}" for name in _CLASSES for amount in _AMOUNTS),
        "dead_lithium_disconnected_volume_um3",
        "dead_lithium_remaining_volume_um3",
        "gap_objects",
        "penetration_fraction",
        "tip_height_um",
        "void_area_fraction",
    }
)

#: Largest and smallest of a region: the larger it is, the likelier a false piece lies in it.
EXTREMES: Final = frozenset(
    {"remaining_gap_um", "remaining_gap_any_um", "tip_height_um", "penetration_fraction"}
)

_SIGNED: Final = frozenset({"li_conservation_residual_um3", "li_travelled_volume_um3"})
_COUNTS: Final = frozenset({"gap_objects"})
_SHARES: Final = ("_coverage", "_occupied_fraction", "_area_fraction", "_pit_fraction")


def is_per_area(name: str) -> bool:
    """Whether a metric grows with the region: a volume or a count."""
    return name.endswith("_um3") or name in _COUNTS


def bounds(name: str) -> tuple[float | None, float | None]:
    """Give the least and the largest value that a metric may have."""
    if name in _SIGNED or name in FROM_TRAVELLED:
        return None, None
    if name.startswith("pearson_"):
        return -1.0, 1.0
    return 0.0, 1.0 if name.endswith(_SHARES) else None


def resolution(name: str, voxel_um: float) -> float:
    """Give what a metric is read to: a hundredth of a voxel, or of a per mille."""
    return 0.01 * voxel_um if name.endswith(("_um", "_um3")) else 1e-5
