"""Projections of flat layers and of boxes in closed form, with what free space adds to them.

A body of infinite height whose cross-section is made of rectangles is cut by a detector row in
parallelograms. The projection of one is a sum of ramps, one for each corner, so that the mean over
a pixel is known in closed form at any angle and any tilt; and so is what propagation makes of a
ramp.

The sample turns while a frame is exposed. A wide plate seen edge-on is sharp only within a
milliradian, far less than the step between angles: without that blur its edges would ring.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatStack
from lithoscope_pipeline.phantom.propagation import Propagation
from lithoscope_pipeline.phantom.view import View, directions

Array = NDArray[np.floating]
ComplexArray = NDArray[np.complexfloating]

_SMALLEST_SLOPE: Final = 2e-6  # radians; edges nearer to the beam are turned by as much
_NEAR_EDGE: Final = 0.5  # cosine of the angle to the beam below which a plate's ends are seen
_TABLE: Final = 256  # entries of the table of fringes a pixel
_MARGIN: Final = 2  # columns that a ramp's kink reaches


@dataclass(frozen=True, slots=True, kw_only=True)
class Corners:
    """Corners of rectangles.

    Parameters
    ----------
    points_px
        In-plane cell coordinates (x, y), voxels from the rotation axis, shape (n, 2).
    weights
        What the optical constant rises by from beyond the corner, towards higher x and y, less
        what it rises by along either side alone; complex, shape (n,), of sum zero.
    """

    points_px: Array
    weights: ComplexArray

    def __add__(self, other: "Corners") -> "Corners":
        """Put two bodies into one; where they overlap, their constants add up."""
        return Corners(
            points_px=np.concatenate([self.points_px, other.points_px]),
            weights=np.concatenate([self.weights, other.weights]),
        )


def box_corners(
    x_px: tuple[float, float], y_px: tuple[float, float], constant: complex
) -> Corners:
    """Return the corners of a box that fills these ranges with an optical constant."""
    points = [(x, y) for x in x_px for y in y_px]
    return Corners(
        points_px=np.array(points), weights=constant * np.array([1, -1, -1, 1], np.complex128)
    )


def layer_corners(planes_px: Array, steps: ComplexArray, half_width_px: float) -> Corners:
    """Return the corners of flat layers that end at plus and minus ``half_width_px``.

    Parameters
    ----------
    planes_px
        Planes between the layers, along y from the rotation axis, shape (n_planes,).
    steps
        What the optical constant rises by at each plane, shape (n_planes,), of sum zero.
    half_width_px
        Half the width along x.
    """
    points = [(x, y) for x in (-half_width_px, half_width_px) for y in planes_px]
    weights = np.concatenate([steps, -np.asarray(steps)]).astype(np.complex128)
    return Corners(points_px=np.array(points), weights=weights)


def project_corners(
    corners: Corners, view: View, heights_px: Array, propagation: Propagation
) -> FloatStack:
    """Project rectangles of infinite height, averaged over each pixel, in closed form.

    Parameters
    ----------
    corners
        The rectangles.
    view
        Columns, angles, drift and motion.
    heights_px
        Height of each row above the centre of the volume, shape (n_rows,).
    propagation
        The way to the detector.

    Returns
    -------
    FloatStack
        Effective attenuation times voxels, shape (n_angles, n_rows, n_columns), float32.

    Notes
    -----
    With ``p`` and ``q`` the slopes of the detector coordinate along x and y and ``J`` the area
    of the parallelogram that unit vectors span, a corner at ``s`` of the weight ``c`` adds
    ``c J / (p q) max(t - s, 0)`` to the projection at ``t``. A box leans with the cell, so rows
    see its faces at slants of a few millirad: what propagation does along the rows is left out.
    """
    fringes = _Fringes.make(propagation)
    area = abs(np.linalg.det(view.in_plane))
    half_width_px = float(np.abs(corners.points_px[:, 0]).max())
    turning_px = 2.0 * half_width_px * view.exposure_rad
    out = np.empty((len(view.thetas_rad), len(heights_px), view.n_columns), np.float32)
    for angle, theta_rad in enumerate(view.thetas_rad):
        # Ends sweep over the view only near edge-on: fine steps there.
        is_sweeping = abs(view.in_plane[:, 0] @ directions(theta_rad)) < _NEAR_EDGE
        n_steps = max(2, int(np.ceil(turning_px))) if is_sweeping else 2
        n_steps = n_steps if view.exposure_rad > 0 else 1
        turned_rad = view.exposure_rad * ((np.arange(n_steps) + 0.5) / n_steps - 0.5)
        slopes = view.slopes(theta_rad + turned_rad)
        slopes = np.where(np.abs(slopes) < _SMALLEST_SLOPE, _SMALLEST_SLOPE, slopes)
        gains = area / (slopes[:, 0] * slopes[:, 1] * n_steps)
        offsets = view.offsets_px(angle, turned_rad, heights_px)
        places = slopes @ corners.points_px.T
        out[angle] = _sum_of_ramps(
            places[:, None, :] + offsets[:, :, None],
            np.outer(gains, corners.weights),
            view.n_columns,
            fringes,
        )
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fringes:
    """What propagation adds to a ramp, tabulated: (place within a pixel, column)."""

    reach_px: int
    table: ComplexArray
    phase_per_cm: float

    @classmethod
    def make(cls, propagation: Propagation) -> "_Fringes":
        reach_px = 6 + int(np.ceil(4.0 * propagation.spread_px2))
        columns = np.arange(-reach_px, reach_px + 1)
        places = np.arange(_TABLE + 1) / _TABLE - 0.5
        table = propagation.ramp_excess(columns - places[:, None])
        is_off = propagation.distance_mm == 0
        return cls(
            reach_px=0 if is_off else reach_px,
            table=table,
            phase_per_cm=propagation.phase_per_cm,
        )

    def at(self, fractions: Array, weights: ComplexArray) -> Array:
        """Return the fringes of corners within their pixels, shape (n, 2 reach + 1)."""
        index = (fractions + 0.5) * _TABLE
        low = np.clip(index.astype(np.int64), 0, _TABLE - 1)
        share = (index - low)[:, None]
        values = (1.0 - share) * self.table[low] + share * self.table[low + 1]
        constant = weights.real + 1j * self.phase_per_cm * weights.imag
        return np.asarray((values * constant[:, None]).real)


def _sum_of_ramps(
    places: Array, weights: ComplexArray, n_columns: int, fringes: _Fringes
) -> Array:
    """Sum ``weight * max(t - place, 0)`` and its fringes, averaged over pixels: (row, column).

    ``places`` has the shape (step, row, corner), ``weights`` (step, corner).
    """
    n_rows = places.shape[1]
    margin = fringes.reach_px + _MARGIN
    is_left = places < -margin
    is_near = ~is_left & (places < n_columns - 1 + margin)
    risen = np.einsum("src,sc->r", is_left, weights.real)
    moments = np.einsum("src,src,sc->r", is_left, places, weights.real)
    out = risen[:, None] * np.arange(n_columns) - moments[:, None]

    step, row, corner = np.nonzero(is_near)
    near, heavy = places[step, row, corner], weights[step, corner]
    pixel = np.rint(near).astype(np.int64)
    fraction = near - pixel
    before = margin + fringes.reach_px + _MARGIN
    width = n_columns + 2 * before
    place = row * width + pixel + before
    # A ramp averaged over pixels has a parabola of three pixels as its second difference.
    parabola = 0.5 * (0.5 - fraction) ** 2, 0.75 - fraction**2, 0.5 * (0.5 + fraction) ** 2
    bends = np.zeros(n_rows * width)
    for shift, share in zip((-1, 0, 1), parabola, strict=True):
        bends += np.bincount(place + shift, heavy.real * share, bends.size)
    slopes = np.cumsum(bends.reshape(n_rows, width), axis=1)
    lines = np.cumsum(slopes, axis=1) - slopes
    if fringes.reach_px:
        reach = np.arange(-fringes.reach_px, fringes.reach_px + 1)
        ripple = fringes.at(fraction, heavy).ravel()
        lines.ravel()[:] += np.bincount((place[:, None] + reach).ravel(), ripple, lines.size)
    out += lines[:, before : before + n_columns]
    return np.asarray(out)
