"""How each slice of the cell differs from flat layers, on a grid finer than the detector."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from lithoscope_pipeline.phantom.growth import CellGrowth, CellState, LayerPlanes, Surfaces
from lithoscope_pipeline.phantom.impurities import Impurity, impurities
from lithoscope_pipeline.phantom.materials import Material
from lithoscope_pipeline.phantom.parameters import CellParameters
from lithoscope_pipeline.phantom.projector import FINE, ComplexSlices
from lithoscope_pipeline.phantom.rasterise import (
    FloatSlice,
    Grain,
    GrainPlaces,
    add_band,
    add_segments,
    add_sphere,
)
from lithoscope_pipeline.phantom.texture import Map, Sampling
from lithoscope_pipeline.phantom.view import View

_SUBROWS: Final = 2  # planes averaged in each detector row
_REACH: Final = 0.75  # texture reaches as many widths of the view to either side of the axis,
_TAPER: Final = 0.1  # and fades to flat layers over this share of that
_LARGEST_PARTICLE_UM: Final = 8.0
_COVERING_UM: Final = 1.0  # of lithium make a surface an interface


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrasts:
    """What takes the place of what, and how the attenuation changes by it.

    Parameters
    ----------
    lithium, plated
        Lithium, and plated lithium with what fills its pores, for electrolyte.
    void
        Void for lithium.
    interface
        The line at an original surface for lithium.
    """

    lithium: complex
    plated: complex
    void: complex
    interface: complex

    @classmethod
    def of(cls, cell: CellParameters) -> "Contrasts":
        """Return the contrasts of a cell: 1/cm, and 1e-8 as the imaginary part."""
        optics = cell.optics
        lithium = optics.of(Material.LITHIUM)
        porosity = cell.growth.porosity
        salt = porosity.interface_salt
        contrast = lithium - optics.of(Material.POLYMER)
        return cls(
            lithium=contrast,
            plated=contrast * (1.0 - porosity.electrolyte_share),
            void=optics.of(Material.VOID) - lithium,
            interface=salt * (optics.of(Material.PARTICLE) - lithium),
        )


def texture_slices(
    growth: CellGrowth,
    state: CellState,
    view: View,
    heights_px: Map,
    *,
    voxel_um: float,
    half_width_um: float,
) -> ComplexSlices:
    """Sample the optical constants of the cell minus that of its flat layers.

    Parameters
    ----------
    growth, state
        The cell and its averages at the time of the scan.
    view
        The detector and the drift: rows of a leaning cell cut it at a slant.
    heights_px
        Height of each detector row above the centre of the volume, shape (n_rows,).
    voxel_um
        Detector pixel at the sample.
    half_width_um
        The cell ends at plus and minus this x.

    Returns
    -------
    ComplexSlices
        1/cm, and 1e-8 as the imaginary part, shape (n_rows, n_y, n_x), in the cell's own
        in-plane coordinates, the rotation axis at index ``(n_y // 2, n_x // 2)``, ``FINE``
        samples a pixel.

    Notes
    -----
    Partly filled samples hold the filled share, exact along y. A surface is cut where the
    slanted row meets its mean plane: a tip 200 um away from it is then off by the slant, 1 um
    at 0.3 degrees. Particles are cut exactly.
    """
    step_um = voxel_um / FINE
    planes = growth.planes(state)
    half_y = int(np.ceil(max(-planes.pouch_low_um, planes.pouch_high_um) / step_um)) + 2
    half_x = int(_REACH * view.n_columns * FINE)
    x_um = np.arange(-half_x, half_x) * step_um
    lower, upper, middle = _samplings(view, heights_px, planes, x_um, voxel_um)
    surfaces = _faded(
        growth.surfaces(state, lower, upper), _fade(x_um, half_width_um), state, planes
    )

    y_um = np.arange(-half_y, half_y) * step_um
    slices = np.zeros((len(heights_px), y_um.size, x_um.size), np.complex64)
    drawing = _Drawing.make(growth.cell, planes, lower, upper, y_um)
    drawing.add_surfaces(slices, surfaces)
    slices /= _SUBROWS
    reach_x_um = min(half_width_um - _LARGEST_PARTICLE_UM, half_x * step_um * (1.0 - _TAPER))
    lean_um = abs(middle.z_slope) * reach_x_um + _LARGEST_PARTICLE_UM
    particles = impurities(
        growth.cell,
        planes,
        z_um=(middle.z_um.min() - lean_um, middle.z_um.max() + lean_um),
        x_um=(-reach_x_um, reach_x_um),
    )
    for particle in particles:
        _add_particle(slices, particle, middle, y_um, view)
    return slices


def _samplings(
    view: View, heights_px: Map, planes: LayerPlanes, x_um: Map, voxel_um: float
) -> tuple[Sampling, Sampling, Sampling]:
    """Return the lines at the stripping surface, at the plating electrode and at y = 0."""
    r, shift = view.drift.matrix, view.drift.shift_xyz_px
    parts = (np.arange(_SUBROWS) - (_SUBROWS - 1) / 2) / _SUBROWS
    scan_px = (np.asarray(heights_px)[:, None] + parts).ravel()
    middle = Sampling(
        z_um=(scan_px - shift[2]) * voxel_um / r[2, 2],
        x_um=x_um,
        z_slope=float(-r[2, 0] / r[2, 2]),
    )
    rise = float(-r[2, 1] / r[2, 2])
    lower = middle.lifted(rise * planes.stripping_surface_um)
    return lower, middle.lifted(rise * planes.plating_inner_um), middle


def _fade(x_um: Map, half_width_um: float) -> Map:
    """Return 1 where there is full texture, falling to 0 at the ends of grid and cell."""
    depth = (1.0 - np.abs(x_um) / np.abs(x_um).max()) / _TAPER
    step_um = x_um[1] - x_um[0]
    inside = (half_width_um - np.abs(x_um)) / step_um + 0.5
    return np.clip(depth, 0.0, 1.0) * np.clip(inside, 0.0, 1.0)


def _faded(surfaces: Surfaces, fade: Map, state: CellState, planes: LayerPlanes) -> Surfaces:
    """Blend all surfaces into their means towards the ends of the grid."""
    side_um = planes.stripping_surface_um - planes.outer_low_um
    stripping_um = side_um - state.redeposited_um - state.cavity_um
    plating_um = planes.outer_high_um - planes.plating_inner_um

    def blend(surface_um: Map, mean_um: float) -> Map:
        return mean_um + fade * (surface_um - mean_um)

    bodies = surfaces.bodies
    return Surfaces(
        stripping_um=blend(surfaces.stripping_um, stripping_um),
        cavity_um=blend(surfaces.cavity_um, state.cavity_um),
        redeposited_um=blend(surfaces.redeposited_um, state.redeposited_um),
        plating_um=blend(surfaces.plating_um, plating_um),
        lift_um=blend(surfaces.lift_um, state.lift_um),
        layer_um=blend(surfaces.layer_um, state.plated_um),
        bodies=bodies.chosen(fade[bodies.column % bodies.shape[1]] == 1.0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    """What is needed to draw the surfaces of all lines."""

    planes: LayerPlanes
    contrasts: Contrasts
    interface_um: float
    y_um: Map
    plated_grains: list[GrainPlaces] | None
    redeposited_grains: list[GrainPlaces] | None

    @classmethod
    def make(
        cls, cell: CellParameters, planes: LayerPlanes, lower: Sampling, upper: Sampling, y_um: Map
    ) -> "_Drawing":
        porosity = cell.growth.porosity
        grain = Grain.make(
            cell.seed, strength=porosity.texture, correlation_um=porosity.correlation_um
        )
        return cls(
            planes=planes,
            contrasts=Contrasts.of(cell),
            interface_um=porosity.interface_um,
            y_um=y_um,
            # Each moves with the electrode below it.
            plated_grains=_grain_places(grain, upper, planes.plating_inner_um - y_um),
            redeposited_grains=_grain_places(grain, lower, y_um - planes.outer_low_um),
        )

    def add_surfaces(self, slices: ComplexSlices, surfaces: Surfaces) -> None:
        """Add the lithium beyond the flat layers, and take away what is missing."""
        face_um = self.planes.outer_high_um - surfaces.plating_um
        for line in range(len(face_um)):
            out = slices[line // _SUBROWS]
            self._add_stripping_side(out, surfaces, line)
            self._add_plating_side(out, surfaces, line, face_um[line])
        bodies = surfaces.bodies
        add_segments(slices, bodies, face_um, self.y_um, self.contrasts.plated, self.plated_grains)

    def _add_stripping_side(self, out: FloatSlice, surfaces: Surfaces, line: int) -> None:
        planes, contrasts = self.planes, self.contrasts
        electrode_um = planes.outer_low_um + surfaces.stripping_um[line]
        covered_um = electrode_um + surfaces.cavity_um[line]
        side_um = covered_um + surfaces.redeposited_um[line]
        plane_um = np.full_like(side_um, planes.stripping_surface_um)
        add_band(out, plane_um, side_um, self.y_um, contrasts.lithium)
        if surfaces.cavity_um[line].any():
            add_band(out, electrode_um, covered_um, self.y_um, contrasts.void)
        if self.redeposited_grains is not None and surfaces.redeposited_um[line].any():
            self._add_grain(out, covered_um, side_um, self.redeposited_grains[line])

    def _add_plating_side(
        self, out: FloatSlice, surfaces: Surfaces, line: int, face_um: Map
    ) -> None:
        planes, contrasts = self.planes, self.contrasts
        under_um = face_um - surfaces.lift_um[line]
        top_um = face_um - surfaces.floor_um[line]
        plane_um = np.full_like(top_um, planes.plated_surface_um)
        add_band(out, top_um, plane_um, self.y_um, contrasts.lithium)
        if surfaces.lift_um[line].any():
            add_band(out, under_um, face_um, self.y_um, contrasts.void)
        layer_um = surfaces.layer_um[line]
        if not layer_um.any():
            return
        if contrasts.plated != contrasts.lithium:
            add_band(out, top_um, under_um, self.y_um, contrasts.plated - contrasts.lithium)
        if self.plated_grains is not None:
            self._add_grain(out, top_um, under_um, self.plated_grains[line])
        if self.interface_um > 0:
            half_um = self.interface_um / 2.0 * np.minimum(layer_um / _COVERING_UM, 1.0)
            add_band(out, face_um - half_um, face_um + half_um, self.y_um, contrasts.interface)

    def _add_grain(self, out: FloatSlice, low_um: Map, high_um: Map, places: GrainPlaces) -> None:
        """Add the texture alone, for the body is there."""
        add_band(out, low_um, high_um, self.y_um, self.contrasts.lithium, places)
        add_band(out, high_um, low_um, self.y_um, self.contrasts.lithium)


def _grain_places(
    grain: Grain | None, where: Sampling, heights_um: Map
) -> list[GrainPlaces] | None:
    if grain is None:
        return None
    y, x = grain.index(heights_um), grain.index(where.x_um)
    return [
        GrainPlaces(grain=grain, z=grain.index(z_um + where.z_slope * where.x_um), y=y, x=x)
        for z_um in where.z_um
    ]


def _add_particle(
    slices: ComplexSlices, particle: Impurity, middle: Sampling, y_um: Map, view: View
) -> None:
    """Add a sphere to the rows that cut it, averaged over the planes in each."""
    r = view.drift.matrix
    rise_um = -(r[2, 0] * particle.x_um + r[2, 1] * particle.y_um) / r[2, 2]
    rows_um = middle.z_um + rise_um - particle.z_um
    reach_um = particle.radius_um + y_um[1] - y_um[0]
    for line in np.flatnonzero(np.abs(rows_um) < reach_um):
        add_sphere(
            slices[line // _SUBROWS],
            y_um=y_um,
            x_um=middle.x_um,
            centre_um=(particle.y_um, particle.x_um),
            aside_um=float(rows_um[line]),
            radius_um=particle.radius_um,
            value=particle.excess_per_cm / _SUBROWS,
        )
