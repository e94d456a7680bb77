"""How the gap between two electrodes closes under four laws of growth, pulse by pulse.

None of them is fitted to a cell. They differ in what an early warning can rest on: a steady
speed, a speed that rises as the gap narrows, no speed at all before the last burst, and a tip
that was not the nearest one until late.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError

GrowthLaw = Literal["linear", "accelerating", "stall_and_jump", "overtaking"]
LAWS: Final[tuple[GrowthLaw, ...]] = get_args(GrowthLaw)
Vector = NDArray[np.float64]

#: Steps of a pulse in which a bridge is looked for.
_STEPS: Final = 20
#: Speeds change by this share from pulse to pulse, whatever the law.
_UNSTEADY: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class GapCourse:
    """The gap of one cell.

    Parameters
    ----------
    gap_um
        Before the first pulse and after each one, shape (n_pulses + 1,); 0 once it is bridged.
    bridge_pulse
        Pulses, and parts of one, until the gap was closed; None if it never is.
    """

    gap_um: Vector
    bridge_pulse: float | None


def close_gap(
    law: GrowthLaw,
    *,
    start_um: float,
    close_pulses: float,
    n_pulses: int,
    rng: np.random.Generator,
    stop_um: float = 0.0,
) -> GapCourse:
    """Let the gap of a cell close.

    Parameters
    ----------
    law
        How the nearest tip grows.
    start_um
        Gap before the first pulse.
    close_pulses
        Pulses in which it would be closed.
    n_pulses
        Pulses of the experiment.
    rng
        Draws what else differs: exponents, stalls, branches, unsteadiness.
    stop_um
        Growth stops for good where this is left of the gap; 0 lets it bridge.

    Returns
    -------
    GapCourse
        The gap, falling.

    Raises
    ------
    ParameterError
        If the gap or the pulses are not positive.
    """
    if not (start_um > 0 and close_pulses > 0 and n_pulses > 0):
        raise ParameterError(
            f"a gap of {start_um} um in {close_pulses} of {n_pulses} pulses; give positive numbers"
        )
    # Unsteadiness bends time, not depth: so a gap that is to close does so under every law.
    pace = np.exp(_UNSTEADY * rng.standard_normal(n_pulses)).repeat(_STEPS) / _STEPS
    passed = np.concatenate([[0.0], np.cumsum(pace)]) / close_pulses
    gap = np.maximum(start_um * (1.0 - _SHAPES[law](passed, rng)), stop_um)
    closed = np.flatnonzero(gap <= 0)
    bridge = float(closed[0]) / _STEPS if len(closed) else None
    return GapCourse(gap_um=gap[::_STEPS], bridge_pulse=bridge)


def _linear(part: Vector, rng: np.random.Generator) -> Vector:
    """Grow at one speed."""
    del rng
    return part


def _accelerating(part: Vector, rng: np.random.Generator) -> Vector:
    """Grow the faster the narrower the gap, at most as the field of two plates rises.

    ``gap = (1 - part)**(1 / (exponent + 1))`` solves ``d gap / d pulse = -c gap**-exponent``.
    """
    exponent = rng.uniform(0.3, 1.0)
    gap = np.maximum(1.0 - part, 0.0) ** (1.0 / (exponent + 1.0))
    return 1.0 - gap


def _stall_and_jump(part: Vector, rng: np.random.Generator) -> Vector:
    """Stand almost still, then grow in a burst, and again."""
    depth, at, height = [0.0], [0.0], 0.0
    last = max(float(part[-1]), 1.0)
    while at[-1] <= last + 1e-9:
        stall, burst = rng.uniform(0.12, 0.35), rng.uniform(0.06, 0.15)
        rise = 0.98 * (stall + burst) - 0.05 * stall
        for duration, more in ((stall, 0.05 * stall), (burst, rise)):
            height += more
            at.append(at[-1] + duration)
            depth.append(height)
    course: Vector = np.interp(part, at, depth)
    return course


def _overtaking(part: Vector, rng: np.random.Generator) -> Vector:
    """Grow at one speed, until a branch that began later and grows faster is ahead."""
    begin = rng.uniform(0.3, 0.7)
    branch = np.maximum(part - begin, 0.0) / (1.0 - begin)
    slow = rng.uniform(0.4, 0.7)
    return np.maximum(slow * part, branch)


_SHAPES: Final[Mapping[GrowthLaw, Callable[[Vector, np.random.Generator], Vector]]] = (
    MappingProxyType(
        {
            "linear": _linear,
            "accelerating": _accelerating,
            "stall_and_jump": _stall_and_jump,
            "overtaking": _overtaking,
        }
    )
)
