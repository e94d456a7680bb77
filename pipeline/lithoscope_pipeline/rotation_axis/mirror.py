"""Find the rotation axis from views half a turn apart.

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

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from lithoscope_pipeline.geometry import FloatStack
from lithoscope_pipeline.rotation_axis.pairs import Pairs
from lithoscope_pipeline.rotation_axis.structure import spread, structure
from lithoscope_pipeline.rotation_axis.tilt_correction import Straightening

Spectrum = NDArray[np.complex128]
Views = NDArray[np.float64]
Range = tuple[float, float]

MAX_ROWS = 64
PASSES = 3
UPSAMPLING = 8
# Of the extrapolation: clean scans gave 17 and more and are then right to 0.08 px, noisy ones and
# plates seen edge-on at the seam, where it fails, 14 and less.
SEAM_SIGNIFICANCE = 15.0
MAX_SEAM_MOVE_PX = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorPeak:
    """Where views from the front and from behind agree.

    Parameters
    ----------
    position_px
        Detector column.
    significance
        Height of the peak over the spread of the curve.
    second_peak
        Height of the next best peak over that of the best.
    is_at_border
        Whether the best position lies at the end of the search.
    is_seam
        Whether it was refined at the seam, as only clean scans are.
    row_spread_px
        Distance between what even and odd rows say; None for a single row.
    """

    position_px: float
    significance: float
    second_peak: float
    is_at_border: bool
    is_seam: bool = False
    row_spread_px: float | None = None


def find_by_mirror(
    attenuation: FloatStack,
    pairs: Pairs,
    search_px: Range,
    straightening: Straightening | None = None,
) -> MirrorPeak:
    """Compare views from the front with mirrored ones from behind.

    Parameters
    ----------
    attenuation
        Line integrals, shape (n_angles, n_rows, n_columns).
    pairs
        Which views to compare.
    search_px
        First and last column to consider.
    straightening
        How to turn the detector first, if it is tilted.

    Returns
    -------
    MirrorPeak
        The best position, however poor.
    """
    rows = spread(attenuation.shape[1], MAX_ROWS)
    views = structure(attenuation, pairs.views, rows, straightening)
    peak = _refined(views, pairs, _locate(views, pairs, search_px), search_px)
    if rows.size == 1:
        return peak
    even, odd = (_locate(views[:, first::2], pairs, search_px).position_px for first in (0, 1))
    return replace(peak, row_spread_px=abs(even - odd))


def _locate(views: Views, pairs: Pairs, search_px: Range) -> MirrorPeak:
    """Find the best position, cutting the views evenly about the last one in each pass."""
    centre_px = round(search_px[0] + search_px[1]) / 2
    peak = _best(views, pairs, centre_px, search_px)
    for _ in range(PASSES - 1):
        centre_px = round(2.0 * peak.position_px) / 2
        peak = _best(views, pairs, centre_px, search_px)
    return peak


def _refined(views: Views, pairs: Pairs, coarse: MirrorPeak, search_px: Range) -> MirrorPeak:
    """Move the peak to where both ends of the scan, run on to the seam, meet, if that is sharp.

    Runs on by ``3 p0 - p1``, whose product with its mirrored like is free of the turning of the
    sample to second order: exact on clean scans, but noise grows threefold.
    """
    centre_px = round(2.0 * coarse.position_px) / 2
    front, back, n_padded = _spectra(views, centre_px)
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
    fine = _peak_of(across * np.abs(across), n_padded, centre_px, search_px)
    is_sharp = fine.significance > SEAM_SIGNIFICANCE
    is_near = abs(fine.position_px - coarse.position_px) < MAX_SEAM_MOVE_PX
    if not (is_sharp and is_near):
        return coarse
    return replace(coarse, position_px=fine.position_px, is_seam=True)


def _best(views: Views, pairs: Pairs, centre_px: float, search_px: Range) -> MirrorPeak:
    coherence, n_padded = _coherence(views, pairs, centre_px)
    return _peak_of(coherence, n_padded, centre_px, search_px)


def _peak_of(coherence: Spectrum, n_padded: int, centre_px: float, search_px: Range) -> MirrorPeak:
    """Read position and sharpness off the curve whose transform is the coherence."""
    coherence[0] = 0.0
    curve = scipy.fft.irfft(coherence.conj(), n=UPSAMPLING * n_padded)
    half = curve.size // 2
    curve = np.roll(curve, half)
    positions = centre_px + (np.arange(curve.size) - half) / (2 * UPSAMPLING)
    inside = np.flatnonzero((positions >= search_px[0]) & (positions <= search_px[1]))
    curve, positions = curve[inside], positions[inside]

    best = int(np.argmax(curve))
    is_at_border = best < UPSAMPLING or best >= curve.size - UPSAMPLING
    offset = 0.0
    if 0 < best < curve.size - 1:
        before, at, after = curve[best - 1 : best + 2]
        bend = before - 2.0 * at + after
        offset = 0.5 * (before - after) / bend if bend < 0.0 else 0.0
    far = np.abs(positions - positions[best]) > 3.0
    spread_of_curve = 1.4826 * np.median(np.abs(curve - np.median(curve)))
    top = max(float(curve[best]), 1.0e-30)
    return MirrorPeak(
        position_px=float(positions[best] + offset / (2 * UPSAMPLING)),
        significance=float(curve[best] / max(spread_of_curve, 1.0e-30)),
        second_peak=float(max(curve[far].max(initial=0.0), 0.0) / top),
        is_at_border=is_at_border,
    )


def _spectra(views: Views, centre_px: float) -> tuple[Spectrum, Spectrum, int]:
    """Transform the views as seen and mirrored, cut evenly about a centre, and pad them."""
    n_columns = views.shape[2]
    half = int(min(centre_px, n_columns - 1 - centre_px))
    columns = np.arange(int(np.ceil(centre_px - half)), int(np.floor(centre_px + half)) + 1)
    n_padded = scipy.fft.next_fast_len(2 * columns.size, real=True)
    cut = views[:, :, columns] * scipy.signal.windows.tukey(columns.size, 0.2)
    front = scipy.fft.rfft(cut, n=n_padded, axis=2, workers=1)
    back = scipy.fft.rfft(cut[:, :, ::-1], n=n_padded, axis=2, workers=1)
    return front, back, n_padded


def _coherence(views: Views, pairs: Pairs, centre_px: float) -> tuple[Spectrum, int]:
    """Coherence of front and mirrored back views, freed of the turning between them."""
    front, back, n_padded = _spectra(views, centre_px)
    total = np.zeros(n_padded // 2 + 1, dtype=np.complex128)
    for lag in np.unique(pairs.lag):
        of_lag = pairs.lag == lag
        across = _normalised(front[pairs.first[of_lag]], back[pairs.second[of_lag]])
        if lag == 0:
            total += across * np.abs(across) * of_lag.sum()
            continue
        near = pairs.within[int(lag)]
        behind = near.is_behind
        ahead = np.concatenate([front[near.earlier[~behind]], back[near.earlier[behind]]])
        after = np.concatenate([front[near.later[~behind]], back[near.later[behind]]])
        total += across * _normalised(ahead, after).conj() * of_lag.sum()
    return total, n_padded


def _normalised(first: Spectrum, second: Spectrum) -> Spectrum:
    """Complex coherence over pairs and rows, shape (n_frequencies,)."""
    cross = np.sum(first.conj() * second, axis=(0, 1))
    power = np.sum(np.abs(first) ** 2, axis=(0, 1)) * np.sum(np.abs(second) ** 2, axis=(0, 1))
    coherence: Spectrum = cross / np.sqrt(np.maximum(power, 1.0e-300))
    return coherence
