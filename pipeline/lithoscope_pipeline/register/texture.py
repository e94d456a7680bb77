"""The last step of a layered cell: without its layers, which appear turned.

A flat layer that is wider than the field sends all its sharp contrast into the one view that looks
along it. Views lie a finite angle apart, so the layer appears turned to the nearest of them, by up
to half that angle and in both scans differently. Compact texture is seen sharply by all views.
What is alike along the layers is taken away, which is a high-pass filter along them; what is left
says how the cell has turned and moved. It is compared as sharp as it is: places between voxels are
looked up in a cubic B-spline, which smooths alike wherever they lie, and nothing else is smoothed.
How far it has moved across the layers both say: they appear turned about the middle of the field
and stay where they are there.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.register.gauss_newton import Fit, gauss_newton
from lithoscope_pipeline.register.numerics import Numerics
from lithoscope_pipeline.register.pairs import Comparison
from lithoscope_pipeline.register.points import PairLevel, choose_points
from lithoscope_pipeline.rigid import Points, RigidTransform

SIGMA_PX = 4.0  # of the mean along a layer that is taken away
_REACH_SIGMAS = 3.0


def fit_texture(
    levels: Sequence[PairLevel],
    numerics: Numerics,
    comparison: Comparison,
    before: Fit,
    *,
    n_points: int,
) -> Fit:
    """Fit the texture of a layered cell, its layers taken away.

    Parameters
    ----------
    levels
        All pairs at the finest level.
    numerics
        Who holds them.
    comparison
        What is compared; its pairs say across what the layers lie.
    before
        Fit of the same with the layers, within a voxel or two of the answer.
    n_points
        How many voxels to compare.

    Returns
    -------
    Fit
        Its shift across the layers at the centre of the rotation is the mean of both fits.
    """
    turned = before.transform.matrix
    bare = []
    for level in levels:
        across = np.array(level.pair.lift_direction)
        fixed = numerics.without_line(level.pair.fixed, *line_along(across))
        moving = numerics.without_line(level.pair.moving, *line_along(turned @ across))
        bare.append(replace(level, fixed=numerics.blurred(fixed), moving=moving, is_bare=True))
    points = choose_points(bare, numerics, n_points=n_points)
    fit = gauss_newton(
        bare, points, numerics, comparison, start=before.transform, lifts=before.lifts
    )
    across = fit.transform.matrix @ np.array(points.lift_direction)
    return replace(fit, transform=_between(fit.transform, before.transform, across))


def line_along(across: Points) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Give the voxels of a line along layers in a slice, and their weights in a Gaussian mean.

    Parameters
    ----------
    across
        Normal of the layers (z, y, x), not along z.

    Returns
    -------
    tuple of arrays
        Offsets along (y, x), shape (n, 2), and weights of sum 1, shape (n,). Between voxels the
        weight is shared by the nearer two.
    """
    along = np.array([-across[2], across[1]])
    along /= np.abs(along).max()
    length_px = float(np.hypot(*along))
    reach = int(np.ceil(_REACH_SIGMAS * SIGMA_PX / length_px))
    steps = np.arange(-reach, reach + 1)
    places = steps[:, None] * along
    gauss = np.exp(-0.5 * (steps * length_px / SIGMA_PX) ** 2)
    low = np.floor(places)
    share = (places - low).max(axis=1)  # one of both is whole
    high = low + (places > low)
    offsets = np.concatenate([low, high])
    weights = np.concatenate([gauss * (1.0 - share), gauss * share]) / gauss.sum()
    is_needed = weights > 0.0
    return offsets[is_needed].astype(np.int64), weights[is_needed].astype(np.float32)


def _between(one: RigidTransform, other: RigidTransform, across: Points) -> RigidTransform:
    """Move a transform along a direction half way to another of the same centre."""
    apart = np.array(other.shift_px) - np.array(one.shift_px)
    moved = np.array(one.shift_px) + 0.5 * float(apart @ across) * across
    return replace(one, shift_px=(float(moved[0]), float(moved[1]), float(moved[2])))
