"""How each slice of the cell differs from flat layers, on a grid finer than the detector."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.phantom.growth import CellGrowth, CellState, LayerPlanes, Surfaces
from lithoscope_pipeline.phantom.impurities import Impurity, impurities
from lithoscope_pipeline.phantom.projector import FINE, View
from lithoscope_pipeline.phantom.texture import Map, Sampling

_SUBROWS: Final = 2  # planes averaged in each detector row
_REACH: Final = 0.75  # texture reaches as many widths of the view to either side of the axis,
_TAPER: Final = 0.1  # and fades to flat layers over this share of that
_LARGEST_PARTICLE_UM: Final = 8.0

FloatSlice = NDArray[np.float32]


def texture_slices(
    growth: CellGrowth,
    state: CellState,
    view: View,
    heights_px: Map,
    *,
    voxel_um: float,
    half_width_um: float,
) -> FloatVolume:
    """Sample the attenuation of the cell minus that of its flat layers.

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
    FloatVolume
        1/cm, shape (n_rows, n_y, n_x), in the cell's own in-plane coordinates, the rotation axis
        at index ``(n_y // 2, n_x // 2)``, ``FINE`` samples a pixel.

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
    contrast = np.float32(growth.cell.lithium_per_cm - growth.cell.electrolyte_per_cm)
    slices = np.zeros((len(heights_px), y_um.size, x_um.size), np.float32)
    for line in range(len(lower.z_um)):
        _add_surfaces(slices[line // _SUBROWS], surfaces, line, planes, y_um, contrast)
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
    stripping_um = planes.stripping_surface_um - planes.outer_low_um - state.redeposited_um
    plating_um = planes.outer_high_um - planes.plating_inner_um

    def blend(surface_um: Map, mean_um: float) -> Map:
        return mean_um + fade * (surface_um - mean_um)

    return Surfaces(
        stripping_um=blend(surfaces.stripping_um, stripping_um),
        redeposited_um=blend(surfaces.redeposited_um, state.redeposited_um),
        plating_um=blend(surfaces.plating_um, plating_um),
        layer_um=blend(surfaces.layer_um, state.plated_um),
        dendrite_um=np.where(fade < 1.0, 0.0, surfaces.dendrite_um),
        root_um=surfaces.root_um,
    )


def _add_surfaces(
    out: FloatSlice,
    surfaces: Surfaces,
    line: int,
    planes: LayerPlanes,
    y_um: Map,
    contrast: np.float32,
) -> None:
    """Add the lithium of one line beyond the flat layers, and take away what is missing."""
    low_um = planes.outer_low_um + surfaces.stripping_side_um[line]
    inner_um = planes.outer_high_um - surfaces.plating_um[line]
    high_um = inner_um - surfaces.top_um[line]
    _add_below(out, low_um, planes.stripping_surface_um, y_um, contrast)
    _add_below(out, high_um, planes.plated_surface_um, y_um, -contrast)
    hole_um = surfaces.hole_um[line]
    if hole_um.any():
        layer_um = inner_um - surfaces.layer_um[line]
        _add_band(out, layer_um - hole_um, layer_um, y_um, -contrast)


def _add_below(
    out: FloatSlice, surface_um: Map, plane_um: float, y_um: Map, value: np.float32
) -> None:
    """Add ``value`` between a plane and a surface above it, or minus it below."""
    _add_band(out, np.full_like(surface_um, plane_um), surface_um, y_um, value)


def _add_band(out: FloatSlice, low_um: Map, high_um: Map, y_um: Map, value: np.float32) -> None:
    """Add ``value`` times the share of each sample that lies between two surfaces."""
    step_um = y_um[1] - y_um[0]
    # In samples from the lower edge of the first one.
    low = ((low_um - y_um[0]) / step_um + 0.5).astype(np.float32)
    high = ((high_um - y_um[0]) / step_um + 0.5).astype(np.float32)
    first = max(0, int(min(low.min(), high.min())))
    last = min(len(y_um), int(max(low.max(), high.max())) + 1)
    rows = np.arange(first, last, dtype=np.float32)[:, None]
    share = np.clip(high - rows, 0.0, 1.0) - np.clip(low - rows, 0.0, 1.0)
    out[first:last] += value * share


def _add_particle(
    slices: FloatVolume, particle: Impurity, middle: Sampling, y_um: Map, view: View
) -> None:
    """Add a sphere to the rows that cut it, averaged over the planes in each."""
    step_um = y_um[1] - y_um[0]
    r = view.drift.matrix
    reach_um = particle.radius_um + step_um
    rise_um = -(r[2, 0] * particle.x_um + r[2, 1] * particle.y_um) / r[2, 2]
    rows_um = middle.z_um + rise_um - particle.z_um
    rows = _near(particle.y_um, reach_um, y_um)
    columns = _near(particle.x_um, reach_um, middle.x_um)
    across = (middle.x_um[columns] - particle.x_um)[None, :] ** 2
    in_plane = (y_um[rows] - particle.y_um)[:, None] ** 2 + across
    for line in np.flatnonzero(np.abs(rows_um) < reach_um):
        distance_um = np.sqrt(in_plane + rows_um[line] ** 2)
        share = np.clip((particle.radius_um - distance_um) / step_um + 0.5, 0.0, 1.0)
        slices[line // _SUBROWS, rows, columns] += (
            particle.excess_per_cm / _SUBROWS * share
        ).astype(np.float32)


def _near(middle_um: float, reach_um: float, places_um: Map) -> slice:
    first, last = np.searchsorted(places_um, (middle_um - reach_um, middle_um + reach_um))
    return slice(int(first), int(last))
