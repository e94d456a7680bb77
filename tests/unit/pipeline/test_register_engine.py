"""Both engines on volumes rendered at exactly moved places: one contract, one truth."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.errors import NonFiniteError, ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.register import (
    BlockPair,
    Comparison,
    Field,
    GaussNewtonEngine,
    RegistrationEngine,
    RigidTransform,
    SimpleItkEngine,
)

N = 64
CENTRE = ((N - 1) / 2,) * 3
IN_PLACE = RigidTransform(centre_px=CENTRE)
EASY = RigidTransform(rotation_deg=(0.3, -0.08, 0.05), shift_px=(2.4, -1.3, 0.7), centre_px=CENTRE)
ENGINES: Sequence[RegistrationEngine] = (GaussNewtonEngine(), SimpleItkEngine())
by_engine = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)


def balls(
    transform: RigidTransform, *, noise: float = 0.0, seed: int = 0, gone: float = 0.0
) -> FloatVolume:
    """150 soft balls at their moved centres; the noise in units of their standard deviation."""
    rng = np.random.default_rng(1)
    centres = rng.uniform(-6, N + 6, (150, 3))
    sizes = list(zip(rng.uniform(2.5, 5.0, 150), rng.uniform(0.5, 1.5, 150), strict=True))
    own = np.random.default_rng(seed)
    kept = own.uniform(size=150) >= gone
    volume = np.zeros((N, N, N))
    for place, (radius, height), is_kept in zip(
        transform.to_scan(centres), sizes, kept, strict=True
    ):
        if is_kept:
            add_ball(volume, place, radius, height)
    volume += noise * volume.std() * own.standard_normal(volume.shape)
    return volume.astype(np.float32)


def add_ball(
    volume: NDArray[np.float64], place: NDArray[np.float64], radius: float, height: float
) -> None:
    reach = int(radius) + 5
    first = np.clip(np.floor(place).astype(int) - reach, 0, N)
    stop = np.clip(np.floor(place).astype(int) + reach + 1, 0, N)
    lines = [np.arange(a, b) - p for a, b, p in zip(first, stop, place, strict=True)]
    z, y, x = np.meshgrid(*lines, indexing="ij")
    box = tuple(slice(a, b) for a, b in zip(first, stop, strict=True))
    volume[box] += height / (1.0 + np.exp((np.sqrt(z**2 + y**2 + x**2) - radius) / 0.7))


def error_px(found: RigidTransform, true: RigidTransform) -> float:
    """Mean distance over a lattice in the volume."""
    line = np.linspace(0, N - 1, 7)
    lattice = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    return float(np.linalg.norm(found.to_scan(lattice) - true.to_scan(lattice), axis=1).mean())


def comparison(
    moving: FloatVolume, fixed: FloatVolume | None = None, *, max_shift_px: float = 15.0
) -> Comparison:
    pair = BlockPair(fixed=FIXED if fixed is None else fixed, moving=moving)
    return Comparison(pairs=(pair,), centre_px=CENTRE, max_shift_px=max_shift_px)


FIXED = balls(IN_PLACE, noise=0.3, seed=2)


@by_engine
def test_easy_pair_is_found_to_a_fiftieth_of_a_voxel(engine: RegistrationEngine) -> None:
    found = engine.register(comparison(balls(EASY, noise=0.3, seed=3)))

    # 0.003 voxel in 300 voxels cubed; a hundredth of the voxels makes it ten times as much.
    assert found.is_resolved
    assert error_px(found.transform, EASY) < (0.02 if engine.name == "gauss-newton" else 0.1)
    assert found.evidence.residual_px < 0.1


@by_engine
def test_hard_pair_is_found_to_a_tenth_of_a_voxel(engine: RegistrationEngine) -> None:
    fixed = balls(IN_PLACE, noise=1.0, seed=4)
    found = engine.register(comparison(balls(EASY, noise=1.0, seed=5, gone=0.1), fixed))

    assert found.is_resolved
    assert error_px(found.transform, EASY) < (0.1 if engine.name == "gauss-newton" else 0.2)


@by_engine
@pytest.mark.parametrize("kind", ["another sample", "empty field", "half outside", "inverted"])
def test_what_cannot_be_registered_is_said_to_be_so(engine: RegistrationEngine, kind: str) -> None:
    moving = {
        "another sample": np.ascontiguousarray(balls(IN_PLACE, noise=0.3, seed=6)[::-1, ::-1]),
        "empty field": np.random.default_rng(7).normal(size=FIXED.shape).astype(np.float32),
        "half outside": balls(
            RigidTransform(shift_px=(0.0, 0.0, 36.0), centre_px=CENTRE), noise=0.3, seed=8
        ),
        "inverted": -balls(EASY, noise=0.3, seed=9),
    }[kind]

    found = engine.register(comparison(moving))

    assert found.transform.verdict == "failed"
    assert found.reasons
    assert found.transform.shift_px == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("rotation_deg", "shift_px"),
    [((4.0, 0.0, 0.0), (0.0, 0.0, 0.0)), ((0.0, 3.0, -3.0), (-9.0, 12.0, 8.0))],
)
def test_capture_range_is_four_degrees_and_the_shift_that_was_asked_for(
    rotation_deg: tuple[float, float, float], shift_px: tuple[float, float, float]
) -> None:
    true = RigidTransform(rotation_deg=rotation_deg, shift_px=shift_px, centre_px=CENTRE)

    found = GaussNewtonEngine().register(
        comparison(balls(true, noise=0.3, seed=3), max_shift_px=13.0)
    )

    assert found.is_resolved
    assert error_px(found.transform, true) < 0.03


def test_equal_input_gives_equal_numbers() -> None:
    moving = balls(EASY, noise=0.3, seed=3)

    one, other = (GaussNewtonEngine().register(comparison(moving)) for _ in range(2))

    assert one == other
    assert one.information.tobytes() == other.information.tobytes()


def test_a_start_takes_the_search_far_beyond_its_reach() -> None:
    far = RigidTransform(
        rotation_deg=(9.0, 0.0, 0.0), shift_px=(0.0, 16.0, -15.0), centre_px=CENTRE
    )
    near = RigidTransform(
        rotation_deg=(8.0, 0.0, 0.0), shift_px=(0.0, 14.0, -14.0), centre_px=CENTRE
    )

    found = GaussNewtonEngine().register(
        comparison(balls(far, noise=0.3, seed=3), max_shift_px=6.0), start=near
    )

    assert found.is_resolved
    assert error_px(found.transform, far) < 0.05


def test_places_that_lift_say_nothing_of_y_and_all_of_the_rest() -> None:
    """The upper half has moved up by 5 voxels; the lower one alone would know x and z as well."""
    lifted = RigidTransform(shift_px=(2.4, 3.7, 0.7), centre_px=CENTRE)
    still = RigidTransform(shift_px=(2.4, -1.3, 0.7), centre_px=CENTRE)
    low, high = np.zeros(FIXED.shape, np.bool_), np.zeros(FIXED.shape, np.bool_)
    low[:, 4:28], high[:, 36:56] = True, True
    pairs = (
        BlockPair(fixed=FIXED, moving=balls(still, noise=0.3, seed=3), mask=low),
        BlockPair(fixed=FIXED, moving=balls(lifted, noise=0.3, seed=4), mask=high, is_lifted=True),
    )

    found = GaussNewtonEngine().register(
        Comparison(pairs=pairs, centre_px=CENTRE, max_lift_px=10.0)
    )

    assert found.is_resolved
    assert error_px(found.transform, still) < 0.03
    assert found.evidence.lift_px == pytest.approx(5.0, abs=0.05)


def test_blocks_of_a_volume_give_what_the_whole_gives() -> None:
    moving = balls(EASY, noise=0.3, seed=3)
    pairs = tuple(
        BlockPair(
            fixed=FIXED[z0 : z0 + 24],
            moving=moving[max(z0 - 8, 0) : z0 + 32],
            fixed_origin_px=(float(z0), 0.0, 0.0),
            moving_origin_px=(float(max(z0 - 8, 0)), 0.0, 0.0),
        )
        for z0 in (0, 40)
    )

    found = GaussNewtonEngine().register(Comparison(pairs=pairs, centre_px=CENTRE))

    assert found.is_resolved
    assert error_px(found.transform, EASY) < 0.03


def test_two_slices_are_registered_in_their_plane() -> None:
    rows = slice(30, 32)
    true = RigidTransform(
        rotation_deg=(0.5, 0.0, 0.0), shift_px=(0.0, 1.5, -0.8), centre_px=CENTRE
    )
    pair = BlockPair(
        fixed=FIXED[rows],
        moving=balls(true, noise=0.3, seed=3)[rows],
        fixed_origin_px=(30.0, 0.0, 0.0),
        moving_origin_px=(30.0, 0.0, 0.0),
    )

    found = GaussNewtonEngine().register(Comparison(pairs=(pair,), centre_px=CENTRE))

    assert found.best_guess.shift_px[0] == 0.0
    assert found.best_guess.shift_px[1:] == pytest.approx((1.5, -0.8), abs=0.1)
    assert found.best_guess.rotation_deg[1:] == (0.0, 0.0)


def test_only_what_the_field_of_the_moving_scan_holds_counts() -> None:
    moving = balls(EASY, noise=0.3, seed=3)
    field = Field.of_slices(N, N)
    y, x = np.indices((N, N))
    points = np.stack([np.zeros((N, N)), y, x], axis=-1)
    moving[:, ~field.holds(points)] = 2.0

    pair = BlockPair(fixed=FIXED, moving=moving)
    found = GaussNewtonEngine().register(Comparison(pairs=(pair,), centre_px=CENTRE, field=field))

    assert found.is_resolved
    # Smoothing carries a little of the rim inwards.
    assert error_px(found.transform, EASY) < 0.1


def test_broken_contracts_are_named() -> None:
    pair = BlockPair(fixed=FIXED, moving=FIXED)
    with pytest.raises(ParameterError, match="none that stays put"):
        Comparison(pairs=(), centre_px=CENTRE)
    with pytest.raises(ParameterError, match="max_shift_px"):
        Comparison(pairs=(pair,), centre_px=CENTRE, max_shift_px=0.0)
    with pytest.raises(ShapeError, match="mask"):
        Comparison(
            pairs=(BlockPair(fixed=FIXED, moving=FIXED, mask=np.ones((2, 2, 2), np.bool_)),),
            centre_px=CENTRE,
        )
    with pytest.raises(NonFiniteError, match="NaN"):
        Comparison(
            pairs=(BlockPair(fixed=FIXED, moving=FIXED * np.float32("nan")),), centre_px=CENTRE
        )
