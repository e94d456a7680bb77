"""What the methods look at: some rows of some views, without shading and rings."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from lithoscope_pipeline.geometry import FloatStack
from lithoscope_pipeline.rotation_axis.tilt_correction import Straightening, straightened

MAX_RING_VIEWS = 90
Indices = NDArray[np.intp]


def spread(n: int, n_wanted: int) -> Indices:
    """Numbers from 0 to ``n - 1``, evenly spread, at most ``n_wanted`` of them."""
    return np.linspace(0, n - 1, min(n, n_wanted)).astype(np.intp)


def taken(
    attenuation: FloatStack, views: Indices, rows: Indices, straightening: Straightening | None
) -> FloatStack:
    """Take some rows of some views, shape (n_views, n_rows, n_columns), upright if said how."""
    if straightening is None:
        return attenuation[np.ix_(views, rows)]
    return straightened(attenuation, straightening, views=views, rows=rows)


def smooth_px(n_columns: int) -> float:
    """Scale of what counts as shading."""
    return max(4.0, n_columns / 32)


def structure(
    attenuation: FloatStack,
    views: Indices,
    rows: Indices,
    straightening: Straightening | None = None,
) -> NDArray[np.float64]:
    """Take some rows of some views, less what is smooth or the same at all angles (rings)."""
    n_angles, _, n_columns = attenuation.shape
    all_round = taken(attenuation, spread(n_angles, MAX_RING_VIEWS), rows, straightening)
    scale_px = smooth_px(n_columns)
    # The median: a mean would spread the few bright edge-on views of a plate over all views.
    rings = np.median(rough(all_round, scale_px), axis=0)
    return rough(taken(attenuation, views, rows, straightening), scale_px) - rings


def rough(views: FloatStack, scale_px: float) -> NDArray[np.float64]:
    """Take off what is smooth across the views."""
    grey = views.astype(np.float64)
    grey -= gaussian_filter1d(grey, scale_px, axis=2, mode="nearest")
    return grey
