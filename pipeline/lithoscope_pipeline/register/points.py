"""Which voxels of the fixed scan are compared: those with the steepest grey values."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import MaskVolume
from lithoscope_pipeline.register.numerics import SIGMA_PX, Handle, Numerics
from lithoscope_pipeline.register.pairs import BlockPair, Comparison
from lithoscope_pipeline.rigid import Points, Triple

SEED = 20230801  # any fixed number: equal input, equal points
CANDIDATES_PER_POINT = 4
# Sum of the weights of the smoothing, squared, over that of their squares.
GAUSS_SHARING = float((2.0 * np.sqrt(np.pi) * SIGMA_PX) ** 3)
SPLINE_SHARING = 8.0
_BLUR_PX = 2.0
_TILE_VOXELS = 24  # a part of a block is no narrower, or it could not vote


@dataclass(frozen=True, slots=True, kw_only=True)
class PairLevel:
    """A pair at one level of resolution.

    Parameters
    ----------
    pair
        What it is made from.
    factor
        Voxels of the scan in one of the level, along each axis that is not thin.
    thin_axes
        Axes along which nothing is binned.
    fixed, moving
        Binned and smoothed.
    is_bare
        Whether ``moving`` is smoothed only where it is looked up, by a cubic B-spline, and
        ``fixed`` by the same.
    """

    pair: BlockPair
    factor: int
    thin_axes: tuple[bool, bool, bool]
    fixed: Handle
    moving: Handle
    is_bare: bool = False

    @property
    def steps(self) -> NDArray[np.int64]:
        """Voxels of the scan in one of the level along (z, y, x), shape (3,)."""
        return np.where(self.thin_axes, 1, self.factor).astype(np.int64)

    @property
    def fixed_first_px(self) -> Points:
        """Middle of the first voxel of the level (z, y, x) in the fixed scan."""
        return np.array(self.pair.fixed_origin_px) + (self.steps - 1) / 2.0

    @property
    def blur_px(self) -> float:
        """How far binning and smoothing carry a grey value, voxels of the scan."""
        return _BLUR_PX * (self.factor - 1)

    @property
    def sharing_voxels(self) -> float:
        """Voxels for one independent value: smoothed neighbours share their noise."""
        return SPLINE_SHARING if self.is_bare else GAUSS_SHARING

    def sample_moving(
        self, numerics: Numerics, at: Points
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Give grey values of the moving scan at its voxels (n, 3), and which lie inside."""
        if self.is_bare:
            return numerics.sample_blurred(self.moving, at)
        return numerics.sample(self.moving, at)

    @property
    def mask(self) -> MaskVolume | None:
        """Mask of the pair in the middles of the voxels of the level."""
        if self.pair.mask is None:
            return None
        z, y, x = (slice(int(step) // 2, None, int(step)) for step in self.steps)
        return self.pair.mask[z, y, x]

    def moving_voxels(self, scan_px: Points) -> Points:
        """Turn places (z, y, x) of the moving scan into voxels of its level."""
        first = np.array(self.pair.moving_origin_px) + (self.steps - 1) / 2.0
        return np.asarray((scan_px - first) / self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedPoints:
    """Voxels of the fixed scan, of all pairs one after the other.

    Parameters
    ----------
    at_px
        Places (z, y, x) in the fixed scan, shape (n, 3).
    grey, gradients
        Grey value, shape (n,), and its change per voxel of the scan along (z, y, x), (n, 3).
    part
        Number of the part that a point lies in, shape (n,).
    place
        Along (z, x) from the middle of the part, in half its size, shape (n, 2).
    pair_slices
        Points of each pair.
    is_lifted
        For each part, whether it moves along y by itself, shape (n_parts,).
    density
        For each pair, the share of its voxels that is compared.
    lift_direction
        Direction (z, y, x) of lifts, of length 1.
    """

    at_px: Points
    grey: NDArray[np.float32]
    gradients: NDArray[np.float32]
    part: NDArray[np.int64]
    place: NDArray[np.float32]
    pair_slices: tuple[slice, ...]
    is_lifted: NDArray[np.bool_]
    density: tuple[float, ...]
    lift_direction: Triple = (0.0, 1.0, 0.0)


def make_levels(
    comparison: Comparison, numerics: Numerics, factors: Sequence[int]
) -> dict[int, tuple[PairLevel, ...]]:
    """Bin and smooth all pairs."""
    made, thin = [], comparison.thin_axes
    for pair in comparison.pairs:
        fixed = numerics.levels(pair.fixed, factors, thin_axes=thin)
        moving = numerics.levels(pair.moving, factors, thin_axes=thin)
        made.append((pair, fixed, moving))
    return {
        factor: tuple(
            PairLevel(
                pair=pair,
                factor=factor,
                thin_axes=thin,
                fixed=fixed[factor],
                moving=moving[factor],
            )
            for pair, fixed, moving in made
        )
        for factor in factors
    }


def choose_points(
    levels: Sequence[PairLevel], numerics: Numerics, *, n_points: int
) -> ComparedPoints:
    """Take the voxels that say most, a third of them for each axis.

    Parameters
    ----------
    levels
        All pairs at one level.
    numerics
        Who holds them.
    n_points
        How many, at most, of all pairs together.
    """
    n_voxels = [level.pair.n_points / float(np.prod(level.steps)) for level in levels]
    picked, first_part, start = [], 0, 0
    slices, lifted, density = [], [], []
    for level, n_all in zip(levels, n_voxels, strict=True):
        wanted = max(30, int(n_points * n_all / sum(n_voxels)))
        index, grey, gradients = _steepest(level, numerics, wanted)
        part, place, n_parts = _parts_of(level, index)
        picked.append(
            (
                index * level.steps.astype(np.float64) + level.fixed_first_px,
                grey,
                gradients / level.steps.astype(np.float32),
                part + first_part,
                place,
            )
        )
        slices.append(slice(start, start + len(index)))
        lifted += [level.pair.is_lifted] * n_parts
        density.append(min(1.0, len(index) / max(n_all, 1.0)))
        first_part, start = first_part + n_parts, start + len(index)
    at_px, grey, gradients, part, place = (
        np.ascontiguousarray(np.concatenate(columns)) for columns in zip(*picked, strict=True)
    )
    return ComparedPoints(
        at_px=at_px,
        grey=grey,
        gradients=gradients,
        part=part,
        place=place,
        pair_slices=tuple(slices),
        is_lifted=np.array(lifted, dtype=np.bool_),
        density=tuple(density),
        lift_direction=levels[0].pair.lift_direction,
    )


def _steepest(
    level: PairLevel, numerics: Numerics, wanted: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    index = _candidates(level, numerics.shape(level.fixed), wanted * CANDIDATES_PER_POINT)
    grey, gradients = numerics.look_up(level.fixed, index)
    if len(index) <= wanted:
        return index, grey, gradients
    is_chosen = np.zeros(len(index), dtype=np.bool_)
    share = max(1, wanted // 3)
    for axis in range(3):
        size = np.abs(gradients[:, axis])
        bar = np.partition(size, len(size) - share)[len(size) - share]
        is_chosen |= size >= max(float(bar), 1.0e-30)
    if not is_chosen.any():
        is_chosen[::CANDIDATES_PER_POINT] = True
    return index[is_chosen], grey[is_chosen], gradients[is_chosen]


def _candidates(level: PairLevel, shape: tuple[int, int, int], wanted: int) -> NDArray[np.int64]:
    """Voxels of a level at an uneven stride, inside its mask and off its faces."""
    edges = [0 if n < 5 else 1 if n < 12 else 2 for n in shape]
    inner = tuple(n - 2 * edge for n, edge in zip(shape, edges, strict=True))
    flat = None
    coarse = level.mask
    if coarse is not None:
        box = tuple(slice(edge, edge + n) for edge, n in zip(edges, inner, strict=True))
        flat = np.flatnonzero(coarse[: shape[0], : shape[1], : shape[2]][box])
    n_all = int(np.prod(inner)) if flat is None else len(flat)
    stride = max(1, n_all // max(wanted, 1))
    picks = np.arange(0, n_all - stride + 1, stride, dtype=np.int64)
    if stride > 1:
        picks += np.random.default_rng(SEED).integers(0, stride, len(picks))
    chosen = picks if flat is None else flat[picks]
    index = np.stack(np.unravel_index(chosen, inner), axis=1) + np.array(edges)
    return np.ascontiguousarray(index, dtype=np.int64)


def _parts_of(
    level: PairLevel, index: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Give the part of each voxel, its place there along (z, x), and the number of parts."""
    size = np.array(level.pair.fixed.shape)
    most = np.array([2, 2, 3])
    if level.pair.is_lifted:
        most = np.array([2, 1, 6])  # growth is not even: each part has a lift of its own
    counts = np.clip(size // np.array([8, 2 * _TILE_VOXELS, _TILE_VOXELS]), 1, most)
    at = (index * level.steps + (level.steps - 1) / 2.0) / size * counts
    tile = np.clip(at.astype(np.int64), 0, counts - 1)
    within = 2.0 * (at - tile) - 1.0
    number = (tile[:, 0] * counts[1] + tile[:, 1]) * counts[2] + tile[:, 2]
    place = np.ascontiguousarray(within[:, [0, 2]], dtype=np.float32)
    return number, place, int(np.prod(counts))
