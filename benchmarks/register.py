"""Two volumes to one transform: ours against SimpleITK on one core, and how far ours reaches."""

import statistics
from collections.abc import Callable

from benchmarks.moved_balls import mean_error_px, middle_px, moved_balls
from benchmarks.tables import Report, Table
from benchmarks.timing import one_core, processor_s
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.register import (
    BlockPair,
    BlockPlan,
    Comparison,
    Field,
    GaussNewtonEngine,
    RigidTransform,
    Spans,
    plan_blocks,
)
from lithoscope_pipeline.register.simpleitk import FACTORS, euler_by_simpleitk

_ROUNDS = 3  # of ours; SimpleITK takes its minutes once
_CASES = (
    ("easy: noise 0.3 sd", 0.3, 0.0),
    ("hard: noise 1.0 sd, 10 % of the balls gone", 1.0, 0.1),
)
_FULL = (3978, 2560, 2560)
_GIB = 2**30


def measure(*, is_quick: bool) -> Report:
    """Register the same pairs by both."""
    n = 100 if is_quick else 300
    with one_core():
        pairs = _pairs_table(n)
        reach = _reach_table(64 if is_quick else 150)
    return Report(
        title="Two volumes to one rigid transform, on one core",
        method=(
            "Soft balls of radius 3 to 7 voxels, rendered at exactly moved places (no "
            "interpolation in the truth), rotated by (0.3, -0.08, 0.05) degrees about (z, y, x) "
            "and shifted by (2.4, -1.3, 0.7) voxels; independent noise in units of the standard "
            "deviation of the volume. The error is the distance from the truth over a lattice "
            "of 7 points a side, mean and largest.",
            "Seconds of processor, one thread: ours from the two volumes in memory to the "
            f"transform with its verdict, median of {_ROUNDS} runs after one that compiles; "
            "SimpleITK (Euler transform, correlation, 10 % of the voxels, linear interpolation, "
            "regular step gradient descent, levels 4, 2, 1) once, from the images to the "
            "transform, without a verdict.",
        ),
        tables=(pairs, reach, _bytes_table()),
        packages=("lithoscope", "SimpleITK", "numba", "numpy", "scipy"),
    )


def _comparison(
    fixed: FloatVolume, moving: FloatVolume, *, max_shift_px: float = 15.0
) -> Comparison:
    pair = BlockPair(fixed=fixed, moving=moving)
    return Comparison(pairs=(pair,), centre_px=middle_px(len(fixed)), max_shift_px=max_shift_px)


def _pairs_table(n: int) -> Table:
    centre = middle_px(n)
    still = RigidTransform(centre_px=centre)
    true = RigidTransform(
        rotation_deg=(0.3, -0.08, 0.05), shift_px=(2.4, -1.3, 0.7), centre_px=centre
    )
    rows = []
    for name, noise, gone in _CASES:
        fixed = moved_balls(n, still, noise=noise, seed=2)
        moving = moved_balls(n, true, noise=noise, seed=3, gone=gone)
        comparison = _comparison(fixed, moving)
        engine = GaussNewtonEngine()
        found: list[RigidTransform] = []
        _timed(lambda: engine.register(comparison).transform, found)  # noqa: B023 - called at once
        ours = [
            _timed(lambda: engine.register(comparison).transform, found)  # noqa: B023 - at once
            for _ in range(_ROUNDS)
        ]
        theirs = _timed(
            lambda: euler_by_simpleitk(comparison.pairs[0], still, factors=FACTORS),  # noqa: B023
            found,
        )
        ours_s = statistics.median(ours)
        for label, seconds, transform in (
            ("Gauss-Newton", ours_s, found[-2]),
            ("SimpleITK", theirs, found[-1]),
        ):
            mean, largest = mean_error_px(transform, true, n)
            rows.append(
                (
                    name,
                    label,
                    f"{seconds:.2f}",
                    f"{seconds / theirs:.3f}",
                    f"{mean:.4f}",
                    f"{largest:.4f}",
                )
            )
    return Table(
        title=f"{n} voxels a side",
        columns=("pair", "engine", "s", "time / SimpleITK", "mean error, voxel", "largest"),
        rows=rows,
    )


def _timed(work: Callable[[], RigidTransform], found: list[RigidTransform]) -> float:
    return processor_s(lambda: found.append(work()))


def _reach_table(n: int) -> Table:
    """Turn and shift farther and farther, with the easy noise."""
    centre = middle_px(n)
    fixed = moved_balls(n, RigidTransform(centre_px=centre), noise=0.3, seed=2)
    rows = []
    for degrees, shift in (
        (1, 15),
        (2, 15),
        (3, 15),
        (4, 15),
        (6, 15),
        (8, 15),
        (10, 15),
        (1, 30),
    ):
        true = RigidTransform(
            rotation_deg=(degrees * 0.8, degrees * 0.48, -degrees * 0.36),
            shift_px=(-0.6 * shift, 0.64 * shift, 0.48 * shift),
            centre_px=centre,
        )
        moving = moved_balls(n, true, noise=0.3, seed=3)
        found = GaussNewtonEngine().register(_comparison(fixed, moving, max_shift_px=float(shift)))
        mean, _ = mean_error_px(found.best_guess, true, n)
        rows.append(
            (
                f"{degrees} degrees, {shift} voxels",
                "resolved" if found.is_resolved else "unregistered",
                f"{mean:.3f}",
                f"{found.evidence.texture_score:.0f}",
            )
        )
    return Table(
        title=f"How far it reaches: {n} voxels a side, turned and shifted along all axes",
        columns=("moved by", "verdict", "mean error, voxel", "texture score"),
        rows=rows,
    )


def _bytes_table() -> Table:
    """What a full-size pair costs to read."""
    z, y, x = _FULL
    plan = BlockPlan(
        shape=_FULL,
        frame=RigidTransform(centre_px=((z - 1) / 2, (y - 1) / 2, (x - 1) / 2)),
        spans=Spans(stays_y_px=(1020.0, 1110.0), lifts_y_px=(1440.0, 1530.0)),
        field=Field.of_slices(y, x),
        max_shift_px=12.0,
        max_lift_px=45.0,
    )
    blocks = plan_blocks(plan)
    read = sum(block.n_bytes for block in blocks)
    return Table(
        title="What is read of a pair of 3978 x 2560 x 2560 voxels",
        columns=("blocks", "GiB of both scans", "share of the pair"),
        rows=[(str(len(blocks)), f"{read / _GIB:.2f}", f"{read / (8 * z * y * x):.4f}")],
    )
