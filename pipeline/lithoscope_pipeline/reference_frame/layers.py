"""The six planes of a cell in a profile across it.

From the stationary outer side upwards along y a cell is air, pouch, lithium, electrolyte, lithium,
pouch, air: six planes at which the mean grey value rises, falls, rises, falls, rises and falls.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter

Profile = NDArray[np.float64]

MIN_LAYER_UM = 12.0
# A plane must change the mean grey by this share of what the strongest one does.
MIN_STEP_SHARE = 0.15
_SIGNS = [1.0, -1.0, 1.0, -1.0, 1.0, -1.0]
# What seven constant pieces explain of the profile at least. Fringes of phase contrast, where they
# were not taken back, leave 0.59 of a cell whose six steepest places are right.
_MIN_EXPLAINED = 0.5
_MAX_SAMPLES = 256
_MAX_LITHIUM_DIFFERENCE = 0.7  # of the step from lithium to electrolyte


def find_planes(profile: Profile, voxel_um: float) -> tuple[float, ...] | None:
    """Find the six planes, with steps up, down, up, down, up and down.

    They are the six steepest places of the profile, or, where a streak is steeper than a plane,
    the places at which seven constant pieces explain the profile best.

    Parameters
    ----------
    profile
        Mean grey value along y; denser is brighter.
    voxel_um
        Distance of its values.

    Returns
    -------
    tuple of float or None
        Places to a fraction, from the first value; None if the steps are not those of a cell.
    """
    slope = np.gradient(gaussian_filter1d(profile, max(1.0, 4.0 / voxel_um)))
    size = np.abs(slope)
    step = -(-len(profile) // _MAX_SAMPLES)
    n = len(profile) // step
    means = profile[: n * step].reshape(n, step).mean(axis=1)
    calm = np.clip(median_filter(means, 5, mode="nearest"), *np.percentile(means, (1, 99)))

    chosen = _steepest(size, voxel_um)
    if not _are_layers(calm, [round((p + 0.5) / step) for p in chosen]):
        cuts = _least_squares_cuts(calm, len(_SIGNS) + 1)
        if not _are_layers(calm, cuts):
            return None
        reach = max(2, round(MIN_LAYER_UM / 2 / voxel_um))
        chosen = [
            _near(slope * sign, (cut - 0.5) * step + (step - 1) / 2, reach)
            for cut, sign in zip(cuts, _SIGNS, strict=True)
        ]
    return tuple(_vertex(size, p) for p in chosen)


def _steepest(size: Profile, voxel_um: float) -> list[int]:
    """Up to six largest peaks that are a layer apart, in order."""
    peaks = np.flatnonzero((size[1:-1] >= size[:-2]) & (size[1:-1] > size[2:])) + 1
    peaks = peaks[size[peaks] >= MIN_STEP_SHARE * size.max()]
    chosen: list[int] = []
    for peak in peaks[np.argsort(-size[peaks], kind="stable")]:
        if all(abs(peak - other) * voxel_um >= MIN_LAYER_UM for other in chosen):
            chosen.append(int(peak))
    return sorted(sorted(chosen, key=lambda p: -size[p])[:6])


def _near(slope: Profile, cut: float, reach: int) -> int:
    """Place of the steepest rise around a cut, not at either end of the profile."""
    first = int(np.clip(round(cut) - reach, 1, len(slope) - 3))
    stop = int(np.clip(round(cut) + reach + 1, first + 1, len(slope) - 1))
    return first + int(np.argmax(slope[first:stop]))


def _are_layers(profile: Profile, cuts: list[int]) -> bool:
    """Whether the pieces between cuts are those of a cell and explain the profile."""
    if len(cuts) != len(_SIGNS) or min(np.diff([0, *cuts, len(profile)])) < 1:
        return False
    pieces = np.split(profile, cuts)
    levels = [float(np.median(piece)) for piece in pieces]
    if np.sign(np.diff(levels)).tolist() != _SIGNS:
        return False
    left = sum(float(((piece - piece.mean()) ** 2).sum()) for piece in pieces)
    total = float(((profile - profile.mean()) ** 2).sum())
    step_up = levels[3] - (levels[2] + levels[4]) / 2
    is_even = abs(levels[4] - levels[2]) <= _MAX_LITHIUM_DIFFERENCE * step_up
    return is_even and left <= (1.0 - _MIN_EXPLAINED) * total


def _least_squares_cuts(values: Profile, n_pieces: int) -> list[int]:
    """Cut into constant pieces of least squared deviation, by dynamic programming."""
    n = len(values)
    sums, squares = (np.concatenate([[0.0], np.cumsum(v)]) for v in (values, values**2))
    first, stop = np.arange(n)[:, None], np.arange(1, n + 1)[None, :]
    length = np.maximum(stop - first, 1)
    cost = squares[1:][None, :] - squares[:-1][:, None]
    cost = cost - (sums[1:][None, :] - sums[:-1][:, None]) ** 2 / length
    cost = np.where(stop > first, cost, np.inf)  # of the piece first..stop
    best, came_from = cost[0], []
    for _ in range(n_pieces - 1):
        # best[k] ends a piece at k; the next one begins at k + 1.
        candidates = best[:-1, None] + cost[1:, :]
        came_from.append(candidates.argmin(axis=0) + 1)
        best = candidates.min(axis=0)
    cuts, end = [], n - 1
    for origins in reversed(came_from):
        cuts.append(int(origins[end]))
        end = cuts[-1] - 1
    return cuts[::-1]


def _vertex(size: Profile, peak: int) -> float:
    """Top of the parabola through a peak and its neighbours."""
    before, at, after = size[peak - 1 : peak + 2]
    return float(peak + 0.5 * (before - after) / min(before - 2.0 * at + after, -1.0e-30))
