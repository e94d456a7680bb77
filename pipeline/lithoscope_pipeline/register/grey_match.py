"""How the grey values of two scans compare at matched points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.register.numerics import Numerics
from lithoscope_pipeline.register.pairs import Field
from lithoscope_pipeline.register.points import ComparedPoints, PairLevel
from lithoscope_pipeline.rigid import Points

CAUCHY = 2.4  # of the noise: 95 % efficient for a normal distribution
_FLOAT_NOISE = 1.0e-3  # of the structure: what single precision and interpolation leave
_MIN_INSIDE = 20  # points of a pair, or its straight line means nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class GreyMatch:
    """Differences of the grey values, and how far to trust each.

    Parameters
    ----------
    values
        Fixed minus linearly matched moving grey values, shape (n,).
    weights
        Trust, 1 or less where something has changed, 0 outside, shape (n,).
    precisions
        For each pair, one over the variance of the noise, for as many points as share it.
    correlation
        Of the grey values, weighted.
    overlap
        Share of the points that stay that lie inside the moving scan and its field.
    factors
        Grey value of the fixed scan for one of the moving scan, for each pair.
    """

    values: NDArray[np.float32]
    weights: NDArray[np.float32]
    precisions: tuple[float, ...]
    correlation: float
    overlap: float
    factors: tuple[float, ...]


def match_grey(
    levels: Sequence[PairLevel],
    points: ComparedPoints,
    numerics: Numerics,
    field: Field | None,
    at_px: Points,
) -> GreyMatch:
    """Compare grey values after a linear match of each pair.

    Parameters
    ----------
    levels, points, numerics
        Pairs at one level, points of it, and who holds the volumes.
    field
        What the moving scan sees; None for all of it.
    at_px
        Places of the points in the moving scan, shape (n, 3).
    """
    values = np.zeros(len(at_px), np.float32)
    weights = np.zeros(len(at_px), np.float32)
    sums, inside, staying = np.zeros(3), 0, 0
    factors, precisions = [], []
    for number, level in enumerate(levels):
        chosen = points.pair_slices[number]
        seen, is_inside = level.sample_moving(numerics, level.moving_voxels(at_px[chosen]))
        if field is not None:
            is_inside &= field.holds(at_px[chosen], margin_px=level.blur_px)
        if not level.pair.is_lifted:
            inside, staying = inside + int(np.count_nonzero(is_inside)), staying + len(seen)
        if np.count_nonzero(is_inside) < _MIN_INSIDE:
            factors.append(0.0)
            precisions.append(0.0)
            continue
        line = _match_line(points.grey[chosen], seen, is_inside)
        sharing = 1.0 + (level.sharing_voxels - 1.0) * points.density[number]
        values[chosen] = line.values
        weights[chosen] = line.weights
        precisions.append(1.0 / (line.noise**2 * sharing))
        sums += line.sums / line.noise**2
        factors.append(line.factor)
    correlation = sums[0] / np.sqrt(max(float(sums[1] * sums[2]), 1.0e-300))
    return GreyMatch(
        values=values,
        weights=weights,
        precisions=tuple(precisions),
        correlation=float(correlation),
        overlap=inside / max(staying, 1),
        factors=tuple(factors),
    )


def moving_gradients(
    levels: Sequence[PairLevel],
    points: ComparedPoints,
    numerics: Numerics,
    at_px: Points,
    matrix: Points,
) -> NDArray[np.float32]:
    """Gradients (z, y, x) of the moving scan at places, in the axes of the fixed one, (n, 3).

    Central differences over two voxels of the level; 0 where a side lies outside.
    """
    found = np.zeros((len(at_px), 3), np.float32)
    for number, level in enumerate(levels):
        chosen = points.pair_slices[number]
        at = level.moving_voxels(at_px[chosen])
        for axis in range(3):
            if numerics.shape(level.moving)[axis] < 2:
                continue
            beside = at.copy()
            beside[:, axis] += 1.0
            above, is_above = level.sample_moving(numerics, beside)
            beside[:, axis] -= 2.0
            below, is_below = level.sample_moving(numerics, beside)
            step = np.float32(2.0 * level.steps[axis])
            found[chosen, axis] = np.where(is_above & is_below, (above - below) / step, 0.0)
    return np.ascontiguousarray(found @ matrix.astype(np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    values: NDArray[np.float32]
    weights: NDArray[np.float32]
    noise: float
    factor: float
    sums: NDArray[np.float64]


def _match_line(
    grey: NDArray[np.float32], seen: NDArray[np.float32], is_inside: NDArray[np.bool_]
) -> _Line:
    """Fit the straight line between the grey values with Cauchy weights.

    Its sums (shared, own, theirs) are in grey values of the fixed scan, so that pairs add up.
    """
    weights = is_inside.astype(np.float32)
    values = np.zeros_like(grey)
    noise, factor, sums = 1.0, 0.0, np.zeros(3)
    for _ in range(3):
        total = max(float(weights.sum(dtype=np.float64)), 1.0e-30)
        mean_seen = float((weights * seen).sum(dtype=np.float64)) / total
        mean_grey = float((weights * grey).sum(dtype=np.float64)) / total
        off_seen, off_grey = seen - np.float32(mean_seen), grey - np.float32(mean_grey)
        weighted = weights * off_seen
        spread = float((weighted * off_seen).sum(dtype=np.float64))
        shared = float((weighted * off_grey).sum(dtype=np.float64))
        own = float((weights * off_grey * off_grey).sum(dtype=np.float64))
        factor = shared / max(spread, 1.0e-30)
        # An inverted match would pull the wrong way: then nothing of the pair is explained.
        values = off_grey - np.float32(max(factor, 0.0)) * off_seen
        floor = _FLOAT_NOISE * float(np.sqrt(own / total)) + 1.0e-12
        noise = max(1.4826 * float(np.median(np.abs(values[is_inside]))), floor)
        weights = is_inside / (1.0 + (values / np.float32(CAUCHY * noise)) ** 2)
        sums = np.array([shared * abs(factor), own, spread * factor**2])
    return _Line(
        values=values,
        weights=weights.astype(np.float32),
        noise=noise,
        factor=max(factor, 0.0),
        sums=sums,
    )
