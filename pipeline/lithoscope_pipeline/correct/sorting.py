"""Stripes taken off a sinogram by sorting.

Sorted by brightness, all values of a column that works lie close to those of its neighbours of the
same rank; what a stripe adds comes off with a median over columns [1]_.

References
----------
.. [1] N. T. Vo, R. C. Atwood and M. Drakopoulos, Opt. Express 26, 28396 (2018), algorithm 3.
   doi:10.1364/OE.26.028396
"""

from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatImage

MEDIAN_COLUMNS: Final = 21  # [1]; wider than any stripe
_PLACE_BITS, _PLACE = np.int64(32), np.int64(0xFFFFFFFF)
_SIGNLESS = np.int64(0x7FFFFFFF)


def smooth_by_rank(sinogram: FloatImage) -> FloatImage:
    """Sort each column, take the median over columns rank by rank, and sort back.

    Parameters
    ----------
    sinogram
        Shape (n_angles, n_columns), finite.

    Returns
    -------
    FloatImage
        Same shape.
    """
    columns = np.ascontiguousarray(sinogram.T)
    keys = _keys(columns)
    keys.sort(axis=1)
    return np.asarray(_medians_put_back(keys, min(MEDIAN_COLUMNS, columns.shape[0])).T)


@numba.njit(cache=True, nogil=True)
def _keys(columns: FloatImage) -> NDArray[np.int64]:
    """Make integers that order like the numbers, and equal numbers by their place."""
    bits = columns.view(np.int32)
    keys = np.empty(columns.shape, np.int64)
    for column in range(columns.shape[0]):
        for angle in range(columns.shape[1]):
            word = np.int64(bits[column, angle])
            rank = word if word >= 0 else word ^ _SIGNLESS
            keys[column, angle] = (rank << _PLACE_BITS) | np.int64(angle)
    return keys


@numba.njit(cache=True, nogil=True)
def _medians_put_back(keys: Any, size: int) -> Any:
    """Give each place the median over columns (mirrored at the borders) of the values of its rank.

    The window is kept sorted while it moves along the columns.
    """
    n_columns, n_angles = keys.shape
    out = np.empty((n_columns, n_angles), np.float32)
    ahead = size // 2
    behind = size - 1 - ahead
    window = np.empty(size, np.int64)
    for rank in range(n_angles):
        for place in range(size):
            window[place] = keys[_mirrored(place - ahead, n_columns), rank] >> _PLACE_BITS
        window.sort()
        for column in range(n_columns):
            if column > 0:
                leaving = keys[_mirrored(column - 1 - ahead, n_columns), rank] >> _PLACE_BITS
                coming = keys[_mirrored(column + behind, n_columns), rank] >> _PLACE_BITS
                _exchange(window, leaving, coming)
            word = window[ahead]
            if word < 0:
                word ^= _SIGNLESS
            out[column, keys[column, rank] & _PLACE] = np.int32(word).view(np.float32)
    return out


@numba.njit(cache=True, nogil=True)
def _mirrored(place: int, size: int) -> int:
    if place < 0:
        place = -1 - place
    if place >= size:
        place = 2 * size - 1 - place
    return place


@numba.njit(cache=True, nogil=True)
def _exchange(window: Any, leaving: int, coming: int) -> None:
    """Take one value out of a sorted window and put another in."""
    place = 0
    while window[place] != leaving:
        place += 1
    while place + 1 < window.size and window[place + 1] < coming:
        window[place] = window[place + 1]
        place += 1
    while place > 0 and window[place - 1] > coming:
        window[place] = window[place - 1]
        place -= 1
    window[place] = coming
