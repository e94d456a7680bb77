"""Shepp and Logan's head: slices and line integrals that are known exactly.

P. Toft, The Radon Transform (1996), table B.1: ten ellipses with values of higher contrast.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import Angles, FloatImage


class Ellipse(NamedTuple):
    """Value, half axes and middle in units of the radius of the field, turn in degrees."""

    value: float
    a: float
    b: float
    x: float
    y: float
    turn_deg: float


HEAD = (
    Ellipse(1.0, 0.69, 0.92, 0.0, 0.0, 0.0),
    Ellipse(-0.8, 0.6624, 0.874, 0.0, -0.0184, 0.0),
    Ellipse(-0.2, 0.11, 0.31, 0.22, 0.0, -18.0),
    Ellipse(-0.2, 0.16, 0.41, -0.22, 0.0, 18.0),
    Ellipse(0.1, 0.21, 0.25, 0.0, 0.35, 0.0),
    Ellipse(0.1, 0.046, 0.046, 0.0, 0.1, 0.0),
    Ellipse(0.1, 0.046, 0.046, 0.0, -0.1, 0.0),
    Ellipse(0.1, 0.046, 0.023, -0.08, -0.605, 0.0),
    Ellipse(0.1, 0.023, 0.023, 0.0, -0.606, 0.0),
    Ellipse(0.1, 0.023, 0.046, 0.06, -0.605, 0.0),
)
_IN_A_PIXEL = 4  # samples along each edge


def line_integrals(n_columns: int, thetas_rad: Angles) -> FloatImage:
    """Project the head as a detector does, which averages over its pixels.

    Parameters
    ----------
    n_columns
        Of the detector; the axis is at ``(n_columns - 1) / 2``, the field is 0.98 of it.
    thetas_rad
        Angle of each projection, shape (n_angles,).

    Returns
    -------
    FloatImage
        Sums over pixel lengths, shape (n_angles, n_columns).
    """
    radius_px = _radius_px(n_columns)
    s = _places(n_columns) / radius_px
    total = np.zeros((thetas_rad.size, s.size))
    for each in HEAD:
        along = thetas_rad - np.deg2rad(each.turn_deg)
        half2 = (each.a * np.cos(along)) ** 2 + (each.b * np.sin(along)) ** 2
        middle = each.x * np.cos(thetas_rad) + each.y * np.sin(thetas_rad)
        inside = np.maximum(half2[:, None] - (s - middle[:, None]) ** 2, 0.0)
        total += (2.0 * each.value * each.a * each.b) * np.sqrt(inside) / half2[:, None]
    pixels = total.reshape(thetas_rad.size, n_columns, _IN_A_PIXEL).mean(axis=2)
    return np.ascontiguousarray(pixels * radius_px, dtype=np.float32)


def true_slice(n_columns: int, *, middle_px: float) -> FloatImage:
    """Average the head over voxels, shape (n_columns, n_columns), axes (y, x).

    Parameters
    ----------
    n_columns
        Edge.
    middle_px
        Where the rotation axis is along both axes: programs differ by half a voxel.
    """
    radius_px = _radius_px(n_columns)
    places = (_places(n_columns) + (n_columns - 1) / 2 - middle_px) / radius_px
    x, y = places[None, :], places[:, None]
    total = np.zeros((places.size, places.size), dtype=np.float32)
    for each in HEAD:
        cos, sin = np.cos(np.deg2rad(each.turn_deg)), np.sin(np.deg2rad(each.turn_deg))
        u = (x - each.x) * cos + (y - each.y) * sin
        v = (y - each.y) * cos - (x - each.x) * sin
        total[(u / each.a) ** 2 + (v / each.b) ** 2 <= 1.0] += each.value
    edge = (n_columns, _IN_A_PIXEL)
    voxels: FloatImage = total.reshape(*edge, *edge).mean(axis=(1, 3))
    return voxels


def _radius_px(n_columns: int) -> float:
    return 0.49 * n_columns


def _places(n_columns: int) -> NDArray[np.float64]:
    """Places along the detector from its middle, several in a pixel."""
    n = n_columns * _IN_A_PIXEL
    return (np.arange(n) + 0.5) / _IN_A_PIXEL - n_columns / 2
