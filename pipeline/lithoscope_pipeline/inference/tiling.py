"""Overlapping tiles over a slice, and the weights with which their logits are averaged."""

from dataclasses import dataclass

import numpy as np

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import FloatImage

OVERLAP = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class TilePlan:
    """Where tiles lie on a slice; it depends on the slice alone, never on slab or batch.

    Parameters
    ----------
    shape
        Pixels (rows, columns) of the slice.
    tile
        Pixels of a tile.
    starts
        First row and column of each tile, row by row; the last tiles end at the rim, and a
        slice smaller than a tile has one that reaches beyond it.
    """

    shape: tuple[int, int]
    tile: tuple[int, int]
    starts: tuple[tuple[int, int], ...]

    @property
    def padded_shape(self) -> tuple[int, int]:
        """Pixels of the slice with what tiles need beyond its rim."""
        return max(self.shape[0], self.tile[0]), max(self.shape[1], self.tile[1])

    @property
    def is_single(self) -> bool:
        """Whether one tile covers the slice, so that nothing is blended."""
        return len(self.starts) == 1


def plan_tiles(
    shape: tuple[int, int],
    *,
    largest: tuple[int, int],
    divisor: int = 1,
    is_fixed: bool = False,
    overlap: float = OVERLAP,
) -> TilePlan:
    """Cover a slice with equal tiles that overlap.

    Parameters
    ----------
    shape
        Pixels (rows, columns) of the slice.
    largest
        Pixels of a tile at most, multiples of ``divisor``.
    divisor
        The edges of a tile are multiples of it.
    is_fixed
        Whether tiles have the largest size always; otherwise a slice that is smaller gets a
        smaller tile.
    overlap
        Share of a tile that it has in common with its neighbour, at least.

    Returns
    -------
    TilePlan
        At least one tile.

    Raises
    ------
    ParameterError
        If the slice is empty, the tiles do not fit the divisor, or the overlap is not in [0, 1).
    """
    if min(shape) < 1:
        raise ParameterError(f"slice of shape {shape} given, at least one pixel is needed")
    if divisor < 1 or min(largest) < 1 or any(edge % divisor for edge in largest):
        raise ParameterError(f"tile {largest} must be a multiple of {divisor} pixels")
    if not 0 <= overlap < 1:
        raise ParameterError(f"overlap is {overlap}, it must lie in 0 to 1, 1 excluded")
    rows, columns = (
        edge if is_fixed else min(edge, -(-n // divisor) * divisor)
        for edge, n in zip(largest, shape, strict=True)
    )
    starts = tuple(
        (row, column)
        for row in _starts(shape[0], rows, overlap)
        for column in _starts(shape[1], columns, overlap)
    )
    return TilePlan(shape=shape, tile=(rows, columns), starts=starts)


def blend_weights(tile: tuple[int, int], overlap: float = OVERLAP) -> FloatImage:
    """Give the weight of each pixel of a tile: full inside, falling to the rim.

    Parameters
    ----------
    tile
        Pixels (rows, columns).
    overlap
        Share of a tile over which it falls.

    Returns
    -------
    FloatImage
        Greater than 0, at most 1, shape of the tile: the product of two ramps.
    """
    rows, columns = (_ramp(n, overlap) for n in tile)
    return np.asarray(rows[:, None] * columns[None, :], np.float32)


def _starts(n: int, tile: int, overlap: float) -> list[int]:
    if n <= tile:
        return [0]
    step = max(1, int(tile * (1.0 - overlap)))
    count = -(-(n - tile) // step) + 1
    # Evenly spread, so that no two neighbours share more than others.
    return [round(k * (n - tile) / (count - 1)) for k in range(count)]


def _ramp(n: int, overlap: float) -> FloatImage:
    width = max(1.0, n * overlap)
    place = np.arange(n) + 0.5
    return np.asarray(np.minimum(1.0, np.minimum(place, n - place) / width), np.float32)
