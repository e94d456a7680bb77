"""Bring a region of a scan onto the grid of the reference frame, once, slab by slab.

Only the part of the scan that the region is made from is read. A voxel depends on the transform
and on its own place alone: however a region is cut into slabs, the bytes are the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatVolume, Roi
from lithoscope_pipeline.rigid import RigidTransform

Matrix = NDArray[np.float64]

_MARGIN_PX = 2  # neighbours of linear interpolation, and one for rounding


class VolumeSource(Protocol):
    """What gives boxes of a volume: an array, or a reader that loads what is asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""

    def __getitem__(self, box: tuple[slice, slice, slice], /) -> FloatVolume:
        """Give a box of the volume, axes (z, y, x)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampled:
    """A volume on another grid.

    Parameters
    ----------
    volume
        Shape of the region asked for, axes (z, y, x); the nearest edge value where the scan ends.
    valid_fraction
        Share of its voxels that lie inside the scan.
    """

    volume: FloatVolume
    valid_fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResampledSlab:
    """Some slices of a region in the reference frame.

    Parameters
    ----------
    z0
        First slice, counted from the first one of the region.
    volume
        Shape (n_slices, n_y, n_x), axes (z, y, x).
    valid_fraction
        Share of its voxels that lie inside the scan.
    """

    z0: int
    volume: FloatVolume
    valid_fraction: float


def region_needed(
    transform: RigidTransform,
    roi: Roi,
    shape: tuple[int, ...],
    *,
    homography: Matrix | None = None,
) -> Roi:
    """Tell which box of a scan a region of the reference frame is made from.

    Parameters
    ----------
    transform
        Reference frame to scan.
    roi
        Region of the reference frame.
    shape
        Voxels of the scan along (z, y, x).
    homography
        As for `resample_region`.

    Returns
    -------
    Roi
        A box within the scan, never empty, with two voxels of margin for interpolation.
    """
    ends = [(roi.z0, roi.z1 - 1), (roi.y0, roi.y1 - 1), (roi.x0, roi.x1 - 1)]
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
    at = transform.to_scan(_warped(corners.astype(np.float64), homography))
    first, stop = [], []
    for axis, n in enumerate(shape):
        low = int(np.clip(np.floor(at[:, axis].min()) - _MARGIN_PX, 0, n - 1))
        first.append(low)
        stop.append(int(np.clip(np.ceil(at[:, axis].max()) + _MARGIN_PX + 1, low + 1, n)))
    return Roi(z0=first[0], z1=stop[0], y0=first[1], y1=stop[1], x0=first[2], x1=stop[2])


def resample_region(
    source: VolumeSource,
    transform: RigidTransform,
    *,
    roi: Roi,
    homography: Matrix | None = None,
) -> Resampled:
    """Interpolate a region of the reference frame from a scan, linearly.

    Parameters
    ----------
    source
        The scan, axes (z, y, x), float32. Only the box that is needed is read.
    transform
        Reference frame to scan.
    roi
        Region of the reference frame; where it lies outside the scan it gets the nearest value.
    homography
        Warp of the slices that is done before the transform, in the same interpolation: takes
        (y, x, 1) of the region to that of the reference frame, shape (3, 3).

    Returns
    -------
    Resampled
        Volume of shape ``roi.shape``, and the share of it that lies inside the scan.

    Raises
    ------
    ShapeError
        If the scan is not three-dimensional or is empty.
    ParameterError
        If ``roi`` is empty.
    """
    shape = source.shape
    if len(shape) != 3 or min(shape) < 1:
        raise ShapeError(f"volume of shape {shape} given, (z, y, x) is needed")
    if min(roi.shape) < 1:
        raise ParameterError(f"roi of shape {roi.shape} given, at least one voxel is needed")
    box = region_needed(transform, roi, shape, homography=homography)
    part = np.ascontiguousarray(source[box.slices], dtype=np.float32)
    centre = np.array(transform.centre_px)
    offset = centre + np.array(transform.shift_px) - transform.matrix @ centre
    out = np.empty(roi.shape, dtype=np.float32)
    n_valid = _interpolate(
        part,
        (box.z0, box.y0, box.x0),
        (shape[0], shape[1], shape[2]),
        np.ascontiguousarray(transform.matrix),
        offset,
        np.eye(3) if homography is None else np.ascontiguousarray(homography, np.float64),
        homography is not None,
        (roi.z0, roi.y0, roi.x0),
        out,
    )
    return Resampled(volume=out, valid_fraction=n_valid / out.size)


def resample_slabs(
    source: VolumeSource,
    transform: RigidTransform,
    *,
    roi: Roi,
    slab_rows: int,
    homography: Matrix | None = None,
) -> Iterator[ResampledSlab]:
    """Resample a region slab by slab: the middle first, then spread evenly, then the rest.

    What looks at a few slabs first sees the whole extent of the cell early. Memory is bounded by
    a slab and what it is made from.

    Parameters
    ----------
    source, transform, roi, homography
        As for `resample_region`.
    slab_rows
        Slices of a slab; the last one may have fewer.

    Yields
    ------
    ResampledSlab
        Each slab once.

    Raises
    ------
    ParameterError
        If ``slab_rows`` is below 1.
    """
    if slab_rows < 1:
        raise ParameterError(f"slab_rows is {slab_rows}, at least 1 is needed")
    n_slices = roi.shape[0]
    for number in spread_order(-(-n_slices // slab_rows)):
        z0 = number * slab_rows
        z1 = min(z0 + slab_rows, n_slices)
        part = Roi(z0=roi.z0 + z0, z1=roi.z0 + z1, y0=roi.y0, y1=roi.y1, x0=roi.x0, x1=roi.x1)
        found = resample_region(source, transform, roi=part, homography=homography)
        yield ResampledSlab(z0=z0, volume=found.volume, valid_fraction=found.valid_fraction)


class ResampledVolume:
    """A region of the reference frame that is interpolated anew wherever it is looked at.

    Parameters
    ----------
    source, transform, roi, homography
        As for `resample_region`.
    """

    def __init__(
        self,
        source: VolumeSource,
        transform: RigidTransform,
        *,
        roi: Roi,
        homography: Matrix | None = None,
    ) -> None:
        self._source, self._transform = source, transform
        self._roi, self._homography = roi, homography

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels of the region along (z, y, x)."""
        return self._roi.shape

    def __getitem__(self, box: tuple[slice, slice, slice], /) -> FloatVolume:
        """Interpolate a box, axes (z, y, x)."""
        (z0, z1), (y0, y1), (x0, x1) = (
            part.indices(n)[:2] for part, n in zip(box, self.shape, strict=True)
        )
        roi = self._roi
        part = Roi(
            z0=roi.z0 + z0,
            z1=roi.z0 + z1,
            y0=roi.y0 + y0,
            y1=roi.y0 + y1,
            x0=roi.x0 + x0,
            x1=roi.x0 + x1,
        )
        return resample_region(
            self._source, self._transform, roi=part, homography=self._homography
        ).volume


def spread_order(n: int) -> list[int]:
    """Order 0..n-1 so that any first few are spread evenly, the middle one first.

    Examples
    --------
    >>> spread_order(7)
    [3, 1, 5, 0, 2, 4, 6]
    """
    order: list[int] = []
    parts = [(0, n)]
    while parts:
        halves = []
        for first, stop in parts:
            if first < stop:
                middle = (first + stop) // 2
                order.append(middle)
                halves += [(first, middle), (middle + 1, stop)]
        parts = halves
    return order


def _warped(points: Matrix, homography: Matrix | None) -> Matrix:
    """Move points (z, y, x) within their slices, shape (n, 3)."""
    if homography is None:
        return points
    moved = np.column_stack([points[:, 1:], np.ones(len(points))]) @ homography.T
    return np.column_stack([points[:, 0], moved[:, :2] / moved[:, 2:]])


@njit(cache=True, nogil=True)
def _interpolate(
    part: FloatVolume,
    part_origin: tuple[int, int, int],
    scan_shape: tuple[int, int, int],
    matrix: Matrix,
    offset: Matrix,
    homography: Matrix,
    is_warped: bool,
    roi_origin: tuple[int, int, int],
    out: FloatVolume,
) -> int:
    """Fill ``out`` from a part of the scan; count the voxels that lie inside the scan."""
    n_valid = 0
    for i in range(out.shape[0]):
        z = float(roi_origin[0] + i)
        for j in range(out.shape[1]):
            row = float(roi_origin[1] + j)
            for k in range(out.shape[2]):
                y, x = row, float(roi_origin[2] + k)
                if is_warped:
                    h = homography
                    scale = h[2, 0] * row + h[2, 1] * x + h[2, 2]
                    y = (h[0, 0] * row + h[0, 1] * x + h[0, 2]) / scale
                    x = (h[1, 0] * row + h[1, 1] * x + h[1, 2]) / scale
                at_z = matrix[0, 0] * z + matrix[0, 1] * y + offset[0] + matrix[0, 2] * x
                at_y = matrix[1, 0] * z + matrix[1, 1] * y + offset[1] + matrix[1, 2] * x
                at_x = matrix[2, 0] * z + matrix[2, 1] * y + offset[2] + matrix[2, 2] * x
                if (
                    -0.5 <= at_z <= scan_shape[0] - 0.5
                    and -0.5 <= at_y <= scan_shape[1] - 0.5
                    and -0.5 <= at_x <= scan_shape[2] - 0.5
                ):
                    n_valid += 1
                out[i, j, k] = _value(part, part_origin, scan_shape, at_z, at_y, at_x)
    return n_valid


@njit(cache=True, nogil=True, inline="always")
def _value(
    part: FloatVolume,
    part_origin: tuple[int, int, int],
    scan_shape: tuple[int, int, int],
    at_z: float,
    at_y: float,
    at_x: float,
) -> np.float32:
    """Interpolate one place of the scan, the nearest one within it."""
    at_z = min(max(at_z, 0.0), float(scan_shape[0] - 1))
    at_y = min(max(at_y, 0.0), float(scan_shape[1] - 1))
    at_x = min(max(at_x, 0.0), float(scan_shape[2] - 1))
    whole_z, whole_y, whole_x = int(at_z), int(at_y), int(at_x)
    share_z = np.float32(at_z - whole_z)
    share_y = np.float32(at_y - whole_y)
    share_x = np.float32(at_x - whole_x)
    # The part holds all that is needed; clipping guards its rim against rounding.
    end_z, end_y, end_x = part.shape[0] - 1, part.shape[1] - 1, part.shape[2] - 1
    z0 = min(max(whole_z - part_origin[0], 0), end_z)
    y0 = min(max(whole_y - part_origin[1], 0), end_y)
    x0 = min(max(whole_x - part_origin[2], 0), end_x)
    z1, y1, x1 = min(z0 + 1, end_z), min(y0 + 1, end_y), min(x0 + 1, end_x)
    a = part[z0, y0, x0] + share_x * (part[z0, y0, x1] - part[z0, y0, x0])
    b = part[z0, y1, x0] + share_x * (part[z0, y1, x1] - part[z0, y1, x0])
    c = part[z1, y0, x0] + share_x * (part[z1, y0, x1] - part[z1, y0, x0])
    d = part[z1, y1, x0] + share_x * (part[z1, y1, x1] - part[z1, y1, x0])
    low = a + share_y * (b - a)
    high = c + share_y * (d - c)
    return low + share_z * (high - low)
