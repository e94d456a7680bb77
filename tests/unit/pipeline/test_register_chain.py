"""Transforms one after the other, turned round, averaged; from scan to scan and back to scan 0."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithoscope_pipeline.errors import ParameterError
from lithoscope_pipeline.register import (
    Evidence,
    Placed,
    Registration,
    RigidTransform,
    combined,
    composed,
    corners_of,
    distance_px,
    inverse,
    place_scan,
    recentred,
)
from lithoscope_pipeline.rigid import Points

POINTS = np.random.default_rng(0).uniform(-50, 50, (20, 3))
CORNERS = corners_of((10, 40, 60), (1.0, 20.0, 5.0))
IN_PLACE = RigidTransform(centre_px=(5.0, 40.0, 40.0))
LEVEL = RigidTransform(rotation_deg=(2.0, 0.0, -1.0), centre_px=(5.0, 40.0, 40.0))

angles = st.tuples(*[st.floats(-20.0, 20.0)] * 3)
shifts = st.tuples(*[st.floats(-20.0, 20.0)] * 3)
transforms = st.builds(RigidTransform, rotation_deg=angles, shift_px=shifts, centre_px=shifts)


@given(first=transforms, then=transforms)
def test_composed_is_one_after_the_other(first: RigidTransform, then: RigidTransform) -> None:
    both = composed(first, then)

    np.testing.assert_allclose(
        both.to_scan(POINTS), then.to_scan(first.to_scan(POINTS)), atol=1e-8
    )


@given(transform=transforms)
def test_the_inverse_takes_everything_back(transform: RigidTransform) -> None:
    np.testing.assert_allclose(
        inverse(transform).to_scan(transform.to_scan(POINTS)), POINTS, atol=1e-8
    )


@given(transform=transforms, centre=shifts)
def test_another_centre_is_the_same_transform(
    transform: RigidTransform, centre: tuple[float, float, float]
) -> None:
    np.testing.assert_allclose(
        recentred(transform, centre).to_scan(POINTS), transform.to_scan(POINTS), atol=1e-8
    )


def test_the_average_trusts_what_is_known_and_leaves_an_outlier_out() -> None:
    sure = RigidTransform(shift_px=(1.0, 2.0, 3.0), centre_px=(0.0, 0.0, 0.0))
    vague = replace(sure, shift_px=(1.2, 2.0, 3.0))
    wrong = replace(sure, shift_px=(9.0, -7.0, 3.0))

    found = combined([sure, vague, wrong], [100.0 * np.eye(6), np.eye(6), np.eye(6)], CORNERS)

    assert found.shift_px == pytest.approx((1.0, 2.0, 3.0), abs=0.02)
    assert found.residual_px < 0.5


def test_information_about_another_centre_is_carried_over() -> None:
    """One knows the shift of its own far centre alone; the other the rotation: both are kept."""
    true = RigidTransform(
        rotation_deg=(0.1, 0.0, 0.0), shift_px=(0.0, 0.0, 0.0), centre_px=(0.0, 0.0, 0.0)
    )
    far = recentred(true, (0.0, 0.0, 1000.0))
    turned = replace(true, shift_px=(0.0, 50.0, 0.0))

    found = combined(
        [turned, far],
        [np.diag([1e-9] * 3 + [1e6] * 3), np.diag([1.0] * 3 + [1e-9] * 3)],
        CORNERS,
    )

    assert distance_px(found, true, CORNERS) < 0.01
    with pytest.raises(ParameterError, match="0 transforms"):
        combined([], [], CORNERS)


def answer(shift_px: tuple[float, float, float], *reasons: str) -> Registration:
    transform = RigidTransform(shift_px=shift_px, centre_px=(5.0, 40.0, 40.0), residual_px=0.1)
    evidence = Evidence(
        texture_score=50.0,
        correlation=0.9,
        overlap=1.0,
        residual_px=0.1,
        uncertainty_px=0.05,
        travel_px=1.0,
        lift_px=0.0,
    )
    return Registration(
        transform=replace(IN_PLACE, verdict="failed") if reasons else transform,
        best_guess=transform,
        evidence=evidence,
        reasons=reasons,
    )


PREVIOUS = composed(LEVEL, RigidTransform(shift_px=(0.0, 2.0, 0.0), centre_px=(5.0, 40.0, 40.0)))


def place(step: Registration | None, anchor: Registration | None) -> Placed:
    return place_scan(
        PREVIOUS, step, anchor, first=LEVEL, corners_px=CORNERS, closure_limit_px=1.0
    )


def apart_px(found: RigidTransform, shift_px: tuple[float, float, float]) -> float:
    """Distance from the first scan's levelling followed by a shift."""
    moved = composed(LEVEL, RigidTransform(shift_px=shift_px, centre_px=(5.0, 40.0, 40.0)))
    apart: Points = found.to_scan(CORNERS) - moved.to_scan(CORNERS)
    return float(np.abs(apart).max())


def test_a_step_is_added_to_the_previous_scan() -> None:
    placed = place(answer((0.0, 1.0, 0.0)), None)

    assert placed.reasons == ()
    assert not placed.is_anchored
    assert apart_px(placed.transform, (0.0, 3.0, 0.0)) < 1e-9
    assert placed.transform.residual_px == pytest.approx(0.1)


def test_the_first_scan_goes_before_the_ones_between() -> None:
    placed = place(answer((0.0, 1.0, 0.0)), answer((0.0, 3.2, 0.0)))

    assert placed.is_anchored
    assert placed.closure_px == pytest.approx(0.2)
    assert apart_px(placed.transform, (0.0, 3.2, 0.0)) < 1e-9


def test_two_ways_that_end_apart_are_not_believed() -> None:
    placed = place(answer((0.0, 1.0, 0.0)), answer((0.0, 5.0, 0.0)))

    assert placed.transform.verdict == "failed"
    assert placed.closure_px == pytest.approx(2.0)
    assert "2.0 voxels apart" in placed.reasons[0]
    assert apart_px(placed.transform, (0.0, 2.0, 0.0)) < 1e-9


def test_either_way_will_do_if_the_other_fails() -> None:
    by_first = place(answer((0.0, 0.0, 0.0), "no texture"), answer((0.0, 3.0, 0.0)))
    by_step = place(answer((0.0, 1.0, 0.0)), answer((0.0, 0.0, 0.0), "no texture"))

    assert by_first.is_anchored
    assert not by_step.is_anchored
    assert by_first.reasons == by_step.reasons == ()


def test_where_both_fail_each_reason_is_said_once() -> None:
    placed = place(answer((0, 0, 0), "no texture"), answer((0, 0, 0), "no texture", "half out"))

    assert placed.reasons == ("no texture", "half out")
    assert placed.transform.verdict == "failed"
