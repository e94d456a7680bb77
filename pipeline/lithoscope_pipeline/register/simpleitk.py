"""The reference: SimpleITK's correlation, from coarse to fine by gradient descent [1]_.

References
----------
.. [1] B. C. Lowekamp et al., Front. Neuroinform. 7, 45 (2013). doi:10.3389/fninf.2013.00045
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name it goes by

from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.register.compose import combined, recentred
from lithoscope_pipeline.register.engine import level_factors, start_of
from lithoscope_pipeline.register.evidence import uncertainty_px
from lithoscope_pipeline.register.gauss_newton import Fit, gauss_newton
from lithoscope_pipeline.register.numerics import CpuNumerics
from lithoscope_pipeline.register.pairs import BlockPair, Comparison
from lithoscope_pipeline.register.phase_correlation import shift_candidates_px
from lithoscope_pipeline.register.points import (
    ComparedPoints,
    PairLevel,
    choose_points,
    make_levels,
)
from lithoscope_pipeline.register.protocol import Registration, RegistrationLimits
from lithoscope_pipeline.register.verdict import judge
from lithoscope_pipeline.rigid import RigidTransform

SEED = 20230801  # of SimpleITK's sampling: any fixed number
FACTORS = (4, 2, 1)
SAMPLES = 0.1
_JUDGE_POINTS = 100_000
_MAX_ITERATIONS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleItkEngine:
    """Euler transform by SimpleITK on correlation; blocks one by one, averaged.

    Only blocks that stay along y are used. The start is found by phase correlation, and the
    verdict by the same numbers as for our own engine.

    Parameters
    ----------
    samples
        Share of the voxels that are compared.
    """

    samples: float = SAMPLES

    @property
    def name(self) -> str:
        """Name for people and settings."""
        return "simpleitk"

    def register(
        self,
        comparison: Comparison,
        *,
        start: RigidTransform | None = None,
        limits: RegistrationLimits | None = None,
    ) -> Registration:
        """Find the transform; see `RegistrationEngine`."""
        begin = start_of(comparison, start)
        numerics = CpuNumerics()
        factors = level_factors(comparison)
        staying = replace(
            comparison, pairs=tuple(pair for pair in comparison.pairs if not pair.is_lifted)
        )
        levels = make_levels(staying, numerics, factors)
        shifts = shift_candidates_px(
            levels[factors[0]], numerics, staying, start=begin, n_candidates=1
        )
        moved = np.array(begin.shift_px) + (shifts[0] if len(shifts) else 0.0)
        at = replace(begin, shift_px=(float(moved[0]), float(moved[1]), float(moved[2])))
        found, known = [], []
        for pair in staying.pairs:
            alone = replace(staying, pairs=(pair,))
            transform = euler_by_simpleitk(pair, at, factors=factors, samples=self.samples)
            single = make_levels(alone, numerics, (1,))[1]
            own = choose_points(single, numerics, n_points=_JUDGE_POINTS)
            fit = gauss_newton(single, own, numerics, alone, start=transform, max_steps=0)
            found.append(transform)
            known.append(fit.reduced.information_of_all(fit.trust))
        transform = combined(found, known, staying.corners_px) if len(found) > 1 else found[0]
        level, points, fit = _at_best_level(levels, numerics, staying, transform)
        return judge(
            level,
            points,
            numerics,
            staying,
            fit,
            start=begin,
            limits=limits or RegistrationLimits(),
            engine=self.name,
        )


def _at_best_level(
    levels: Mapping[int, Sequence[PairLevel]],
    numerics: CpuNumerics,
    comparison: Comparison,
    transform: RigidTransform,
) -> tuple[Sequence[PairLevel], ComparedPoints, Fit]:
    """Look at a transform where noise leaves most to be known."""
    seen = []
    for level in levels.values():
        points = choose_points(level, numerics, n_points=_JUDGE_POINTS)
        fit = gauss_newton(level, points, numerics, comparison, start=transform, max_steps=0)
        seen.append((level, points, fit))
    return min(seen, key=lambda one: uncertainty_px(one[2], comparison))


def euler_by_simpleitk(
    pair: BlockPair, start: RigidTransform, *, factors: tuple[int, ...], samples: float = SAMPLES
) -> RigidTransform:
    """Refine a transform of one pair: correlation, linear interpolation, one thread.

    Parameters
    ----------
    pair
        What is compared; voxels outside its mask are not.
    start
        Fixed scan to moving scan.
    factors
        Binning of each level, coarse ones first.
    samples
        Share of the voxels that are compared at each level.
    """
    middle = tuple(float(value) for value in pair.middle_px)
    euler = _to_euler(recentred(start, (middle[0], middle[1], middle[2])))
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsCorrelation()
    if pair.mask is not None:
        mask = sitk.GetImageFromArray(pair.mask.astype(np.uint8))
        mask.SetOrigin(pair.fixed_origin_px[::-1])
        method.SetMetricFixedMask(mask)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(samples, SEED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetShrinkFactorsPerLevel(list(factors))
    method.SetSmoothingSigmasPerLevel([float(factor) for factor in factors])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0,
        minStep=1.0e-4,
        numberOfIterations=_MAX_ITERATIONS,
        relaxationFactor=0.6,
        gradientMagnitudeTolerance=1.0e-8,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(euler, inPlace=True)
    fixed, moving = (
        _image(volume, origin)
        for volume, origin in (
            (pair.fixed, pair.fixed_origin_px),
            (pair.moving, pair.moving_origin_px),
        )
    )
    try:
        method.Execute(fixed, moving)
    except RuntimeError:
        # ITK gives up where nothing overlaps; the verdict then says so of the start.
        return start
    return recentred(_from_euler(euler), start.centre_px)


def _image(volume: FloatVolume, origin_px: tuple[float, float, float]) -> "sitk.Image":
    image = sitk.GetImageFromArray(np.asarray(volume, dtype=np.float32))
    image.SetOrigin(origin_px[::-1])
    return image


def _to_euler(transform: RigidTransform) -> "sitk.Euler3DTransform":
    euler = sitk.Euler3DTransform()
    euler.SetCenter(transform.centre_px[::-1])
    about_z, about_y, about_x = np.deg2rad(transform.rotation_deg)
    euler.SetRotation(float(about_x), float(about_y), float(about_z))
    euler.SetTranslation(transform.shift_px[::-1])
    return euler


def _from_euler(euler: "sitk.Euler3DTransform") -> RigidTransform:
    degrees = np.rad2deg([euler.GetAngleZ(), euler.GetAngleY(), euler.GetAngleX()])
    z, y, x = (float(value) for value in euler.GetTranslation()[::-1])
    centre_z, centre_y, centre_x = (float(value) for value in euler.GetCenter()[::-1])
    return RigidTransform(
        rotation_deg=(float(degrees[0]), float(degrees[1]), float(degrees[2])),
        shift_px=(z, y, x),
        centre_px=(centre_z, centre_y, centre_x),
    )
