"""Which pixels see nothing, and between which others of their row they lie."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatImage

# Of the row's median beam: one that sees less is broken, or stands where there is no beam.
_LEAST_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadPixels:
    """Dead pixels in rising order of (row, column), and what stands in for them.

    Parameters
    ----------
    places
        Row and column, shape (n_dead, 2).
    bridges
        Columns of the nearest live pixels on both sides, the same twice at a border, and -1 in a
        row without any; shape (n_dead, 2).
    shares
        How far between them each lies, 0 to 1, shape (n_dead,), float32.
    is_live
        Which pixels are not dead, shape (n_rows, n_columns).
    """

    places: NDArray[np.int32]
    bridges: NDArray[np.int32]
    shares: NDArray[np.float32]
    is_live: NDArray[np.bool_]


def find_dead_pixels(beams: FloatImage) -> NDArray[np.bool_]:
    """Tell which pixels see no beam, each row by itself.

    Parameters
    ----------
    beams
        Flats less dark, shape (n_beams, n_rows, n_columns); a pixel must see all of them.

    Returns
    -------
    NDArray[np.bool_]
        Shape (n_rows, n_columns). Non-finite pixels are dead.
    """
    least = np.where(np.isfinite(beams), beams, 0.0).min(axis=0)
    floor = np.maximum(_LEAST_SHARE * np.median(least, axis=1, keepdims=True), 0.0)
    return np.asarray(~np.isfinite(beams).all(axis=0) | (least <= floor))


def bridge_dead_pixels(is_dead: NDArray[np.bool_]) -> DeadPixels:
    """Find the live neighbours of dead pixels in their row.

    Parameters
    ----------
    is_dead
        Shape (n_rows, n_columns).
    """
    places = np.argwhere(is_dead).astype(np.int32)
    bridges = np.full(places.shape, -1, np.int32)
    shares = np.zeros(len(places), np.float32)
    for row in np.flatnonzero(is_dead.any(axis=1)):
        live = np.flatnonzero(~is_dead[row])
        if live.size == 0:
            continue
        of_row = places[:, 0] == row
        dead = places[of_row, 1]
        right = np.clip(np.searchsorted(live, dead), 0, live.size - 1)
        left = np.clip(right - 1, 0, live.size - 1)
        left = np.where(live[right] < dead, right, left)
        right = np.where(live[left] > dead, left, right)
        span = np.maximum(live[right] - live[left], 1)
        bridges[of_row] = np.stack([live[left], live[right]], axis=1)
        shares[of_row] = np.clip((dead - live[left]) / span, 0.0, 1.0)
    return DeadPixels(places=places, bridges=bridges, shares=shares, is_live=~is_dead)
