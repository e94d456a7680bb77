"""Which sub-volumes of a pair are read: the right places, and little of a large scan."""

import numpy as np
import pytest

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_pipeline.register import BlockPlan, Field, RigidTransform, Spans, plan_blocks

FULL = (3978, 2560, 2560)
TINY = (24, 192, 192)


def in_place(shape: tuple[int, int, int]) -> RigidTransform:
    z, y, x = shape
    return RigidTransform(centre_px=((z - 1) / 2, (y - 1) / 2, (x - 1) / 2))


def plan(shape: tuple[int, int, int], **changes: object) -> BlockPlan:
    _, n_y, n_x = shape
    parts: dict[str, object] = {
        "shape": shape,
        "frame": in_place(shape),
        "spans": Spans(stays_y_px=(0.2 * n_y, 0.25 * n_y), lifts_y_px=(0.7 * n_y, 0.76 * n_y)),
        "field": Field.of_slices(n_y, n_x),
        "max_shift_px": 12.0,
        "max_lift_px": 45.0,
    }
    return BlockPlan(**(parts | changes))  # type: ignore[arg-type]  # of the right types above


def test_a_full_size_pair_is_read_in_less_than_two_gibibytes() -> None:
    blocks = plan_blocks(plan(FULL))

    assert sum(block.n_bytes for block in blocks) < 2**31
    assert {block.is_lifted for block in blocks} == {False, True}
    # The rotations need the distance: from the first row to the last.
    assert min(block.fixed.z0 for block in blocks) == 0
    assert max(block.fixed.z1 for block in blocks) == FULL[0]


def test_a_small_pair_is_taken_with_all_its_rows() -> None:
    blocks = plan_blocks(plan(TINY))

    assert [block.fixed.z1 - block.fixed.z0 for block in blocks] == [24, 24]


def test_the_moving_box_has_room_for_the_drift_and_stays_inside() -> None:
    (block, _) = plan_blocks(plan(TINY))

    assert block.moving.y0 <= block.fixed.y0 - 12
    assert block.moving.y1 >= block.fixed.y1 + 12
    assert (block.moving.z0, block.moving.z1) == (0, 24)
    assert 0 <= block.moving.x0 < block.moving.x1 <= TINY[2]


def test_a_start_moves_the_box_that_is_read() -> None:
    shift = RigidTransform(shift_px=(0.0, 30.0, 0.0), centre_px=in_place(TINY).centre_px)

    plain, moved = (plan_blocks(plan(TINY), start=start)[0] for start in (None, shift))

    assert moved.fixed == plain.fixed
    assert moved.moving.y1 == plain.moving.y1 + 30


def test_the_mask_follows_a_tilted_frame() -> None:
    tilted = RigidTransform(rotation_deg=(5.0, 0.0, 0.0), centre_px=in_place(TINY).centre_px)
    (block, _) = plan_blocks(plan(TINY, frame=tilted))
    volume: FloatVolume = np.zeros(block.fixed.shape, np.float32)

    pair = block.pair(volume, np.zeros(block.moving.shape, np.float32))

    assert pair.mask is not None
    voxels = np.argwhere(pair.mask) + np.array(pair.fixed_origin_px)
    y_px = tilted.to_reference(voxels)[:, 1]
    assert 38.4 <= y_px.min() < 39.4
    assert 47.0 < y_px.max() <= 48.0
    assert pair.lift_direction == pytest.approx(
        (0.0, np.cos(np.deg2rad(5.0)), -np.sin(np.deg2rad(5.0)))
    )


def test_a_span_outside_the_field_is_left_out() -> None:
    blocks = plan_blocks(
        plan(TINY, spans=Spans(stays_y_px=(40.0, 50.0), lifts_y_px=(230.0, 240.0)))
    )

    assert [block.is_lifted for block in blocks] == [False]


def test_what_cannot_be_is_named() -> None:
    with pytest.raises(ParameterError, match="span"):
        plan(TINY, spans=Spans(stays_y_px=(5.0, 5.0)))
    with pytest.raises(ParameterError, match="do not fit 1000 bytes"):
        plan_blocks(plan(TINY, max_bytes=1000))
