"""From scan to scan, and from time to time back to the first: errors must not add up."""

from dataclasses import dataclass, replace

import numpy as np

from lithoscope_pipeline.register.compose import composed, distance_px
from lithoscope_pipeline.register.protocol import Registration
from lithoscope_pipeline.rigid import Points, RigidTransform


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where a scan lies in the reference frame.

    Parameters
    ----------
    transform
        Reference frame to scan. With verdict ``failed`` it is that of the previous scan.
    is_anchored
        Whether it rests on the first scan and not on those between.
    closure_px
        How far the ways by the previous scan and by the first end apart; None if one is missing.
    reasons
        Why it is not believed; empty if it is.
    """

    transform: RigidTransform
    is_anchored: bool
    closure_px: float | None
    reasons: tuple[str, ...]


def place_scan(
    previous: RigidTransform,
    step: Registration | None,
    anchor: Registration | None,
    *,
    first: RigidTransform,
    corners_px: Points,
    closure_limit_px: float,
) -> Placed:
    """Put the way by the previous scan and the way by the first together.

    Parameters
    ----------
    previous
        Reference frame to previous scan.
    step
        Previous scan to this one; None if that is the first.
    anchor
        First scan to this one; None if it was not its turn.
    first
        Reference frame to first scan.
    corners_px
        Corners of the region in the reference frame (z, y, x), shape (n, 3).
    closure_limit_px
        How far both ways may end apart.

    Returns
    -------
    Placed
        The anchored transform where there is one: its error does not depend on the scans between.
    """
    by_step = composed(previous, step.transform) if step and step.is_resolved else None
    by_anchor = composed(first, anchor.transform) if anchor and anchor.is_resolved else None
    closure_px = None
    if by_step is not None and by_anchor is not None:
        closure_px = distance_px(by_step, by_anchor, corners_px)
        if closure_px > closure_limit_px:
            reason = (
                f"the ways by the previous scan and by the first end {closure_px:.1f} voxels apart"
            )
            return _failed(previous, closure_px, (reason,))
    if by_anchor is not None and anchor is not None:
        # The residual is that of the step that was measured, not of the levelling before it.
        kept = replace(by_anchor, residual_px=anchor.transform.residual_px)
        return Placed(transform=kept, is_anchored=True, closure_px=closure_px, reasons=())
    if by_step is not None and step is not None:
        kept = replace(by_step, residual_px=step.transform.residual_px)
        return Placed(transform=kept, is_anchored=False, closure_px=None, reasons=())
    reasons = [reason for each in (step, anchor) if each is not None for reason in each.reasons]
    return _failed(previous, None, tuple(dict.fromkeys(reasons)) or ("nothing was compared",))


def _failed(
    previous: RigidTransform, closure_px: float | None, reasons: tuple[str, ...]
) -> Placed:
    return Placed(
        transform=replace(previous, verdict="failed"),
        is_anchored=False,
        closure_px=closure_px,
        reasons=reasons,
    )


def corners_of(shape: tuple[int, int, int], origin_px: tuple[float, float, float]) -> Points:
    """Corners of a box (z, y, x), shape (8, 3), voxels."""
    picks = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    return np.asarray(np.array(origin_px) + picks * (np.array(shape) - 1.0))
