"""Stripes of a sinogram that are one constant a column: linear, and the same at all angles."""

from typing import Any, Final

import numba
import numpy as np
from scipy import linalg

from lithoscope_pipeline.geometry import FloatImage, FloatStack

# Stripes pass up to a wavelength of 24 columns. Measured on the simulated cell: with 0.03 twice as
# much of the rings goes, and a scan without any changes twice as much.
STRIPE_WEIGHT: Final = 0.07
# Measured on the simulated cell and a tooth: 13 and 21 columns, and a doubt of 2.0 and 2.8, trade
# what is left of the rings for what a scan without any loses. Without parts of the scan the rim of
# the tooth, which stays in a column for a quarter of it, counts as a stripe.
MEAN_COLUMNS: Final = 17
_PARTS: Final = 12
_DOUBT: Final = 2.4
_LANES: Final = 16


def titarenko_stripes(attenuation: FloatStack, *, weight: float = STRIPE_WEIGHT) -> FloatImage:
    """Find the constant of each column that, taken off, makes rows smooth [1]_.

    Parameters
    ----------
    attenuation
        Shape (n_angles, n_rows, n_columns).
    weight
        Of the size of the constants against the smoothness of what is left, above zero.

    Returns
    -------
    FloatImage
        Shape (n_rows, n_columns), float32.

    Notes
    -----
    The minimum of ``|D (mean - stripes)|**2 + weight |stripes|**2``, D the difference of
    neighbours: ``stripes = (D'D + weight)^-1 D'D mean``.

    References
    ----------
    .. [1] S. Titarenko, P. J. Withers and A. Yagola, Appl. Math. Lett. 23, 1489 (2010).
       doi:10.1016/j.aml.2010.08.022
    """
    mean = attenuation.mean(axis=0, dtype=np.float64)
    slope = np.diff(mean, axis=1)
    curved = np.zeros_like(mean)
    curved[:, :-1] -= slope
    curved[:, 1:] += slope
    bands = np.full((2, mean.shape[1]), -1.0)
    bands[1] = 2.0 + weight
    bands[1, [0, -1]] -= 1.0
    # One row at a time: several right-hand sides are solved in blocks, with other bytes.
    stripes = [linalg.solveh_banded(bands, row) for row in curved]
    return np.asarray(stripes, np.float32)


def median_stripes(attenuation: FloatStack) -> FloatImage:
    """Find by how much each column exceeds its neighbours at most angles.

    A row less its moving average is a stripe where it stays [1]_. Whether it does is asked in
    twelve parts of the scan, by medians, so that an edge of the sample that passes by does not
    count, nor one that stays for some parts. What is no larger than the doubt about it, from the
    spread over the parts, is left: most of what a scan without rings would lose.

    Parameters
    ----------
    attenuation
        Shape (n_angles, n_rows, n_columns).

    Returns
    -------
    FloatImage
        Shape (n_rows, n_columns), float32.

    Notes
    -----
    ``mean * max(0, 1 - (doubt / mean)**2)``, with the mean of the middle half of the medians of
    the parts, and ``doubt = 2.4 sigma / sqrt(12)`` from the standard deviation of all but the
    least and the largest.

    References
    ----------
    .. [1] M. Boin and A. Haibel, Opt. Express 14, 12071 (2006). doi:10.1364/OE.14.012071
    """
    n_angles, n_rows, n_columns = attenuation.shape
    stripes = np.empty((n_rows, n_columns), np.float32)
    fine = np.empty((n_columns, n_angles), np.float32)
    for row in range(n_rows):
        _fine_part(attenuation[:, row], min(MEAN_COLUMNS, n_columns), fine)
        stripes[row] = _certain_medians(fine)
    return stripes


def _certain_medians(columns: FloatImage) -> FloatImage:
    """Give for each line what the medians of its parts agree on."""
    n_parts = min(_PARTS, columns.shape[1])
    if n_parts < 2:
        return np.zeros(len(columns), np.float32)
    medians = np.empty((len(columns), n_parts), np.float32)
    for number, part in enumerate(np.array_split(columns, n_parts, axis=1)):
        part.sort(axis=1)  # several times as fast as np.median
        last = part.shape[1] - 1
        medians[:, number] = 0.5 * (part[:, last // 2] + part[:, last - last // 2])
    medians.sort(axis=1)
    mean = medians[:, n_parts // 4 : n_parts - n_parts // 4].mean(axis=1)
    spread = medians[:, 1:-1] if n_parts == _PARTS else medians
    doubt = spread.std(axis=1, ddof=1) * np.float32(_DOUBT / np.sqrt(n_parts))
    share = doubt / np.maximum(np.abs(mean), np.finfo(np.float32).tiny)
    return np.asarray(mean * (1.0 - np.minimum(share, 1.0) ** 2), np.float32)


@numba.njit(cache=True, nogil=True)
def _fine_part(rows: Any, width: int, out: Any) -> None:  # Any: arrays, compiled
    """Take a moving average, applied twice, off each row; ``out`` is (column, angle).

    Angles are worked on side by side, so that sums that have to wait for each other do not.
    """
    n_angles, n_columns = rows.shape
    block = np.zeros((n_columns, _LANES))
    once, twice = np.empty((n_columns, _LANES)), np.empty((n_columns, _LANES))
    for first in range(0, n_angles, _LANES):
        n_lanes = min(_LANES, n_angles - first)
        for lane in range(n_lanes):
            for column in range(n_columns):
                block[column, lane] = rows[first + lane, column]
        _moving_average(block, width, once)
        _moving_average(once, width, twice)
        for column in range(n_columns):
            for lane in range(n_lanes):
                out[column, first + lane] = block[column, lane] - twice[column, lane]


@numba.njit(cache=True, nogil=True)
def _moving_average(block: Any, width: int, out: Any) -> None:
    """Average over a window of columns; beyond a border a row goes on mirrored."""
    n_columns = block.shape[0]
    behind = width // 2
    total = np.zeros(_LANES)
    for place in range(-behind, width - behind):
        for lane in range(_LANES):
            total[lane] += block[_mirrored(place, n_columns), lane]
    for column in range(n_columns):
        coming = _mirrored(column + width - behind, n_columns)
        leaving = _mirrored(column - behind, n_columns)
        for lane in range(_LANES):
            out[column, lane] = total[lane] / width
            total[lane] += block[coming, lane] - block[leaving, lane]


@numba.njit(cache=True, nogil=True)
def _mirrored(place: int, size: int) -> int:
    if place < 0:
        place = -1 - place
    if place >= size:
        place = 2 * size - 1 - place
    return place
