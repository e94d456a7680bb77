"""Scribbles: features, forests, scripted people, agreement, next slices."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.labels import UNLABELLED
from lithoscope_pipeline.scribbles import (
    COVERAGES,
    ForestParameters,
    ScriptedUser,
    SliceDoubt,
    by_range,
    by_watershed,
    choose_range,
    compare_labels,
    dissent,
    draw_strokes,
    feature_names,
    label_slice,
    perceive,
    predict_slice,
    slice_doubt,
    slice_features,
    suggest_slices,
    train_forest,
)

QUICK = ForestParameters(n_trees=10)
EXACT = ScriptedUser(seed=1, face_bias_px=0, face_wobble_px=0)


@pytest.fixture(scope="module")
def truth() -> NDArray[np.uint8]:
    """Three classes: a disc (7) and a band (2) in a ground (0)."""
    y, x = np.indices((72, 90))
    classes = np.zeros(y.shape, np.uint8)
    classes[50:62] = 2
    classes[np.hypot(y - 25, x - 40) < 15] = 7
    return classes


@pytest.fixture(scope="module")
def grey(truth: NDArray[np.uint8]) -> NDArray[np.float32]:
    levels = np.array([0, 0, 1, 0, 0, 0, 0, 2], np.float32)
    noise = np.random.default_rng(4).normal(0, 0.35, truth.shape)
    return (levels[truth] + noise).astype(np.float32)


def test_features_of_a_parabola_are_its_derivatives() -> None:
    y, x = np.indices((41, 41)) - 20.0
    slice_ = (1.5 * x**2 - 0.5 * y**2).astype(np.float32)

    found = dict(zip(feature_names((2.0,)), slice_features(slice_, (2.0,))[20, 20], strict=True))

    # Second derivatives 3 along x and -1 along y, times sigma squared; cut at four sigma, the
    # discrete Gaussian loses up to a hundredth of them.
    assert found["ridge_2_px"] == pytest.approx(12, rel=0.02)
    assert found["valley_2_px"] == pytest.approx(-4, rel=0.02)
    assert found["laplacian_2_px"] == pytest.approx(8, rel=0.02)
    assert found["gradient_2_px"] == pytest.approx(0, abs=1e-4)


def test_a_forest_finds_noisy_classes_from_a_tenth_of_a_slice(
    grey: NDArray[np.float32], truth: NDArray[np.uint8]
) -> None:
    pytest.importorskip("sklearn", reason="pip install 'lithoscope[labels]' runs this test")
    painted = draw_strokes(truth, EXACT, coverage=0.10)

    labels = label_slice(train_forest([grey], [painted], QUICK), grey)

    assert min(compare_labels([truth, labels]).pairs[0].dice) > 0.9


def test_a_forest_gives_what_scikit_learn_gives(
    grey: NDArray[np.float32], truth: NDArray[np.uint8]
) -> None:
    ensemble = pytest.importorskip("sklearn.ensemble", reason="needs 'lithoscope[labels]'")
    painted = draw_strokes(truth, EXACT, coverage=0.2)
    known = painted != UNLABELLED
    parameters = ForestParameters(n_trees=5, seed=3, max_pixels=10**6)
    features = slice_features(grey)
    theirs = ensemble.RandomForestClassifier(
        n_estimators=5, min_samples_leaf=3, random_state=3
    ).fit(features[known], painted[known])

    ours = predict_slice(train_forest([grey], [painted], parameters), grey)

    expected = theirs.predict_proba(features.reshape(-1, features.shape[-1]))
    np.testing.assert_allclose(ours.reshape(expected.shape), expected, atol=1e-6)


def test_a_forest_depends_on_its_seed_alone_and_not_on_bands(
    grey: NDArray[np.float32], truth: NDArray[np.uint8]
) -> None:
    pytest.importorskip("sklearn", reason="pip install 'lithoscope[labels]' runs this test")
    painted = draw_strokes(truth, EXACT, coverage=0.2)
    few = ForestParameters(n_trees=3, max_pixels=500)

    one, again = (train_forest([grey], [painted], few) for _ in range(2))

    np.testing.assert_array_equal(one.threshold, again.threshold)
    np.testing.assert_array_equal(
        predict_slice(one, grey, band_rows=17), predict_slice(again, grey, band_rows=1000)
    )


def test_one_class_is_no_training(grey: NDArray[np.float32]) -> None:
    painted = np.full(grey.shape, UNLABELLED, np.uint8)
    painted[3:5] = 1

    with pytest.raises(ParameterError, match="paint two or more"):
        train_forest([grey], [painted])
    with pytest.raises(ShapeError):
        train_forest([grey], [painted[:-1]])


@pytest.mark.parametrize("coverage", COVERAGES)
def test_strokes_cover_the_share_asked_for_of_each_class(
    truth: NDArray[np.uint8], coverage: float
) -> None:
    painted = draw_strokes(truth, EXACT, coverage=coverage)

    known = painted != UNLABELLED
    np.testing.assert_array_equal(painted[known], truth[known])
    for class_ in (0, 2, 7):
        share = known[truth == class_].mean()
        assert share == pytest.approx(coverage, abs=1 / (truth == class_).sum())


def test_more_coverage_adds_to_the_same_strokes(truth: NDArray[np.uint8]) -> None:
    user = ScriptedUser(seed=5)

    few, many = (draw_strokes(truth, user, coverage=share) for share in (0.1, 0.3))

    np.testing.assert_array_equal(few[few != UNLABELLED], many[few != UNLABELLED])


def test_people_see_faces_moved_by_their_bias() -> None:
    half = np.zeros((400, 64), np.uint8)
    half[:, 32:] = 1
    users = [ScriptedUser(seed=n, face_bias_px=2.0, face_wobble_px=0) for n in range(60)]

    faces_px = [perceive(half, user).sum(axis=1).mean() - 32 for user in users]

    # Of 60 draws a standard deviation is known to 1 / sqrt(120) = 9 %; three of these.
    assert np.std(faces_px) == pytest.approx(2.0, rel=0.28)
    np.testing.assert_array_equal(perceive(half, EXACT), half)


def test_the_spread_of_volume_fractions_is_that_of_the_sample() -> None:
    stacks = [np.zeros((1, 10, 10), np.uint8) for _ in range(3)]
    for stack, n in zip(stacks, (10, 20, 60), strict=True):
        stack.reshape(-1)[:n] = 1

    agreed = compare_labels(stacks)

    # Mean 0.3; deviations -0.2, -0.1, 0.3; sqrt((0.04 + 0.01 + 0.09) / 2).
    assert agreed.mean[1] == pytest.approx(0.3)
    assert agreed.standard_deviation[1] == pytest.approx(math.sqrt(0.07))
    first_and_third = agreed.pairs[1]
    assert first_and_third.differing == pytest.approx(0.5)
    assert first_and_third.dice[1] == pytest.approx(20 / 70)
    assert first_and_third.iou[1] == pytest.approx(10 / 60)
    assert dissent(stacks).sum() == pytest.approx(50 / 3)


def test_what_somebody_left_open_is_left_out_for_all() -> None:
    one = np.array([[0, 1, UNLABELLED, 1]], np.uint8)
    two = np.array([[0, 1, 0, UNLABELLED]], np.uint8)

    agreed = compare_labels([one, two])

    assert agreed.n_voxels == 2
    assert agreed.pairs[0].differing == 0
    with pytest.raises(ParameterError, match="no voxel"):
        compare_labels([one[:, 2:], two[:, 2:]])


def test_sliders_find_the_grey_values_of_a_material() -> None:
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (8, 1))
    wanted = (ramp > 0.4) & (ramp < 0.7)

    chosen = choose_range(ramp, wanted)

    np.testing.assert_array_equal(by_range(ramp, chosen), wanted)
    np.testing.assert_array_equal(by_watershed(ramp, chosen, band=0.0), wanted)


def test_doubt_is_one_where_a_model_knows_nothing() -> None:
    even = np.full((4, 4, 3), 1 / 3, np.float32)
    sure = np.zeros((4, 4, 3), np.float32)
    sure[..., 1] = 1

    assert slice_doubt(even).doubt.sum() == pytest.approx(1)
    assert slice_doubt(sure).doubt.sum() == 0


def test_rare_doubtful_slices_come_first_and_apart_from_known_ones() -> None:
    def doubt(common: float, rare: float) -> SliceDoubt:
        return SliceDoubt(shares=np.array([0.99, 0.01]), doubt=np.array([common, rare]))

    doubts = [doubt(0.1, 0.0) for _ in range(40)]
    doubts[5], doubts[30], doubts[31] = (doubt(0.1, 0.1) for _ in range(3))

    found = suggest_slices(doubts, labelled=(4,), n_slices=3, spacing=10)

    assert found[0] in (30, 31)
    assert all(abs(each - 4) >= 1 for each in found)
    assert abs(found[1] - found[0]) >= 5
    assert suggest_slices(doubts[:1], labelled=(0,), n_slices=1) == ()
