"""What a cell is built of: flat layers, and boxes of finite width around the electrodes.

Aluminium foil, tabs and shim lie outside what a scan of the electrodes reconstructs. Rays pass
through them all the same, at some angles and not at others, which moves the grey level of a slice.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from lithoscope_pipeline.phantom.growth import LayerPlanes
from lithoscope_pipeline.phantom.materials import Material
from lithoscope_pipeline.phantom.parameters import CellParameters, DetectorParameters
from lithoscope_pipeline.phantom.project_corners import Corners, box_corners, layer_corners
from lithoscope_pipeline.phantom.projector import FINE, ComplexSlices
from lithoscope_pipeline.phantom.region import cell_half_width_um

Range = tuple[float, float]

_CLEAR_OF_FIELD: Final = 1.2  # the foil's distance, in radii of the reconstructed circle
_LONGEST_TAB: Final = 0.3  # of half the cell's width


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle of one material in another, micrometres from the rotation axis."""

    x_um: Range
    y_um: Range
    material: Material
    host: Material


def flat_parts(cell: CellParameters, planes: LayerPlanes, detector: DetectorParameters) -> Corners:
    """Return everything in a cell that is flat: its mean layers, and the boxes around them.

    Parameters
    ----------
    cell
        Its structure and optics.
    planes
        Where its layers stand.
    detector
        Its view decides how wide a cell is, and its voxel gives the unit.
    """
    voxel_um, optics = detector.voxel_um, cell.optics
    layers = {
        planes.pouch_low_um: Material.POUCH_POLYMER,
        planes.outer_low_um: Material.LITHIUM,
        planes.stripping_surface_um: Material.POLYMER,
        planes.plated_surface_um: Material.LITHIUM,
        planes.outer_high_um: Material.POUCH_POLYMER,
        planes.pouch_high_um: Material.VOID,
    }
    constants = np.array([0.0, *(optics.of(material) for material in layers.values())])
    corners = layer_corners(
        np.array(list(layers)) / voxel_um,
        np.diff(constants),
        cell_half_width_um(cell, detector) / voxel_um,
    )
    for box in boxes(cell, planes, detector):
        (x0, x1), (y0, y1) = box.x_um, box.y_um
        corners += box_corners(
            (x0 / voxel_um, x1 / voxel_um),
            (y0 / voxel_um, y1 / voxel_um),
            optics.of(box.material) - optics.of(box.host),
        )
    return corners


def boxes(cell: CellParameters, planes: LayerPlanes, detector: DetectorParameters) -> list[Box]:
    """Return foil, tabs, shim and membrane interface, each where its size is not 0."""
    structure, half_um = cell.structure, cell_half_width_um(cell, detector)
    window_um = structure.shim_window_share * half_um
    found: list[Box] = []

    def add(x_um: Range, y_um: Range, material: Material, host: Material) -> None:
        found.append(Box(x_um=x_um, y_um=y_um, material=material, host=host))

    if structure.foil_thickness_um > 0:
        near_um = foil_distance_um(cell, detector)
        far_um = near_um + structure.foil_thickness_um
        for y_um in ((-far_um, -near_um), (near_um, far_um)):
            add((-half_um, half_um), y_um, Material.ALUMINIUM, Material.VOID)
    if structure.tab_thickness_um > 0 and structure.tab_length_um > 0:
        begin_um = half_um - min(structure.tab_length_um, _LONGEST_TAB * half_um)
        low_um = planes.outer_low_um - structure.tab_thickness_um, planes.outer_low_um
        high_um = planes.outer_high_um, planes.outer_high_um + structure.tab_thickness_um
        add((-half_um, -begin_um), low_um, structure.tab_material, Material.POUCH_POLYMER)
        add((begin_um, half_um), high_um, structure.tab_material, Material.POUCH_POLYMER)
    if structure.shim_window_share < 1:
        across_um = planes.stripping_surface_um, planes.plated_surface_um
        for x_um in ((-half_um, -window_um), (window_um, half_um)):
            add(x_um, across_um, Material.SHIM, Material.POLYMER)
    if structure.interface_um > 0:
        gap_um = interface_um(cell, planes)
        add((-window_um, window_um), gap_um, Material.VOID, Material.POLYMER)
    return found


def foil_distance_um(cell: CellParameters, detector: DetectorParameters) -> float:
    """Return how far from the middle of the stack the inside of the foil lies."""
    structure = cell.structure
    if structure.foil_distance_um is not None:
        return structure.foil_distance_um
    on_stack_um = cell.thickest_stack_um / 2.0
    if structure.is_inside_field:
        return on_stack_um
    radius_um = detector.n_columns * detector.voxel_um / 2.0
    return max(on_stack_um, _CLEAR_OF_FIELD * radius_um)


def interface_um(cell: CellParameters, planes: LayerPlanes) -> Range:
    """Return where the gap between the membranes begins and ends along y."""
    middle_um = (planes.stripping_surface_um + planes.plated_surface_um) / 2.0
    half_um = cell.structure.interface_um / 2.0
    return middle_um - half_um, middle_um + half_um


def close_gap(
    slices: ComplexSlices, cell: CellParameters, planes: LayerPlanes, voxel_um: float
) -> None:
    """Fill the gap between the membranes where lithium has grown through it.

    Parameters
    ----------
    slices
        How the cell differs from its flat layers, shape (n_rows, n_y, n_x), ``FINE`` samples a
        voxel. Changed in place, for it is the largest array of a simulation.
    cell, planes
        The cell and its layers.
    voxel_um
        Detector pixel at the sample.
    """
    if cell.structure.interface_um == 0:
        return
    low_um, high_um = interface_um(cell, planes)
    step_um = voxel_um / FINE
    y_um = (np.arange(slices.shape[1]) - slices.shape[1] // 2) * step_um
    inside_um = np.minimum(y_um + step_um / 2, high_um) - np.maximum(y_um - step_um / 2, low_um)
    rows = np.flatnonzero(inside_um > 0)
    polymer = cell.optics.of(Material.POLYMER)
    lithium = cell.optics.of(Material.LITHIUM) - polymer
    share = (inside_um[rows] / step_um).astype(np.float32)[:, None]
    grown = np.clip(slices.real[:, rows] / np.float32(lithium.real), 0.0, 1.0)
    slices[:, rows] += np.complex64(polymer) * share * grown
