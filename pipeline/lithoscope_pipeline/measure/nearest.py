"""The shortest straight ways from one solid to another, exact, without a distance map.

Columns are gathered into blocks of 4 x 4, those into blocks again; of each is known between which
rows its target lies. A block that cannot hold anything nearer than what was found is left out, so
that of two layers that face each other few columns are looked at. Distances are those of voxel
centres, in whole numbers squared: the result is that of a Euclidean distance transform, and the
same whatever the order.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.measure.solids import Solid

FAR: Final = np.iinfo(np.int64).max
_BLOCK = 4
_NO_ROW = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A solid that ways lead to, with its blocks, the finest first.

    Parameters
    ----------
    solid
        The target.
    offsets, shapes
        First block of each level, and blocks along (z, x).
    low, high
        First and last row of the target in each block; none lies above its end.
    """

    solid: Solid
    offsets: NDArray[np.int64]
    shapes: NDArray[np.int64]
    low: NDArray[np.int32]
    high: NDArray[np.int32]


def make_target(solid: Solid) -> Target:
    """Gather the columns of a solid into blocks."""
    low = np.full(solid.plane, _NO_ROW, np.int32)
    high = np.full(solid.plane, -_NO_ROW, np.int32)
    _column_rows(solid.begins, solid.first, solid.stop, low.reshape(-1), high.reshape(-1))
    lows, highs = [low], [high]
    while max(lows[-1].shape) > 1:
        lows.append(_gather(lows[-1], np.minimum, _NO_ROW))
        highs.append(_gather(highs[-1], np.maximum, -_NO_ROW))
    sizes = [0, *(level.size for level in lows)]
    return Target(
        solid=solid,
        offsets=np.cumsum(sizes)[:-1].astype(np.int64),
        shapes=np.array([level.shape for level in lows], np.int64),
        low=np.concatenate([level.ravel() for level in lows]),
        high=np.concatenate([level.ravel() for level in highs]),
    )


def nearest_of_columns(
    queries: Solid, target: Target
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the shortest way from each column of a solid.

    Returns
    -------
    tuple
        Squared distance, `FAR` where there is none, shape (n_z, n_x); and the stretch of the
        column that it begins at, -1 where there is none.
    """
    squares = np.full(queries.plane, FAR, np.int64)
    stretches = np.full(queries.plane, -1, np.int64)
    _search_columns(
        queries.begins, queries.first, queries.stop, *_blocks(target), squares.reshape(-1),
        stretches.reshape(-1),
    )  # fmt: skip
    return squares, stretches


def nearest_of_groups(
    queries: Solid, groups: NDArray[np.int32], target: Target, squares: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Find the shortest way from each group of stretches.

    Parameters
    ----------
    queries, target
        From where, and to what.
    groups
        Group of each stretch, shape (n_stretches,); 0 for those that belong to none.
    squares
        What is known already of each group, `FAR` for nothing, shape (n_groups + 1,).

    Returns
    -------
    NDArray
        Squared distance of each group, shape (n_groups + 1,).
    """
    found = squares.copy()
    _search_groups(
        queries.begins, queries.first, queries.stop, groups, *_blocks(target), found
    )  # fmt: skip
    return found


def way_px(square: int) -> float:
    """Give the length of a way: from face to face, so less a voxel for the halves at its ends."""
    return float("inf") if square == FAR else max(float(np.sqrt(square)) - 1.0, 0.0)


_Blocks = tuple[
    NDArray[np.int64],
    NDArray[np.uint16],
    NDArray[np.uint16],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int32],
    NDArray[np.int32],
]


def _blocks(target: Target) -> _Blocks:
    solid = target.solid
    return (
        solid.begins,
        solid.first,
        solid.stop,
        target.offsets,
        target.shapes,
        target.low,
        target.high,
    )


def _gather(rows: NDArray[np.int32], choose: np.ufunc, nothing: int) -> NDArray[np.int32]:
    padding = [(0, -n % _BLOCK) for n in rows.shape]
    padded = np.pad(rows, padding, constant_values=nothing)
    n_z, n_x = (n // _BLOCK for n in padded.shape)
    gathered: NDArray[np.int32] = choose.reduce(
        padded.reshape(n_z, _BLOCK, n_x, _BLOCK), axis=(1, 3)
    )
    return gathered


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _column_rows(begins, first, stop, low, high):  # type: ignore[no-untyped-def]  # for numba
    for column in range(len(begins) - 1):
        if begins[column] < begins[column + 1]:
            low[column] = first[begins[column]]
            high[column] = stop[begins[column + 1] - 1] - 1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _bound(z, x, low, high, level, bz, bx, size, offsets, shapes, lows, highs):  # type: ignore[no-untyped-def]  # for numba
    """Give a square that no way from rows ``low`` to ``high`` into a block falls below."""
    block = offsets[level] + bz * shapes[level, 1] + bx
    if highs[block] < 0:
        return FAR
    dz = max(bz * size - z, z - (bz * size + size - 1), 0)
    dx = max(bx * size - x, x - (bx * size + size - 1), 0)
    dy = max(low - highs[block], lows[block] - high, 0)
    return np.int64(dz) * dz + np.int64(dx) * dx + np.int64(dy) * dy


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _column_square(z, x, low, high, cz, cx, n_x, begins, first, stop):  # type: ignore[no-untyped-def]  # for numba
    column = cz * n_x + cx
    nearest = np.int64(_NO_ROW)
    for stretch in range(begins[column], begins[column + 1]):
        dy = max(low - (stop[stretch] - 1), first[stretch] - high, 0)
        nearest = min(nearest, np.int64(dy))
    dz, dx = np.int64(cz - z), np.int64(cx - x)
    return dz * dz + dx * dx + nearest * nearest


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _search(z, x, low, high, best, begins, first, stop, offsets, shapes, lows, highs, stack):  # type: ignore[no-untyped-def]  # for numba
    """Find the least square below ``best``; blocks are looked at from the nearest on."""
    top = len(offsets) - 1
    n_stack = 1
    stack[0, 0] = _bound(z, x, low, high, top, 0, 0, _BLOCK**top, offsets, shapes, lows, highs)
    stack[0, 1] = top
    stack[0, 2] = 0
    stack[0, 3] = 0
    while n_stack > 0:
        n_stack -= 1
        if stack[n_stack, 0] >= best:
            continue
        level, bz, bx = stack[n_stack, 1], stack[n_stack, 2], stack[n_stack, 3]
        if level == 0:
            square = _column_square(z, x, low, high, bz, bx, shapes[0, 1], begins, first, stop)
            best = min(best, square)
            continue
        child = level - 1
        size = _BLOCK**child
        base = n_stack
        for cz in range(bz * _BLOCK, min((bz + 1) * _BLOCK, shapes[child, 0])):
            for cx in range(bx * _BLOCK, min((bx + 1) * _BLOCK, shapes[child, 1])):
                bound = _bound(z, x, low, high, child, cz, cx, size, offsets, shapes, lows, highs)
                if bound >= best:
                    continue
                place = n_stack
                while place > base and stack[place - 1, 0] < bound:
                    for k in range(4):
                        stack[place, k] = stack[place - 1, k]
                    place -= 1
                stack[place, 0] = bound
                stack[place, 1] = child
                stack[place, 2] = cz
                stack[place, 3] = cx
                n_stack += 1
    return best


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _search_columns(q_begins, q_first, q_stop, begins, first, stop, offsets, shapes, lows, highs, squares, stretches):  # type: ignore[no-untyped-def]  # for numba  # fmt: skip  # noqa: E501
    stack = np.empty((_BLOCK * _BLOCK * (len(offsets) + 1), 4), np.int64)
    n_x = shapes[0, 1]
    for column in range(len(q_begins) - 1):
        for stretch in range(q_begins[column], q_begins[column + 1]):
            square = _search(
                column // n_x, column % n_x, q_first[stretch], q_stop[stretch] - 1,
                squares[column], begins, first, stop, offsets, shapes, lows, highs, stack,
            )  # fmt: skip
            if square < squares[column]:
                squares[column] = square
                stretches[column] = stretch


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _search_groups(q_begins, q_first, q_stop, groups, begins, first, stop, offsets, shapes, lows, highs, squares):  # type: ignore[no-untyped-def]  # for numba  # fmt: skip  # noqa: E501
    stack = np.empty((_BLOCK * _BLOCK * (len(offsets) + 1), 4), np.int64)
    n_x = shapes[0, 1]
    for column in range(len(q_begins) - 1):
        for stretch in range(q_begins[column], q_begins[column + 1]):
            group = groups[stretch]
            if group > 0:
                squares[group] = _search(
                    column // n_x, column % n_x, q_first[stretch], q_stop[stretch] - 1,
                    squares[group], begins, first, stop, offsets, shapes, lows, highs, stack,
                )  # fmt: skip
