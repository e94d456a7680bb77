"""From the part of the cell in view to the whole: the least gap of what nobody sees.

The least gap of a tile is the least of many places, and such leasts follow a generalised
extreme-value distribution [1]_; so does the least of many tiles. It is fitted by L-moments [2]_.

References
----------
.. [1] S. Coles, An Introduction to Statistical Modeling of Extreme Values, Springer (2001), 3.1.
   doi:10.1007/978-1-4471-3675-0
.. [2] J. R. M. Hosking, J. R. Wallis, E. F. Wood, Technometrics 27, 251 (1985).
   doi:10.1080/00401706.1985.10488049
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.metric import Metric, not_measured

TILE_UM: Final = 50.0
#: The whole cell is one place, not an average over places like those in view.
EXTRAPOLATED: Final = "extrapolated_to_whole_cell"
_LEAST_TILES: Final = 20
#: Nearer to zero the formulas lose their figures.
_STRAIGHT: Final = 1e-6
_N_DRAWS: Final = 400
_SEED: Final = 20261122
#: From a tail that falls off as a power, to an end that is met as often as all else.
_SHAPES: Final = -0.3, 1.0

Values = NDArray[np.float64]


def measure_whole_cell_gap(
    gap_um: FloatImage, remaining_gap: Metric, area_seen: Metric, *, voxel_um: float
) -> Metric:
    """Extrapolate the least gap of the region to the whole active area.

    Parameters
    ----------
    gap_um
        Map of the remaining gap, shape (n_z, n_x), NaN where there is none.
    remaining_gap
        ``remaining_gap_um`` of the same scan: what is seen of the cell counts as well.
    area_seen
        ``area_seen_fraction``.
    voxel_um
        Edge of a voxel, micrometres.

    Returns
    -------
    Metric
        Median of the least gap of the whole cell, and between which values it lies in 95 of 100
        cells of which this region could be a part. Errors of the labels are not in it. Without a
        value where fewer than 20 tiles of 50 um show a gap.

    Notes
    -----
    The interval has the spread of the fit: as many tiles are drawn from it and fitted again, 400
    times, always the same draws, and of each the least of the unseen tiles is drawn.
    """
    if area_seen.value is None:
        return not_measured("um", "no_active_area")
    if remaining_gap.value is None:
        return not_measured("um", remaining_gap.flags[0])
    least_um = _of_tiles(gap_um, voxel_um)
    n = len(least_um)
    if n < _LEAST_TILES:
        return not_measured("um", "too_few_tiles")
    seen_um = remaining_gap.value
    n_unseen = max(n / min(area_seen.value, 1.0) - n, 0.0)
    if n_unseen < 1 or seen_um == 0:
        drawn = np.full(3, seen_um)
    else:
        drawn = np.quantile(_draw_least(least_um, n_unseen), (0.5, 0.025, 0.975))
    middle, low, high = (float(np.clip(each, 0.0, seen_um)) for each in drawn)
    return Metric(value=middle, unit="um", low95=low, high95=high, voxels=n, flags=(EXTRAPOLATED,))


def _of_tiles(gap_um: FloatImage, voxel_um: float) -> Values:
    """Give the least gap of each whole tile that has one."""
    edge = max(1, round(TILE_UM / voxel_um))
    n_z, n_x = (n // edge for n in gap_um.shape)
    tiles = gap_um[: n_z * edge, : n_x * edge].reshape(n_z, edge, n_x, edge)
    least = np.where(np.isnan(tiles), np.inf, tiles).min(axis=(1, 3), initial=np.inf)
    return least[np.isfinite(least)].astype(np.float64)


def _fit(least_um: Values) -> tuple[Values, Values, Values]:
    """Fit a generalised extreme-value distribution to leasts along the last axis, by L-moments.

    Gives place, scale and shape, the last as SciPy's ``genextreme`` has it; of what is fitted the
    sign is turned, so that leasts are largest.
    """
    n = least_um.shape[-1]
    rising = np.sort(-least_um, axis=-1)
    rank = np.arange(n)
    first = rising.mean(axis=-1)
    second = (rising * rank / (n - 1)).mean(axis=-1)
    third = (rising * rank * (rank - 1) / ((n - 1) * (n - 2))).mean(axis=-1)
    spread = np.maximum(2 * second - first, 1e-9)
    skew = (6 * third - 6 * second + first) / spread
    c = 2.0 / (3.0 + skew) - np.log(2.0) / np.log(3.0)
    shape = np.clip(7.8590 * c + 2.9554 * c * c, *_SHAPES)
    shape = np.where(np.abs(shape) < _STRAIGHT, _STRAIGHT, shape)
    gamma = special.gamma(1.0 + shape)
    scale = spread * shape / ((1.0 - 2.0**-shape) * gamma)
    return first - scale * (1.0 - gamma) / shape, scale, shape


def _draw_least(least_um: Values, n_unseen: float) -> Values:
    """Draw the least of the unseen tiles, with the spread of what is known of them."""
    rng = np.random.default_rng(_SEED)
    place, scale, shape = _fit(least_um)
    size = (_N_DRAWS, len(least_um))
    again = -_largest(place, scale, shape, rng.random(size), 1.0)
    places, scales, shapes = _fit(again)
    # As far as fits of such regions lie from what they were drawn from, this one may lie as well.
    ratio = scale / np.maximum(scales, 1e-9)
    moved = place + (place - places) * ratio
    turned = np.clip(2 * shape - shapes, *_SHAPES)
    turned = np.where(np.abs(turned) < _STRAIGHT, _STRAIGHT, turned)
    return -_largest(moved, scale * ratio, turned, rng.random(_N_DRAWS), n_unseen)


def _largest(place: Values, scale: Values, shape: Values, share: Values, n_tiles: float) -> Values:
    """Give the quantile of the largest of so many tiles."""
    exponent = -np.log(share) / n_tiles
    return np.asarray(place + scale * (1.0 - exponent**shape) / shape)
