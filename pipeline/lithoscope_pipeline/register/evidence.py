"""What speaks for a transform: agreement of texture, of parts, of grey values, and overlap.

Planes look alike in every cell, so a match of planes proves nothing about x and z. What counts is
whether the gradients along the planes agree better at the transform than at places beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.register.gauss_newton import (
    PRIOR_PX,
    PRIOR_RAD,
    Fit,
    free_parameters,
    lifted_px,
)
from lithoscope_pipeline.register.numerics import Numerics
from lithoscope_pipeline.register.pairs import BlockPair, Comparison
from lithoscope_pipeline.register.points import SEED, ComparedPoints, PairLevel
from lithoscope_pipeline.rigid import Points

N_DECOYS = 48
FEW_POINTS = 8_000
_MANY_POINTS = 20_000
_LEAST_POINTS = 100
_NEAR_PX, _FAR_PX = 5.0, 16.0  # of a decoy, voxels of the level


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What speaks for a transform, and what against it.

    Parameters
    ----------
    texture_score
        Agreement of the gradients along the planes at the transform, in standard deviations of
        that beside it. Chance reaches 5; 0 where nothing could be compared.
    correlation
        Of the grey values that are trusted.
    overlap
        Share of what stays that the moving scan holds.
    residual_px
        Shift that parts of the volume, each by itself, still ask for: root mean square over the
        parts, weighed by what each knows, of the axis where it is largest.
    uncertainty_px
        Standard deviation of the position of the farthest corner along its worst axis, from the
        noise; along axes and about axes that can be known at all.
    travel_px
        Farthest way of a corner, along one axis, from where the start put it.
    lift_px
        Mean lift of the parts that move along y by themselves.
    """

    texture_score: float
    correlation: float
    overlap: float
    residual_px: float
    uncertainty_px: float
    travel_px: float
    lift_px: float


def residual_px(fit: Fit) -> float:
    """Give the spread of what the parts ask for; see `Evidence`."""
    shifts, information = fit.reduced.asked_shifts_px()
    weight = np.maximum(information.sum(axis=0), 1.0e-30)
    spread = np.sqrt((shifts**2 * information).sum(axis=0) / weight)
    return float(spread.max())


def uncertainty_px(fit: Fit, comparison: Comparison) -> float:
    """Give the standard deviation of the farthest corner; see `Evidence`."""
    free = free_parameters(comparison)
    information = fit.reduced.information_of_all(fit.trust)
    # Infinite where nothing is known; the prior of one voxel in a thousand keeps it a number.
    information += np.diag([(1e3 * PRIOR_PX) ** -2.0] * 3 + [(1e3 * PRIOR_RAD) ** -2.0] * 3)
    covariance = np.zeros((6, 6))
    covariance[np.ix_(free, free)] = np.linalg.inv(information[np.ix_(free, free)])
    lever = comparison.corners_px - np.array(fit.transform.centre_px)
    worst = 0.0
    for z, y, x in lever:
        turn = np.array([[0.0, -x, y], [x, 0.0, -z], [-y, z, 0.0]])
        moves = np.hstack([np.eye(3), turn])
        worst = max(worst, float(np.diag(moves @ covariance @ moves.T).max()))
    return float(np.sqrt(worst))


@dataclass(frozen=True, slots=True, kw_only=True)
class Texture:
    """Points whose gradients along the planes are compared.

    Parameters
    ----------
    index
        Of the points, for each pair.
    along
        Two directions (z, y, x) along the planes, shape (2, 3); one in a volume of few rows.
    """

    index: tuple[NDArray[np.int64], ...]
    along: Points

    @classmethod
    def of(
        cls, points: ComparedPoints, thin_axes: tuple[bool, bool, bool], *, n_points: int
    ) -> "Texture":
        """Take some of the points, evenly; planes are what most gradients stand upon."""
        every = max(1, -(-len(points.at_px) // n_points))
        index = tuple(np.arange(part.start, part.stop)[::every] for part in points.pair_slices)
        gradients = points.gradients[np.concatenate(index)].astype(np.float64)
        thick = np.flatnonzero(~np.array(thin_axes))
        square = gradients[:, thick].T @ gradients[:, thick]
        _, vectors = np.linalg.eigh(square)
        along = np.zeros((2, 3))
        n_kept = min(2, len(thick))  # in a slice there are no planes, only lines
        along[:n_kept, thick] = vectors[:, :n_kept].T
        return cls(index=index, along=along[:n_kept])


def agreement(
    levels: Sequence[PairLevel],
    points: ComparedPoints,
    numerics: Numerics,
    comparison: Comparison,
    fit: Fit,
    *,
    n_points: int = FEW_POINTS,
) -> float:
    """Correlation of the gradients along the planes at a transform; 0 where none can be had."""
    texture = Texture.of(points, comparison.thin_axes, n_points=n_points)
    at_px = _places_px(points, texture, fit)
    moved = [fit.transform.to_scan(places) for places in at_px]
    found = _agreement(levels, points, numerics, comparison, texture, moved)
    return 0.0 if found is None else found


def texture_score(
    levels: Sequence[PairLevel],
    points: ComparedPoints,
    numerics: Numerics,
    comparison: Comparison,
    fit: Fit,
) -> float:
    """Compare the agreement of the texture at a transform with that beside it.

    What the fixed scan has in common with itself beside is expected there as well, and left out.
    """
    texture = Texture.of(points, comparison.thin_axes, n_points=_MANY_POINTS)
    at_px, still_px = _places_px(points, texture, fit), [points.at_px[i] for i in texture.index]
    moved = [fit.transform.to_scan(places) for places in at_px]
    here = _agreement(levels, points, numerics, comparison, texture, moved)
    if here is None:
        return 0.0
    still = replace(comparison, field=None)
    itself = [replace(level, moving=level.fixed, pair=_as_moving(level.pair)) for level in levels]
    beside = []
    for decoy_px in _decoys_px(texture.along, comparison, levels[0].factor):
        moved = [fit.transform.to_scan(places + decoy_px) for places in at_px]
        found = _agreement(levels, points, numerics, comparison, texture, moved)
        own_px = [places + decoy_px for places in still_px]
        own = _agreement(itself, points, numerics, still, texture, own_px)
        if found is not None and own is not None:
            beside.append(found - here * own)
    if len(beside) < N_DECOYS // 4:
        return 0.0
    spread = max(float(np.sqrt(np.mean(np.square(beside)))), 1.0e-3)
    return float((here - np.mean(beside)) / spread)


def _places_px(points: ComparedPoints, texture: Texture, fit: Fit) -> list[Points]:
    """Places of the fixed scan, lifted, of the points of each pair."""
    at_px = lifted_px(points, fit.lifts)
    return [at_px[index] for index in texture.index]


def _as_moving(pair: BlockPair) -> BlockPair:
    return replace(pair, moving=pair.fixed, moving_origin_px=pair.fixed_origin_px)


def _decoys_px(along: Points, comparison: Comparison, factor: int) -> Points:
    """Shifts along the planes, shape (n, 3), voxels; few where there are few rows."""
    rng = np.random.default_rng(SEED)
    depth = np.max([pair.fixed.shape for pair in comparison.pairs], axis=0) / factor
    directions = (rng.normal(size=(N_DECOYS, len(along))) @ along) * np.minimum(depth / 48.0, 1.0)
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1.0e-30)
    return np.asarray(factor * directions * rng.uniform(_NEAR_PX, _FAR_PX, (N_DECOYS, 1)))


def _agreement(
    levels: Sequence[PairLevel],
    points: ComparedPoints,
    numerics: Numerics,
    comparison: Comparison,
    texture: Texture,
    at_px: Sequence[Points],
) -> float | None:
    """Correlation of the gradients along the planes; None where too few points lie inside."""
    sums, n_inside, n_all = np.zeros(3), 0, 0
    for level, index, places in zip(levels, texture.index, at_px, strict=True):
        seen, is_inside = _slopes(level, numerics, places, texture.along)
        if comparison.field is not None:
            is_inside &= comparison.field.holds(places, margin_px=level.blur_px)
        mine = points.gradients[index[is_inside]].astype(np.float64) @ texture.along.T
        theirs = seen[is_inside]
        n_inside, n_all = n_inside + len(mine), n_all + len(index)
        # Each pair in its own units: scans and edges of different strength count alike.
        scale = float(np.sqrt((mine**2).mean() * (theirs**2).mean())) if len(mine) else 0.0
        if scale > 0.0:
            products = ((mine * theirs).sum(), (mine**2).sum(), (theirs**2).sum())
            sums += np.array(products) / scale
    if n_inside < max(_LEAST_POINTS, n_all // 4):
        return None
    return float(sums[0] / np.sqrt(max(float(sums[1] * sums[2]), 1.0e-300)))


def _slopes(
    level: PairLevel, numerics: Numerics, at_px: Points, along: Points
) -> tuple[Points, NDArray[np.bool_]]:
    """Change of the moving grey value over two voxels of the level along two directions."""
    at = level.moving_voxels(at_px)
    is_inside = np.ones(len(at), dtype=np.bool_)
    slopes = np.zeros((len(at), len(along)))
    for number, direction in enumerate(along):
        above, is_above = numerics.sample(level.moving, at + direction)
        below, is_below = numerics.sample(level.moving, at - direction)
        is_inside &= is_above & is_below
        slopes[:, number] = above.astype(np.float64) - below
    return slopes, is_inside
