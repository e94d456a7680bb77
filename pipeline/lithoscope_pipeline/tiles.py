"""Vertical tiles of a scan laid together into one volume.

Tiles are taken minutes apart and each is reconstructed about its own rotation axis. Each is moved
as a rigid body to where the one below it has what both show, and where several show the same
slice they are blended, each by its distance from its own border.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatImage, FloatVolume
from lithoscope_pipeline.tile_match import TileShift, Vector3

#: A shift this close to whole voxels is taken as whole: moving by less would only blur.
_WHOLE_WITHIN_PX: Final = 0.05
#: Reach of the interpolation on either side, voxels.
_LOBES: Final = 3

Taps = NDArray[np.float32]
#: Gives slices ``first`` to ``last`` (not included) of a tile, shape (n, y, x).
ReadTile = Callable[[int, int, int], FloatVolume]


@dataclass(frozen=True, slots=True, kw_only=True)
class TilePlace:
    """Where a tile lies in the volume.

    Parameters
    ----------
    n_rows
        Slices of the tile.
    origin_px
        Place (z, y, x) of its first voxel in the volume; fractions of a voxel included.
    offset_per_cm
        Grey that is taken off it, 1/cm.
    """

    n_rows: int
    origin_px: Vector3
    offset_per_cm: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TileLayout:
    """All tiles of a volume, the lowest first; the volume has the frame of that one.

    Parameters
    ----------
    places
        One a tile.
    """

    places: tuple[TilePlace, ...]

    @property
    def n_rows(self) -> int:
        """Slices of the volume."""
        ends = (each.origin_px[0] + each.n_rows for each in self.places)
        return int(np.floor(max(ends) + _WHOLE_WITHIN_PX))


def lay_out_tiles(
    n_rows: Sequence[int], overlaps: Sequence[int], shifts: Sequence[TileShift]
) -> TileLayout:
    """Place tiles by what each shares with the one below it.

    Parameters
    ----------
    n_rows
        Slices of each tile.
    overlaps
        Slices that each tile but the first shares with the one below it.
    shifts
        Of each tile but the first against the one below it.

    Raises
    ------
    ShapeError
        If the counts do not go together.
    ParameterError
        If an overlap is larger than a tile, or a tile would lie below the one before it.
    """
    if not n_rows or not len(n_rows) - 1 == len(overlaps) == len(shifts):
        raise ShapeError(
            f"{len(n_rows)} tiles, {len(overlaps)} overlaps and {len(shifts)} shifts given; one "
            "overlap and one shift for each tile but the first are needed"
        )
    places = [TilePlace(n_rows=n_rows[0], origin_px=(0.0, 0.0, 0.0))]
    for below, count, overlap, found in zip(n_rows, n_rows[1:], overlaps, shifts, strict=False):
        if not 1 <= overlap <= min(below, count):
            raise ParameterError(
                f"an overlap of {overlap} slices is impossible between tiles of {below} and "
                f"{count}; give the rows that they share"
            )
        last = places[-1]
        dz, dy, dx = (_whole(value) for value in found.shift_px)
        z, y, x = last.origin_px
        origin = (z + below - overlap - dz, y - dy, x - dx)
        if origin[0] <= z:
            raise ParameterError(
                f"a tile would begin at slice {origin[0]:.1f}, below the one before it at "
                f"{z:.1f}; number tiles from the lowest rows on"
            )
        places.append(
            TilePlace(
                n_rows=count,
                origin_px=origin,
                offset_per_cm=last.offset_per_cm + found.offset_per_cm,
            )
        )
    return TileLayout(places=tuple(places))


def stitch_slab(layout: TileLayout, first: int, last: int, read: ReadTile) -> FloatVolume:
    """Make some slices of the volume from those of the tiles.

    Each slice has the same bytes however the volume is cut into slabs.

    Parameters
    ----------
    layout
        Where the tiles lie.
    first, last
        Slices of the volume, half open.
    read
        Reads slices of a tile.

    Returns
    -------
    FloatVolume
        Shape (last - first, y, x), 1/cm.

    Raises
    ------
    ParameterError
        If the slices lie outside the volume.
    """
    if not 0 <= first < last <= layout.n_rows:
        raise ParameterError(
            f"slices {first} to {last} were asked for, the volume has 0 to {layout.n_rows}"
        )
    slices = zip(*(_placed(each, tile, first, last, read) for tile, each in
                   enumerate(layout.places)), strict=True)  # fmt: skip
    made = [_blend(found) for found in slices]
    return np.stack(made)


def _placed(
    place: TilePlace, tile: int, first: int, last: int, read: ReadTile
) -> Iterator[tuple[float, FloatImage | None]]:
    """Give weight and pixels of each slice of the volume as a tile shows it."""
    at_z = np.arange(first, last) - place.origin_px[0]
    seen = (at_z > -0.5) & (at_z < place.n_rows - 0.5)
    if not seen.any():
        yield from itertools.repeat((0.0, None), last - first)
        return
    low = max(0, int(np.floor(at_z[seen].min())) - _LOBES)
    high = min(place.n_rows, int(np.ceil(at_z[seen].max())) + _LOBES + 1)
    slices = read(tile, low, high)
    for z, is_seen in zip(at_z, seen, strict=True):
        if not is_seen:
            yield 0.0, None
            continue
        border = min(z + 1.0, place.n_rows - z)
        yield float(border), _moved(slices, z - low, place)


def _blend(found: Sequence[tuple[float, FloatImage | None]]) -> FloatImage:
    """Average what the tiles show of one slice."""
    total = sum(weight for weight, _ in found)
    parts = [(weight / total, image) for weight, image in found if image is not None]
    if len(parts) == 1:
        return parts[0][1]
    blended = np.zeros_like(parts[0][1])
    for weight, image in parts:
        blended += np.float32(weight) * image
    return blended


def _moved(slices: FloatVolume, z: float, place: TilePlace) -> FloatImage:
    """Give the slice at a height between slices, moved in its plane into the volume."""
    begin, taps = _taps(z)
    chosen = np.clip(np.arange(begin, begin + len(taps)), 0, len(slices) - 1)
    image = slices[chosen[0]].astype(np.float32)
    if len(taps) > 1:
        image *= taps[0]
        for number, tap in zip(chosen[1:], taps[1:], strict=True):
            image += tap * slices[number]
    begin_y, taps_y = _taps(-place.origin_px[1])
    begin_x, taps_x = _taps(-place.origin_px[2])
    if (begin_y, begin_x, taps_y.size, taps_x.size) != (0, 0, 1, 1):
        moved = np.empty_like(image)
        _interpolate(image, taps_y, begin_y, taps_x, begin_x, moved)
        image = moved
    if place.offset_per_cm:
        image -= np.float32(place.offset_per_cm)
    return image


@njit(cache=True, nogil=True)
def _interpolate(  # Any: specialised on the dtype
    image: Any, taps_y: Any, begin_y: int, taps_x: Any, begin_x: int, out: Any
) -> None:
    """Weigh the pixels from ``begin`` on along y, then along x; borders are repeated."""
    n_y, n_x = image.shape
    n_taps = taps_x.size
    sums = np.empty(n_x, np.float32)
    for y in range(n_y):
        sums[:] = np.float32(0.0)
        for number in range(taps_y.size):
            source = image[min(max(y + begin_y + number, 0), n_y - 1)]
            for x in range(n_x):
                sums[x] += taps_y[number] * source[x]
        line = out[y]
        line[:] = np.float32(0.0)
        for number in range(n_taps):
            shift, tap = begin_x + number, taps_x[number]
            first, last = min(max(0, -shift), n_x), max(min(n_x, n_x - shift), 0)
            for x in range(first, last):
                line[x] += tap * sums[x + shift]
            for x in range(first):
                line[x] += tap * sums[0]
            for x in range(max(last, first), n_x):
                line[x] += tap * sums[n_x - 1]


def _taps(at: float) -> tuple[int, Taps]:
    """Give the first place and the weights that interpolate at a place, by windowed sinc."""
    whole = int(np.floor(at + _WHOLE_WITHIN_PX))
    fraction = at - whole
    if abs(fraction) < _WHOLE_WITHIN_PX:
        return whole, np.ones(1, np.float32)
    distance = np.arange(1 - _LOBES, _LOBES + 1) - fraction
    weights = np.sinc(distance) * np.sinc(distance / _LOBES)
    return whole + 1 - _LOBES, (weights / weights.sum()).astype(np.float32)


def _whole(value: float) -> float:
    return float(round(value)) if abs(value - round(value)) < _WHOLE_WITHIN_PX else value
