"""How wide dendrites are in voxels: what decides how well a segmentation can score on them."""

from dataclasses import dataclass

import numpy as np

from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.phantom.cell import SimulatedCell


@dataclass(frozen=True, slots=True, kw_only=True)
class DendriteWidths:
    """Quartiles of the width of dendrites over their volume, voxels, and that volume."""

    low_px: float
    median_px: float
    high_px: float
    volume_um3: float


def dendrite_widths(simulated: SimulatedCell, scan: int, roi: Roi) -> DendriteWidths | None:
    """Measure the widths of trunks and branches where they count as dendrite.

    For an error ``e`` of its edges a long body of width ``d`` is segmented with an intersection
    over union of about ``1 - 4 e / d``, so the widths that count are those over the volume. They
    are the true diameters, which a thin body's voxels would not show.

    Parameters
    ----------
    simulated
        The cell.
    scan
        Number of the scan.
    roi
        A box in the frame of scan 0; its y range does not matter.

    Returns
    -------
    DendriteWidths or None
        None where there is no dendrite.
    """
    widths_um, volumes_um3 = simulated.dendrite_widths_um(scan, roi)
    total_um3 = float(volumes_um3.sum())
    if total_um3 == 0:
        return None
    order = np.argsort(widths_um)
    shares = np.cumsum(volumes_um3[order]) / total_um3
    low, median, high = (
        float(widths_um[order][np.searchsorted(shares, share)]) / simulated.voxel_um
        for share in (0.25, 0.5, 0.75)
    )
    return DendriteWidths(low_px=low, median_px=median, high_px=high, volume_um3=total_um3)
