"""Cells that are drawn from seeds, with a set-up that is right or has one value wrong.

From nothing of the checks: layers are drawn from their thicknesses, times from a plan of pulses.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Fault = Literal["pixel", "radians", "current", "sides", "polarity", "clock"]
FAULTS: tuple[Fault, ...] = ("pixel", "radians", "current", "sides", "polarity", "clock")
#: What the check of each fault is called.
CHECK_OF: dict[Fault, str] = {
    "pixel": "pixel size",
    "radians": "angles",
    "current": "sign of current",
    "sides": "sides",
    "polarity": "grey polarity",
    "clock": "clock",
}
N_SCANS, N_PULSES = 7, 12
PULSE_S, REST_S = 600.0, 1200.0
Volume = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class SetupCase:
    """What cycler, detector and person say of one cell.

    ``scans`` are begin and end of each scan, ``pulses`` of each pulse; ``first`` and ``last`` the
    first scan and the one after the charge.
    """

    voxel_um: float
    stack_um: float
    thetas_deg: NDArray[np.float64]
    first_current_sign: int
    first_current_mA: float  # noqa: N815 - the unit is mA
    scans: tuple[tuple[float, float], ...]
    pulses: tuple[tuple[float, float], ...]
    first: Volume
    last: Volume


def right_case(seed: int) -> SetupCase:
    """Draw a cell and a set-up that fits it."""
    rng = np.random.default_rng([seed, 11])
    voxel_um = float(rng.uniform(3.0, 6.0))
    layers_um = np.array(
        [
            rng.uniform(50, 80),  # pouch
            rng.uniform(80, 130),  # stripping electrode
            rng.uniform(180, 280),  # electrolyte
            rng.uniform(80, 130),  # plating electrode
            rng.uniform(50, 80),
        ]
    )
    moved_um = float(rng.uniform(18, 32))  # of lithium, and its pores twice as much
    grown_um = layers_um + np.array([0, -moved_um / 2, -moved_um / 2, moved_um, 0])
    sign = int(rng.choice([-1, 1]))
    tilt_deg, noise = float(rng.uniform(-2, 2)), float(rng.uniform(0.03, 0.12))
    views = int(rng.integers(180, 720))
    turn_deg = float(rng.choice([180.0, 360.0]))
    scans, pulses = _times(rng)
    return SetupCase(
        voxel_um=voxel_um,
        stack_um=float(layers_um[1:4].sum()) * float(rng.uniform(0.93, 1.07)),
        thetas_deg=np.linspace(0.0, turn_deg, views, endpoint=False) + float(rng.uniform(-90, 90)),
        first_current_sign=sign,
        first_current_mA=sign * float(rng.uniform(0.2, 3.0)),
        scans=scans,
        pulses=pulses,
        first=_draw(layers_um / voxel_um, tilt_deg, noise, rng),
        last=_draw(grown_um / voxel_um, tilt_deg, noise, rng),
    )


def wrong_case(seed: int, fault: Fault) -> SetupCase:
    """Draw the same cell with one value of the set-up wrong."""
    case = right_case(seed)
    rng = np.random.default_rng([seed, 12])
    match fault:
        case "pixel":
            return replace(case, voxel_um=case.voxel_um * float(rng.choice([0.5, 2.0])))
        case "radians":
            return replace(case, thetas_deg=np.radians(case.thetas_deg).astype(np.float64))
        case "current":
            return replace(case, first_current_sign=-case.first_current_sign)
        case "sides":
            return replace(case, first=case.first[:, ::-1], last=case.last[:, ::-1])
        case "polarity":
            return replace(case, first=-case.first, last=-case.last)
        case "clock":
            off_s = 300.0 if _is_early(case) else -300.0
            shifted = tuple((begin + off_s, end + off_s) for begin, end in case.pulses)
            return replace(case, pulses=shifted)


def _times(
    rng: np.random.Generator,
) -> tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]:
    """Plan scans in rests so that five minutes off would move current into them."""
    lasts_s = float(rng.uniform(300, 800))
    early_s = float(rng.uniform(20, 250))
    is_early = bool(rng.integers(2))
    begin_s = early_s if is_early else REST_S - lasts_s - early_s
    pulses = tuple(
        (REST_S + n * (PULSE_S + REST_S), REST_S + n * (PULSE_S + REST_S) + PULSE_S)
        for n in range(N_PULSES)
    )
    rests = [0.0, *(end for _, end in pulses)]
    chosen = rests[:: max(1, len(rests) // N_SCANS)]
    scans = tuple((rest + begin_s, rest + begin_s + lasts_s) for rest in chosen)
    return scans, pulses


def _is_early(case: SetupCase) -> bool:
    """Whether scans follow a pulse closely, rather than precede one."""
    after = min(b - end for b, _ in case.scans for _, end in case.pulses if b >= end)
    before = min(begin - e for _, e in case.scans for begin, _ in case.pulses if begin >= e)
    return after <= before


def _draw(
    layers_px: NDArray[np.float64], tilt_deg: float, noise: float, rng: np.random.Generator
) -> Volume:
    """Draw air, pouch, lithium, electrolyte, lithium, pouch, air with blurred faces."""
    edge = round(float(layers_px.sum()) * 1.5)
    y, x = np.indices((edge, edge)) - (edge - 1) / 2
    turn = np.deg2rad(tilt_deg)
    height = (y * np.cos(turn) - x * np.sin(turn))[None] + layers_px.sum() / 2
    greys = np.array([0.0, 0.7, 0.09, 0.4, 0.09, 0.7, 0.0])
    volume = np.zeros((4, edge, edge), np.float32)
    for plane, step in zip(
        np.concatenate([[0.0], np.cumsum(layers_px)]), np.diff(greys), strict=True
    ):
        volume += (step * (0.5 + 0.5 * np.tanh(1.5 * (height - plane)))).astype(np.float32)
    return volume + rng.normal(0, noise, volume.shape).astype(np.float32)
