"""Views with too little light: taken with the shutter closed, or while the beam was down."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.correct import CountStack
from lithoscope_pipeline.errors import ShapeError
from lithoscope_pipeline.geometry import Angles

#: A view with less of its light than this is as good as none: half the light is noise up by 1.4.
LOW_SHARE: Final = 0.5
#: Share of the open beam below which a view is low whatever its neighbours are: a closed shutter
#: leaves nothing but read-out noise and stray light.
CLOSED_SHARE: Final = 0.02
#: Neighbours by angle that say how much light is usual: those within this, on either side.
_NEIGHBOURS_RAD: Final = np.deg2rad(20.0)
#: The brightest columns of a view see the least of the sample, so that they change little with
#: the angle; not the very brightest, which may be hit by a zinger.
_BRIGHT_QUANTILE: Final = 0.9

Levels = NDArray[np.float64]


def view_levels(projections: CountStack, flats: CountStack, darks: CountStack) -> Levels:
    """Tell how much of the open beam came through in the brightest columns of each view.

    Parameters
    ----------
    projections
        Counts, shape (n_angles, n_rows, n_columns); some rows of a scan are enough.
    flats, darks
        Counts for the same rows, shape (n_frames, n_rows, n_columns).

    Returns
    -------
    Levels
        Shape (n_angles,), dimensionless: 1 in the open beam, 0 with the shutter closed.

    Raises
    ------
    ShapeError
        If the frames of the three stacks differ in shape, or a stack is empty.
    """
    shapes = {stack.shape[1:] for stack in (projections, flats, darks)}
    if len(shapes) != 1 or projections.ndim != 3 or not len(flats) or not len(darks):
        raise ShapeError(
            f"projections {projections.shape}, flats {flats.shape} and darks {darks.shape} given; "
            "give (frame, row, column) of the same rows and columns, none of them empty"
        )
    dark = darks.mean(axis=(0, 1), dtype=np.float64)
    beam = flats.mean(axis=(0, 1), dtype=np.float64) - dark
    lives = beam > 0.1 * np.median(beam)
    if not lives.any():
        return np.zeros(len(projections))
    counts = projections.mean(axis=1, dtype=np.float64)[:, lives] - dark[lives]
    levels: Levels = np.quantile(counts / beam[lives], _BRIGHT_QUANTILE, axis=1)
    return levels


def find_low_views(levels: Levels, thetas_rad: Angles) -> NDArray[np.bool_]:
    """Find the views that have too little light to count.

    A view is compared with the median of its neighbours by angle, for how much light the sample
    leaves changes with the angle, slowly.

    Parameters
    ----------
    levels
        From :func:`view_levels`, shape (n_angles,).
    thetas_rad
        Angle of each view, shape (n_angles,), in any order.

    Returns
    -------
    NDArray[np.bool_]
        Shape (n_angles,).

    Raises
    ------
    ShapeError
        If there are not as many angles as levels.
    """
    if levels.shape != thetas_rad.shape:
        raise ShapeError(f"{levels.size} levels for {thetas_rad.size} angles given; give one each")
    is_open = levels >= CLOSED_SHARE
    usual = np.zeros_like(levels)
    if is_open.any():
        # A closed shutter says nothing about the sample, so that it has no part in the median.
        usual[is_open] = _neighbours_median(levels[is_open], thetas_rad[is_open])
    return ~is_open | (levels < LOW_SHARE * usual)


def _neighbours_median(levels: Levels, thetas_rad: Angles) -> Levels:
    order = np.argsort(np.mod(thetas_rad, np.pi), kind="stable")
    width = 2 * round(len(levels) * _NEIGHBOURS_RAD / np.pi) + 1
    usual = np.empty_like(levels)
    usual[order] = ndimage.median_filter(levels[order], size=max(3, width), mode="wrap")
    return usual
