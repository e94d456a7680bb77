"""Rigid registration on volumes rendered at exactly moved places."""

import numpy as np
import pytest

from lithoscope_pipeline.errors import NonFiniteError, ShapeError
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.register import (
    BlockPair,
    Comparison,
    GaussNewtonEngine,
    RigidTransform,
    register_rigid,
)

SHAPE = (16, 40, 40)
CENTRE = (7.5, 19.5, 19.5)
TRUE = RigidTransform(rotation_deg=(0.3, -0.2, 0.1), shift_px=(0.8, -2.3, 1.6), centre_px=CENTRE)
CORNERS = np.array([[z, y, x] for z in (1, 14) for y in (4, 35) for x in (4, 35)], dtype=float)


def spheres(transform: RigidTransform, *, noise: float, seed: int) -> FloatVolume:
    """80 soft spheres rendered at their moved centres: no interpolation in the truth."""
    rng = np.random.default_rng(42)
    centres = rng.uniform((-2, -3, -3), np.array(SHAPE) + 3, (80, 3))
    heights = rng.uniform(0.5, 1.5, 80)
    z, y, x = np.indices(SHAPE)
    volume = noise * np.random.default_rng(seed).normal(size=SHAPE)
    for (cz, cy, cx), height in zip(transform.to_scan(centres), heights, strict=True):
        volume += height * np.exp(-0.12 * ((z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2))
    return volume.astype(np.float32)


FIXED = spheres(RigidTransform(centre_px=CENTRE), noise=0.1, seed=0)
MOVING = spheres(TRUE, noise=0.1, seed=1)


def largest_error_px(found: RigidTransform) -> float:
    return float(np.linalg.norm(found.to_scan(CORNERS) - TRUE.to_scan(CORNERS), axis=1).max())


@pytest.fixture(scope="module")
def found() -> RigidTransform:
    return register_rigid(FIXED, MOVING)


def test_transform_is_found_to_a_tenth_of_a_voxel(found: RigidTransform) -> None:
    assert found.verdict == "resolved"
    assert largest_error_px(found) < 0.1
    assert found.residual_px < 0.1


def test_two_calls_give_the_same_numbers(found: RigidTransform) -> None:
    assert register_rigid(FIXED, MOVING) == found


def test_grey_scale_does_not_matter(found: RigidTransform) -> None:
    scaled = register_rigid(FIXED, 3.0 + np.float32(0.2) * MOVING)

    assert scaled.shift_px == pytest.approx(found.shift_px, abs=1e-2)


def test_inverted_grey_fails() -> None:
    assert register_rigid(FIXED, -MOVING).verdict == "failed"


def test_what_changes_outside_the_mask_does_not_matter() -> None:
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[:, :20] = True
    changed = MOVING.copy()
    changed[:, 25:] = np.random.default_rng(3).normal(size=changed[:, 25:].shape)

    found = register_rigid(FIXED, changed, mask=mask)

    assert found.verdict == "resolved"
    # Half the volume, extrapolated over the other half.
    assert largest_error_px(found) < 0.2


def test_cut_volumes_give_the_transform_of_the_scan() -> None:
    found = register_rigid(
        FIXED[:, 3:38, 2:39], MOVING[:, 3:38, 2:39], origin_px=(0, 3, 2), centre_px=CENTRE
    )

    assert found.centre_px == CENTRE
    assert largest_error_px(found) < 0.1


def test_start_near_the_answer_leads_to_the_same_place() -> None:
    about_origin = RigidTransform(
        rotation_deg=TRUE.rotation_deg,
        shift_px=tuple(TRUE.to_scan(np.zeros(3)).tolist()),
        centre_px=(0.0, 0.0, 0.0),
    )

    found = register_rigid(FIXED, MOVING, initial=about_origin)

    assert largest_error_px(found) < 0.1


def test_planes_alone_are_too_little_and_say_so() -> None:
    y = np.arange(SHAPE[1], dtype=np.float32)[None, :, None]
    plane = np.broadcast_to(np.tanh(y - 19.0), SHAPE)
    moved = np.broadcast_to(np.tanh(y - 20.5), SHAPE)
    rng = np.random.default_rng(0)
    pair = BlockPair(
        fixed=(plane + 0.1 * rng.normal(size=SHAPE)).astype(np.float32),
        moving=(moved + 0.1 * rng.normal(size=SHAPE)).astype(np.float32),
    )

    found = GaussNewtonEngine().register(Comparison(pairs=(pair,), centre_px=CENTRE))

    assert found.best_guess.shift_px[1] == pytest.approx(1.5, abs=0.05)
    assert found.transform.verdict == "failed"
    assert any("texture" in reason for reason in found.reasons)


def test_volumes_without_anything_in_common_fail() -> None:
    noise = np.random.default_rng(7).normal(size=SHAPE).astype(np.float32)

    found = register_rigid(FIXED, noise)

    assert found.verdict == "failed"
    assert found.shift_px == (0.0, 0.0, 0.0)


def test_broken_contracts_are_named() -> None:
    with pytest.raises(ShapeError, match="cut both alike"):
        register_rigid(FIXED, MOVING[:-1])
    with pytest.raises(ShapeError, match="500 voxels"):
        register_rigid(FIXED, MOVING, mask=np.zeros(SHAPE, dtype=np.bool_))
    with pytest.raises(NonFiniteError, match="NaN"):
        register_rigid(FIXED, MOVING * np.float32("nan"))
