"""Where to start: shifts at which the whitened and smoothed spectra of both scans agree [1]_.

Plain phase correlation weighs noise like structure; so the whitened spectrum is smoothed first.

References
----------
.. [1] C. D. Kuglin and D. C. Hines, Proc. IEEE Conf. Cybernetics and Society, 163 (1975).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from lithoscope_pipeline.register.numerics import Numerics
from lithoscope_pipeline.register.pairs import Comparison, Field
from lithoscope_pipeline.register.points import PairLevel
from lithoscope_pipeline.rigid import Points, RigidTransform

_SMOOTHING_PX = 1.0  # of the whitened spectrum, voxels of the level
_TAPER_PX = 3.0
_MAX_VOXELS = 2**21  # of the correlation of one pair: what is larger is cut in the middle


def shift_candidates_px(
    levels: Sequence[PairLevel],
    numerics: Numerics,
    comparison: Comparison,
    *,
    start: RigidTransform,
    n_candidates: int,
) -> Points:
    """Give shifts (z, y, x) beyond the start that may be the true one, the likeliest first.

    Parameters
    ----------
    levels
        Pairs at a coarse level; those that stay along y are used.
    numerics
        Who holds them.
    comparison
        How far to look.
    start
        Rotation, and the middle of the search.
    n_candidates
        How many, at most.

    Returns
    -------
    Points
        Shape (n, 3), voxels of the scan, whole voxels of the level.
    """
    factor = levels[0].factor
    reach = int(np.ceil(comparison.max_shift_px / factor))
    total = np.zeros((2 * reach + 1,) * 3)
    for level in levels:
        if not level.pair.is_lifted:
            total += _correlation(level, numerics, comparison.field, start, reach)
    for axis in np.flatnonzero(comparison.thin_axes):
        off = np.ones(2 * reach + 1, dtype=np.bool_)
        off[reach] = False
        np.moveaxis(total, axis, 0)[off] = -np.inf
    is_peak = (total == ndimage.maximum_filter(total, size=3)) & np.isfinite(total)
    places = np.argwhere(is_peak)
    order = np.argsort(-total[is_peak], kind="stable")[:n_candidates]
    return np.asarray((places[order] - reach) * levels[0].steps.astype(np.float64))


def _correlation(
    level: PairLevel,
    numerics: Numerics,
    field: Field | None,
    start: RigidTransform,
    reach: int,
) -> NDArray[np.float64]:
    """Correlation at whole shifts up to ``reach`` voxels of the level, (2 reach + 1,) cubed."""
    shape = numerics.shape(level.fixed)
    first, size = _middle_box(shape)
    fixed, window = _fixed_part(level, numerics, first, size)
    grid = tuple(np.arange(-reach, n + reach) + f for n, f in zip(size, first, strict=True))
    index = np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1).reshape(-1, 3)
    at_px = start.to_scan(index * level.steps.astype(np.float64) + level.fixed_first_px)
    seen, is_inside = numerics.sample(level.moving, level.moving_voxels(at_px))
    if field is not None:
        is_inside &= field.holds(at_px, margin_px=level.blur_px)
    padded = tuple(len(line) for line in grid)
    moving = np.where(is_inside, seen - seen[is_inside].mean() if is_inside.any() else 0.0, 0.0)
    moving = moving.reshape(padded) * _taper(padded)

    fast = tuple(fft.next_fast_len(n, real=True) for n in padded)
    box = np.zeros(fast, np.float32)
    box[: size[0], : size[1], : size[2]] = fixed * window
    cross = np.conj(fft.rfftn(box)) * fft.rfftn(moving.astype(np.float32), fast)
    size_of = np.abs(cross)
    cross /= np.maximum(size_of, 1.0e-6 * float(size_of.max()) + 1.0e-30)
    cross *= _low_pass(fast)
    surface = fft.irfftn(cross, fast)
    n = 2 * reach + 1
    found: NDArray[np.float64] = surface[:n, :n, :n].astype(np.float64)
    return found * float(np.prod(size)) ** 0.5


def _middle_box(shape: tuple[int, int, int]) -> tuple[NDArray[np.int64], tuple[int, int, int]]:
    size = np.array(shape)
    while np.prod(size) > _MAX_VOXELS:
        longest = int(np.argmax(size))
        size[longest] -= max(1, size[longest] // 8)
    first = (np.array(shape) - size) // 2
    return first, (int(size[0]), int(size[1]), int(size[2]))


def _fixed_part(
    level: PairLevel, numerics: Numerics, first: NDArray[np.int64], size: tuple[int, int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    lines = [np.arange(n) + f for n, f in zip(size, first, strict=True)]
    index = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 3)
    grey, _ = numerics.look_up(level.fixed, np.ascontiguousarray(index, dtype=np.int64))
    window = _taper(size)
    mask = level.mask
    if mask is not None:
        box = tuple(slice(int(a), int(a) + n) for a, n in zip(first, size, strict=True))
        kept = np.zeros(size, np.float32)
        part = mask[box]
        kept[: part.shape[0], : part.shape[1], : part.shape[2]] = part
        window = window * ndimage.gaussian_filter(kept, 1.0)
    fixed = grey.reshape(size)
    mean = float((fixed * window).sum()) / max(float(window.sum()), 1.0e-30)
    return fixed - np.float32(mean), window


def _taper(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Fall smoothly to zero at the faces of a box; thin boxes are left alone along their depth."""
    window = np.ones(shape, np.float32)
    for axis, n in enumerate(shape):
        width = min(_TAPER_PX, n / 6.0)
        if n < 5:
            continue
        edge = np.minimum(np.arange(n) + 0.5, n - np.arange(n) - 0.5)
        side = np.sin(0.5 * np.pi * np.clip(edge / width, 0.0, 1.0)) ** 2
        window *= side.astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
    return window


def _low_pass(shape: tuple[int, ...]) -> NDArray[np.float32]:
    lines = [fft.fftfreq(shape[0]), fft.fftfreq(shape[1]), fft.rfftfreq(shape[2])]
    square = sum(
        (line**2).reshape([-1 if a == axis else 1 for a in range(3)])
        for axis, line in enumerate(lines)
    )
    return np.asarray(np.exp(-2.0 * (np.pi * _SMOOTHING_PX) ** 2 * square), dtype=np.float32)
