"""A scan is far from its training when it looks other, not when its grey values are scaled."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from lithoscope_pipeline.distribution import (
    SampledScan,
    centred_on,
    describe_scan,
    fit_training,
    sample_pairs,
    training_distance,
)
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.segment import GreyReferences

SHAPE = (6, 2, 120, 64)
LEVELS = np.array([1.5, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0], np.float32)


def scan(
    seed: int,
    *,
    noise: float = 0.2,
    grain_px: float = 0.6,
    confidence: float = 0.97,
    scale: float = 1.0,
    offset: float = 0.0,
) -> SampledScan:
    classes = np.zeros(SHAPE, np.uint8)
    classes[:, :, 10:40] = SegmentClass.ELECTRODE
    classes[:, :, 40:90] = SegmentClass.ELECTROLYTE
    classes[:, :, 80:90] = SegmentClass.DEPOSITED
    classes[:, :, 90:110] = SegmentClass.ELECTRODE
    white = np.random.default_rng(seed).standard_normal(SHAPE, np.float32)
    grain = ndimage.gaussian_filter(white, (0, 0, grain_px, grain_px))
    grey = LEVELS[classes] + np.float32(noise / grain.std()) * grain
    references = GreyReferences(
        electrode=offset,
        electrolyte=scale + offset,
        pouch=1.5 * scale + offset,
        noise=noise * abs(scale),
        cnr=1 / noise,
        polarity="dense_bright",
        edges_px=(9.5, 39.5, 89.5, 109.5),
        verdict="resolved",
    )
    slices: NDArray[np.float32] = np.asarray(scale * grey + offset, np.float32)
    return SampledScan(
        slices=slices,
        segments=classes[:, 0],
        references=references,
        mean_confidence=confidence,
        voxel_um=2.25,
    )


@pytest.fixture(scope="module")
def training() -> list[dict[str, float]]:
    rng = np.random.default_rng(1)
    return [
        describe_scan(
            scan(
                seed,
                noise=float(rng.uniform(0.17, 0.25)),
                grain_px=float(rng.uniform(0.5, 0.7)),
                confidence=float(rng.uniform(0.96, 0.98)),
            )
        )
        for seed in range(20)
    ]


def test_scale_and_offset_of_grey_values_do_not_matter() -> None:
    plain, turned = describe_scan(scan(3)), describe_scan(scan(3, scale=-0.4, offset=7.0))

    assert plain == pytest.approx(turned, abs=1e-3)


def test_a_scan_of_the_training_lies_within_the_limit(training: list[dict[str, float]]) -> None:
    found = fit_training(training)

    another = training_distance(describe_scan(scan(99, noise=0.2)), found)

    assert another.distance < found.limit


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"noise": 0.8}, {"noise", "grain_of_lithium"}),
        ({"grain_px": 2.5}, {"grain_x", "grain_y"}),
        ({"confidence": 0.7}, {"doubt", "doubt_at_edges"}),
    ],
)
def test_what_differs_is_far_and_is_named(
    training: list[dict[str, float]], changed: dict[str, float], names: set[str]
) -> None:
    found = fit_training(training)

    far = training_distance(describe_scan(scan(50, **changed)), found)

    assert far.distance > found.limit
    assert far.farthest[0] in names


def test_lithium_that_looks_like_electrolyte_is_far(training: list[dict[str, float]]) -> None:
    """Plated lithium two thirds as bright as electrolyte, and taken for it."""
    seen = scan(70)
    hidden = seen.segments == SegmentClass.DEPOSITED
    slices, segments = seen.slices.copy(), seen.segments.copy()
    slices[:, 0][hidden] += np.float32(0.65)
    segments[hidden] = SegmentClass.ELECTROLYTE
    found = fit_training(training)

    far = training_distance(describe_scan(replace(seen, slices=slices, segments=segments)), found)

    assert far.distance > found.limit
    assert "dim_by_plating_side" in far.farthest


def test_less_noise_is_no_reason_for_doubt(training: list[dict[str, float]]) -> None:
    found = fit_training(training)
    usual = dict(found.mean)

    quiet = training_distance({**usual, "noise": usual["noise"] - 5.0}, found)
    loud = training_distance({**usual, "noise": usual["noise"] + 5.0}, found)

    assert quiet.distance == 0.0
    assert loud.distance > found.limit


def test_a_network_that_has_learned_from_other_scans_has_them_in_its_middle(
    training: list[dict[str, float]],
) -> None:
    found = fit_training(training)
    others = [describe_scan(scan(seed, noise=0.5)) for seed in (60, 61)]

    moved = centred_on(found, others)

    assert training_distance(others[0], found).distance > found.limit
    assert training_distance(others[0], moved).distance < found.limit
    assert moved.spread == found.spread


def test_what_cannot_be_told_is_left_out() -> None:
    thin = scan(2)
    thin = replace(thin, references=replace(thin.references, edges_px=(9.5, 14.5, 89.5, 109.5)))

    found = describe_scan(thin)

    assert "noise" not in found
    assert "doubt" in found


def test_pairs_of_slices_are_spread_over_a_scan() -> None:
    assert sample_pairs(1) == []
    assert sample_pairs(3) == [0, 1]
    assert sample_pairs(101, 5) == [0, 25, 50, 74, 99]
