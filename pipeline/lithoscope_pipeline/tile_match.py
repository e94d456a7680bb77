"""How a vertical tile of a scan lies on the one below it: rows that they share, and their shift.

The layers of a flat cell look the same at every height, and so do many rings: what tells heights
apart is what changes along z. All correlations are therefore taken after the mean over z is gone.
Slices are correlated plane by plane with the fast Fourier transform, and the sums over the planes
compared for each height; a parabola through the highest point gives the fraction of a voxel [1]_.

References
----------
.. [1] M. Guizar-Sicairos, S. T. Thurman and J. R. Fienup, Opt. Lett. 33, 156 (2008).
   doi:10.1364/OL.33.000156
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatImage, FloatVolume
from lithoscope_pipeline.ring_arcs import without_rings

Vector3 = tuple[float, float, float]
Spectra = NDArray[np.complexfloating]
TileVerdict = Literal["first", "resolved", "unresolved"]

#: Edge of a signature, in blocks: coarse enough to be free of noise, fine enough for dendrites.
SIGNATURE_EDGE: Final = 48
#: Blocks by which tiles may be shifted against each other while their overlap is looked for.
_NEAR_BLOCKS: Final = 4
#: Cells have structure in common by chance, at a third or so of what is their own.
_MIN_SHARE_OF_USUAL: Final = 0.5
#: Tiles that share more than this part of their rows are not looked for: what the rows of the
#: detector and the ends of a phase filter have in common would match best where all rows do.
_MOST_SHARED: Final = 0.8
#: Smallest overlap that can be recognised.
MIN_OVERLAP_ROWS: Final = 4
#: Share of a slice, along an edge, that lies within the view at every angle.
_INNER_SHARE: Final = 0.66
#: More columns than this tell no more.
_MAX_EDGE_PX: Final = 1024
#: Spread of the structure that slices are matched by, voxels: noise is finer, gradients coarser.
_FINE_PX: Final = 1.2
_COARSE_PX: Final = 12.0
#: A match must stand so many standard deviations above chance.
_MIN_SIGNIFICANCE: Final = 7.0
#: Parts of it a little less: their shift is looked for within a few voxels only.
_MIN_PART_SIGNIFICANCE: Final = 5.0
#: An overlap so many, counted with caution,
_MIN_LIKENESS: Final = 5.5
#: and the best one that is not on the same hill must be so much worse.
_MIN_LEAD: Final = 1.5
_N_PARTS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Rows that two tiles share.

    Parameters
    ----------
    rows
        The last so many slices of the lower tile show what the first of the upper one do.
    significance
        Standard deviations by which the match stands above chance.
    is_resolved
        Whether it may be believed.
    """

    rows: int
    significance: float
    is_resolved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TileShift:
    """Where what a tile shows lies against where the tile below shows it.

    Parameters
    ----------
    shift_px
        What lies at p in the lower one lies at p + shift in the upper one: (z, y, x), voxels,
        beside the rows that the overlap already says.
    residual_px
        How far parts of the slices are off that one shift, root mean square over the parts;
        None if less than two parts can be matched for themselves.
    significance
        Standard deviations by which the match stands above chance.
    offset_per_cm
        Mean grey of the upper one minus that of the lower one where both show the same, 1/cm.
    verdict
        ``resolved``, or ``unresolved``: then the shift is zero, for nothing better is known.
    """

    shift_px: Vector3
    residual_px: float | None
    significance: float
    offset_per_cm: float
    verdict: TileVerdict


def matching_columns(n_columns: int) -> slice:
    """Give the part of the rows and columns of a slice that tiles are matched by.

    It lies within the view at every angle and has the rotation axis in its middle.
    """
    edge = min(_MAX_EDGE_PX, int(_INNER_SHARE * n_columns))
    first = (n_columns - edge) // 2
    return slice(first, n_columns - first)


def slice_signatures(slices: FloatVolume) -> FloatImage:
    """Shrink slices to what tells them apart at a glance.

    Parameters
    ----------
    slices
        The part of them that :func:`matching_columns` names, shape (n_slices, y, x), 1/cm.

    Returns
    -------
    FloatImage
        Means of square blocks of each slice, shape (n_slices, blocks_y, blocks_x).

    Raises
    ------
    ShapeError
        If they are no slices.
    """
    if slices.ndim != 3 or min(slices.shape) < 1:
        raise ShapeError(f"slices of shape {slices.shape} given, (z, y, x) is needed")
    edge = min(SIGNATURE_EDGE, *slices.shape[1:])
    block_y, block_x = (n // edge for n in slices.shape[1:])
    cut = slices[:, : edge * block_y, : edge * block_x]
    blocks = cut.reshape(len(cut), edge, block_y, edge, block_x)
    means = blocks.mean(axis=(2, 4), dtype=np.float64)
    return np.ascontiguousarray(means, dtype=np.float32)


def find_overlap(
    lower: FloatVolume, upper: FloatVolume, *, rows: tuple[int, int] | None = None
) -> Overlap:
    """Find how many slices two tiles share, whatever their shift in the plane is.

    Parameters
    ----------
    lower, upper
        Signatures of all slices of the two tiles, shape (n_slices, blocks_y, blocks_x).
    rows
        Smallest and largest overlap that is looked for; by default all that can be recognised, up
        to four fifths of the tiles.

    Returns
    -------
    Overlap
        The best one, and whether it may be believed.

    Raises
    ------
    ShapeError
        If the tiles have other blocks, or too few slices.
    """
    least, most = rows or (0, int(_MOST_SHARED * min(len(lower), len(upper))))
    least, most = max(least, MIN_OVERLAP_ROWS), min(most, len(lower), len(upper))
    if lower.ndim != 3 or lower.shape[1:] != upper.shape[1:] or least > most:
        raise ShapeError(
            f"signatures of {lower.shape} and {upper.shape} given; the same blocks and at least "
            f"{least} slices are needed"
        )
    counts = np.arange(least, most + 1)
    below, above = (scipy.fft.rfft2(_without_trend(each), workers=1) for each in (lower, upper))
    shape = lower.shape[1], lower.shape[2]
    alike = np.array([_likeness(below[len(below) - n :], above[:n], shape) for n in counts])
    # In standard deviations of chance: neighbouring slices count once a few, blocks each.
    scores = alike * np.sqrt(counts * shape[0] * shape[1] / _COARSE_PX)
    best = int(np.argmax(scores))
    # What two tiles share should be as alike as slices next to each other are in one of them.
    usual = min(_likeness(each[:-1], each[1:], shape) for each in (below, above))
    first, last = _hill(scores, best)
    second = max(float(np.delete(scores, np.s_[first:last]).max(initial=0.0)), 0.0)
    score = float(scores[best])
    return Overlap(
        rows=int(counts[best]),
        significance=score,
        is_resolved=bool(
            score > _MIN_LIKENESS
            and score > _MIN_LEAD * second
            and alike[best] > _MIN_SHARE_OF_USUAL * usual
        ),
    )


def find_tile_shift(
    lower: FloatVolume, upper: FloatVolume, *, max_shift_px: tuple[int, int] = (3, 8)
) -> TileShift:
    """Find the rigid shift between two tiles from the slices that they share.

    Parameters
    ----------
    lower, upper
        The same slices of both, as far as the overlap is known: the part of them that
        :func:`matching_columns` names, shape (n_slices, y, x), 1/cm.
    max_shift_px
        Largest shift looked for: along z, and in the plane.

    Returns
    -------
    TileShift
        Shift, residual and verdict.

    Raises
    ------
    ShapeError
        If the shapes differ.
    ParameterError
        If a largest shift is negative, or leaves less than two slices.
    """
    if lower.shape != upper.shape or lower.ndim != 3:
        raise ShapeError(
            f"slices of {lower.shape} and {upper.shape} given; the same of both are needed"
        )
    max_z, max_plane = min(max_shift_px[0], len(lower) - 2), max_shift_px[1]
    if max_z < 0 or max_plane < 1:
        raise ParameterError(
            f"max_shift_px is {max_shift_px} for {len(lower)} slices; at least two slices and one "
            "voxel in the plane are needed"
        )
    middle = np.array([0.5 * (n - 1) for n in lower.shape[1:]])
    below, above = (without_rings(each, [middle]) for each in (lower, upper))
    peak = _match(below, above, max_z, max_plane)
    is_resolved = peak.significance > _MIN_SIGNIFICANCE and not peak.is_at_border
    if not is_resolved:
        offset = float(upper.mean(dtype=np.float64) - lower.mean(dtype=np.float64))
        return TileShift(
            shift_px=(0.0, 0.0, 0.0),
            residual_px=None,
            significance=peak.significance,
            offset_per_cm=offset,
            verdict="unresolved",
        )
    # Once more with what both show, and with the rings of both taken off either: a window that
    # cuts different parts and rings about one place only draw the peak towards zero.
    whole = (round(peak.shift_px[0]), round(peak.shift_px[1]), round(peak.shift_px[2]))
    lower, upper = _common(lower, upper, whole)
    here = middle - np.maximum(0, np.negative(whole[1:]))
    there = here - np.array(peak.shift_px[1:])
    below, above = (without_rings(each, [here, there]) for each in (lower, upper))
    near = _match(below, above, min(1, len(below) - 2), 2)
    z, y, x = (n + fraction for n, fraction in zip(whole, near.shift_px, strict=True))
    return TileShift(
        shift_px=(z, y, x),
        residual_px=_residual_px(below, above, near.shift_px),
        significance=near.significance,
        offset_per_cm=float(upper.mean(dtype=np.float64) - lower.mean(dtype=np.float64)),
        verdict="resolved",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Peak:
    shift_px: Vector3
    significance: float
    is_at_border: bool


def _without_trend(signatures: FloatVolume) -> NDArray[np.float64]:
    """Take away what stays the same over all slices or changes evenly."""
    flat = signatures.reshape(len(signatures), -1).astype(np.float64)
    height = np.linspace(-1.0, 1.0, len(signatures))
    basis = np.linalg.qr(np.stack([np.ones_like(height), height], axis=1))[0]
    rest: NDArray[np.float64] = (flat - basis @ (basis.T @ flat)).reshape(signatures.shape)
    return rest


def _likeness(below: Spectra, above: Spectra, shape: tuple[int, int]) -> float:
    """Give the correlation coefficient of spectra of slices, the best within a few blocks."""
    plane, size = _correlation(below, above, shape)
    near = np.roll(plane, (_NEAR_BLOCKS, _NEAR_BLOCKS), (0, 1))
    best = float(near[: 2 * _NEAR_BLOCKS + 1, : 2 * _NEAR_BLOCKS + 1].max())
    return best / size if size else 0.0


def _hill(scores: NDArray[np.float64], top: int) -> tuple[int, int]:
    """Give the range about a maximum in which there is no other one, half open."""
    first, last = top, top + 1
    while first > 0 and scores[first - 1] < scores[first]:
        first -= 1
    while last < len(scores) and scores[last] < scores[last - 1]:
        last += 1
    return first, last


def _common(
    lower: FloatVolume, upper: FloatVolume, shift: tuple[int, int, int]
) -> tuple[FloatVolume, FloatVolume]:
    """Cut out of both what both show, if what is at p below is at p + shift above."""
    here = tuple(slice(max(0, -s), n - max(0, s)) for s, n in zip(shift, lower.shape, strict=True))
    there = tuple(
        slice(max(0, s), n - max(0, -s)) for s, n in zip(shift, upper.shape, strict=True)
    )
    return lower[here], upper[there]


def _spectra(slices: FloatVolume) -> Spectra:
    """Give the spectra of slices without what all of them share, between fine and coarse."""
    n_y, n_x = slices.shape[1:]
    window = np.outer(np.hanning(n_y + 2)[1:-1], np.hanning(n_x + 2)[1:-1]).astype(np.float32)
    changing = slices - slices.mean(axis=0, dtype=np.float64).astype(np.float32)
    squared = np.square(scipy.fft.fftfreq(n_y))[:, None] + np.square(scipy.fft.rfftfreq(n_x))
    fine, coarse = (
        np.exp(-2.0 * np.pi**2 * sigma_px**2 * squared) for sigma_px in (_FINE_PX, _COARSE_PX)
    )
    band = (fine * (1.0 - coarse)).astype(np.float32)
    spectra = scipy.fft.rfft2(changing * window, axes=(1, 2), workers=1) * band
    return np.asarray(spectra, np.complex64)


def _match(lower: FloatVolume, upper: FloatVolume, max_z: int, max_plane: int) -> _Peak:
    """Find the best shift of slices against each other."""
    shape = lower.shape[1:]
    below, above = _spectra(lower), _spectra(upper)
    reach = min(max_plane, min(shape) // 2 - 1)
    planes, spreads = [], []
    for rise in range(-max_z, max_z + 1):
        first, last = max(0, -rise), min(len(below), len(below) - rise)
        plane, size = _correlation(
            below[first:last], above[first + rise : last + rise], (shape[0], shape[1])
        )
        plane /= size or 1.0
        spreads.append(float(np.std(plane)))
        planes.append(np.roll(plane, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1])
    cube = np.stack(planes)
    at = np.unravel_index(int(np.argmax(cube)), cube.shape)
    fraction = _fractions(cube, (int(at[0]), int(at[1]), int(at[2])))
    centre = (max_z, reach, reach)
    shift = tuple(float(i - c + f) for i, c, f in zip(at, centre, fraction, strict=True))
    is_inside = all(0 < i < n - 1 for i, n in zip(at, cube.shape, strict=True) if n > 1)
    spread = spreads[int(at[0])]
    return _Peak(
        shift_px=(shift[0], shift[1], shift[2]),
        significance=float(cube[at]) / spread if spread else 0.0,
        is_at_border=not is_inside,
    )


def _correlation(
    below: Spectra, above: Spectra, shape: tuple[int, int]
) -> tuple[NDArray[np.float64], float]:
    """Correlate slices with slices, one for one; also give the size that a perfect match has."""
    cross = np.einsum("zyx,zyx->yx", below.conj(), above)
    # Columns of a real transform stand for themselves and their mirror images, but for the ends.
    twice = np.full(below.shape[2], 2.0)
    twice[0] = 1.0
    if shape[1] % 2 == 0:
        twice[-1] = 1.0
    sizes = [
        float(np.square(np.abs(each)).sum(axis=(0, 1), dtype=np.float64) @ twice)
        for each in (below, above)
    ]
    plane = scipy.fft.irfft2(cross, s=shape, workers=1)
    return plane, float(np.sqrt(sizes[0] * sizes[1])) / (shape[0] * shape[1])


def _fractions(cube: NDArray[np.float64], at: tuple[int, int, int]) -> Iterator[float]:
    """Give the fraction of a voxel along each axis, from parabolas through the highest point."""
    for axis, place in enumerate(at):
        if not 0 < place < cube.shape[axis] - 1:
            yield 0.0
            continue
        index: list[int | slice] = list(at)
        index[axis] = slice(place - 1, place + 2)
        before, here, after = (float(value) for value in cube[tuple(index)])
        bend = before - 2.0 * here + after
        yield 0.0 if bend >= 0.0 else 0.5 * (before - after) / bend


def _residual_px(lower: FloatVolume, upper: FloatVolume, shift_px: Vector3) -> float | None:
    """Match parts of the slices for themselves, and say how far they are off the whole."""
    n_y, n_x = lower.shape[1:]
    squares = []
    for number in np.ndindex(_N_PARTS, _N_PARTS):
        rows, columns = (
            slice(place * n // _N_PARTS, (place + 1) * n // _N_PARTS)
            for place, n in zip(number, (n_y, n_x), strict=True)
        )
        found = _match(lower[:, rows, columns], upper[:, rows, columns], 0, 4)
        if found.significance > _MIN_PART_SIGNIFICANCE and not found.is_at_border:
            off = np.subtract(found.shift_px[1:], shift_px[1:])
            squares.append(float(np.square(off).sum()))
    return float(np.sqrt(np.mean(squares))) if len(squares) >= 2 else None
