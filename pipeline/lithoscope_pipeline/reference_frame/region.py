"""The region in which scans are compared: both electrodes, with room to move."""

from dataclasses import dataclass

import numpy as np

from lithoscope_pipeline.faces import FaceReference
from lithoscope_pipeline.geometry import Roi, field_axis_px
from lithoscope_pipeline.reference_frame.frame import SEEN_SHARE
from lithoscope_pipeline.rigid import RigidTransform

MARGIN_PX = 40.0  # of swelling at least; the reference cell moves by 29 voxels
_MIN_GOOD_SHARE = 0.6  # of the patches of a line at the edge
_LEAST_PATCHES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A region and how much of it lies beyond the electrodes, see `ReferenceFrame`."""

    roi: Roi
    margin_px: tuple[float, float]
    flags: tuple[str, ...]


def stack_region(
    shape: tuple[int, ...],
    outer_px: tuple[float, float],
    transform: RigidTransform,
    *,
    radius_px: float,
    growth_px: float,
) -> Region:
    """Give the largest box in which both electrodes are seen whole, now and when grown.

    Parameters
    ----------
    shape
        Of the first scan.
    outer_px
        Outer faces of both electrodes, y in the reference frame.
    transform
        Reference frame to first scan.
    radius_px
        Radius of the reconstructed circle.
    growth_px
        How far the plating side may move out.

    Returns
    -------
    Region
        Along y the stack with at least 40 voxels on either side, where the volume has them; along
        x what lies whole in 0.95 of the circle; along z all rows but the first and the last, and
        but those that leave the volume where the cell leans. Corners of the margin may lie
        outside the circle: no electrode ever gets there.
    """
    n_z, n_y, n_x = shape
    middle_y, middle_x = field_axis_px(n_y), field_axis_px(n_x)
    low, high = outer_px[0] - MARGIN_PX, outer_px[1] + max(MARGIN_PX, growth_px)
    y0, y1 = max(int(np.floor(low)), 0), min(int(np.ceil(high)) + 1, n_y)
    margin = outer_px[0] - y0, y1 - 1 - outer_px[1]

    lean = abs(np.sin(np.deg2rad(transform.rotation_deg[2])))
    reach_y = max(middle_y - outer_px[0], outer_px[1] + growth_px - middle_y)
    beside = reach_y + lean * field_axis_px(n_z)
    half_x = np.sqrt(max((SEEN_SHARE * radius_px) ** 2 - beside**2, (0.1 * radius_px) ** 2))
    edge = (1 if n_z > 2 else 0) + int(np.ceil(lean * reach_y))
    edge = min(edge, (n_z - 1) // 2)
    return Region(
        roi=Roi(
            z0=edge,
            z1=n_z - edge,
            y0=y0,
            y1=y1,
            x0=max(int(np.ceil(middle_x - half_x)), 0),
            x1=min(int(np.floor(middle_x + half_x)) + 1, n_x),
        ),
        margin_px=margin,
        flags=("small_margin",) if min(margin) < MARGIN_PX else (),
    )


def without_poor_edges(region: Region, faces: FaceReference) -> Region:
    """Take off the edges where fewer than 0.6 of the patches show both electrodes.

    Lines of patches along z or x are taken off from outside, the poorest first, until the outer
    lines are good or three are left.
    """
    good = (faces.stripping.weights > 0) & (faces.plating.weights > 0)
    low, high = [0, 0], list(good.shape)
    while True:
        part = good[low[0] : high[0], low[1] : high[1]]
        shares = {}
        for axis in (0, 1):
            if high[axis] - low[axis] <= _LEAST_PATCHES:
                continue
            lines = part.mean(axis=1 - axis)
            shares[axis, 0], shares[axis, 1] = float(lines[0]), float(lines[-1])
        poor = min(shares, key=lambda key: shares[key], default=None)
        if poor is None or shares[poor] >= _MIN_GOOD_SHARE:
            break
        axis, end = poor
        if end == 0:
            low[axis] += 1
        else:
            high[axis] -= 1
    if (low, high) == ([0, 0], list(good.shape)):
        return region
    return Region(
        roi=_cut(region.roi, faces, low, high),
        margin_px=region.margin_px,
        flags=(*region.flags, "edges_excluded"),
    )


def _cut(roi: Roi, faces: FaceReference, low: list[int], high: list[int]) -> Roi:
    """Keep the voxels of the patches that are left; untouched ends stay where they were."""
    grid = faces.grid
    n_z, n_x = grid.shape
    z0 = roi.z0 if low[0] == 0 else grid.z0_px[low[0]]
    z1 = roi.z1 if high[0] == n_z else grid.z0_px[high[0] - 1] + grid.n_rows
    x0 = roi.x0 if low[1] == 0 else grid.x0_px + low[1] * grid.n_columns
    x1 = roi.x1 if high[1] == n_x else grid.x0_px + high[1] * grid.n_columns
    return Roi(z0=z0, z1=z1, y0=roi.y0, y1=roi.y1, x0=x0, x1=x1)


def square_region(shape: tuple[int, ...], radius_px: float) -> Roi:
    """Give the largest square inside 0.95 of the circle, for a volume without layers."""
    n_z, n_y, n_x = shape
    half = SEEN_SHARE * radius_px / np.sqrt(2.0)
    middle_y, middle_x = field_axis_px(n_y), field_axis_px(n_x)
    edge = 1 if n_z > 2 else 0
    return Roi(
        z0=edge,
        z1=n_z - edge,
        y0=int(np.ceil(middle_y - half)),
        y1=int(np.floor(middle_y + half)) + 1,
        x0=int(np.ceil(middle_x - half)),
        x1=int(np.floor(middle_x + half)) + 1,
    )
