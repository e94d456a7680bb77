"""Planes and smooth maps through scattered places, deaf to outliers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from lithoscope_pipeline.faces.patches import PatchGrid
from lithoscope_pipeline.geometry import FloatImage, Roi

Map = NDArray[np.float64]

SIGMA_PATCHES = 1.5
_ROUNDS = 8
_SD_PER_MAD = 1.4826
_OUTLIER_SD = 4.0
_LEAST_SPREAD_PX = 0.02
_LEAST_LIMIT = 0.3  # of few places the scatter is known badly


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneFit:
    """A plane through a map.

    Parameters
    ----------
    height
        At the origin.
    slope_z, slope_x
        Per unit along z and x.
    slope_z_sd, slope_x_sd
        Standard errors of the slopes; infinite where the map does not span that direction.
    """

    height: float
    slope_z: float
    slope_x: float
    slope_z_sd: float
    slope_x_sd: float


def fit_plane(values: Map, z: Map, x: Map, weights: Map) -> PlaneFit:
    """Fit a plane by least squares with Tukey's weights.

    Parameters
    ----------
    values, weights
        Map and how far to trust it (0 for not at all), shape (n_z, n_x).
    z, x
        Places of its lines and columns, shapes (n_z,) and (n_x,).
    """
    along_z, along_x = (each.ravel() for each in np.meshgrid(z, x, indexing="ij"))
    design = np.stack([np.ones_like(along_z), along_z, along_x], axis=1)
    # A direction with one patch says nothing of its slope.
    spans = np.array([True, len(z) > 1, len(x) > 1])
    value, trust = values.ravel(), weights.ravel().astype(np.float64)
    solution = np.zeros(3)
    covariance = np.full((3, 3), np.inf)
    used = trust.copy()
    for _ in range(_ROUNDS):
        if np.count_nonzero(used) <= int(spans.sum()):
            break
        part = design[:, spans]
        curvature = part.T @ (used[:, None] * part)
        inverse = np.linalg.pinv(curvature)
        solution[spans] = inverse @ (part.T @ (used * value))
        rest = value - design @ solution
        spread = _spread(rest[trust > 0])
        used = trust * np.maximum(1.0 - (rest / (4.685 * spread)) ** 2, 0.0) ** 2
        covariance = np.full((3, 3), np.inf)
        covariance[np.ix_(spans, spans)] = inverse * spread**2
    sd = np.sqrt(np.abs(np.diag(covariance)))
    return PlaneFit(
        height=float(solution[0]),
        slope_z=float(solution[1]),
        slope_x=float(solution[2]),
        slope_z_sd=float(sd[1]),
        slope_x_sd=float(sd[2]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothMap:
    """A smooth map through measured places.

    Parameters
    ----------
    values
        Shape (n_z, n_x).
    good
        Places that agree with it.
    scatter
        Robust standard deviation of the places that were trusted about it.
    """

    values: Map
    good: NDArray[np.bool_]
    scatter: float


def smooth_map(
    values: Map, weights: Map, *, sigma: float = SIGMA_PATCHES, limit: float = np.inf
) -> SmoothMap:
    """Smooth a map, leaving out what disagrees with its surroundings.

    A plane is taken off first, so that slopes are kept up to the border.

    Parameters
    ----------
    values, weights
        Map and how far to trust it (0 for not at all), shape (n_z, n_x).
    sigma
        Gaussian, in patches.
    limit
        A place farther than this from the smooth map is not good, however wide the scatter.
    """
    z, x = (np.arange(n, dtype=np.float64) for n in values.shape)
    trusted = weights > 0
    if not trusted.any():
        return SmoothMap(values=np.zeros_like(values), good=trusted, scatter=float("inf"))
    plane = fit_plane(values, z, x, weights)
    base = plane.height + plane.slope_z * z[:, None] + plane.slope_x * x[None, :]
    rest = values - base
    good, smooth, scatter = trusted, np.zeros_like(rest), _spread(rest[trusted])
    for _ in range(_ROUNDS):
        used = weights * good
        total = gaussian_filter(used, sigma, mode="constant", truncate=6.0)
        summed = gaussian_filter(
            used * np.where(good, rest, 0.0), sigma, mode="constant", truncate=6.0
        )
        # Far from any good place the plane stands alone.
        smooth = summed / (total + 1e-3 * max(float(used.max()), 1e-12))
        scatter = _spread((rest - smooth)[trusted])
        renewed = trusted & (
            np.abs(rest - smooth) <= min(max(_OUTLIER_SD * scatter, _LEAST_LIMIT), limit)
        )
        if np.array_equal(renewed, good) or not renewed.any():
            good = renewed
            break
        good = renewed
    return SmoothMap(values=base + smooth, good=good, scatter=scatter)


def to_columns(values: Map, grid: PatchGrid, roi: Roi) -> FloatImage:
    """Interpolate a map of patches to the columns of a region, straight on beyond the last.

    Parameters
    ----------
    values
        Map, shape ``grid.shape``.
    grid
        Its patches.
    roi
        Region of the reference frame.

    Returns
    -------
    FloatImage
        Shape (n_z, n_x) of the region.
    """
    z = _index(np.arange(roi.z0, roi.z1), grid.z_px)
    x = _index(np.arange(roi.x0, roi.x1), grid.x_px)
    padded = values
    for axis, n in enumerate(values.shape):
        pad = [(1, 1) if each == axis else (0, 0) for each in (0, 1)]
        if n > 1:
            padded = np.pad(padded, pad, mode="reflect", reflect_type="odd")
        else:
            padded = np.pad(padded, pad, mode="edge")
    places = np.meshgrid(z + 1.0, x + 1.0, indexing="ij")
    return np.asarray(map_coordinates(padded, places, order=1, mode="nearest"), np.float32)


def _index(places: Map | NDArray[np.intp], nodes: Map) -> Map:
    """Fractional index of places among nodes, straight on beyond the ends."""
    if len(nodes) == 1:
        return np.zeros(len(places))
    index = np.interp(places, nodes, np.arange(len(nodes)))
    before, after = places < nodes[0], places > nodes[-1]
    index[before] = (places[before] - nodes[0]) / (nodes[1] - nodes[0])
    index[after] = len(nodes) - 1 + (places[after] - nodes[-1]) / (nodes[-1] - nodes[-2])
    return np.asarray(index, np.float64)


def _spread(values: Map) -> float:
    """Robust standard deviation."""
    return max(
        _SD_PER_MAD * float(np.median(np.abs(values - np.median(values)))), _LEAST_SPREAD_PX
    )
