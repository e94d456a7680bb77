"""The stack by its four corners: found in a maximum projection, and made a rectangle.

This is how the seed work chose its frame by eye [1]_. A homography takes any four corners to a
rectangle, and with them whatever bent them: lengths and volumes are then no longer those of the
cell. What was warped so carries its Jacobian and the flag ``homography``.

References
----------
.. [1] J. Quenum et al., J. Imaging 9, 111 (2023). doi:10.3390/jimaging9060111
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.resample import VolumeSource

Points = NDArray[np.float64]
CornerVerdict = Literal["resolved", "not_found"]

HOMOGRAPHY_FLAG = "homography"
_SMOOTHING_PX = 1.5
_MAX_SLICES = 64
_MIN_FILL = 0.9  # of the quadrilateral by what is bright
_SIDE_SHARE = 0.7  # of a side, about its middle, that its line is fitted to
_N_BINS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Corners:
    """Four corners of the stack in a slice.

    Parameters
    ----------
    points_px
        (y, x) of each, shape (4, 2): low y and low x first, then along the electrode (high x),
        across (high y) and back.
    verdict
        ``not_found``: what is bright does not fill a quadrilateral; the corners are a guess.
    """

    points_px: Points
    verdict: CornerVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectification:
    """A homography that makes four corners a rectangle.

    Parameters
    ----------
    matrix
        Takes (y, x, 1) of the rectified slice to that of the slice it was, up to a factor, shape
        (3, 3).
    flags
        What volumes that were warped by it must carry.
    """

    matrix: Points
    flags: tuple[str, ...] = (HOMOGRAPHY_FLAG,)

    def jacobian(
        self, shape: tuple[int, int], *, origin_px: tuple[int, int] = (0, 0)
    ) -> FloatImage:
        """Area that each pixel of the rectified slice covers in the slice it was, pixels.

        A volume that was measured in rectified slices is in truth the sum of this over its
        voxels.

        Parameters
        ----------
        shape
            Pixels of the rectified slice, (y, x).
        origin_px
            Place of its first pixel.
        """
        y, x = np.indices(shape, dtype=np.float64)
        y, x = y + origin_px[0], x + origin_px[1]
        scale = self.matrix[2, 0] * y + self.matrix[2, 1] * x + self.matrix[2, 2]
        # The determinant of the derivative of a homography is that of its matrix over scale**3.
        return np.abs(np.linalg.det(self.matrix) / scale**3).astype(np.float32)


def project_maximum(source: VolumeSource) -> FloatImage:
    """Take the maximum over slices, up to 64 spread evenly; shape (n_y, n_x).

    Parameters
    ----------
    source
        A scan, axes (z, y, x).
    """
    n_z = source.shape[0]
    rows = np.unique(np.linspace(0, n_z - 1, min(n_z, _MAX_SLICES)).round().astype(int))
    out = np.full(source.shape[1:], -np.inf, dtype=np.float32)
    for row in rows:
        part = source[slice(int(row), int(row) + 1), slice(None), slice(None)]
        np.maximum(out, part[0], out=out)
    return out


def find_corners(projection: FloatImage) -> Corners:
    """Find the corners of the brightest large body in a maximum projection.

    A threshold between dark and bright [1]_ gives the body; its farthest points along the
    diagonals start the corners, and lines through its four sides place them to a fraction of a
    pixel.

    Parameters
    ----------
    projection
        Shape (n_y, n_x).

    Returns
    -------
    Corners
        And whether the body is a quadrilateral at all.

    Raises
    ------
    ShapeError
        If ``projection`` is no image of at least 8 pixels either way.

    References
    ----------
    .. [1] N. Otsu, IEEE Trans. Syst. Man Cybern. 9, 62 (1979). doi:10.1109/TSMC.1979.4310076
    """
    if projection.ndim != 2 or min(projection.shape) < 8:
        raise ShapeError(f"projection of shape {projection.shape} given, (y, x) from 8 needed")
    smooth = ndimage.gaussian_filter(projection, _SMOOTHING_PX, mode="nearest")
    threshold = _threshold(smooth)
    body = _largest_body(smooth >= threshold)
    rim = np.argwhere(body & ~ndimage.binary_erosion(body)).astype(np.float64)
    rough = _diagonal_points(rim)
    fine = _by_sides(rim, rough)
    if fine is None or not _is_convex(fine):
        return Corners(points_px=rough, verdict="not_found")
    fill = np.count_nonzero(body) / max(_area(fine), 1.0)
    is_good = _MIN_FILL <= fill <= 1.0 / _MIN_FILL
    return Corners(points_px=fine, verdict="resolved" if is_good else "not_found")


def rectify_corners(points_px: Points) -> Rectification:
    """Find the homography that makes four corners a rectangle.

    The rectangle has the mean lengths of opposite sides and the middle of the corners, and lies
    along y and x: what was a rectangle already is only turned.

    Parameters
    ----------
    points_px
        Corners as in `Corners`, shape (4, 2).

    Returns
    -------
    Rectification
        Rectified slice to slice.

    Raises
    ------
    ShapeError
        If there are not four corners.
    ParameterError
        If they make no convex quadrilateral in the order of `Corners`.
    """
    points = np.asarray(points_px, dtype=np.float64)
    if points.shape != (4, 2):
        raise ShapeError(f"corners of shape {points.shape} given, four of (y, x) are needed")
    if not _is_convex(points):
        raise ParameterError(
            f"corners {points.tolist()} make no convex quadrilateral; give (y, x) with low y and "
            "low x first, then along the electrode, across, and back"
        )
    sides = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
    half_x, half_y = (sides[0] + sides[2]) / 4, (sides[1] + sides[3]) / 4
    middle = points.mean(axis=0)
    offsets = np.array(
        [[-half_y, -half_x], [-half_y, half_x], [half_y, half_x], [half_y, -half_x]]
    )
    return Rectification(matrix=_homography(middle + offsets, points))


def angle_of_corners_deg(points_px: Points) -> float:
    """Give the direction of the two sides along the electrode, from x towards y, degrees."""
    points = np.asarray(points_px, dtype=np.float64)
    along = (points[1] - points[0]) + (points[2] - points[3])
    return float(np.rad2deg(np.arctan2(along[0], along[1])))


def _threshold(image: FloatImage) -> float:
    """Otsu's threshold."""
    counts, edges = np.histogram(image, bins=_N_BINS)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(counts * middles)
    mean_below = sums[:-1] / np.maximum(below, 1)
    mean_above = (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    return float(edges[1 + int(np.argmax(below * above * (mean_above - mean_below) ** 2))])


def _largest_body(bright: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Largest 4-connected body, its holes filled."""
    numbers, n_bodies = ndimage.label(bright)
    if n_bodies == 0:
        return np.ones_like(bright)
    sizes = np.bincount(numbers.ravel())
    sizes[0] = 0
    return np.asarray(ndimage.binary_fill_holes(numbers == int(np.argmax(sizes))))


def _diagonal_points(rim: Points) -> Points:
    """Farthest points of a rim along the four diagonals of its own axes."""
    centred = rim - rim.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    along = axes[0] if axes[0, 1] >= 0 else -axes[0]
    across = np.array([along[1], -along[0]])
    u = centred @ along / max(float(np.abs(centred @ along).max()), 1e-9)
    v = centred @ across / max(float(np.abs(centred @ across).max()), 1e-9)
    chosen = [int(np.argmax(su * u + sv * v)) for sv, su in ((-1, -1), (-1, 1), (1, 1), (1, -1))]
    return np.asarray(rim[chosen])


def _by_sides(rim: Points, rough: Points) -> Points | None:
    """Corners where lines through the sides meet; None where a side has no points."""
    lines = []
    for first, last in zip(rough, np.roll(rough, -1, axis=0), strict=True):
        along = last - first
        length = float(np.linalg.norm(along))
        if length < 4.0:
            return None
        along = along / length
        place = (rim - first) @ along / length
        off = np.abs((rim - first) @ np.array([along[1], -along[0]]))
        edge = (1.0 - _SIDE_SHARE) / 2
        near = (place > edge) & (place < 1.0 - edge) & (off < max(3.0, 0.05 * length))
        if np.count_nonzero(near) < 4:
            return None
        lines.append(_line_through(rim[near]))
    corners = []
    for (n1, d1), (n0, d0) in zip(lines, [lines[-1], *lines[:-1]], strict=True):
        pair = np.stack([n0, n1])
        if abs(np.linalg.det(pair)) < 1e-3:
            return None
        corners.append(np.linalg.solve(pair, np.array([d0, d1])))
    return np.array(corners)


def _line_through(points: Points) -> tuple[Points, float]:
    """Fit a line by total least squares without outliers; give its normal and distance."""
    used = points
    normal, distance = np.zeros(2), 0.0
    for _ in range(3):
        middle = used.mean(axis=0)
        _, _, axes = np.linalg.svd(used - middle, full_matrices=False)
        normal, distance = axes[1], float(axes[1] @ middle)
        off = np.abs(points @ normal - distance)
        used = points[off <= max(1.0, 3.0 * float(np.median(off)))]
    return normal, distance


def _is_convex(points: Points) -> bool:
    """Whether four corners turn the same way, in the order of `Corners`."""
    ahead = np.roll(points, -1, axis=0) - points
    following = np.roll(ahead, -1, axis=0)
    turns = ahead[:, 1] * following[:, 0] - ahead[:, 0] * following[:, 1]
    return bool((turns > 1e-6).all())


def _area(points: Points) -> float:
    y, x = points.T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def _homography(origin: Points, target: Points) -> Points:
    """Homography by which four points (y, x) go to four others."""
    rows, values = [], []
    for (y, x), (to_y, to_x) in zip(origin, target, strict=True):
        rows += [
            [y, x, 1, 0, 0, 0, -y * to_y, -x * to_y],
            [0, 0, 0, y, x, 1, -y * to_x, -x * to_x],
        ]
        values += [to_y, to_x]
    solution = np.linalg.solve(np.array(rows, dtype=np.float64), np.array(values))
    return np.append(solution, 1.0).reshape(3, 3)
