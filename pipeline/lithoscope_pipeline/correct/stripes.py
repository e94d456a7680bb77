"""Stripes of a sinogram that are one constant a column: linear, and the same at all angles.

They are told by the first eleven twelfths of a scan, so that they are known before its last
projection; and being linear they can be taken off the slices of projections that still have them.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol

import numba
import numpy as np
from scipy import linalg, ndimage

from lithoscope_pipeline.correct.correction import RingMethod
from lithoscope_pipeline.errors import ParameterError, ShapeError
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
# Without this a diamond of 16 columns in a view of 160 leaves arcs of a quarter of its contrast,
# the rim of a tooth loses twice as much, and a cell without rings half as much again. 3 standard
# deviations do the same; without the share single pixels that err tenfold count as wide.
_WIDE_COLUMNS: Final = 7
_BESIDE_COLUMNS: Final = 5
_WIDE_LIMIT: Final = 5.0
_WIDE_SHARE: Final = 0.45
_LANES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Stripes:
    """What stands in the columns of every projection and is no part of the sample.

    Parameters
    ----------
    image
        Line integrals, shape (n_rows, n_columns).
    n_asked
        Projections, from the first on, that it was told by.
    """

    image: FloatImage
    n_asked: int


class StripeFinder(Protocol):
    """Tells stripes from projections that come in order, in any portions with the same bytes."""

    @property
    def n_asked(self) -> int:
        """Projections, from the first on, that are needed."""
        ...

    def add(self, attenuation: FloatStack) -> None:
        """Take in the next projections, shape (n, n_rows, n_columns); not beyond the needed."""
        ...

    def stripes(self) -> Stripes:
        """Give the stripes; all projections that are needed must be there."""
        ...


def asked_angles(n_angles: int) -> int:
    """Tell how many projections, from the first on, stripes are told by."""
    return n_angles - n_angles // 12


def stripe_finder(
    method: RingMethod, *, n_angles: int, n_rows: int, n_columns: int
) -> StripeFinder | None:
    """Begin to look for stripes.

    Parameters
    ----------
    method
        ``median`` or ``titarenko``.
    n_angles
        Projections of the whole scan.
    n_rows, n_columns
        Of each.

    Returns
    -------
    StripeFinder or None
        None for a method that takes off more than one constant a column, or nothing.
    """
    match method:
        case "median":
            return MedianFinder(n_angles, n_rows, n_columns)
        case "titarenko":
            return TitarenkoFinder(n_angles, n_rows, n_columns)
        case _:
            return None


def find_stripes(attenuation: FloatStack, *, method: RingMethod) -> Stripes | None:
    """Find the stripes of a whole scan, a row at a time.

    Parameters
    ----------
    attenuation
        Shape (n_angles, n_rows, n_columns).
    method
        ``median`` or ``titarenko``.

    Returns
    -------
    Stripes or None
        None for any other method.
    """
    n_angles, n_rows, n_columns = attenuation.shape
    n_asked = asked_angles(n_angles)
    image = np.empty((n_rows, n_columns), np.float32)
    for row in range(n_rows):
        finder = stripe_finder(method, n_angles=n_angles, n_rows=1, n_columns=n_columns)
        if finder is None:
            return None
        finder.add(attenuation[:n_asked, row : row + 1])
        image[row] = finder.stripes().image[0]
    return Stripes(image=image, n_asked=n_asked)


class TitarenkoFinder:
    """Finds the constant of each column that, taken off, makes rows smooth [1]_.

    Parameters
    ----------
    n_angles, n_rows, n_columns
        Shape of the scan.
    weight
        Of the size of the constants against the smoothness of what is left, above zero.

    Notes
    -----
    The minimum of ``|D (mean - stripes)|**2 + weight |stripes|**2``, D the difference of
    neighbours: ``stripes = (D'D + weight)^-1 D'D mean``.

    References
    ----------
    .. [1] S. Titarenko, P. J. Withers and A. Yagola, Appl. Math. Lett. 23, 1489 (2010).
       doi:10.1016/j.aml.2010.08.022
    """

    def __init__(
        self, n_angles: int, n_rows: int, n_columns: int, *, weight: float = STRIPE_WEIGHT
    ) -> None:
        self.n_asked = asked_angles(n_angles)
        self._n_added = 0
        self._weight = weight
        self._total = np.zeros((n_rows, n_columns))

    def add(self, attenuation: FloatStack) -> None:
        """Take in the next projections; see `StripeFinder`."""
        _check_portion(attenuation, self._total.shape, self._n_added, self.n_asked)
        for projection in attenuation:
            self._total += projection
        self._n_added += len(attenuation)

    def stripes(self) -> Stripes:
        """Solve for each row; see `StripeFinder`."""
        _check_whole(self._n_added, self.n_asked)
        mean = self._total / self.n_asked
        slope = np.diff(mean, axis=1)
        curved = np.zeros_like(mean)
        curved[:, :-1] -= slope
        curved[:, 1:] += slope
        bands = np.full((2, mean.shape[1]), -1.0)
        bands[1] = 2.0 + self._weight
        bands[1, [0, -1]] -= 1.0
        # One row at a time: several right-hand sides are solved in blocks, with other bytes.
        rows = [linalg.solveh_banded(bands, row) for row in curved]
        return Stripes(image=np.asarray(rows, np.float32), n_asked=self.n_asked)


class MedianFinder:
    """Finds by how much each column exceeds its neighbours at most angles.

    A row less its moving average is a stripe where it stays [1]_. Whether it does is asked in
    twelve parts of the scan, by medians, so that an edge of the sample that passes by does not
    count, nor one that stays for some parts. What is no larger than the doubt about it, from the
    spread over the parts, is left: most of what a scan without rings would lose. Pixels err by
    themselves: what is several columns wide and stands out, as a small dense body near the axis
    does, is of the sample, and no more is taken of it than of others.

    Parameters
    ----------
    n_angles, n_rows, n_columns
        Shape of the scan. Of a twelfth of it the rows less their averages are held.

    Notes
    -----
    ``mean * max(0, 1 - (doubt / mean)**2)``, with the mean of the middle half of the medians of
    the parts, and ``doubt = 2.4 sigma / sqrt(12)`` from the standard deviation of all but the
    least and the largest. Where the average over 7 columns exceeds 0.45 of the largest of them,
    and 5 standard deviations of what single columns leave in it, it is scaled down to the latter.

    References
    ----------
    .. [1] M. Boin and A. Haibel, Opt. Express 14, 12071 (2006). doi:10.1364/OE.14.012071
    """

    def __init__(self, n_angles: int, n_rows: int, n_columns: int) -> None:
        self.n_asked = asked_angles(n_angles)
        n_parts = min(_PARTS, self.n_asked)
        parts = np.array_split(np.arange(self.n_asked), n_parts)
        self._ends = np.cumsum([part.size for part in parts])
        self._medians = np.empty((n_parts, n_rows, n_columns), np.float32)
        self._fine = np.empty((n_rows, n_columns, parts[0].size), np.float32)
        self._n_added = 0

    @classmethod
    def memory_bytes(cls, n_angles: int, n_rows: int, n_columns: int) -> int:
        """Say what one takes."""
        longest = -(-asked_angles(n_angles) // _PARTS)
        return 4 * n_rows * n_columns * (longest + _PARTS)

    def add(self, attenuation: FloatStack) -> None:
        """Take in the next projections; see `StripeFinder`."""
        _check_portion(attenuation, self._medians.shape[1:], self._n_added, self.n_asked)
        width = min(MEAN_COLUMNS, attenuation.shape[2])
        while len(attenuation):
            part = int(np.searchsorted(self._ends, self._n_added, side="right"))
            begin, end = self._ends[part - 1] if part else 0, self._ends[part]
            place, n = self._n_added - begin, min(end - self._n_added, len(attenuation))
            for row in range(attenuation.shape[1]):
                _fine_part(attenuation[:n, row], width, self._fine[row, :, place : place + n])
                if self._n_added + n == end:
                    self._medians[part, row] = _medians(self._fine[row, :, : end - begin])
            self._n_added += n
            attenuation = attenuation[n:]

    def stripes(self) -> Stripes:
        """Give for each column what the medians of its parts agree on; see `StripeFinder`."""
        _check_whole(self._n_added, self.n_asked)
        n_parts = len(self._medians)
        if n_parts < 2:
            return Stripes(image=np.zeros_like(self._medians[0]), n_asked=self.n_asked)
        medians = np.sort(self._medians, axis=0)
        mean = medians[n_parts // 4 : n_parts - n_parts // 4].mean(axis=0)
        spread = medians[1:-1] if n_parts == _PARTS else medians
        doubt = spread.std(axis=0, ddof=1) * np.float32(_DOUBT / np.sqrt(n_parts))
        share = doubt / np.maximum(np.abs(mean), np.finfo(np.float32).tiny)
        image = np.asarray(mean * (1.0 - np.minimum(share, 1.0) ** 2), np.float32)
        return Stripes(image=_narrow_part(image), n_asked=self.n_asked)


def _check_portion(
    attenuation: FloatStack, shape: tuple[int, ...], n_added: int, n_asked: int
) -> None:
    if attenuation.ndim != 3 or attenuation.shape[1:] != shape:
        raise ShapeError(
            f"attenuation of shape {attenuation.shape} given, (angle, {shape[0]} rows, "
            f"{shape[1]} columns) is needed"
        )
    if n_added + len(attenuation) > n_asked:
        raise ParameterError(
            f"{len(attenuation)} projections given, {n_asked - n_added} are still needed; stripes "
            "are told by the first of a scan"
        )


def _check_whole(n_added: int, n_asked: int) -> None:
    if n_added < n_asked:
        raise ParameterError(f"{n_added} projections were given, stripes need {n_asked}")


def _narrow_part(image: FloatImage) -> FloatImage:
    """Weaken what is wide and stands out of the row, with the columns beside it."""
    mean = ndimage.uniform_filter1d(image, _WIDE_COLUMNS, axis=1, mode="nearest")
    # What errors of single pixels leave in such a mean; the median is deaf to what stands out.
    sigma = 1.4826 * np.median(np.abs(image - mean), axis=1, keepdims=True)
    limit = np.float32(_WIDE_LIMIT / np.sqrt(_WIDE_COLUMNS)) * sigma
    highest = ndimage.maximum_filter1d(np.abs(image), _WIDE_COLUMNS, axis=1, mode="nearest")
    wide = np.where(np.abs(mean) > _WIDE_SHARE * highest, np.abs(mean), np.float32(0.0))
    beside = ndimage.maximum_filter1d(wide, _BESIDE_COLUMNS, axis=1, mode="nearest")
    share = np.where(beside > limit, limit / np.maximum(beside, np.finfo(np.float32).tiny), 1.0)
    return np.asarray(image * share, np.float32)


def _medians(lines: FloatImage) -> FloatImage:
    """Give the median of each line, which is sorted: several times as fast as np.median."""
    lines.sort(axis=1)
    last = lines.shape[1] - 1
    return np.float32(0.5) * (lines[:, last // 2] + lines[:, last - last // 2])


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
