"""A ball against its formulas; all volumes scale with the voxel; a series read in any slabs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure import (
    EarlierScans,
    GrowthStep,
    Measurement,
    PreviousScan,
    Reading,
    measure_labels,
)

Labels = NDArray[np.uint8]
N = 48


def cell() -> Labels:
    labels = np.full((N, 60, N), Label.ELECTROLYTE, np.uint8)
    labels[:, :6], labels[:, 50:] = Label.STRIPPING_ELECTRODE, Label.PLATING_ELECTRODE
    return labels


def test_a_floating_ball_has_the_volume_height_and_distance_of_the_formulas() -> None:
    labels = cell()
    radius, middle = 12.0, (24, 28, 24)
    z, y, x = np.ogrid[:N, :60, :N]
    square = (z - middle[0]) ** 2 + (y - middle[1]) ** 2 + (x - middle[2]) ** 2
    labels[square <= radius**2] = Label.DENDRITE

    found = measure_labels(labels, voxel_um=2.0)

    metrics = found.metrics
    counted = int((square <= radius**2).sum())
    assert metrics["dead_lithium_disconnected_volume_um3"].value == counted * 8
    # A tenth of a voxel more or less of the radius.
    assert counted == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.3 / radius)
    across = np.hypot(*np.meshgrid(np.arange(N) - middle[0], np.arange(N) - middle[2]))
    chord = 2 * np.sqrt(np.maximum(radius**2 - across**2, 0))
    inside = across <= radius
    thickness_px = found.maps["dendrite_thickness_um"] / 2
    # A chord of real length holds its length in voxels to one, half at either end.
    assert np.abs(thickness_px - chord)[inside].max() <= 1.0 + 1e-6
    assert (thickness_px[~inside] == 0).all()
    # Ten voxels below it and nine above it: from face to face over the ball.
    below, above = middle[1] - radius - 6, 50 - (middle[1] + radius) - 1
    assert metrics["remaining_gap_any_um"].value == pytest.approx(2 * (below + above), abs=1.0)
    assert metrics["remaining_gap_um"].value == pytest.approx(2 * 44)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_all_volumes_grow_with_the_cube_and_all_shares_stay(seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 9, (6, 12, 7), dtype=np.uint8)

    one = measure_labels(labels, voxel_um=1.0).metrics
    three = measure_labels(labels, voxel_um=3.0).metrics

    for name, metric in one.items():
        if metric.value is None:
            assert three[name].value is None, name
        elif metric.unit == "um3":
            assert three[name].value == pytest.approx(27 * metric.value), name
        # What stands above the layer is measured in windows of micrometres.
        elif name.endswith(("_coverage", "_fraction")) and name != "penetration_fraction":
            assert three[name].value == pytest.approx(metric.value), name


def series(reading: Reading) -> list[Measurement]:
    """Measure three scans, each laid over those before it, with shares of lithium."""
    rng = np.random.default_rng(3)
    places = rng.integers(3, N - 6, (14, 2))
    found: list[Measurement] = []
    volumes: list[Labels] = []
    for scan in range(3):
        labels = cell()
        for n, (z, x) in enumerate(places):
            size = 4 + (scan + 1) * (n % 5)
            labels[z : z + 3, 50 - size : 50, x : x + 3] = Label.DENDRITE
            labels[x : x + 3, max(6 - 1 - scan, 1) : 6, z : z + 3] = Label.PIT
        share = np.where(labels == Label.ELECTROLYTE, 30 + 20 * scan, 240).astype(np.uint8)
        earlier = EarlierScans()
        if found:
            before = found[-1]
            earlier = EarlierScans(
                charged=volumes[0],
                previous=PreviousScan(
                    labels=volumes[-1],
                    objects=before.objects,
                    n_pulses=1.0,
                    heights_um={
                        name: before.maps[name]
                        for name in ("stripping_height_um", "plating_height_um")
                    },
                    step=GrowthStep(
                        on_time_s=600.0,
                        registration_residual_um=0.2,
                        is_refined=True,
                        voxel_um=2.0,
                    ),
                ),
            )
        found.append(
            measure_labels(
                labels,
                voxel_um=2.0,
                active_area_cm2=0.001,
                earlier=earlier,
                lithium_share=share,
                reading=reading,
            )
        )
        volumes.append(labels)
    return found


def test_a_series_is_the_same_in_any_slabs_and_by_any_workers() -> None:
    whole = series(Reading(slab_slices=N, n_workers=1))

    for slab_slices, n_workers in ((1, 1), (7, 4), (64, 4)):
        read = series(Reading(slab_slices=slab_slices, n_workers=n_workers))
        for found, expected in zip(read, whole, strict=True):
            assert found.metrics == expected.metrics
            assert found.objects == expected.objects
            assert found.maps.keys() == expected.maps.keys()
            for name, image in expected.maps.items():
                np.testing.assert_array_equal(found.maps[name], image, err_msg=name)

    last = whole[-1]
    assert {each.event for each in last.objects.objects} >= {"grown"}
    assert last.metrics["unfilled_pit_fraction"].value is not None
    assert last.metrics["bridge_probability"].value == pytest.approx(0.25)
    assert "plating_current_density_mA_cm2" in last.maps
