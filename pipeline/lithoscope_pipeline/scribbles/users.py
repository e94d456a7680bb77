"""People who paint, by script: an own idea of where the faces lie, and strokes inside it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import LabelVolume
from lithoscope_pipeline.labels import UNLABELLED

COVERAGES: Final = (0.10, 0.25, 0.35, 0.50, 0.65)
_STROKE_PX: Final = 60
_TURN_RAD: Final = 0.15  # change of direction from pixel to pixel, standard deviation
_ASIDE_RAD: Final = np.array([0, 0.3, -0.3, 0.6, -0.6, 0.9, -0.9, 1.2, -1.2])
_N_PATHS: Final = 512  # then the same paths from other pixels, in other directions
_WOBBLE_SCALE_PX: Final = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedUser:
    """How somebody paints.

    Parameters
    ----------
    seed
        Makes every random choice; another seed is another person.
    thickness_px
        Diameter of the brush.
    face_bias_px
        Standard deviation, over people, of how far they see a face moved all along.
    face_wobble_px
        Standard deviation along a face of where somebody thinks it lies.
    """

    seed: int
    thickness_px: float = 3.0
    face_bias_px: float = 0.2
    face_wobble_px: float = 0.5


def perceive(truth: LabelVolume, user: ScriptedUser) -> LabelVolume:
    """Give what somebody believes a slice to show.

    Each face is moved by a bias of the person and a smooth random wobble; pixels that far from a
    face stay as they are. `UNLABELLED` stays `UNLABELLED`.

    Parameters
    ----------
    truth
        Class of each pixel, shape (rows, columns), uint8.
    user
        Who looks.
    """
    if truth.ndim != 2:
        raise ShapeError(f"truth has shape {truth.shape}, (rows, columns) is needed")
    rng = np.random.default_rng([user.seed, 1])
    classes = [each for each in np.unique(truth) if each != UNLABELLED]
    outside_px = []
    for class_ in classes:
        inside = truth == class_
        # The face lies half a pixel from the middle of the pixels on both of its sides.
        distance_px = np.where(
            inside,
            0.5 - ndimage.distance_transform_edt(inside),
            ndimage.distance_transform_edt(~inside) - 0.5,
        )
        wobble = ndimage.gaussian_filter(rng.standard_normal(truth.shape), _WOBBLE_SCALE_PX)
        wobble *= user.face_wobble_px / max(float(wobble.std()), 1e-12)
        bias_px = user.face_bias_px * rng.standard_normal()
        # Two classes meet where these are equal: half the difference, by two independent draws.
        outside_px.append(distance_px - np.sqrt(2) * (wobble + bias_px))
    if not classes:
        return truth.copy()
    believed = np.asarray(classes, np.uint8)[np.argmin(outside_px, axis=0)]
    return np.where(truth == UNLABELLED, truth, believed)


def draw_strokes(truth: LabelVolume, user: ScriptedUser, *, coverage: float) -> LabelVolume:
    """Paint strokes over a share of a slice.

    A stroke begins in an unpainted pixel, wanders, turns aside where its class ends, and stops
    where it cannot; the brush paints only what the person believes to be of that class. Each
    class gets the same share of its pixels painted.

    Parameters
    ----------
    truth
        Class of each pixel, shape (rows, columns), uint8.
    user
        Who paints.
    coverage
        Share of the pixels of each class that is painted, over 0, at most 1.

    Returns
    -------
    LabelVolume
        Class of the painted pixels, `UNLABELLED` elsewhere; the same for the same user. More
        coverage adds strokes to the same first ones.
    """
    if not 0 < coverage <= 1:
        raise ParameterError(f"coverage is {coverage}; give a share over 0, at most 1")
    believed = perceive(truth, user)
    painted = np.full(truth.shape, UNLABELLED, np.uint8)
    radius = user.thickness_px / 2
    for class_ in np.unique(believed[believed != UNLABELLED]):
        rng = np.random.default_rng([user.seed, 2, int(class_)])
        starts = rng.permutation(np.flatnonzero(believed == class_))
        turns = rng.standard_normal((_N_PATHS, _STROKE_PX)) * _TURN_RAD
        headings = rng.uniform(0, 2 * np.pi, len(starts))
        n_wanted = max(round(coverage * len(starts)), 1)
        _paint(painted, believed, class_, starts, headings, turns, radius, n_wanted)
    return painted


@njit(cache=True, nogil=True)
def _paint(
    painted: LabelVolume,
    believed: LabelVolume,
    class_: int,
    starts: NDArray[np.intp],
    headings: NDArray[np.float64],
    turns: NDArray[np.float64],
    radius_px: float,
    n_wanted: int,
) -> None:
    n_rows, n_columns = believed.shape
    reach = int(np.ceil(radius_px))
    n_painted = 0
    for number in range(starts.shape[0]):
        row, column = float(starts[number] // n_columns), float(starts[number] % n_columns)
        if painted[int(row), int(column)] == class_:
            continue
        heading = headings[number]
        for step in range(turns.shape[1]):
            at_row, at_column = round(row), round(column)
            if not (0 <= at_row < n_rows and 0 <= at_column < n_columns):
                break
            if believed[at_row, at_column] != class_:
                break
            for i in range(max(at_row - reach, 0), min(at_row + reach + 1, n_rows)):
                for j in range(max(at_column - reach, 0), min(at_column + reach + 1, n_columns)):
                    is_near = (i - at_row) ** 2 + (j - at_column) ** 2 <= radius_px**2
                    if is_near and believed[i, j] == class_ and painted[i, j] != class_:
                        if n_painted == n_wanted:
                            return
                        painted[i, j] = class_
                        n_painted += 1
            heading += turns[number % turns.shape[0], step]
            heading += _aside_rad(believed, class_, row, column, heading)
            row += np.sin(heading)
            column += np.cos(heading)


@njit(cache=True, nogil=True)
def _aside_rad(
    believed: LabelVolume, class_: int, row: float, column: float, heading: float
) -> float:
    """Give the least turn after which the class goes on for two pixels, or none."""
    for number in range(_ASIDE_RAD.shape[0]):
        i = round(row + 2 * np.sin(heading + _ASIDE_RAD[number]))
        j = round(column + 2 * np.cos(heading + _ASIDE_RAD[number]))
        is_inside = 0 <= i < believed.shape[0] and 0 <= j < believed.shape[1]
        if is_inside and believed[i, j] == class_:
            return float(_ASIDE_RAD[number])
    return 0.0
