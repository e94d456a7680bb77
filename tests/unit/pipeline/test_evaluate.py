"""Scores of labels: against hand-counted cases and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

from lithoscope_pipeline.evaluate import (
    N_BINS,
    calibration_error,
    compare_objects,
    confusion_of,
    count_calibration,
    iou_of,
    score_voxels,
    surface_distances_px,
)
from lithoscope_pipeline.labels import UNLABELLED, SegmentClass

N_CLASSES = len(SegmentClass)


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, N_CLASSES, 5000).astype(np.uint8)
    found = np.where(rng.random(5000) < 0.7, truth, rng.integers(0, N_CLASSES, 5000))
    return truth, found.astype(np.uint8)


def test_scores_are_those_of_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    truth, found = pair

    scores = score_voxels(confusion_of(truth, found, N_CLASSES))

    assert scores.iou == pytest.approx(jaccard_score(truth, found, average=None))
    assert scores.dice == pytest.approx(f1_score(truth, found, average=None))
    assert scores.macro_iou == pytest.approx(jaccard_score(truth, found, average="macro"))
    assert scores.frequency_weighted_iou == pytest.approx(
        jaccard_score(truth, found, average="weighted")
    )
    assert scores.accuracy == pytest.approx((truth == found).mean())


def test_volume_bias_is_what_was_found_too_much() -> None:
    truth = np.full(100, SegmentClass.ELECTROLYTE, np.uint8)
    truth[:40] = SegmentClass.PIT
    found = truth.copy()
    found[40:50] = SegmentClass.PIT

    bias = score_voxels(confusion_of(truth, found, N_CLASSES)).volume_bias

    assert bias[SegmentClass.PIT] == pytest.approx(0.25)
    assert bias[SegmentClass.ELECTROLYTE] == pytest.approx(-1 / 6)


def test_lithium_counts_as_one_whatever_kind_it_was_taken_for() -> None:
    truth = np.array([SegmentClass.DEPOSITED, SegmentClass.DENDRITE] * 10, np.uint8)
    found = np.full(20, SegmentClass.ELECTRODE, np.uint8)

    scores = score_voxels(confusion_of(truth, found, N_CLASSES))

    assert scores.lithium_iou == 1.0
    assert scores.accuracy == 0.0


def test_unlabelled_voxels_and_absent_classes_score_nothing() -> None:
    truth = np.array([UNLABELLED, SegmentClass.ELECTROLYTE], np.uint8)
    found = np.array([SegmentClass.PIT, SegmentClass.ELECTROLYTE], np.uint8)

    iou = iou_of(confusion_of(truth, found, N_CLASSES))

    assert iou[SegmentClass.ELECTROLYTE] == 1.0
    assert np.isnan(iou[SegmentClass.PIT])


def test_calibration_error_is_how_far_too_sure() -> None:
    """Probabilities of 0.8 of which 60 % are right are 0.2 too sure."""
    best = np.full(1000, 204, np.uint8)
    truth = np.zeros(1000, np.uint8)
    found = (np.arange(1000) >= 600).astype(np.uint8)

    counts = count_calibration(best, found, truth)

    assert counts.shape == (3, N_BINS)
    assert calibration_error(counts) == pytest.approx(0.2)


def _ball(shape: tuple[int, int, int], middle: tuple[int, int, int], radius: float) -> np.ndarray:
    grid = np.indices(shape) - np.array(middle)[:, None, None, None]
    return (grid**2).sum(axis=0) <= radius**2


def test_objects_are_recovered_missed_and_invented() -> None:
    shape = (20, 30, 60)
    first, second, invented = (
        _ball(shape, middle, 4) for middle in ((10, 15, 10), (10, 15, 30), (10, 15, 50))
    )

    counts = compare_objects(first | second, first | invented)

    assert (counts.n_true, counts.n_recovered) == (2, 1)
    assert (counts.n_found, counts.n_right) == (2, 1)
    assert counts.f1 == pytest.approx(0.5)
    # Both balls have 257 voxels: one is found whole, one not at all.
    assert counts.both.tolist() == [0, 257, 0, 0]
    assert counts.either.tolist() == [0, 514, 0, 0]


def test_a_piece_that_joins_two_objects_finds_both_and_counts_its_bridge_once() -> None:
    truth = np.zeros((5, 5, 30), bool)
    truth[1:4, 1:4, 2:8] = truth[1:4, 1:4, 20:28] = True
    found = truth.copy()
    found[2, 2, 8:20] = True

    counts = compare_objects(truth, found)

    assert (counts.n_recovered, counts.n_found, counts.n_right) == (2, 1, 1)
    # 54 and 72 voxels, and a bridge of 12.
    assert (counts.both.sum(), counts.either.sum()) == (126, 138)


def test_specks_are_no_objects() -> None:
    truth = np.zeros((6, 6, 6), bool)
    truth[1, 1, 1:5] = True

    counts = compare_objects(truth, truth)

    assert counts.n_true == counts.n_found == 0
    assert np.isnan(counts.f1)


def test_counts_of_two_volumes_add_up() -> None:
    ball = _ball((12, 12, 12), (6, 6, 6), 4)

    once = compare_objects(ball, ball)
    twice = once.plus(once)

    assert (twice.n_true, twice.f1) == (2, 1.0)
    assert twice.both.tolist() == (2 * once.both).tolist()


def test_surfaces_of_balls_around_each_other_are_as_far_apart_as_their_radii() -> None:
    shape = (40, 40, 40)
    small, large = _ball(shape, (20, 20, 20), 8), _ball(shape, (20, 20, 20), 12)

    distances = surface_distances_px(small, large)

    # Voxels of both surfaces lie up to one voxel within their radius.
    assert distances.mean() == pytest.approx(4.0, abs=0.5)
    assert surface_distances_px(small, small).max() == 0.0


def test_nothing_has_no_surface() -> None:
    assert surface_distances_px(np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)).size == 0
