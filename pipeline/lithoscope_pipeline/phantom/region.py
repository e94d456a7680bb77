"""Which part of a cell a detector sees whole."""

from typing import Final

import numpy as np

from lithoscope_pipeline.geometry import Roi, field_axis_px
from lithoscope_pipeline.phantom.parameters import CellParameters, DetectorParameters
from lithoscope_pipeline.phantom.texture import Map, Sampling

_SEEN_SHARE: Final = 0.95  # of the reconstructed circle
_MARGIN_PX: Final = 3.0  # of pouch beside the electrodes
_SMALL_WIDTH_FACTOR: Final = 0.35  # the corners of the foil then lie in the circle of any size
_DOMAIN_SAMPLES: Final = 1024  # at most, along z and x


def cell_half_width_um(cell: CellParameters, detector: DetectorParameters) -> float:
    """Return where the cell ends along x."""
    is_small = cell.structure.is_inside_field
    factor = _SMALL_WIDTH_FACTOR if is_small else cell.width_factor
    return factor * detector.n_columns * detector.voxel_um / 2.0


def seen_half_width_um(cell: CellParameters, detector: DetectorParameters) -> float:
    """Return how far along x the whole stack exists and lies in the reconstructed circle."""
    radius_um = _SEEN_SHARE * (detector.n_columns / 2.0) * detector.voxel_um
    square_um2 = radius_um**2 - (cell.thickest_stack_um / 2.0) ** 2
    seen_um = float(np.sqrt(max(square_um2, (0.1 * radius_um) ** 2)))
    return min(seen_um, cell_half_width_um(cell, detector) - 2.0 * detector.voxel_um)


def balance_domain(cell: CellParameters, detector: DetectorParameters) -> Sampling:
    """Return the plane over which lithium is balanced: all rows, and what is seen along x."""
    half_x_um = seen_half_width_um(cell, detector)
    half_z_um = detector.n_volume_rows * detector.voxel_um / 2.0
    return Sampling(
        z_um=_centres_um(half_z_um, detector.voxel_um),
        x_um=_centres_um(half_x_um, detector.voxel_um),
    )


def _centres_um(half_um: float, voxel_um: float) -> Map:
    """Return the middles of the voxels within a distance of the axis, or fewer places."""
    n = max(int(2.0 * half_um / voxel_um), 1)
    if n > _DOMAIN_SAMPLES:
        return ((np.arange(_DOMAIN_SAMPLES) + 0.5) / _DOMAIN_SAMPLES * 2.0 - 1.0) * half_um
    return (np.arange(n) - (n - 1) / 2.0) * voxel_um


def electrode_roi(cell: CellParameters, detector: DetectorParameters) -> Roi:
    """Return the largest box that holds both electrodes, whole and at every time, in the view.

    Of the pouches a margin is in it; the first and the last row are not.
    """
    half_x_px = seen_half_width_um(cell, detector) / detector.voxel_um
    half_y_px = (cell.thickest_stack_um / 2.0 - cell.pouch_thickness_um) / detector.voxel_um
    middle = field_axis_px(detector.n_columns)
    return Roi(
        z0=min(1, detector.n_volume_rows - 1),
        z1=max(detector.n_volume_rows - 1, 1),
        y0=int(np.floor(middle - half_y_px - _MARGIN_PX)),
        y1=int(np.ceil(middle + half_y_px + _MARGIN_PX)) + 1,
        x0=int(np.ceil(middle - half_x_px)),
        x1=int(np.floor(middle + half_x_px)) + 1,
    )
