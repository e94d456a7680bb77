"""Find the rotation axis from views half a turn apart, and say how far to trust it.

Seen from behind, a sample is its own mirror image about the axis. Scans over 180 degrees hardly
ever hold such a pair exactly: the last projection stops a step short, and over that step the
sample turns by up to a pixel or two. So the displacement between the mirrored end and the start of
the scan is measured against the displacement between neighbouring views of the same scan over the
same step: what is left is twice the distance of the axis from where it was taken to be. Clean
scans are then refined by running both ends on to the seam between them.

Displacements are phases of coherences summed over rows and pairs, each frequency weighed by the
coherence it shows [1]_. Smooth shading, which misleads on plates seen face-on, is taken out first.

References
----------
.. [1] C. H. Knapp and G. C. Carter, IEEE Trans. Acoust. Speech Signal Process. 24, 320 (1976).
   doi:10.1109/TASSP.1976.1162830
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from lithoscope_pipeline.errors import (
    AngularRangeError,
    NonFiniteError,
    ParameterError,
    ShapeError,
)
from lithoscope_pipeline.geometry import Angles, FloatStack

Verdict = Literal["resolved", "ambiguous", "border", "flat"]
Spectrum = NDArray[np.complex128]

MAX_LAG = 4  # steps between the two views of a pair: farther apart they have little in common
REACH = 8  # steps around them whose neighbours show how the sample turns
MAX_PAIRS = 60  # of exactly opposite views, spread over the turn
MAX_ROWS = 64
MAX_RING_VIEWS = 90
PASSES = 3
UPSAMPLING = 8
# Peak over the spread of the curve. Noise alone gave 4.9 at most in 150 trials, a pristine cell of
# 24 rows 5.0 at least in 30; what lies between must be borne out by both halves of the rows.
MIN_SIGNIFICANCE = 4.5
SURE_SIGNIFICANCE = 6.0
FULL_SIGNIFICANCE = 12.0
# Of the extrapolation: clean scans gave 17 and more and are then right to 0.08 px, noisy ones and
# plates seen edge-on at the seam, where it fails, 14 and less.
SEAM_SIGNIFICANCE = 15.0
MAX_SECOND_PEAK = 0.7
MAX_ROW_DISAGREEMENT_PX = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationAxis:
    """Where the rotation axis stands and whether to believe it.

    Parameters
    ----------
    position_px
        Detector column, pixel centres at integers from 0.
    confidence
        0..1; how far the best position stands above the next best one and above noise.
    verdict
        ``resolved``: believe it. ``ambiguous``: another position explains the views nearly as
        well, or the two halves of the rows disagree. ``border``: the best position lies at the
        end of the search range. ``flat``: the views share no structure to measure.
    """

    position_px: float
    confidence: float
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pairs:
    """Views to compare, ``second`` seen from behind and ``lag`` steps farther on than ``first``.

    ``within`` holds for each lag the views of one side over the same step, as (earlier, later,
    whether seen from behind).
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    lag: NDArray[np.intp]
    within: dict[int, tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]]

    @property
    def views(self) -> NDArray[np.intp]:
        """All views that take part."""
        within = [views for k, m, _ in self.within.values() for views in (k, m)]
        return np.unique(np.concatenate([self.first, self.second, *within]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Peak:
    position_px: float
    significance: float
    second_peak: float
    is_at_border: bool


def find_rotation_axis(
    attenuation: FloatStack,
    thetas_rad: Angles,
    *,
    search_px: tuple[float, float] | None = None,
) -> RotationAxis:
    """Locate the rotation axis of a scan over 180 degrees or more.

    Parameters
    ----------
    attenuation
        Line integrals, shape (n_angles, n_rows, n_columns), finite. More rows make it surer; of
        more than 64 an even selection is used.
    thetas_rad
        Angle of each projection, shape (n_angles,), in any order and over any number of turns.
    search_px
        First and last column to consider; the middle half of the detector by default.

    Returns
    -------
    RotationAxis
        Detector column, confidence and verdict.

    Raises
    ------
    ShapeError
        If the number of angles differs from that of projections or a dimension is missing.
    ParameterError
        If ``search_px`` does not rise or leaves the detector.
    NonFiniteError
        If ``attenuation`` or an angle is NaN or infinite.
    AngularRangeError
        If no two views lie within four steps of half a turn apart.
    """
    n_columns = _check(attenuation, thetas_rad)
    low_px, high_px = search_px or (0.25 * (n_columns - 1), 0.75 * (n_columns - 1))
    if not 0.0 <= low_px < high_px <= n_columns - 1:
        raise ParameterError(
            f"search_px is ({low_px}, {high_px}), it must rise within 0..{n_columns - 1}"
        )
    pairs = _pairs_of(thetas_rad)
    views = _structure(attenuation, pairs.views)

    peak = _locate(views, pairs, low_px, high_px)
    peak = _refined(views, pairs, peak, low_px, high_px)
    if peak.significance < MIN_SIGNIFICANCE:
        return RotationAxis(position_px=peak.position_px, confidence=0.0, verdict="flat")
    confidence = min(1.0, peak.significance / FULL_SIGNIFICANCE) * (1.0 - peak.second_peak)
    verdict: Verdict = "resolved"
    is_one_row = views.shape[1] == 1
    if (
        peak.second_peak > MAX_SECOND_PEAK
        or (is_one_row and peak.significance < SURE_SIGNIFICANCE)
        or (not is_one_row and _rows_disagree(views, pairs, low_px, high_px))
    ):
        verdict = "ambiguous"
    if peak.is_at_border:
        verdict = "border"
    return RotationAxis(
        position_px=peak.position_px, confidence=round(max(confidence, 0.0), 4), verdict=verdict
    )


def _check(attenuation: FloatStack, thetas_rad: Angles) -> int:
    if attenuation.ndim != 3 or attenuation.shape[2] < 16:
        raise ShapeError(
            f"attenuation of shape {attenuation.shape} given, (angle, row, column) with at least "
            "16 columns is needed"
        )
    if thetas_rad.shape != attenuation.shape[:1]:
        raise ShapeError(
            f"{thetas_rad.size} angles for {attenuation.shape[0]} projections given; leave out "
            "the angles of flats and darks"
        )
    if not (np.isfinite(attenuation).all() and np.isfinite(thetas_rad).all()):
        raise NonFiniteError("attenuation or thetas_rad holds NaN or infinity")
    return attenuation.shape[2]


def _pairs_of(thetas_rad: Angles) -> _Pairs:
    """Pairs of views half a turn apart; exact ones if there are some, else near ones."""
    thetas = np.mod(thetas_rad.astype(np.float64), 2.0 * np.pi)
    steps = np.diff(np.sort(thetas))
    steps = steps[steps > 1.0e-6]
    if steps.size == 0:
        raise AngularRangeError("all projections were taken at one angle; half a turn is needed")
    step = float(np.median(steps))
    ahead = np.mod(thetas[None, :] - thetas[:, None], 2.0 * np.pi)
    past_half_turn = (ahead - np.pi) / step

    is_once = np.triu(np.ones_like(ahead, dtype=np.bool_), 1)
    first, second = np.nonzero(is_once & (np.abs(past_half_turn) < 0.1))
    if first.size >= MAX_LAG:
        keep = np.linspace(0, first.size - 1, min(first.size, MAX_PAIRS)).astype(np.intp)
        lag = np.zeros(keep.size, dtype=np.intp)
        return _Pairs(first=first[keep], second=second[keep], lag=lag, within={})
    first, second = np.nonzero(is_once & (np.abs(past_half_turn) < MAX_LAG + 0.5))
    if first.size == 0:
        raise AngularRangeError(
            f"no two views half a turn apart within {np.rad2deg(MAX_LAG * step):.1f} deg; wait "
            "for more projections or give the rotation axis"
        )
    lag = np.rint(past_half_turn[first, second]).astype(np.intp)
    away = (np.mod(ahead + np.pi, 2.0 * np.pi) - np.pi) / step
    return _Pairs(
        first=first, second=second, lag=lag, within=_neighbours(away, first, second, lag)
    )


def _neighbours(
    away: NDArray[np.float64],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    lag: NDArray[np.intp],
) -> dict[int, tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]]:
    """Pairs on the same side of the sample, near both ends, over each step that occurs."""
    is_near = np.abs(away) <= REACH + 0.3
    is_near_first = np.any(is_near[first], axis=0)
    is_near_second = np.any(is_near[second], axis=0)
    within = {}
    for step in np.unique(lag[lag != 0]):
        fits = np.abs(away - step) < 0.3
        k, m = np.nonzero(fits & np.logical_and.outer(is_near_first, is_near_first))
        p, q = np.nonzero(fits & np.logical_and.outer(is_near_second, is_near_second))
        is_behind = np.repeat([False, True], [k.size, p.size])
        within[int(step)] = (np.concatenate([k, p]), np.concatenate([m, q]), is_behind)
    return within


def _structure(attenuation: FloatStack, used: NDArray[np.intp]) -> NDArray[np.float64]:
    """Take some rows of the used views, less what is smooth or the same at all angles (rings).

    Other views are left at zero.
    """
    n_angles, n_rows, n_columns = attenuation.shape
    rows = np.linspace(0, n_rows - 1, min(n_rows, MAX_ROWS)).astype(np.intp)
    all_round = np.linspace(0, n_angles - 1, min(n_angles, MAX_RING_VIEWS)).astype(np.intp)
    smooth_px = max(4.0, n_columns / 32)
    # The median: a mean would spread the few bright edge-on views of a plate over all views.
    rings = np.median(_rough(attenuation[all_round][:, rows], smooth_px), axis=0)
    views = np.zeros((n_angles, rows.size, n_columns))
    views[used] = _rough(attenuation[used][:, rows], smooth_px) - rings
    return views


def _rough(views: FloatStack, smooth_px: float) -> NDArray[np.float64]:
    grey = views.astype(np.float64)
    grey -= gaussian_filter1d(grey, smooth_px, axis=2, mode="nearest")
    return grey


def _locate(views: NDArray[np.float64], pairs: _Pairs, low_px: float, high_px: float) -> _Peak:
    """Find the best position, cutting the views evenly about the last one in each pass."""
    centre_px = round(low_px + high_px) / 2
    peak = _best(views, pairs, centre_px, low_px, high_px)
    for _ in range(PASSES - 1):
        centre_px = round(2.0 * peak.position_px) / 2
        peak = _best(views, pairs, centre_px, low_px, high_px)
    return peak


def _refined(
    views: NDArray[np.float64], pairs: _Pairs, coarse: _Peak, low_px: float, high_px: float
) -> _Peak:
    """Move the peak to where both ends of the scan, run on to the seam, meet, if that is sharp.

    Runs on by ``3 p0 - p1``, whose product with its mirrored like is free of the turning of the
    sample to second order: exact on clean scans, but noise grows threefold.
    """
    centre_px = round(2.0 * coarse.position_px) / 2
    front, back, n_padded = _spectra(views, pairs, centre_px)
    at_seam = pairs.lag == 0
    fronts, backs = [*front[pairs.first[at_seam]]], [*back[pairs.second[at_seam]]]
    if not fronts:
        for i, j, lag in zip(pairs.first, pairs.second, pairs.lag, strict=True):
            inner_i = pairs.first[(pairs.second == j) & (pairs.lag == 2 * lag)]
            inner_j = pairs.second[(pairs.first == i) & (pairs.lag == 2 * lag)]
            if abs(lag) == 1 and inner_i.size and inner_j.size:
                fronts.append(3.0 * front[i] - front[inner_i[0]])
                backs.append(3.0 * back[j] - back[inner_j[0]])
    if not fronts:
        return coarse
    across = _normalised(np.stack(fronts), np.stack(backs))
    fine = _peak_of(across * np.abs(across), n_padded, centre_px, low_px, high_px)
    is_sharp = fine.significance > SEAM_SIGNIFICANCE
    is_near = abs(fine.position_px - coarse.position_px) < MAX_ROW_DISAGREEMENT_PX
    return replace(coarse, position_px=fine.position_px) if is_sharp and is_near else coarse


def _best(
    views: NDArray[np.float64], pairs: _Pairs, centre_px: float, low_px: float, high_px: float
) -> _Peak:
    coherence, n_padded = _coherence(views, pairs, centre_px)
    return _peak_of(coherence, n_padded, centre_px, low_px, high_px)


def _peak_of(
    coherence: Spectrum, n_padded: int, centre_px: float, low_px: float, high_px: float
) -> _Peak:
    """Read position and sharpness off the curve whose transform is the coherence."""
    coherence[0] = 0.0
    curve = scipy.fft.irfft(coherence.conj(), n=UPSAMPLING * n_padded)
    half = curve.size // 2
    curve = np.roll(curve, half)
    positions = centre_px + (np.arange(curve.size) - half) / (2 * UPSAMPLING)
    inside = np.flatnonzero((positions >= low_px) & (positions <= high_px))
    curve, positions = curve[inside], positions[inside]

    best = int(np.argmax(curve))
    is_at_border = best < UPSAMPLING or best >= curve.size - UPSAMPLING
    offset = 0.0
    if 0 < best < curve.size - 1:
        before, at, after = curve[best - 1 : best + 2]
        bend = before - 2.0 * at + after
        offset = 0.5 * (before - after) / bend if bend < 0.0 else 0.0
    far = np.abs(positions - positions[best]) > 3.0
    spread = 1.4826 * np.median(np.abs(curve - np.median(curve)))
    top = max(float(curve[best]), 1.0e-30)
    return _Peak(
        position_px=float(positions[best] + offset / (2 * UPSAMPLING)),
        significance=float(curve[best] / max(spread, 1.0e-30)),
        second_peak=float(max(curve[far].max(initial=0.0), 0.0) / top),
        is_at_border=is_at_border,
    )


def _spectra(
    views: NDArray[np.float64], pairs: _Pairs, centre_px: float
) -> tuple[Spectrum, Spectrum, int]:
    """Transform the views as seen and mirrored, cut evenly about a centre, and pad them."""
    n_columns = views.shape[2]
    half = int(min(centre_px, n_columns - 1 - centre_px))
    columns = np.arange(int(np.ceil(centre_px - half)), int(np.floor(centre_px + half)) + 1)
    n_padded = scipy.fft.next_fast_len(2 * columns.size, real=True)
    taper = scipy.signal.windows.tukey(columns.size, 0.2)
    used = pairs.views
    front = np.zeros((views.shape[0], views.shape[1], n_padded // 2 + 1), dtype=np.complex128)
    back = front.copy()
    cut = views[used][:, :, columns] * taper
    front[used] = scipy.fft.rfft(cut, n=n_padded, axis=2, workers=1)
    back[used] = scipy.fft.rfft(cut[:, :, ::-1], n=n_padded, axis=2, workers=1)
    return front, back, n_padded


def _coherence(
    views: NDArray[np.float64], pairs: _Pairs, centre_px: float
) -> tuple[Spectrum, int]:
    """Coherence of front and mirrored back views, freed of the turning between them."""
    front, back, n_padded = _spectra(views, pairs, centre_px)
    total = np.zeros(n_padded // 2 + 1, dtype=np.complex128)
    for lag in np.unique(pairs.lag):
        of_lag = pairs.lag == lag
        across = _normalised(front[pairs.first[of_lag]], back[pairs.second[of_lag]])
        if lag == 0:
            total += across * np.abs(across) * of_lag.sum()
            continue
        k, m, is_behind = pairs.within[int(lag)]
        ahead = np.concatenate([front[k[~is_behind]], back[k[is_behind]]])
        after = np.concatenate([front[m[~is_behind]], back[m[is_behind]]])
        total += across * _normalised(ahead, after).conj() * of_lag.sum()
    return total, n_padded


def _normalised(first: Spectrum, second: Spectrum) -> Spectrum:
    """Complex coherence over pairs and rows, shape (n_frequencies,)."""
    cross = np.sum(first.conj() * second, axis=(0, 1))
    power = np.sum(np.abs(first) ** 2, axis=(0, 1)) * np.sum(np.abs(second) ** 2, axis=(0, 1))
    coherence: Spectrum = cross / np.sqrt(np.maximum(power, 1.0e-300))
    return coherence


def _rows_disagree(
    views: NDArray[np.float64], pairs: _Pairs, low_px: float, high_px: float
) -> bool:
    """Whether the even and the odd rows, noise and features apart, put the axis elsewhere."""
    even = _locate(views[:, 0::2], pairs, low_px, high_px).position_px
    odd = _locate(views[:, 1::2], pairs, low_px, high_px).position_px
    return abs(even - odd) > MAX_ROW_DISAGREEMENT_PX
