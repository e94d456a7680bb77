"""Lower levels of a volume: half as many voxels along each axis, always the same bytes.

A voxel of a lower level depends on the up to eight voxels below it and on nothing else, so it
does not matter in which slabs a volume is worked through.
"""

import math
from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

_LARGEST_TOP = 96
Shape = tuple[int, int, int]


def plan_levels(shape: Shape) -> int:
    """Levels until the longest side is at most 96 voxels."""
    return 1 + max(0, math.ceil(math.log2(max(shape) / _LARGEST_TOP)))


def level_shape(shape: Shape, level: int) -> Shape:
    """Voxels of a level: halved and rounded up ``level`` times."""
    z, y, x = (math.ceil(length / 2**level) for length in shape)
    return z, y, x


def halve_image(block: NDArray[np.generic]) -> NDArray[np.generic]:
    """Mean of each 2 x 2 x 2 voxels, of what there is of them at the far faces.

    Integers are rounded to the nearest, halves to even.
    """
    dtype = np.float32 if block.dtype == np.float32 else np.float64
    # The last voxel again: the mean of a and a is a, in all three axes.
    total = np.zeros(level_shape(_shape(block), 1), dtype)
    for corner in _corners(block):
        total += corner
    total /= 8
    return (np.rint(total) if block.dtype.kind in "iu" else total).astype(block.dtype)


def halve_labels(block: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Most frequent label of each 2 x 2 x 2 voxels.

    Of equally frequent ones the lowest, but background (0) only if it is alone at the top, so
    that a filament of one voxel is not thinned out by the air around it.
    """
    corners = list(_corners(block))
    best = np.zeros(corners[0].shape, np.uint8)
    most = np.zeros(corners[0].shape, np.uint8)
    values = np.unique(block)
    for value in (*values[values > 0], 0):
        count = np.zeros_like(most)
        for corner in corners:
            count += corner == value
        is_more = count > most
        best[is_more] = value
        np.maximum(most, count, out=most)
    return best


def _corners(block: NDArray[np.generic]) -> Iterator[NDArray[np.generic]]:
    padded = np.pad(block, [(0, length % 2) for length in block.shape], mode="edge")
    for z, y, x in product((0, 1), repeat=3):
        yield padded[z::2, y::2, x::2]


def _shape(block: NDArray[np.generic]) -> Shape:
    z, y, x = block.shape
    return z, y, x
