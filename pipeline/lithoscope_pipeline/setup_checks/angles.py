"""Whether angles are degrees: a turn of them in radians covers pi or two pi."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_pipeline.setup_checks.finding import SetupFinding

_CHECK: Final = "angles"
#: A turn is missed by a step, or overshot by some; other scans of so few degrees are none.
_TURN_SHARE: Final = 0.08
#: Fewer angles may be the begin of a turn in degrees.
_LEAST_ANGLES: Final = 24
#: Views may begin anywhere and leave out a wedge, but less covers no half-turn.
_LEAST_SPAN_DEG: Final = 135.0


def check_angles(thetas_deg: NDArray[np.float64]) -> SetupFinding:
    """Tell angles in radians from degrees by what a whole scan of them covers.

    Parameters
    ----------
    thetas_deg
        Angles as they came, taken to be degrees, shape (n_angles,), in the order of acquisition.

    Returns
    -------
    SetupFinding
        ``wrong`` if they cover a half-turn or a turn in radians, or else too little to be a scan;
        ``unknown`` with fewer than 24 angles.
    """
    if len(thetas_deg) < _LEAST_ANGLES:
        return SetupFinding(
            check=_CHECK,
            verdict="unknown",
            text=f"{len(thetas_deg)} angles; {_LEAST_ANGLES} are needed to tell their unit",
        )
    span = float(np.ptp(thetas_deg))
    step = float(np.median(np.abs(np.diff(np.sort(thetas_deg)))))
    evidence = {"span_deg": span, "step_deg": step, "n_angles": float(len(thetas_deg))}
    for turn, name in ((np.pi, "a half-turn"), (2 * np.pi, "a turn")):
        if abs(span + step - turn) <= _TURN_SHARE * turn:
            return SetupFinding(
                check=_CHECK,
                verdict="wrong",
                text=f"{len(thetas_deg)} angles cover {span:.4g}, which is {name} in radians",
                advice="send degrees: multiply by 57.2958 where they are written, or use "
                'theta_from = "formula"',
                evidence=evidence,
            )
    if span < _LEAST_SPAN_DEG:
        return SetupFinding(
            check=_CHECK,
            verdict="wrong",
            text=f"{len(thetas_deg)} angles cover {span:.4g} degrees, a half-turn is needed",
            advice="look at the stage and at the unit of the angles; degrees are needed",
            evidence=evidence,
        )
    return SetupFinding(
        check=_CHECK,
        verdict="right",
        text=f"{len(thetas_deg)} angles over {span:.1f} degrees",
        evidence=evidence,
    )
