"""Measure how far the rotation axis is tilted in the plane of the detector.

Seen from behind, a sample is mirrored about the axis; about a tilted one, the mirror image is
turned by twice the tilt. Blocks of views from the front are laid over mirrored blocks from behind:
how far each is displaced along the rows grows with its distance from the axis, and how far along
the columns with its height. Turning between the views moves nothing along the axis, so that the
first holds even where no two views lie exactly half a turn apart.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatStack, field_axis_px
from lithoscope_pipeline.rotation_axis.pairs import Pairs
from lithoscope_pipeline.rotation_axis.structure import structure
from lithoscope_pipeline.rotation_axis.tilt_correction import MAX_TILT_DEG, Straightening

MIN_ROWS = 8
BAND_ROWS = 128
N_BANDS = 3  # top, middle and bottom of a high detector
BLOCK_COLUMNS = (24, 256)
N_BLOCKS = 6  # of columns, half over each other
MAX_PAIRS = 24
PASSES = 3
UPSAMPLING = 8
BLUR_PX = 0.7
LEAST_POWER = 1.0e-4  # of the greatest, that a frequency is taken to have
MAX_MOVE_PX = 6.0  # along the columns; along the rows a third of a block
MIN_SIGNIFICANCE = 4.0  # of a block: noise alone reaches it
SPARE_PX = 2.0
STEEPEST = 0.1  # displacement along the rows over distance from the axis: 2.9 degrees of tilt
OUTLIER_PX = 0.3
MIN_BLOCKS = 3
# A tilt is worth correcting if it is sure and moves a corner of the detector by this much.
MIN_ERRORS = 3.0
MIN_CORNER_PX = 0.25

Block = NDArray[np.complex128]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tilt:
    """Angle of the axis against the columns of the detector, and its standard error.

    ``error_deg`` is None if the views do not show it; the angle is then 0.
    """

    tilt_deg: float = 0.0
    error_deg: float | None = None

    def is_worth_correcting(self, shape: tuple[int, ...]) -> bool:
        """Whether it is sure and counts on a detector of (n_rows, n_columns)."""
        if self.error_deg is None or abs(self.tilt_deg) < MIN_ERRORS * self.error_deg:
            return False
        return abs(np.deg2rad(self.tilt_deg)) * max(shape) / 2 > MIN_CORNER_PX


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moved:
    """What a block says: where it stands from the axis and the middle row, how far it is moved."""

    aside_px: float
    rise_px: float
    down_px: float
    across_px: float
    weight: float


def find_tilt(attenuation: FloatStack, pairs: Pairs, rotation_axis_px: float) -> Tilt:
    """Measure the tilt of an axis whose column in the middle row is known.

    Parameters
    ----------
    attenuation
        Line integrals, shape (n_angles, n_rows, n_columns).
    pairs
        Views half a turn apart.
    rotation_axis_px
        Column of the axis in the middle row.

    Returns
    -------
    Tilt
        0 without an error if there are fewer than 8 rows or too little is seen.
    """
    n_rows = attenuation.shape[1]
    if n_rows < MIN_ROWS:
        return Tilt()
    pairs = _fewer(pairs)
    tilt_deg = 0.0
    for _ in range(PASSES):
        upright = None
        if tilt_deg != 0.0:
            upright = Straightening(
                tilt_deg=tilt_deg,
                rotation_axis_px=rotation_axis_px,
                pivot_row_px=field_axis_px(n_rows),
            )
        left = _measured(attenuation, pairs, rotation_axis_px, upright)
        if left.error_deg is None:
            return Tilt()
        tilt_deg += left.tilt_deg
        if abs(tilt_deg) > MAX_TILT_DEG:
            return Tilt()
        if abs(left.tilt_deg) < 0.3 * left.error_deg:
            break
    return Tilt(tilt_deg=tilt_deg, error_deg=left.error_deg)


def _measured(
    attenuation: FloatStack,
    pairs: Pairs,
    rotation_axis_px: float,
    upright: Straightening | None,
) -> Tilt:
    """Measure it once: blocks that are moved far seem moved less, for they leave their windows."""
    n_rows = attenuation.shape[1]
    n_bands = N_BANDS if n_rows >= N_BANDS * BAND_ROWS else 1
    n_band_rows = min(n_rows, BAND_ROWS)
    firsts = np.linspace(0, n_rows - n_band_rows, n_bands)
    if n_bands == 1:
        firsts += (n_rows - n_band_rows) // 2
    blocks: list[_Moved] = []
    for first in firsts.astype(np.intp):
        rows = first + np.arange(n_band_rows)
        views = structure(attenuation, pairs.views, rows, upright)
        rise_px = float(rows.mean()) - field_axis_px(n_rows)
        blocks += _blocks(views, pairs, rotation_axis_px, rise_px)
    seen = [block for block in blocks if block.weight > 0.0]
    weights = np.array([block.weight for block in seen])
    lines = [([block.aside_px for block in seen], [block.down_px for block in seen])]
    if n_bands > 1:
        lines.append(([block.rise_px for block in seen], [block.across_px for block in seen]))
    slopes = [_slope(np.array(places), np.array(moves), weights) for places, moves in lines]
    known = [(slope, error) for slope, error in slopes if np.isfinite(error)]
    if not known:
        return Tilt()
    shares = np.array([1.0 / error**2 for _, error in known])
    slope = float(np.sum(shares * [each for each, _ in known]) / shares.sum())
    return Tilt(
        tilt_deg=float(np.rad2deg(np.arctan(slope / 2))),
        error_deg=float(np.rad2deg(0.5 / np.sqrt(shares.sum()))),
    )


def _fewer(pairs: Pairs) -> Pairs:
    """Leave out exact pairs beyond what is needed."""
    if pairs.within or pairs.lag.size <= MAX_PAIRS:
        return pairs
    keep = np.linspace(0, pairs.lag.size - 1, MAX_PAIRS).astype(np.intp)
    used = np.unique(np.concatenate([pairs.first[keep], pairs.second[keep]]))
    return Pairs(
        views=pairs.views[used],
        first=np.searchsorted(used, pairs.first[keep]),
        second=np.searchsorted(used, pairs.second[keep]),
        lag=pairs.lag[keep],
        within={},
    )


def _blocks(
    views: NDArray[np.float64], pairs: Pairs, rotation_axis_px: float, rise_px: float
) -> list[_Moved]:
    """Compare the blocks of a band of rows with those opposite the axis."""
    n_columns = views.shape[2]
    twice_px = round(2.0 * rotation_axis_px)
    first_px, last_px = max(0, twice_px - (n_columns - 1)), min(n_columns - 1, twice_px)
    width = int(np.clip(2 * (last_px - first_px) // N_BLOCKS, *BLOCK_COLUMNS))
    moved = []
    for start in range(first_px, last_px - width + 2, width // 2):
        columns = start + np.arange(width)
        front = _transformed(views[:, :, columns])
        back = _transformed(views[:, :, twice_px - columns])
        spectrum = _cross(front, back, pairs)
        aside_px = float(columns.mean()) - twice_px / 2
        reach_px = SPARE_PX + STEEPEST * abs(aside_px)
        down_px, across_px, significance = _displacement(spectrum, views.shape[1], width, reach_px)
        moved.append(
            _Moved(
                aside_px=aside_px,
                rise_px=rise_px,
                down_px=down_px,
                across_px=across_px,
                weight=max(significance - MIN_SIGNIFICANCE, 0.0),
            )
        )
    return moved


def _transformed(blocks: NDArray[np.float64]) -> Block:
    down, across = _window(blocks.shape[1]), _window(blocks.shape[2])
    # The root keeps more of the few rows that there may be.
    tapered = blocks * (np.sqrt(down)[:, None] * across)
    return np.asarray(scipy.fft.rfft2(tapered, workers=1))


def _window(n: int) -> NDArray[np.float64]:
    return np.asarray(scipy.signal.windows.hann(n + 2)[1:-1])


def _cross(front: Block, back: Block, pairs: Pairs) -> Block:
    """Cross spectrum over all pairs, freed of the turning between them, evenly weighed."""
    total = np.zeros(front.shape[1:], dtype=np.complex128)
    for lag in np.unique(pairs.lag):
        of_lag = pairs.lag == lag
        across = np.sum(front[pairs.first[of_lag]].conj() * back[pairs.second[of_lag]], axis=0)
        if lag != 0:
            near = pairs.within[int(lag)]
            ahead = near.earlier[~near.is_behind], near.later[~near.is_behind]
            behind = near.earlier[near.is_behind], near.later[near.is_behind]
            turned = np.sum(front[ahead[0]].conj() * front[ahead[1]], axis=0)
            turned += np.sum(back[behind[0]].conj() * back[behind[1]], axis=0)
            across *= np.exp(-1j * np.angle(turned))
        total += across
    power = np.mean(np.abs(front) ** 2, axis=0)
    return np.asarray(total / (power + LEAST_POWER * power.max() + 1.0e-300))


def _displacement(
    spectrum: Block, n_rows: int, n_columns: int, reach_px: float
) -> tuple[float, float, float]:
    """Where the correlation peaks: down and across in pixels, and how high above its spread.

    Down it is sought within ``reach_px``.
    """
    down_freq = scipy.fft.fftfreq(n_rows)[:, None]
    across_freq = scipy.fft.rfftfreq(n_columns)
    blur = np.exp(-2.0 * (np.pi * BLUR_PX) ** 2 * (down_freq**2 + across_freq**2))
    fine = np.zeros((UPSAMPLING * n_rows, UPSAMPLING * n_columns // 2 + 1), dtype=np.complex128)
    half = (n_rows + 1) // 2
    fine[:half, : across_freq.size] = (spectrum * blur)[:half]
    fine[half - n_rows :, : across_freq.size] = (spectrum * blur)[half:]
    fine[0, 0] = 0.0
    curve = scipy.fft.irfft2(fine, s=(UPSAMPLING * n_rows, UPSAMPLING * n_columns), workers=1)
    reach_down = UPSAMPLING * n_rows // 3
    reach_across = int(UPSAMPLING * MAX_MOVE_PX)
    curve = np.roll(curve, (reach_down, reach_across), axis=(0, 1))
    curve = curve[: 2 * reach_down + 1, : 2 * reach_across + 1]
    level = np.median(curve)
    spread = max(1.4826 * float(np.median(np.abs(curve - level))), 1.0e-300)
    far = int(np.clip(UPSAMPLING * reach_px, UPSAMPLING, reach_down))
    likely = curve[reach_down - far : reach_down + far + 1]
    row, column = (int(each) for each in np.unravel_index(int(np.argmax(likely)), likely.shape))
    row += reach_down - far
    return (
        (row + _offset(curve[:, column], row) - reach_down) / UPSAMPLING,
        (column + _offset(curve[row], column) - reach_across) / UPSAMPLING,
        float((curve[row, column] - level) / spread),
    )


def _offset(line: NDArray[np.float64], best: int) -> float:
    """From the highest point to the top of the parabola through it and its neighbours."""
    if not 0 < best < line.size - 1:
        return 0.0
    before, at, after = line[best - 1 : best + 2]
    bend = before - 2.0 * at + after
    return float(0.5 * (before - after) / bend) if bend < 0.0 else 0.0


def _slope(
    places_px: NDArray[np.float64], moves_px: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, float]:
    """Slope of a straight line and its standard error, outliers weighed down; inf if unknown."""
    if places_px.size < MIN_BLOCKS or np.ptp(places_px) == 0.0:
        return 0.0, np.inf
    robust = weights.copy()
    slope = middle = offset = 0.0
    for _ in range(10):
        total = robust.sum()
        middle = float(np.sum(robust * places_px) / total)
        offset = float(np.sum(robust * moves_px) / total)
        lever = float(np.sum(robust * (places_px - middle) ** 2))
        slope = float(np.sum(robust * (places_px - middle) * (moves_px - offset)) / lever)
        left_px = moves_px - offset - slope * (places_px - middle)
        robust = weights / (1.0 + (left_px / OUTLIER_PX) ** 2)
    n_effective = robust.sum() ** 2 / np.sum(robust**2)
    if n_effective < MIN_BLOCKS - 0.9:
        return slope, np.inf
    scatter = np.sum(robust * left_px**2) / robust.sum() * n_effective / (n_effective - 2.0 + 0.1)
    lever = np.sum(robust * (places_px - middle) ** 2) / robust.sum() * n_effective
    return slope, float(np.sqrt((scatter + 0.05**2) / lever))
