"""Which attribute of a frame tells its kind, and which one its angle."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lithoscope_services.sources.stream.frame import Attribute
from lithoscope_services.sources.stream.places import kind_named

_KIND_NAMES = ("SaveDest", "FrameType", "HDF5FrameLocation", "HDF5Location", "ImageKey")
_ANGLE_NAMES = ("SampleRotary", "RotationAngle", "Theta", "theta", "theta_deg")
_ANGLE = re.compile(r"theta|rotar|rotation|angle|omega|goniom", re.IGNORECASE)
#: As tomoscan and other attribute files call them, in the unit of the name.
_SCAN_VALUES = {
    "ImagePixelSize": ("scan.voxel_size_um", 1.0),
    "PixelSize_um": ("scan.voxel_size_um", 1.0),
    "Energy": ("scan.energy_keV", 1.0),
    "Energy_keV": ("scan.energy_keV", 1.0),
    "SampleDetectorDistance_mm": ("scan.distance_mm", 1.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeRoles:
    """What the attributes of frames say.

    Parameters
    ----------
    kind
        Name of the one that tells the kind; None if none does.
    theta
        Name of the one that tells the angle; None if none or several may.
    theta_candidates
        Those that may.
    """

    kind: str | None
    theta: str | None
    theta_candidates: tuple[str, ...]


def find_roles(seen: Sequence[Mapping[str, Attribute]]) -> AttributeRoles:
    """Look for kind and angle among the attributes that all frames have."""
    if not seen:
        return AttributeRoles(kind=None, theta=None, theta_candidates=())
    names = [name for name in seen[0] if all(name in each for each in seen)]
    kinds = [name for name in names if all(_is_kind(each[name]) for each in seen)]
    angles = [
        name
        for name in names
        if _ANGLE.search(name) and all(isinstance(each[name], int | float) for each in seen)
    ]
    preferred = [name for name in _ANGLE_NAMES if name in angles]
    turning = [name for name in angles if len({each[name] for each in seen}) > 1]
    theta = preferred[0] if preferred else None
    if theta is None and len(turning) == 1:
        theta = turning[0]
    if theta is None and len(angles) == 1:
        theta = angles[0]
    named = [name for name in _KIND_NAMES if name in kinds]
    kind = named[0] if named else kinds[0] if len(kinds) == 1 else None
    return AttributeRoles(kind=kind, theta=theta, theta_candidates=tuple(angles))


def scan_values(seen: Sequence[Mapping[str, Attribute]]) -> dict[str, float]:
    """Give the pixel, energy and distance where attributes of known names and units have them."""
    found: dict[str, float] = {}
    last = seen[-1] if seen else {}
    for name, (key, factor) in _SCAN_VALUES.items():
        value = last.get(name)
        if isinstance(value, int | float) and value > 0 and key not in found:
            found[key] = factor * float(value)
    return found


def _is_kind(value: Attribute) -> bool:
    return isinstance(value, str) and kind_named(value) is not None
