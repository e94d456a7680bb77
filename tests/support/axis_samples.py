"""Scans of samples whose projections are known in closed form, to find their rotation axis.

Plates are boxes far wider than the view, so that nearly all views are truncated; particles and
grain are Gaussian spots. A point (x, y), in pixels from the axis, is seen at
``axis + x cos(theta) + y sin(theta)``.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Kind = Literal["spots", "cell", "grain", "plates", "row_of_spots", "disc", "nothing"]
Order = Literal["half_turn", "both_ends", "full_turn", "golden", "interlaced", "edge_on_ends"]
KINDS: tuple[Kind, ...] = ("spots", "cell", "grain", "plates", "row_of_spots", "disc", "nothing")
ORDERS: tuple[Order, ...] = (
    "half_turn",
    "both_ends",
    "full_turn",
    "golden",
    "interlaced",
    "edge_on_ends",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisTrial:
    """A scan to make: sample, order of angles, axis, standard deviation of noise and of rings."""

    kind: Kind
    order: Order = "half_turn"
    axis_px: float
    noise: float = 0.0
    rings: float = 0.0
    seed: int = 0
    n_angles: int = 120
    n_rows: int = 8
    n_columns: int = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisOutcome:
    """What came of a trial: sample, verdict, and how far off the axis is."""

    kind: Kind
    noise: float
    verdict: str
    off_px: float


def draw_trial(seed: int) -> AxisTrial:
    """Draw any sample, order, axis, noise and rings."""
    rng = np.random.default_rng([seed, 7])
    n_columns = int(rng.integers(96, 161))
    return AxisTrial(
        kind=KINDS[rng.integers(len(KINDS))],
        order=ORDERS[rng.integers(len(ORDERS))],
        axis_px=(n_columns - 1) / 2 + float(rng.uniform(-0.2, 0.2)) * n_columns,
        noise=float(rng.choice([0.0, 0.02, 0.1, 0.3, 1.0])),
        rings=float(rng.choice([0.0, 0.0, 0.05])),
        seed=seed,
        n_angles=int(rng.integers(100, 181)),
        n_rows=int(rng.choice([1, 2, 6, 12])),
        n_columns=n_columns,
    )


def angles_rad(order: Order, n_angles: int) -> Floats:
    """Angle of each projection, shape (n_angles,)."""
    step = np.pi / n_angles
    match order:
        case "half_turn":
            return np.arange(n_angles) * step
        case "both_ends":
            return np.linspace(0.0, np.pi, n_angles)
        case "full_turn":
            return np.arange(n_angles) * 2.0 * step
        case "golden":
            return np.asarray(np.mod(np.arange(n_angles) * np.pi * (5**0.5 - 1) / 2, np.pi))
        case "interlaced":
            turns = (0, 2, 1, 3)
            return np.concatenate(
                [np.arange(first, n_angles, 4) * step + k * np.pi for k, first in enumerate(turns)]
            )
        case "edge_on_ends":
            return np.arange(n_angles) * step + np.pi / 2


def make_scan(trial: AxisTrial) -> tuple[NDArray[np.float32], Floats]:
    """Line integrals of a trial, shape (n_angles, n_rows, n_columns), and their angles."""
    thetas = angles_rad(trial.order, trial.n_angles)
    rng = np.random.default_rng([trial.seed, 11])
    shape = trial.n_angles, trial.n_rows, trial.n_columns
    out = trial.noise * rng.normal(size=shape) + trial.rings * rng.normal(size=shape[1:])
    s = np.arange(trial.n_columns) - trial.axis_px
    for row in range(trial.n_rows):
        out[:, row] += _row(trial, s, thetas, rng)
    return out.astype(np.float32), thetas


def _row(trial: AxisTrial, s: Floats, thetas: Floats, rng: np.random.Generator) -> Floats:
    reach = 0.7 * min(trial.axis_px, trial.n_columns - 1 - trial.axis_px)
    plates = _boxes(s, thetas, np.array([-0.5, 0.1, 0.6]) * reach, 0.2 * reach, trial.n_columns)
    match trial.kind:
        case "spots":
            return _spots(s, thetas, rng.uniform(-reach, reach, (8, 2)), rng.uniform(0.5, 1.5, 8))
        case "cell":
            places = rng.uniform(-1, 1, (60, 2)) * np.array([2.0 * trial.n_columns, reach])
            return plates + _spots(s, thetas, places, rng.uniform(0.2, 1.0, 60))
        case "grain":
            places = rng.uniform(-1, 1, (400, 2)) * trial.n_columns
            return _spots(s, thetas, places, rng.normal(size=400) * 0.3)
        case "plates":
            return plates
        case "row_of_spots":
            places = np.stack([np.arange(-15, 16) * 7.0, np.zeros(31)], axis=1)
            return _spots(s, thetas, places, np.ones(31))
        case "disc":
            along = 0.2 * reach * np.cos(thetas)[:, None]
            return 0.05 * np.sqrt(np.maximum((0.7 * reach) ** 2 - (s - along) ** 2, 0.0))
        case "nothing":
            return np.zeros((thetas.size, s.size))


def _spots(s: Floats, thetas: Floats, places: Floats, heights: Floats) -> Floats:
    out = np.zeros((thetas.size, s.size))
    for (x, y), height in zip(places, heights, strict=True):
        along = x * np.cos(thetas) + y * np.sin(thetas)
        out += height * np.exp(-0.3 * (s - along[:, None]) ** 2)
    return out


def _boxes(s: Floats, thetas: Floats, heights: Floats, thickness: float, width: float) -> Floats:
    """Plates at some y, four times as wide as the view; the attenuation of one is 0.02 a pixel."""
    out = np.zeros((thetas.size, s.size))
    across = 2.0 * width * np.abs(np.cos(thetas))[:, None]
    along = 0.5 * thickness * np.abs(np.sin(thetas))[:, None]
    longest = np.minimum(
        4.0 * width / np.maximum(np.abs(np.sin(thetas)), 1e-9),
        thickness / np.maximum(np.abs(np.cos(thetas)), 1e-9),
    )[:, None]
    for y in heights:
        away = np.abs(s - y * np.sin(thetas)[:, None])
        slope = 2.0 * np.minimum(across, along)
        out += (
            0.02 * longest * np.clip((across + along - away) / np.maximum(slope, 1e-9), 0.0, 1.0)
        )
    return out
