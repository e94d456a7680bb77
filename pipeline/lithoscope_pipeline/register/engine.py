"""Ours: phase correlation for the start, Gauss-Newton from coarse to fine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lithoscope_pipeline.register.compose import distance_px, recentred
from lithoscope_pipeline.register.evidence import agreement, uncertainty_px
from lithoscope_pipeline.register.gauss_newton import Fit, gauss_newton, lifted_px
from lithoscope_pipeline.register.numerics import CpuNumerics, Numerics
from lithoscope_pipeline.register.pairs import Comparison
from lithoscope_pipeline.register.phase_correlation import shift_candidates_px
from lithoscope_pipeline.register.points import (
    ComparedPoints,
    PairLevel,
    choose_points,
    make_levels,
)
from lithoscope_pipeline.register.protocol import Registration, RegistrationLimits
from lithoscope_pipeline.register.texture import fit_texture
from lithoscope_pipeline.register.verdict import judge
from lithoscope_pipeline.rigid import Points, RigidTransform

FACTORS = (4, 2, 1)
COARSE_POINTS = 30_000
MIDDLE_POINTS = 100_000
FINE_POINTS = 300_000
N_CANDIDATES = 4
_FIRST_STEPS = 12
_FINE_ENOUGH_PX = 0.03
_AS_GOOD = 1.2
_WANDERED = 1.0  # voxels of the coarser level
_MIN_LEVEL_PX = 10  # a level with fewer voxels across says nothing of rotations


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussNewtonEngine:
    """Phase correlation, then Gauss-Newton on linearly matched grey values.

    Parameters
    ----------
    numerics
        Where volumes live; this processor by default, on which equal input gives equal bytes.
    fine_points
        Voxels compared at the finest level.
    """

    numerics: Numerics = field(default_factory=CpuNumerics)
    fine_points: int = FINE_POINTS

    @property
    def name(self) -> str:
        """Name for people and settings."""
        return (
            "gauss-newton" if self.numerics.name == "cpu" else f"gauss-newton-{self.numerics.name}"
        )

    def register(
        self,
        comparison: Comparison,
        *,
        start: RigidTransform | None = None,
        limits: RegistrationLimits | None = None,
    ) -> Registration:
        """Find the transform of the fixed scan to the moving one.

        Parameters
        ----------
        comparison
            What is compared, and how far to look.
        start
            Where to begin, e.g. the transform of the previous scan; in place by default.
        limits
            What the answer must show.

        Returns
        -------
        Registration
            Directions in which the volumes hold no structure stay as they were at the start, and
            the verdict says so.
        """
        begin = start_of(comparison, start)
        factors = level_factors(comparison)
        levels = make_levels(comparison, self.numerics, factors)
        factor, fit, points = self._coarse_to_fine(levels, comparison, begin)
        refined = None
        if comparison.is_layered:
            texture = fit_texture(
                levels[1], self.numerics, comparison, fit, n_points=self.fine_points
            )
            if knows_more(texture, fit, comparison, factor=factor):
                refined = texture
        return judge(
            levels[factor],
            points,
            self.numerics,
            comparison,
            fit,
            refined=refined,
            start=begin,
            limits=limits or RegistrationLimits(),
            engine=self.name,
        )

    def _coarse_to_fine(
        self,
        levels: Mapping[int, Sequence[PairLevel]],
        comparison: Comparison,
        begin: RigidTransform,
    ) -> tuple[int, Fit, ComparedPoints]:
        """Go down the levels as long as finer ones know more; give the last one that did."""
        best: tuple[int, Fit, ComparedPoints] | None = None
        for factor, level in levels.items():
            n_points = {1: self.fine_points, 2: MIDDLE_POINTS}.get(factor, COARSE_POINTS)
            points = choose_points(level, self.numerics, n_points=n_points)
            if best is None:
                best = factor, self._first_fit(level, points, comparison, begin), points
                continue
            before = best[1]
            fit = gauss_newton(
                level,
                points,
                self.numerics,
                comparison,
                start=before.transform,
                lifts=before.lifts,
            )
            if not knows_more(fit, before, comparison, factor=best[0]):
                break
            best = factor, fit, points
        if best is None:
            raise RuntimeError("no level to compare at; level_factors always gives one")
        return best

    def _first_fit(
        self,
        level: Sequence[PairLevel],
        points: ComparedPoints,
        comparison: Comparison,
        begin: RigidTransform,
    ) -> Fit:
        """Try the likeliest shifts, and go on from where the texture agrees best."""
        shifts = shift_candidates_px(
            level, self.numerics, comparison, start=begin, n_candidates=N_CANDIDATES
        )
        best: tuple[float, Fit] | None = None
        for shift in np.vstack([shifts, np.zeros((1, 3))]):
            moved = np.array(begin.shift_px) + shift
            at = replace(begin, shift_px=(float(moved[0]), float(moved[1]), float(moved[2])))
            fit = gauss_newton(
                level,
                points,
                self.numerics,
                comparison,
                start=at,
                lifts=self._lifts(level, points, comparison, at),
                max_steps=_FIRST_STEPS,
            )
            score = agreement(level, points, self.numerics, comparison, fit)
            if best is None or score > best[0]:
                best = score, fit
        if best is None:
            raise RuntimeError("no start was tried")
        near = best[1]
        return gauss_newton(
            level, points, self.numerics, comparison, start=near.transform, lifts=near.lifts
        )

    def _lifts(
        self,
        level: Sequence[PairLevel],
        points: ComparedPoints,
        comparison: Comparison,
        start: RigidTransform,
    ) -> Points:
        """Look along y for the lift of the places that move by themselves, one for all of them."""
        lifts = np.zeros((len(points.is_lifted), 3))
        if not points.is_lifted.any() or comparison.max_lift_px == 0.0:
            return lifts
        factor = level[0].factor
        steps = np.arange(-comparison.max_lift_px, comparison.max_lift_px + factor, factor)
        found = []
        for lift in steps:
            lifts[points.is_lifted, 0] = lift
            found.append(self._lifted_correlation(level, points, start, lifts))
        lifts[points.is_lifted, 0] = steps[int(np.argmax(found))]
        return lifts

    def _lifted_correlation(
        self,
        level: Sequence[PairLevel],
        points: ComparedPoints,
        start: RigidTransform,
        lifts: Points,
    ) -> float:
        total, lifted = 0.0, lifted_px(points, lifts)
        for number, one in enumerate(level):
            chosen = points.pair_slices[number]
            if not one.pair.is_lifted:
                continue
            at_px = start.to_scan(lifted[chosen])
            seen, is_inside = self.numerics.sample(one.moving, one.moving_voxels(at_px))
            if np.count_nonzero(is_inside) > len(seen) // 2:
                pair = np.corrcoef(seen[is_inside], points.grey[chosen][is_inside])
                total += float(np.nan_to_num(pair[0, 1]))
        return total


def start_of(comparison: Comparison, start: RigidTransform | None) -> RigidTransform:
    """Write a start about the centre of the comparison; in place by default."""
    if start is None:
        return RigidTransform(centre_px=comparison.centre_px)
    return recentred(start, comparison.centre_px)


def knows_more(fine: Fit, coarse: Fit, comparison: Comparison, *, factor: int) -> bool:
    """Tell whether the fit of a finer level goes before that of a coarser one.

    Noise and streaks that a finer level shows may outweigh what it adds; then it knows less, or
    wanders off.

    Parameters
    ----------
    fine, coarse
        Fits at both levels.
    comparison
        What is compared.
    factor
        Voxels of the scan in one of the coarser level.
    """
    known, before = (uncertainty_px(fit, comparison) for fit in (fine, coarse))
    apart = distance_px(fine.transform, coarse.transform, comparison.corners_px)
    is_near = apart < max(_WANDERED * factor, 5.0 * before)
    return fine.is_settled and is_near and known < max(_FINE_ENOUGH_PX, _AS_GOOD * before)


def level_factors(comparison: Comparison) -> tuple[int, ...]:
    """Choose the levels, coarse ones first; no dimension that has structure gets too thin."""
    sizes = np.min([pair.fixed.shape for pair in comparison.pairs], axis=0)
    thinnest = int(sizes[~np.array(comparison.thin_axes)].min(initial=2**31))
    return tuple(f for f in FACTORS if f == 1 or thinnest // f >= _MIN_LEVEL_PX)
