"""Bright foreign particles in pouches, electrodes and membranes."""

from dataclasses import dataclass
from typing import Final

from lithoscope_pipeline.phantom.growth import LayerPlanes
from lithoscope_pipeline.phantom.materials import Material
from lithoscope_pipeline.phantom.parameters import CellParameters
from lithoscope_pipeline.phantom.texture import sites_within

_IMPURITY_STREAM: Final = 21
_PARTICLE_STREAM: Final = 22
_RADIUS_UM: Final = (5.0, 7.5)
_CLEARANCE_UM: Final = 1.0  # between a particle and the faces of its host
_MEMBRANE_SHARE: Final = (0.05, 0.35)  # of the electrolyte, from its middle: what holds particles

Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Impurity:
    """A sphere in the cell.

    Parameters
    ----------
    z_um, y_um, x_um
        Its middle.
    radius_um
        Its radius.
    excess_per_cm
        Its optical constant less that of its host: 1/cm, and 1e-8 as the imaginary part.
    """

    z_um: float
    y_um: float
    x_um: float
    radius_um: float
    excess_per_cm: complex


@dataclass(frozen=True, slots=True, kw_only=True)
class _Host:
    """A layer that holds particles, one in each square; with a seed, its words make them."""

    words: tuple[int, int]
    spacing_um: float
    y_um: Range
    material: Material


def impurities(
    cell: CellParameters, planes: LayerPlanes, *, z_um: Range, x_um: Range
) -> list[Impurity]:
    """Return the particles whose middles lie in a range of x and in or near one of z.

    Those in a pouch and in the outer half of an electrode keep their distance to the outer face
    between them, and so move with it; those in a membrane keep theirs to the other membrane.
    """
    found = []
    for host in _hosts(cell, planes):
        sites = sites_within(
            cell.seed, *host.words, spacing_um=host.spacing_um, z_um=z_um, x_um=x_um
        )
        excess = cell.optics.of(Material.PARTICLE) - cell.optics.of(host.material)
        for site in sites:
            if not x_um[0] <= site.x_um <= x_um[1]:
                continue
            depth, size, *_ = site.draws
            radius_um = _RADIUS_UM[0] + size * (_RADIUS_UM[1] - _RADIUS_UM[0])
            clear_um = radius_um + _CLEARANCE_UM
            room_um = host.y_um[1] - host.y_um[0] - 2.0 * clear_um
            found.append(
                Impurity(
                    z_um=site.z_um,
                    y_um=host.y_um[0] + clear_um + depth * room_um,
                    x_um=site.x_um,
                    radius_um=radius_um,
                    excess_per_cm=excess,
                )
            )
    return found


def _hosts(cell: CellParameters, planes: LayerPlanes) -> list[_Host]:
    low_um, high_um = planes.outer_low_um, planes.outer_high_um
    half_um = cell.stripping_thickness_um / 2.0, cell.plating_thickness_um / 2.0
    middle_um = (planes.stripping_surface_um + planes.plated_surface_um) / 2.0
    near_um, far_um = (share * cell.electrolyte_thickness_um for share in _MEMBRANE_SHARE)
    spacing_um = cell.structure.impurity_spacing_um, cell.structure.particle_spacing_um
    layers: tuple[tuple[int, Range, Material], ...] = (
        (0, (low_um - cell.pouch_thickness_um, low_um), Material.POUCH_POLYMER),
        (0, (low_um, low_um + half_um[0]), Material.LITHIUM),
        (0, (high_um - half_um[1], high_um), Material.LITHIUM),
        (0, (high_um, high_um + cell.pouch_thickness_um), Material.POUCH_POLYMER),
        (1, (middle_um - far_um, middle_um - near_um), Material.POLYMER),
        (1, (middle_um + near_um, middle_um + far_um), Material.POLYMER),
    )
    streams = _IMPURITY_STREAM, _PARTICLE_STREAM
    return [
        _Host(
            words=(streams[kind], index),
            spacing_um=spacing_um[kind],
            y_um=y_um,
            material=material,
        )
        for index, (kind, y_um, material) in enumerate(layers)
        if spacing_um[kind] > 0
    ]
