"""Weigh what the methods say about the rotation axis, and word the verdict."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lithoscope_pipeline.rotation_axis.mirror import MirrorPeak
from lithoscope_pipeline.rotation_axis.sharpness import SharpPeak

Verdict = Literal["resolved", "ambiguous", "border", "flat", "given"]
Method = Literal["mirror", "sharpness", "prior", "given"]

# Peak over the spread of the curve. Of the mirror, noise alone gave 4.9 at most in 150 trials.
MIN_MIRROR = 4.5
SURE_MIRROR = 6.0
ALONE_MIRROR = 9.0  # without another witness
FULL_MIRROR = 12.0
MIN_SHARP = 5.0
SURE_SHARP = 8.0
FULL_SHARP = 16.0
MIN_QUARTERS = 3
MAX_SECOND_PEAK = 0.7
MAX_ROW_SPREAD_PX = 0.75
# How far the methods may lie apart: this, or three standard errors up to the limit.
NEAR_PX = 0.5
MAX_DISAGREEMENT_PX = 0.75
# Errors seen in 200 trials, of clear peaks; they grow as the square of what a peak lacks.
SEAM_ERROR_PX = 0.06
MIRROR_ERROR_PX = 0.1
SHARP_ERROR_PX = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationAxis:
    """Where the rotation axis stands and whether to believe it.

    Parameters
    ----------
    position_px
        Detector column in the middle row, pixel centres at integers from 0.
    confidence
        0..1; how far the best position stands above the next best one and above noise.
    verdict
        ``resolved``: believe it. ``ambiguous``: another position explains the views nearly as
        well, methods or rows disagree, or too little is seen. ``border``: the best position
        lies at the end of the search range. ``flat``: the views share no structure to measure.
        ``given``: it was not measured.
    error_px
        Rough standard error of the position, if the verdict is right; None if nothing is seen.
    tilt_deg
        Angle of the axis against the columns of the detector, in its plane; a positive one moves
        the axis to higher columns at higher rows.
    tilt_error_deg
        Standard error of ``tilt_deg``; None if it was not measured or too little is seen.
    is_tilted
        Whether the tilt is sure and large enough to be corrected.
    methods
        What bears the position out: ``mirror``, views half a turn apart; ``sharpness`` of
        slices; ``prior``, the axis expected before; ``given``.
    reason
        Why the verdict is not ``resolved``, in words; empty if it is.
    """

    position_px: float
    confidence: float
    verdict: Verdict
    error_px: float | None = None
    tilt_deg: float = 0.0
    tilt_error_deg: float | None = None
    is_tilted: bool = False
    methods: tuple[Method, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """The axis that is expected, from an earlier scan, and how far it may have moved."""

    position_px: float
    tolerance_px: float

    def holds(self, position_px: float) -> bool:
        """Whether a position is as near as expected."""
        return abs(position_px - self.position_px) <= self.tolerance_px


def judge(mirror: MirrorPeak, sharp: SharpPeak | None, prior: Prior | None) -> RotationAxis:
    """Weigh what both methods found against each other and against what was expected.

    Parameters
    ----------
    mirror
        From views half a turn apart.
    sharp
        From slices; None if the angles allow none.
    prior
        The axis that is expected, if any.

    Returns
    -------
    RotationAxis
        Without its tilt.
    """
    opinions = [_by_mirror(mirror)] if mirror.significance >= MIN_MIRROR else []
    if sharp is not None and sharp.significance >= MIN_SHARP:
        opinions.append(_by_sharpness(sharp))
    if not opinions:
        position_px = mirror.position_px if prior is None else prior.position_px
        return RotationAxis(
            position_px=position_px,
            confidence=0.0,
            verdict="flat",
            methods=() if prior is None else ("prior",),
            reason="the views share no structure that stands above their noise",
        )
    if len(opinions) == 2 and _do_agree(opinions[0], opinions[1], sharp.bin_px if sharp else 1):
        return _agreed(opinions[0], opinions[1])
    without_doubt = [opinion for opinion in opinions if not opinion.doubt]
    if len(opinions) == 1 or len(without_doubt) == 1:
        return _alone((without_doubt or opinions)[0], prior)
    return _disagreed(opinions[0], opinions[1], prior)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opinion:
    """One method: ``doubt`` says why it is not believed, ``is_clear`` that it needs no witness."""

    method: Method
    position_px: float
    error_px: float
    confidence: float
    is_clear: bool
    doubt: str


def _by_mirror(peak: MirrorPeak) -> _Opinion:
    confidence = min(1.0, peak.significance / FULL_MIRROR) * (1.0 - peak.second_peak)
    doubt = ""
    if peak.second_peak > MAX_SECOND_PEAK:
        doubt = "another position explains views half a turn apart nearly as well"
    elif peak.row_spread_px is None and peak.significance < SURE_MIRROR:
        doubt = "one row of views half a turn apart shows little above noise"
    elif peak.row_spread_px is not None and peak.row_spread_px > MAX_ROW_SPREAD_PX:
        doubt = f"even and odd rows put the axis {peak.row_spread_px:.1f} px apart"
    error_px = MIRROR_ERROR_PX * max(1.0, FULL_MIRROR / peak.significance) ** 2
    if peak.is_seam:
        error_px = SEAM_ERROR_PX
    return _Opinion(
        method="mirror",
        position_px=peak.position_px,
        error_px=min(error_px / max(1.0 - peak.second_peak, 0.1), MAX_DISAGREEMENT_PX),
        confidence=confidence,
        # A single row has no other to bear it out: clean plates once put it 16 px off.
        is_clear=peak.significance >= ALONE_MIRROR and peak.row_spread_px is not None,
        doubt=doubt,
    )


def _by_sharpness(peak: SharpPeak) -> _Opinion:
    doubt = ""
    if peak.row_spread_px is None and peak.significance < SURE_SHARP:
        doubt = "one slice shows little above noise"
    elif peak.row_spread_px is not None and peak.row_spread_px > MAX_ROW_SPREAD_PX * peak.bin_px:
        doubt = f"even and odd slices put the axis {peak.row_spread_px:.1f} px apart"
    elif peak.n_quarters < MIN_QUARTERS:
        doubt = f"only {peak.n_quarters} quarters of the slice are sharp there"
    error_px = SHARP_ERROR_PX * peak.bin_px * max(1.0, FULL_SHARP / peak.significance) ** 2
    between_px = 0.2 * peak.bin_px if peak.row_spread_px is None else peak.row_spread_px
    return _Opinion(
        method="sharpness",
        position_px=peak.position_px,
        error_px=error_px + 0.5 * between_px,
        confidence=min(1.0, peak.significance / FULL_SHARP),
        is_clear=peak.significance >= FULL_SHARP,
        doubt=doubt,
    )


def _do_agree(first: _Opinion, second: _Opinion, bin_px: int) -> bool:
    apart_px = abs(first.position_px - second.position_px)
    allowed_px = 3.0 * float(np.hypot(first.error_px, second.error_px))
    limit_px = bin_px * MAX_DISAGREEMENT_PX
    return apart_px <= min(max(NEAR_PX, allowed_px), limit_px)


def _agreed(by_mirror: _Opinion, by_sharpness: _Opinion) -> RotationAxis:
    """Both say the same: one witness without doubt is enough, and the mean the best guess."""
    opinions = by_mirror, by_sharpness
    shares = [1.0 / opinion.error_px**2 for opinion in opinions]
    is_resolved = not (by_mirror.doubt and by_sharpness.doubt)
    return RotationAxis(
        position_px=sum(
            share * opinion.position_px for share, opinion in zip(shares, opinions, strict=True)
        )
        / sum(shares),
        error_px=round(sum(shares) ** -0.5, 4),
        confidence=round(max(by_mirror.confidence, by_sharpness.confidence), 4),
        verdict="resolved" if is_resolved else "ambiguous",
        methods=("mirror", "sharpness"),
        reason="" if is_resolved else by_mirror.doubt,
    )


def _disagreed(first: _Opinion, second: _Opinion, prior: Prior | None) -> RotationAxis:
    """Take the one without doubt, then the one that was expected, then the surer."""

    def rank(opinion: _Opinion) -> tuple[bool, bool, float]:
        is_expected = prior is not None and prior.holds(opinion.position_px)
        return not opinion.doubt, is_expected, opinion.confidence

    best = max(first, second, key=rank)
    return RotationAxis(
        position_px=best.position_px,
        error_px=round(best.error_px, 4),
        confidence=round(0.5 * best.confidence, 4),
        verdict="ambiguous",
        methods=(best.method,),
        reason=f"views half a turn apart put the axis at {first.position_px:.2f}, the sharpness "
        f"of slices at {second.position_px:.2f}",
    )


def _alone(opinion: _Opinion, prior: Prior | None) -> RotationAxis:
    """One method sees nothing: the other needs to be very sure or to say what was expected."""
    is_expected = prior is not None and prior.holds(opinion.position_px)
    is_believed = not opinion.doubt and (is_expected or (opinion.is_clear and prior is None))
    reason = opinion.doubt
    if not reason and not is_believed:
        reason = (
            f"only the {opinion.method} method sees an axis, and that not clearly"
            if prior is None
            else f"only the {opinion.method} method sees an axis, {opinion.position_px:.2f}, and "
            f"{prior.position_px:.2f} was expected"
        )
    return RotationAxis(
        position_px=opinion.position_px,
        error_px=round(opinion.error_px, 4),
        confidence=round(opinion.confidence * (1.0 if is_believed else 0.5), 4),
        verdict="resolved" if is_believed else "ambiguous",
        methods=(opinion.method, "prior") if is_expected else (opinion.method,),
        reason=reason,
    )
