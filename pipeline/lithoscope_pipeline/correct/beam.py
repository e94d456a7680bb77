"""The open beam of each projection as a sum of a few images made of flats."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.correct.correction import CountStack, Flats, FlatSet
from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatImage, FloatStack

_LEAST_FRAMES: Final = 3
_HIT_SHARE: Final = 0.15  # of the row's median; a weaker hit drowns in the mean of ten frames
# The smaller half of ten normal numbers spreads by 0.5 of their standard deviation: 10 are 5.
_HIT_SIGMAS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EigenBeam:
    """What all rows of a scan share when the beam is fitted to each projection.

    Parameters
    ----------
    combinations
        Each image as a sum of flats, all sets one after the other, shape (n_beams, n_flats).
    weights
        The beam of each projection as a sum of these images, shape (n_angles, n_beams), float32.
    """

    combinations: NDArray[np.float64]
    weights: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beam:
    """Images of the open beam of some rows.

    Parameters
    ----------
    images
        Counts less dark, shape (n_beams, n_rows, n_columns), float32.
    positions
        Projections taken before each image, shape (n_beams,), rising; empty where the weights
        are given.
    weights
        Of each projection of the scan, shape (n_angles, n_beams); None where they follow from
        the positions.
    """

    images: FloatStack
    positions: NDArray[np.float64]
    weights: NDArray[np.float32] | None = None

    def weights_of(self, indices: NDArray[np.intp]) -> NDArray[np.float32]:
        """Give the share of each image in the beam of projections.

        Parameters
        ----------
        indices
            Numbers of the projections in the order of acquisition, shape (n_angles,).

        Returns
        -------
        NDArray[np.float32]
            Shape (n_angles, n_beams), C order.

        Raises
        ------
        ParameterError
            If the weights are given and not for all of these projections.
        """
        if self.weights is not None:
            if indices.size and not 0 <= indices.min() <= indices.max() < len(self.weights):
                raise ParameterError(
                    f"the beam is known of projections 0 to {len(self.weights) - 1}, and "
                    f"{indices.min()} to {indices.max()} are to be corrected; fit it to all"
                )
            return np.ascontiguousarray(self.weights[indices])
        shares = np.zeros((indices.size, len(self.positions)))
        if len(self.positions) == 1:
            shares[:] = 1.0
            return shares.astype(np.float32)
        # A projection is exposed around the middle of its number and the next one.
        at = np.clip(indices + 0.5, self.positions[0], self.positions[-1])
        after = np.clip(np.searchsorted(self.positions, at), 1, len(self.positions) - 1)
        first, last = self.positions[after - 1], self.positions[after]
        share = (at - first) / (last - first)
        angles = np.arange(indices.size)
        shares[angles, after - 1] = 1.0 - share
        shares[angles, after] = share
        return shares.astype(np.float32)


def flat_sets(flats: Flats) -> tuple[FlatSet, ...]:
    """Give flats as sets in the order of acquisition; a plain stack lies before the projections.

    Raises
    ------
    ShapeError
        If there is none.
    """
    if isinstance(flats, np.ndarray):
        return (FlatSet(frames=flats),)
    if not flats:
        raise ShapeError("no flats given, at least one frame (row, column) is needed")
    return tuple(sorted(flats, key=lambda each: each.position))


def mean_frame(frames: CountStack, name: str) -> FloatImage:
    """Average frames pixel by pixel, without direct hits.

    A count is a direct hit if it exceeds the mean of the others, of three or more frames, by more
    than their noise allows, and by so much that it matters.

    Parameters
    ----------
    frames
        Counts, shape (n_frames, n_rows, n_columns) or already averaged (n_rows, n_columns).
    name
        What they are, for messages.

    Returns
    -------
    FloatImage
        Shape (n_rows, n_columns), float32; sums are made in float64.

    Raises
    ------
    ShapeError
        If there is no frame.
    """
    if frames.ndim == 2:
        return frames.astype(np.float32)
    if frames.ndim != 3 or frames.shape[0] == 0:
        raise ShapeError(
            f"{name} of shape {frames.shape} given, at least one frame (row, column) is needed"
        )
    mean = np.empty(frames.shape[1:], np.float32)
    thresholds = np.full(frames.shape[1], np.inf)
    if len(frames) >= _LEAST_FRAMES:
        thresholds = _HIT_SHARE * np.median(frames[0], axis=1).astype(np.float64)
    _average(frames, thresholds, mean)
    return mean


def mean_of_sets(sets: Sequence[FlatSet]) -> FloatImage:
    """Average the frames of several sets, each frame with the same weight."""
    total = np.zeros(sets[0].frames.shape[-2:], np.float64)
    n_frames = 0
    for each in sets:
        count = 1 if each.frames.ndim == 2 else len(each.frames)
        total += count * mean_frame(each.frames, "flats").astype(np.float64)
        n_frames += count
    return (total / n_frames).astype(np.float32)


def sum_frames(
    combinations: NDArray[np.float64], frames: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Add up frames, one after the other, so that a pixel does not depend on the others.

    Parameters
    ----------
    combinations
        Factor of each frame in each sum, shape (n_sums, n_frames).
    frames
        Shape (n_frames, n_rows, n_columns).

    Returns
    -------
    NDArray[np.float64]
        Shape (n_sums, n_rows, n_columns).
    """
    sums = np.zeros((len(combinations), *frames.shape[1:]))
    for factors, total in zip(combinations, sums, strict=True):
        for factor, frame in zip(factors, frames, strict=True):
            total += factor * frame
    return sums


@numba.njit(cache=True, nogil=True)
def _average(frames: Any, thresholds: Any, out: Any) -> None:  # Any: specialised on the dtype
    n_frames, n_rows, n_columns = frames.shape
    total, largest = np.empty(n_columns), np.empty(n_columns)
    for row in range(n_rows):
        total[:] = 0.0
        largest[:] = -np.inf
        for frame in range(n_frames):
            for column in range(n_columns):
                value = np.float64(frames[frame, row, column])
                total[column] += value
                largest[column] = max(largest[column], value)
        for column in range(n_columns):
            out[row, column] = total[column] / n_frames
            rest = (total[column] - largest[column]) / max(n_frames - 1, 1)
            if largest[column] - rest > thresholds[row]:
                values = frames[:, row, column].astype(np.float64)
                out[row, column] = _mean_without_hits(values, thresholds[row])


@numba.njit(cache=True, nogil=True)
def _mean_without_hits(values: Any, threshold: float) -> float:
    """Average rising values until one stands out from those before, which are half at least."""
    values.sort()
    total, squares = values[0], 0.0
    for number in range(1, values.size):
        mean = total / number
        away = values[number] - mean
        least = max(threshold, _HIT_SIGMAS * np.sqrt(squares / number))
        if number > values.size // 2 and away > least:
            return mean
        total += values[number]
        squares += away * (values[number] - total / (number + 1))  # Welford's sum of squares
    return total / values.size
