"""Bright foreign particles, fixed in the pouches and in the outer halves of the electrodes."""

from dataclasses import dataclass
from typing import Final

from lithoscope_pipeline.phantom.growth import LayerPlanes
from lithoscope_pipeline.phantom.parameters import CellParameters
from lithoscope_pipeline.phantom.texture import sites_within

_IMPURITY_STREAM: Final = 21
_SPACING_UM: Final = 40.0
_RADIUS_UM: Final = (5.0, 7.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Impurity:
    """A sphere in the cell and how much more than its host it attenuates."""

    z_um: float
    y_um: float
    x_um: float
    radius_um: float
    excess_per_cm: float


def impurities(
    cell: CellParameters,
    planes: LayerPlanes,
    *,
    z_um: tuple[float, float],
    x_um: tuple[float, float],
) -> list[Impurity]:
    """Return the particles whose middles lie in a range of x and in or near one of z.

    They keep their distance to the outer face of the electrode beside them, and so move with it.
    """
    half_um = cell.stripping_thickness_um / 2.0, cell.plating_thickness_um / 2.0
    # (face, first and last distance from it, attenuation of the host)
    hosts = (
        (planes.outer_low_um, -cell.pouch_thickness_um, 0.0, cell.pouch_per_cm),
        (planes.outer_low_um, 0.0, half_um[0], cell.lithium_per_cm),
        (planes.outer_high_um, -half_um[1], 0.0, cell.lithium_per_cm),
        (planes.outer_high_um, 0.0, cell.pouch_thickness_um, cell.pouch_per_cm),
    )
    found = []
    for index, (face_um, low_um, high_um, host_per_cm) in enumerate(hosts):
        sites = sites_within(
            cell.seed, _IMPURITY_STREAM, index, spacing_um=_SPACING_UM, z_um=z_um, x_um=x_um
        )
        for site in sites:
            if not x_um[0] <= site.x_um <= x_um[1]:
                continue
            depth, size, *_ = site.draws
            radius_um = _RADIUS_UM[0] + size * (_RADIUS_UM[1] - _RADIUS_UM[0])
            # Whole inside the host, one micrometre from its faces.
            room_um = high_um - low_um - 2.0 * (radius_um + 1.0)
            found.append(
                Impurity(
                    z_um=site.z_um,
                    y_um=face_um + low_um + radius_um + 1.0 + depth * room_um,
                    x_um=site.x_um,
                    radius_um=radius_um,
                    excess_per_cm=cell.impurity_per_cm - host_per_cm,
                )
            )
    return found
