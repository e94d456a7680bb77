"""Bodies of lithium: their intervals along y, their union, and how they are drawn."""

import numpy as np
import pytest

from lithoscope_pipeline.phantom.bodies import Body, BodySamples, Segments
from lithoscope_pipeline.phantom.rasterise import Grain, add_band, add_segments
from lithoscope_pipeline.phantom.texture import Sampling

PLANE = Sampling(z_um=np.arange(-20.0, 20.5, 0.5), x_um=np.arange(-30.0, 30.5, 0.5))
NOTHING = np.zeros(PLANE.shape)
FAR = np.full(PLANE.shape, 1000.0)
COLUMN = Body(z_um=0.0, x_um=0.0, height_um=25.0, radius_um=4.0, is_column=True)
CAPSULE = Body(
    z_um=3.0,
    x_um=-5.0,
    height_um=12.0,
    radius_um=4.0,
    length_um=15.0,
    azimuth_rad=0.5,
    elevation_rad=0.7,
)


def volume_um3(bodies: list[Body]) -> float:
    samples = BodySamples.of(bodies, PLANE)
    segments = samples.segments(0.0, NOTHING, NOTHING, FAR)
    return float(segments.thickness_um.sum()) * 0.25


def test_a_capsule_has_its_volume() -> None:
    expected = np.pi * 4.0**2 * 15.0 + 4.0 / 3.0 * np.pi * 4.0**3

    # Exact along y; columns of half a micrometre cut the rim of 4 um to a percent.
    assert volume_um3([CAPSULE]) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("elevation_rad", [0.0, 0.7, 1.5])
def test_the_interval_of_a_capsule_is_where_its_axis_is_near(elevation_rad: float) -> None:
    body = Body(
        z_um=0.0,
        x_um=0.0,
        height_um=30.0,
        radius_um=3.0,
        length_um=10.0,
        azimuth_rad=0.9,
        elevation_rad=elevation_rad,
    )
    rng = np.random.default_rng(1)
    z, x = rng.uniform(-6.0, 12.0, (2, 4000))
    y = rng.uniform(20.0, 50.0, 4000)
    cos_e, sin_e = np.cos(elevation_rad), np.sin(elevation_rad)
    axis = np.array([cos_e * np.sin(0.9), sin_e, cos_e * np.cos(0.9)])
    points = np.stack([z, y - 30.0, x], axis=1)
    along = np.clip(points @ axis, 0.0, 10.0)
    distance = np.linalg.norm(points - along[:, None] * axis, axis=1)

    low_um, high_um = body.interval_um(z, x)

    inside = (y > low_um) & (y < high_um)
    is_clear = np.abs(distance - 3.0) > 1e-9
    assert np.array_equal(inside[is_clear], distance[is_clear] < 3.0)
    assert inside.any()


def test_a_body_counts_once_however_often_it_is_there() -> None:
    assert volume_um3([CAPSULE, COLUMN, CAPSULE]) == pytest.approx(volume_um3([CAPSULE, COLUMN]))
    assert volume_um3([CAPSULE, COLUMN]) < volume_um3([CAPSULE]) + volume_um3([COLUMN])


def test_a_union_is_that_of_its_voxels() -> None:
    rng = np.random.default_rng(3)
    column = rng.integers(0, 6, 60).astype(np.intp)
    low = rng.integers(0, 80, 60).astype(float)
    high = low + rng.integers(0, 9, 60).astype(float)
    expected = np.zeros((6, 90), bool)
    for c, a, b in zip(column, low, high, strict=True):
        expected[c, int(a) : int(b)] = True

    union = Segments.union(column, low, high, (2, 3))

    np.testing.assert_allclose(union.thickness_um.ravel(), expected.sum(axis=1))
    np.testing.assert_allclose(
        union.top_um(np.zeros((2, 3))).ravel(), 90 - expected[:, ::-1].argmax(axis=1)
    )


def test_the_layer_takes_away_what_lies_in_it_and_the_ceiling_what_lies_beyond() -> None:
    samples = BodySamples.of([COLUMN], PLANE)
    middle = (40, 60)

    segments = samples.segments(
        10.0, np.full(PLANE.shape, 8.0), NOTHING, np.full(PLANE.shape, 30.0)
    )

    # It stands on the level 10, which lifts its tip to 35.
    assert segments.thickness_um[middle] == pytest.approx(30.0 - 8.0)


def test_dissolved_roots_leave_the_upper_part() -> None:
    dead = Body(z_um=0.0, x_um=0.0, height_um=25.0, radius_um=4.0, is_column=True, root_um=9.0)

    segments = BodySamples.of([dead], PLANE).segments(-20.0, NOTHING, NOTHING, FAR)

    assert segments.low_um.min() == pytest.approx(9.0)
    assert segments.thickness_um[40, 60] == pytest.approx(25.0)


def test_a_cropped_union_keeps_its_columns() -> None:
    samples = BodySamples.of([CAPSULE, COLUMN], PLANE)
    segments = samples.segments(0.0, NOTHING, NOTHING, FAR)
    box = slice(30, 50), slice(40, 75)

    np.testing.assert_array_equal(segments.cropped(box).thickness_um, segments.thickness_um[box])


def test_drawn_pieces_hold_what_they_fill() -> None:
    samples = BodySamples.of([CAPSULE, COLUMN], PLANE)
    segments = samples.segments(0.0, NOTHING, NOTHING, FAR)
    y_um = np.arange(-60.0, 20.0, 0.8)
    lines, n_x = PLANE.shape
    slices = np.zeros((lines, y_um.size, n_x), np.complex64)

    add_segments(slices, segments, np.zeros(PLANE.shape), y_um, 2.0 - 1.0j)

    np.testing.assert_allclose(
        slices.sum(axis=1) * 0.8, (2.0 - 1.0j) * segments.thickness_um, atol=1e-3
    )


def test_a_drawn_band_holds_what_it_fills() -> None:
    y_um = np.arange(-10.0, 10.0, 0.7)
    out = np.zeros((y_um.size, 3), np.float32)
    low_um, high_um = np.array([-3.1, 0.05, 2.0]), np.array([4.2, 0.35, -1.0])

    add_band(out, low_um, high_um, y_um, 0.5)

    # Where the surfaces cross, what lies between them is taken away.
    np.testing.assert_allclose(out.sum(axis=0) * 0.7, [3.65, 0.15, -1.5], atol=1e-5)


def test_grain_has_zero_mean_and_its_strength() -> None:
    grain = Grain.make(4, strength=0.1, correlation_um=3.0)
    assert grain is not None
    every = np.arange(96)

    factor = grain.factor(every[:, None, None], every[None, :, None], every[None, None, :])

    assert factor.mean(dtype=float) == pytest.approx(1.0, abs=1e-5)
    assert factor.std() == pytest.approx(0.1, rel=1e-3)
    assert Grain.make(4, strength=0.0, correlation_um=3.0) is None
