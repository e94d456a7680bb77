"""Whether a transform is believed: a wrong one must never pass, and failure is an answer."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lithoscope_pipeline.register.evidence import (
    Evidence,
    residual_px,
    texture_score,
    uncertainty_px,
)
from lithoscope_pipeline.register.gauss_newton import Fit
from lithoscope_pipeline.register.numerics import Numerics
from lithoscope_pipeline.register.pairs import Comparison
from lithoscope_pipeline.register.points import ComparedPoints, PairLevel
from lithoscope_pipeline.register.protocol import Registration, RegistrationLimits
from lithoscope_pipeline.rigid import RigidTransform


def judge(
    levels: Sequence[PairLevel],
    points: ComparedPoints,
    numerics: Numerics,
    comparison: Comparison,
    fit: Fit,
    *,
    refined: Fit | None = None,
    start: RigidTransform,
    limits: RegistrationLimits,
    engine: str,
) -> Registration:
    """Gather what speaks for a fit, and decide.

    Parameters
    ----------
    levels, points, numerics, comparison
        As for `~lithoscope_pipeline.register.gauss_newton.gauss_newton`.
    fit
        Where the search ended.
    refined
        Where a last step of the same, on less than all grey values, has led: the answer, and how
        well it is known. What tells right from wrong is judged without it.
    start
        Where it began; the answer if the fit is not believed.
    limits
        What a transform must show.
    engine
        Who found it.
    """
    lifted, last = points.is_lifted, refined or fit
    corners = comparison.corners_px
    travel = np.abs(last.transform.to_scan(corners) - start.to_scan(corners))
    evidence = Evidence(
        texture_score=texture_score(levels, points, numerics, comparison, fit),
        correlation=fit.correlation,
        overlap=fit.overlap,
        residual_px=residual_px(last),
        uncertainty_px=uncertainty_px(last, comparison),
        travel_px=float(travel.max()),
        lift_px=float(last.lifts[lifted, 0].mean()) if lifted.any() else 0.0,
    )
    reasons = doubts(evidence, comparison, limits)
    if not fit.is_settled:
        reasons = (*reasons, "the search did not come to an end")
    found = replace(last.transform, residual_px=evidence.residual_px)
    return Registration(
        transform=replace(start, residual_px=evidence.residual_px, verdict="failed")
        if reasons
        else found,
        best_guess=found,
        evidence=evidence,
        reasons=reasons,
        information=last.reduced.information_of_all(last.trust),
        engine=engine,
    )


def doubts(
    evidence: Evidence, comparison: Comparison, limits: RegistrationLimits
) -> tuple[str, ...]:
    """Say what is wrong with a transform, one line each; nothing if it is believed."""
    reasons = []
    if evidence.overlap < limits.overlap:
        reasons.append(f"only {evidence.overlap:.0%} of what stays is in the view")
    if evidence.correlation < limits.correlation:
        reasons.append(f"grey values correlate by {evidence.correlation:.2f} only")
    if evidence.texture_score < limits.texture_score:
        reasons.append(
            f"the texture does not match (score {evidence.texture_score:.1f}, chance reaches 5)"
        )
    if evidence.uncertainty_px > limits.uncertainty_px:
        reasons.append(
            f"too little texture: known to {min(evidence.uncertainty_px, 99.0):.1f} voxels"
        )
    if evidence.residual_px > limits.residual_px:
        reasons.append(f"parts disagree by {evidence.residual_px:.2f} voxels")
    # Corners turn as well as shift: half as much again is left for that.
    if evidence.travel_px > 1.5 * comparison.max_shift_px:
        reasons.append(
            f"it would have moved by {evidence.travel_px:.0f} voxels, looked for "
            f"{comparison.max_shift_px:.0f}"
        )
    return tuple(reasons)
