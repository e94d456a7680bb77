"""Find the layers of the cell in a volume, and with them the grey values of its materials."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatVolume

Polarity = Literal["dense_bright", "dense_dark"]
Verdict = Literal["resolved", "not_resolved"]

# Materials along y. Air and lithium are told apart by their place, not by their grey value.
_LITHIUM, _ELECTROLYTE, _POUCH = 0, 1, 2
_STACK = (_LITHIUM, _POUCH, _LITHIUM, _ELECTROLYTE, _LITHIUM, _POUCH, _LITHIUM)
_FIRST_STATES = (0, 1, 2)
_LAST_STATES = (4, 5, 6)
_MIN_LAYER_PX = 2
_MIN_CNR = 0.2
_ROUNDS = 12
_MIDDLE = 0.25
_FACE_REACH_PX = 3  # of a rounded face, on either side of the row that the layers are cut at
# A normal distribution has a standard deviation of 1.4826 MAD.
_SD_PER_MAD = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class GreyReferences:
    """Grey values of the materials of one scan and where its layers lie.

    Parameters
    ----------
    electrode, electrolyte, pouch
        Grey value of lithium, electrolyte and packaging in this volume, in its unit.
    noise
        Standard deviation of a voxel inside one material.
    cnr
        Contrast-to-noise of electrode lithium against electrolyte, ``|difference| / noise``.
    polarity
        Whether denser is brighter.
    edges_px
        y of the faces: outer and inner face of the stripping electrode, inner and outer face of
        the plating side; a face between rows 4 and 5 is at 4.5. A face is where the median of the
        planes passes the middle of the grey values on its sides.
    verdict
        ``not_resolved`` when the order of layers was not found; then the rest is a best guess.
    """

    electrode: float
    electrolyte: float
    pouch: float
    noise: float
    cnr: float
    polarity: Polarity
    edges_px: tuple[float, float, float, float]
    verdict: Verdict


def find_grey_references(
    volume: FloatVolume, *, polarity: Polarity = "dense_bright"
) -> GreyReferences:
    """Find the layers along y and the grey value of each material.

    The cell is a known stack: (air,) pouch, lithium, electrolyte, lithium, pouch (, air). The
    medians of the planes normal to y are cut into these layers by dynamic programming with
    three grey values, which are then found again from the layers, until both stay. Grey values
    are relative to the scan: a truncated scan has an unknown offset.

    Parameters
    ----------
    volume
        Region of interest, shape (z, y, x), finite; y rises from the stripping side.
    polarity
        ``dense_bright`` when denser is brighter.

    Returns
    -------
    GreyReferences
        Grey values in the unit of the volume.

    Raises
    ------
    ShapeError
        If the volume has fewer rows along y than the stack has layers.
    ParameterError
        If the polarity is unknown.
    """
    if volume.ndim != 3 or volume.shape[1] < _MIN_LAYER_PX * len(_STACK) or volume.size == 0:
        msg = f"volume has shape {volume.shape}, (z, y, x) with y across all layers is needed"
        raise ShapeError(msg)
    if polarity not in ("dense_bright", "dense_dark"):
        msg = f"polarity is {polarity!r}, dense_bright or dense_dark is needed"
        raise ParameterError(msg)
    sign = 1.0 if polarity == "dense_bright" else -1.0
    profile = sign * np.median(volume, axis=(0, 2)).astype(np.float64)

    levels, layers = _cut_layers(profile)

    electrode, noise = _material(sign * volume, levels, layers, (2, 4))
    electrolyte, electrolyte_noise = _material(sign * volume, levels, layers, (3,))
    noise = float(np.hypot(noise, electrolyte_noise) / np.sqrt(2))
    cnr = (electrolyte - electrode) / noise if noise > 0 else 0.0
    pouch = float(levels[_POUCH])
    is_resolved = (
        electrode < electrolyte < pouch
        and (cnr >= _MIN_CNR or noise == 0)
        and all((layers == state).sum() >= _MIN_LAYER_PX for state in (2, 3, 4))
    )
    return GreyReferences(
        electrode=sign * electrode,
        electrolyte=sign * electrolyte,
        pouch=sign * pouch,
        noise=noise,
        cnr=max(cnr, 0.0),
        polarity=polarity,
        edges_px=_edges_px(profile, levels, layers),
        verdict="resolved" if is_resolved else "not_resolved",
    )


def _cut_layers(profile: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Alternate between grey values and layers; give both, layers as states along y."""
    low, high = np.percentile(profile, (10, 97))
    levels = np.array([low, (low + high) / 2, high])
    layers = np.zeros(len(profile), dtype=np.intp)
    for _ in range(_ROUNDS):
        layers = _best_layers(profile, levels)
        found = [_layer_level(profile, layers, material) for material in range(3)]
        renewed = np.array([new if new is not None else levels[i] for i, new in enumerate(found)])
        if np.array_equal(renewed, levels):
            break
        levels = renewed
    return levels, layers


def _layer_level(
    profile: NDArray[np.float64], layers: NDArray[np.intp], material: int
) -> float | None:
    """Give the median of a material's rows; air does not count as lithium."""
    states = [i for i, kind in enumerate(_STACK) if kind == material and i not in (0, 6)]
    rows = profile[np.isin(layers, states)]
    return float(np.median(rows)) if len(rows) else None


def _best_layers(profile: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.intp]:
    """Find the sequence of layers with the least sum of squares (Viterbi)."""
    cost = (profile[:, None] - levels[list(_STACK)]) ** 2
    n_rows, n_states = cost.shape
    total = np.full((n_rows, n_states), np.inf)
    came_from = np.zeros((n_rows, n_states), dtype=np.intp)
    total[0, list(_FIRST_STATES)] = cost[0, list(_FIRST_STATES)]
    for row in range(1, n_rows):
        stay = total[row - 1]
        move = np.concatenate([[np.inf], stay[:-1]])
        came_from[row] = np.arange(n_states) - (move < stay)
        total[row] = np.minimum(stay, move) + cost[row]

    layers = np.empty(n_rows, dtype=np.intp)
    layers[-1] = min(_LAST_STATES, key=lambda state: total[-1, state])
    for row in range(n_rows - 1, 0, -1):
        layers[row - 1] = came_from[row, layers[row]]
    return layers


def _material(
    volume: FloatVolume,
    levels: NDArray[np.float64],
    layers: NDArray[np.intp],
    states: tuple[int, ...],
) -> tuple[float, float]:
    """Give grey value and noise of a material from the middle of its layers."""
    middles = []
    for state in states:
        rows = np.flatnonzero(layers == state)
        margin = int(len(rows) * _MIDDLE)
        middles.append(rows[margin : len(rows) - margin])
    voxels = volume[:, np.concatenate(middles)]
    if voxels.size == 0:
        return float(levels[_STACK[states[0]]]), 0.0
    grey = np.median(voxels)
    return float(grey), float(_SD_PER_MAD * np.median(np.abs(voxels - grey)))


def _edges_px(
    profile: NDArray[np.float64], levels: NDArray[np.float64], layers: NDArray[np.intp]
) -> tuple[float, float, float, float]:
    """Give the faces: where a layer begins, moved to where the profile passes the middle."""
    edges = []
    for state in (2, 3, 4, 5):
        row = int(np.searchsorted(layers, state))
        middle = (levels[_STACK[state - 1]] + levels[_STACK[state]]) / 2
        edges.append(_crossing_px(profile - middle, row - 0.5))
    return edges[0], edges[1], edges[2], edges[3]


def _crossing_px(beyond: NDArray[np.float64], near_px: float) -> float:
    """Give where a profile passes zero closest to a place; the place if it does not nearby."""
    low = max(int(near_px) - _FACE_REACH_PX, 0)
    part = beyond[low : int(near_px) + _FACE_REACH_PX + 2]
    before, after = part[:-1], part[1:]
    passes = np.flatnonzero((before <= 0) != (after <= 0))
    if len(passes) == 0:
        return near_px
    places_px = low + passes + before[passes] / (before[passes] - after[passes])
    return float(places_px[np.argmin(np.abs(places_px - near_px))])
