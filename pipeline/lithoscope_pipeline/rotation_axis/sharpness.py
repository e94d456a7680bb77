"""Find the rotation axis as the position that makes slices sharpest.

A wrong axis spreads each particle over half a circle. How peaked the grey values of a slice are,
their fourth moment over the squared second, falls with that. Their variance does not: a shift
leaves the energy of a sinogram as it is, and what variance shows is blur of interpolation and loss
at the border. Here projections are shifted by phases, without interpolation.

The outline of a compact sample can be brightest where a wrong axis folds it. That is another
axis in each part of the slice: the quarters of it are asked too.

Only particles and grain count, so the sinogram is freed of shading and rings, and whitened.
All views contribute, which shows more than a few half a turn apart on noisy scans. Wide scans are
judged as a whole on binned columns, then about the axis on finer ones.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from lithoscope_pipeline.errors import AngularRangeError
from lithoscope_pipeline.geometry import Angles, FloatStack
from lithoscope_pipeline.reconstruct.fourier import FourierBackend
from lithoscope_pipeline.rotation_axis.structure import rough, smooth_px, spread, taken
from lithoscope_pipeline.rotation_axis.tilt_correction import Straightening

MAX_COLUMNS = 320  # after binning, where a position is judged
FINER = 3  # of wide scans, then about the axis
MAX_COLUMNS_AFAR = 200  # where all positions are tried
N_AFAR = 3  # of these, that are looked at closely
MIN_FINER = 5.0  # significance from which the finer peak is taken
MAX_ROWS = 8
BLUR_PX = 1.0
TAPER = 0.1  # share of the columns over which projections end
LEAST_POWER = 1.0e-4  # of the greatest, that a frequency is taken to have
FINE_PX = 0.5
# About a candidate, in binned pixels.
SEEN_PX = np.array([-4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4], dtype=np.float64)
MIDDLE_PX = 1.5  # of these, where neighbours are a fine step apart
BESIDE_PX = (5.5, 24.0)  # on both sides: what the curve is without a peak
N_BESIDE = 7
MAX_MOVE = 0.4  # share of the distance to the border that positions beside a candidate may take
PEAK_PX = 3.5  # half the width of a peak and its slopes
QUARTER_PX = 1.0  # that quarters may lie apart
FIELD = 0.95  # share of the field of view in which slices are judged

Curve = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpPeak:
    """Where slices are sharpest.

    Parameters
    ----------
    position_px
        Detector column.
    significance
        Height of the peak over the spread of the curve beside it.
    row_spread_px
        Distance between what even and odd rows say; None for a single row.
    n_quarters
        Quarters of the slice, of 4, that are sharpest there too.
    bin_px
        Columns that were summed into one.
    """

    position_px: float
    significance: float
    row_spread_px: float | None
    n_quarters: int
    bin_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """Sinograms of some rows, shape (n_angles, n_rows, n_columns), ``bin_px`` columns in one."""

    sinograms: FloatStack
    thetas_rad: Angles
    bin_px: int
    first_px: int

    def to_binned(self, position_px: float) -> float:
        return (position_px - self.first_px - (self.bin_px - 1) / 2) / self.bin_px

    def from_binned(self, position: float) -> float:
        return self.first_px + position * self.bin_px + (self.bin_px - 1) / 2


def find_by_sharpness(
    attenuation: FloatStack,
    thetas_rad: Angles,
    candidates_px: tuple[float, ...],
    search_px: tuple[float, float],
    straightening: Straightening | None = None,
    *,
    is_searched: bool = False,
) -> SharpPeak | None:
    """Judge some positions, and all others if asked to.

    Parameters
    ----------
    attenuation
        Line integrals, shape (n_angles, n_rows, n_columns).
    thetas_rad
        Angle of each projection, shape (n_angles,).
    candidates_px
        Columns near which to look.
    search_px
        First and last column to consider.
    straightening
        How to turn the detector first, if it is tilted.
    is_searched
        Whether to try the whole search range on binned slices for one more candidate.

    Returns
    -------
    SharpPeak or None
        The most significant peak near a candidate; None if the angles leave too wide a hole.
    """
    n_columns = attenuation.shape[2]
    bin_px = -(-n_columns // MAX_COLUMNS)
    try:
        if is_searched:
            bin_afar_px = -(-n_columns // MAX_COLUMNS_AFAR)
            afar = _sample(attenuation, thetas_rad, bin_afar_px, None, straightening)
            candidates_px = (*candidates_px, *_afar(afar, search_px))
        whole = _sample(attenuation, thetas_rad, bin_px, None, straightening)
        peaks = [_climbed(whole, candidate_px) for candidate_px in candidates_px]
        best = max(peaks, key=lambda peak: peak.significance)
        if bin_px == 1 or best.significance < MIN_FINER:
            return best
        finer_px = -(-bin_px // FINER)
        cut = _sample(attenuation, thetas_rad, finer_px, best.position_px, straightening)
        finer = _near(cut, best.position_px)
    except AngularRangeError:
        return None
    is_near = abs(finer.position_px - best.position_px) <= bin_px
    return finer if is_near and finer.significance >= MIN_FINER else best


def _sample(
    attenuation: FloatStack,
    thetas_rad: Angles,
    bin_px: int,
    about_px: float | None,
    straightening: Straightening | None,
) -> _Sample:
    """Take some rows, binned, of the whole width or of a field about a position."""
    n_angles, n_rows, n_columns = attenuation.shape
    n_binned = n_columns // bin_px
    first_px = 0
    if about_px is not None:
        n_binned = min(n_binned, MAX_COLUMNS)
        first_px = int(
            np.clip(about_px - n_binned * bin_px // 2, 0, n_columns - n_binned * bin_px)
        )
    order = np.argsort(np.mod(thetas_rad, np.pi), kind="stable")
    views = order[:: max(1, int(n_angles / (1.6 * n_binned)))]
    rows = spread(n_rows, MAX_ROWS)
    columns = slice(first_px, first_px + n_binned * bin_px)
    sinograms = taken(attenuation, views, rows, straightening)[:, :, columns].astype(np.float64)
    if n_rows >= 2 * MAX_ROWS:  # two rows together: a particle is that high
        below = np.minimum(rows + 1, n_rows - 1)
        sinograms += taken(attenuation, views, below, straightening)[:, :, columns]
    binned = sinograms.reshape(views.size, rows.size, n_binned, bin_px).mean(axis=3)
    binned = rough(binned.astype(np.float32), smooth_px(n_binned))
    binned -= np.median(binned, axis=0)
    return _Sample(
        sinograms=_whitened(binned),
        thetas_rad=thetas_rad[views],
        bin_px=bin_px,
        first_px=first_px,
    )


def _whitened(sinograms: NDArray[np.float64]) -> FloatStack:
    """Give all frequencies across the detector the same power, but for a blur against noise.

    A filter that all projections have passed, that of phase retrieval above all, is undone by it.
    """
    n_columns = sinograms.shape[2]
    taper = scipy.signal.windows.tukey(n_columns, TAPER)
    spectra = scipy.fft.rfft(sinograms * taper, axis=2, workers=1)
    power = np.mean(np.abs(spectra) ** 2, axis=(0, 1))
    power = np.maximum(power, LEAST_POWER * power.max() + 1.0e-300)
    blur = np.exp(-2.0 * (np.pi * BLUR_PX * scipy.fft.rfftfreq(n_columns)) ** 2)
    return scipy.fft.irfft(
        spectra * (blur / np.sqrt(power)), n=n_columns, axis=2, workers=1
    ).astype(np.float32)


def _afar(sample: _Sample, search_px: tuple[float, float]) -> list[float]:
    """Give the best of all positions, tried a binned column apart."""
    low, high = (sample.to_binned(each_px) for each_px in search_px)
    positions = np.arange(np.ceil(low), np.floor(high) + 0.5)
    if positions.size == 0:
        return []
    last = sample.sinograms.shape[2] - 1
    radius = max(min(positions[0], last - positions[-1]), (last + 1) / 8)
    curve = _curves(sample, positions, radius)[:, :, 0].mean(axis=1)
    best: list[float] = []
    for place in positions[np.argsort(-curve, kind="stable")]:
        if len(best) < N_AFAR and all(abs(place - each) > PEAK_PX for each in best):
            best.append(float(place))
    return [sample.from_binned(place) for place in best]


def _climbed(sample: _Sample, candidate_px: float) -> SharpPeak:
    """Judge a position, or where the curve leads to from there."""
    peak = _near(sample, candidate_px)
    if peak.significance > 0.0 or abs(peak.position_px - candidate_px) < sample.bin_px:
        return peak
    return _near(sample, peak.position_px)


def _near(sample: _Sample, candidate_px: float) -> SharpPeak:
    """Judge the neighbourhood of a position, each half of the rows by itself too."""
    last = sample.sinograms.shape[2] - 1
    middle = float(
        np.clip(sample.to_binned(candidate_px), SEEN_PX[-1] + 1.0, last - SEEN_PX[-1] - 1.0)
    )
    centre = round(2.0 * middle) / 2
    to_border = min(centre, last - centre)
    reach = max(min(BESIDE_PX[1], MAX_MOVE * to_border), SEEN_PX[-1] + 0.5)
    beside = np.linspace(min(BESIDE_PX[0], reach), reach, N_BESIDE)
    positions = centre + np.concatenate([SEEN_PX, -beside, beside])
    positions = positions[(positions > 0.0) & (positions < last)]
    radius = min(positions.min(), last - positions.max())
    curves = _curves(sample, positions, radius)
    quarters = positions[np.argmax(curves[:, :, 1:].mean(axis=1), axis=0)]
    curves = curves[:, :, 0]
    position, significance = _peak(positions, curves.mean(axis=1), centre)
    row_spread_px = None
    if curves.shape[1] > 1:
        even, odd = (_peak(positions, curves[:, k::2].mean(axis=1), centre)[0] for k in (0, 1))
        row_spread_px = abs(even - odd) * sample.bin_px
    return SharpPeak(
        position_px=sample.from_binned(position),
        significance=significance,
        row_spread_px=row_spread_px,
        n_quarters=int(np.count_nonzero(np.abs(quarters - position) <= QUARTER_PX)),
        bin_px=sample.bin_px,
    )


def _curves(sample: _Sample, positions: NDArray[np.float64], radius: float) -> Curve:
    """How peaked each slice about the axis and each of its quarters is, over the mean.

    The shape is (n_positions, n_rows, 5).
    """
    n_columns = sample.sinograms.shape[2]
    across = np.arange(n_columns) - (n_columns - 1) / 2
    y, x = np.meshgrid(across, across, indexing="ij")
    # On a detector of a few columns each quarter still needs some voxels.
    disc = np.hypot(y, x) < max(FIELD * radius, 2.0)
    is_in = [
        np.ones(int(disc.sum()), dtype=np.bool_),
        *(((y > 0) == up)[disc] & ((x > 0) == right)[disc] for up in (0, 1) for right in (0, 1)),
    ]
    backend = FourierBackend()
    curves = np.empty((positions.size, sample.sinograms.shape[1], len(is_in)))
    for index, position in enumerate(positions):
        slices = backend.reconstruct(
            sample.sinograms, sample.thetas_rad, rotation_axis_px=float(position), voxel_um=1.0
        )[:, disc].astype(np.float64)
        slices -= slices.mean(axis=1, keepdims=True)
        squares = slices * slices
        for part, voxels in enumerate(is_in):
            seen = squares[:, voxels]
            power = np.maximum(seen.mean(axis=1), 1.0e-60)
            curves[index, :, part] = (seen * seen).mean(axis=1) / power**2
    return curves / np.maximum(curves.mean(axis=0), 1.0e-30)


def _peak(positions: NDArray[np.float64], curve: Curve, centre: float) -> tuple[float, float]:
    """Place of the highest point, and its height if it lies near the middle, else 0."""
    best = int(np.argmax(curve))
    if abs(positions[best] - centre) > MIDDLE_PX:
        return float(positions[best]), 0.0
    beside = curve[np.abs(positions - positions[best]) > PEAK_PX]
    level = np.median(beside)
    spread_beside = 1.4826 * np.median(np.abs(beside - level))
    significance = float((curve[best] - level) / max(spread_beside, 1.0e-9))
    before, at, after = curve[best - 1 : best + 2]
    bend = before - 2.0 * at + after
    offset = 0.5 * (before - after) / bend if bend < 0.0 else 0.0
    return float(positions[best] + offset * FINE_PX), significance
