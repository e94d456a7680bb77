"""Find the planes of the layers in the first scan, and with them the frame of all scans.

From the stationary outer side upwards along y a cell is air, pouch, lithium, electrolyte, lithium,
pouch, air: six planes at which the mean grey value rises, falls, rises, falls, rises and falls.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatVolume, MaskVolume, Roi, field_axis_px

FrameVerdict = Literal["resolved", "no_layers"]
Profile = NDArray[np.float64]

SEEN_SHARE = 0.95  # of the circle that is seen at all angles: its rim is blurred
GROWTH_UM = 60.0  # room for the plating side, which moves out by 39 um in the reference cell
POUCH_SHARE = 0.8  # of the stationary pouch kept below the electrode, where it does not end in air
STATIONARY_ELECTRODE_SHARE = 0.5  # of the stripping electrode: what is below is never stripped
MIN_LAYER_UM = 12.0
# A plane must change the mean grey by this share of what the strongest one does.
MIN_STEP_SHARE = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceFrame:
    """The region in which all scans are compared, and the planes of the first one.

    Parameters
    ----------
    roi
        Region in voxels of the first scan: one row less at either end of z, the whole stack with
        room to grow along y, along x what lies whole in 0.95 of the reconstructed circle.
    y_outer_px
        Outer face of the stationary (stripping) electrode; the origin of y. In voxels of the
        first scan, to a fraction. Middle of the volume if there are no layers.
    planes_px
        The six planes along y, lower pouch face first; empty if there are no layers.
    verdict
        ``no_layers``: the profile across y is not that of a cell; the region is then the largest
        square inside the circle.
    """

    roi: Roi
    y_outer_px: float
    planes_px: tuple[float, ...]
    verdict: FrameVerdict


def find_reference_frame(
    volume: FloatVolume,
    voxel_um: float,
    *,
    field_radius_px: float | None = None,
    growth_um: float = GROWTH_UM,
) -> ReferenceFrame:
    """Find the layers of the first scan and the region to compare scans in.

    The stationary side is the one at low y.

    Parameters
    ----------
    volume
        First scan, 1/cm, shape (n_rows, n, n), axes (z, y, x), rotation axis in the middle.
        Denser is brighter. A few rows suffice for the planes, all rows are needed for the region.
    voxel_um
        Edge of a voxel.
    field_radius_px
        Distance from the rotation axis to the nearer border of the detector; the half width of
        the slice by default.
    growth_um
        Room left beyond the outer face of the plating side.

    Returns
    -------
    ReferenceFrame
        Region, planes and verdict.

    Raises
    ------
    ShapeError
        If ``volume`` has no three dimensions or slices of under 16 voxels.
    ParameterError
        If ``voxel_um`` is not above zero.
    NonFiniteError
        If ``volume`` holds NaN or infinity.
    """
    if volume.ndim != 3 or min(volume.shape[1:]) < 16:
        raise ShapeError(
            f"volume of shape {volume.shape} given, (z, y, x) from (1, 16, 16) needed"
        )
    if not voxel_um > 0.0:
        raise ParameterError(f"voxel_um is {voxel_um}, it must be above 0")
    if not np.isfinite(volume).all():
        raise NonFiniteError("volume holds NaN or infinity; reconstruct it again")

    radius = field_axis_px(min(volume.shape[1:])) if field_radius_px is None else field_radius_px
    planes = _planes(_profile(volume, radius), voxel_um)
    if planes is None:
        return ReferenceFrame(
            roi=_square_roi(volume, radius),
            y_outer_px=field_axis_px(volume.shape[1]),
            planes_px=(),
            verdict="no_layers",
        )
    return ReferenceFrame(
        roi=_stack_roi(volume, planes, radius, growth_um / voxel_um),
        y_outer_px=planes[1],
        planes_px=planes,
        verdict="resolved",
    )


def stationary_mask(
    frame: ReferenceFrame, shape: tuple[int, int, int], *, field_radius_px: float | None = None
) -> MaskVolume:
    """Mark what stays put: the stationary pouch and the outer half of its electrode.

    Parameters
    ----------
    frame
        Frame with verdict ``resolved``; with ``no_layers`` the region of the frame is marked.
    shape
        Shape of the scan, (z, y, x).
    field_radius_px
        As for `find_reference_frame`.

    Returns
    -------
    MaskVolume
        Shape ``shape``, inside 0.95 of the reconstructed circle.
    """
    mask = np.zeros(shape, dtype=np.bool_)
    if frame.verdict == "no_layers":
        mask[frame.roi.slices] = True
        return mask
    radius = field_axis_px(min(shape[1:])) if field_radius_px is None else field_radius_px
    pouch, outer, surface = frame.planes_px[:3]
    last = outer + STATIONARY_ELECTRODE_SHARE * (surface - outer)
    y = np.arange(shape[1])[:, None]
    x = np.arange(shape[2])[None, :]
    square = (y - field_axis_px(shape[1])) ** 2 + (x - field_axis_px(shape[2])) ** 2
    # Two voxels of air belong to it: the outer face of the pouch is as good a plane as any.
    mask[:] = (y >= pouch - 2.0) & (y <= last) & (square < (SEEN_SHARE * radius) ** 2)
    return mask


def _profile(volume: FloatVolume, radius_px: float) -> Profile:
    """Average over all rows and the columns near the axis, where every y is inside the circle."""
    n_x = volume.shape[2]
    half = max(4, int(0.3 * radius_px))
    middle = n_x // 2
    profile: Profile = volume[:, :, middle - half : middle + half + 1].mean(
        axis=(0, 2), dtype=np.float64
    )
    return profile


def _planes(profile: Profile, voxel_um: float) -> tuple[float, ...] | None:
    """Six planes with steps up, down, up, down, up, down, or none."""
    slope = np.gradient(gaussian_filter1d(profile, max(1.0, 4.0 / voxel_um)))
    size = np.abs(slope)
    peaks = np.flatnonzero((size[1:-1] >= size[:-2]) & (size[1:-1] > size[2:])) + 1
    peaks = peaks[size[peaks] >= MIN_STEP_SHARE * size.max()]
    chosen: list[int] = []
    for peak in peaks[np.argsort(-size[peaks], kind="stable")]:
        if all(abs(peak - other) * voxel_um >= MIN_LAYER_UM for other in chosen):
            chosen.append(int(peak))
    chosen = sorted(sorted(chosen, key=lambda p: -size[p])[:6])
    signs = [float(np.sign(slope[p])) for p in chosen]
    if signs != [1.0, -1.0, 1.0, -1.0, 1.0, -1.0]:
        return None
    return tuple(_vertex(size, p) for p in chosen)


def _vertex(size: Profile, peak: int) -> float:
    """Top of the parabola through a peak and its neighbours."""
    before, at, after = size[peak - 1 : peak + 2]
    return float(peak + 0.5 * (before - after) / min(before - 2.0 * at + after, -1.0e-30))


def _stack_roi(
    volume: FloatVolume, planes: tuple[float, ...], radius_px: float, growth_px: float
) -> Roi:
    n_z, n_y, n_x = volume.shape
    low_pouch, outer_low, _, _, outer_high, high_pouch = planes
    y_low = outer_low - POUCH_SHARE * (outer_low - low_pouch)
    y_high = max(high_pouch, outer_high + growth_px)
    middle_y, middle_x = field_axis_px(n_y), field_axis_px(n_x)
    reach_y = max(middle_y - y_low, y_high - middle_y)
    half_x = np.sqrt(max((SEEN_SHARE * radius_px) ** 2 - reach_y**2, (0.1 * radius_px) ** 2))
    edge = 1 if n_z > 2 else 0
    return Roi(
        z0=edge,
        z1=n_z - edge,
        y0=max(int(np.floor(y_low)), 0),
        y1=min(int(np.ceil(y_high)) + 1, n_y),
        x0=max(int(np.ceil(middle_x - half_x)), 0),
        x1=min(int(np.floor(middle_x + half_x)) + 1, n_x),
    )


def _square_roi(volume: FloatVolume, radius_px: float) -> Roi:
    n_z, n_y, n_x = volume.shape
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
