"""The chance that an object exists is the share of its like that exist, with its own interval."""

from dataclasses import replace

import numpy as np
import pytest

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.measure.existence import measure_existence, with_existence
from lithoscope_pipeline.measure.intervals import (
    Calibration,
    CalibrationRange,
    ExistenceSample,
    ExistenceTable,
    IntervalContext,
    existence_of,
    fit_existence,
)
from lithoscope_pipeline.measure.objects import ObjectTable, TrackedObject

TRUE_WEIGHTS = (1.5, 1.2, -8.0, -0.4)


def true_chance(voxels: float, cnr: float, blur_px: float) -> float:
    a, b, c, d = TRUE_WEIGHTS
    logit = a + b * np.log(voxels / 27) + c / cnr**2 + d * blur_px**2
    return float(1 / (1 + np.exp(-logit)))


def sample(seed: int, *, n_experiments: int = 60, spread: float = 0.0) -> ExistenceSample:
    """Draw objects whose chance is known; ``spread`` lets experiments differ as a whole."""
    rng = np.random.default_rng(seed)
    experiment = np.repeat(np.arange(n_experiments), 40)
    n = len(experiment)
    voxels = np.rint(np.exp(rng.uniform(np.log(8), np.log(2000), n)))
    cnr = rng.uniform(2.2, 7.0, n_experiments)[experiment]
    blur_px = rng.uniform(0.5, 1.5, n_experiments)[experiment]
    a, b, c, d = TRUE_WEIGHTS
    logit = a + b * np.log(voxels / 27) + c / cnr**2 + d * blur_px**2
    logit += spread * rng.standard_normal(n_experiments)[experiment]
    return ExistenceSample(
        voxels=voxels,
        cnr=cnr,
        blur_px=blur_px,
        exists=rng.random(n) < 1 / (1 + np.exp(-logit)),
        experiment=experiment,
    )


def test_the_curve_that_objects_were_drawn_from_is_found() -> None:
    table = fit_existence(sample(1, n_experiments=200))

    error = np.sqrt(np.diag(np.array(table.covariance)))
    assert np.abs(np.array(table.weights) - TRUE_WEIGHTS).max() < 4 * error.max()
    assert table.n_objects == 8000
    assert table.n_experiments == 200


@pytest.mark.parametrize("spread", [0.0, 0.7])
def test_intervals_hold_the_true_chance_also_where_experiments_differ(spread: float) -> None:
    inside = []
    for seed in range(60):
        table = fit_existence(sample(seed, spread=spread))
        _, low, high = existence_of(table, np.array([60.0]), cnr=4.0, blur_px=1.0)
        # Experiments that differ bend the mean chance towards a half, by less than 0.03 here.
        inside.append(low[0] - 0.03 <= true_chance(60.0, 4.0, 1.0) <= high[0] + 0.03)

    assert np.mean(inside) >= 0.88


def test_larger_objects_exist_rather_and_noisier_ones_less() -> None:
    table = fit_existence(sample(2))

    sizes, _, _ = existence_of(table, np.array([8.0, 27.0, 260.0]), cnr=4.0, blur_px=1.0)
    noisy, _, _ = existence_of(table, np.array([8.0, 27.0, 260.0]), cnr=2.3, blur_px=1.0)

    assert (np.diff(sizes) > 0).all()
    assert (noisy < sizes).all()


def test_a_kind_of_which_all_exist_still_has_a_chance_below_one() -> None:
    drawn = sample(3)
    all_there = replace(drawn, exists=np.ones(len(drawn.exists), np.bool_))

    found = existence_of(fit_existence(all_there), np.array([30.0]), cnr=4.0, blur_px=1.0)

    assert 0.99 < float(found[0][0]) < 1.0


def test_too_few_experiments_and_uneven_columns_are_refused() -> None:
    with pytest.raises(ParameterError, match="at least 25"):
        fit_existence(sample(4, n_experiments=24))
    with pytest.raises(ShapeError, match="equal are needed"):
        replace(sample(5), voxels=np.ones(3))


def an_object(kind: str, voxels: int, *, gap_um: float | None = None) -> TrackedObject:
    return TrackedObject(
        kind="dendrite" if kind == "dendrite" else "pit",
        piece=voxels,
        voxels=voxels,
        volume_um3=float(voxels),
        base_area_um2=1.0,
        height_um=float(voxels),
        gap_um=gap_um,
        centre_px=(0.0, 0.0, 0.0),
        is_cut=False,
    )


OBJECTS = ObjectTable(
    objects=(
        an_object("dendrite", 500, gap_um=30.0),
        an_object("dendrite", 40, gap_um=8.0),
        an_object("dendrite", 12),
        an_object("pit", 100),
    ),
    n_found={"dendrite": 3, "pit": 1},
    gone={"dendrite": (), "pit": ()},
    next_track=5,
)


def context(*, cnr: float = 4.0, sha256: str = "a") -> IntervalContext:
    table = ExistenceTable(
        weights=TRUE_WEIGHTS,
        covariance=tuple(tuple(0.01 * (i == j) for j in range(4)) for i in range(4)),
        n_objects=100,
        n_experiments=60,
    )
    calibration = Calibration(
        origin="network",
        model_sha256="a",
        measure_version=1,
        holds=CalibrationRange(
            voxel_um=2.0, area_um2=1e4, cnr=(2.2, 7.0), blur_px=(0.0, 2.0), registration_px=0.5
        ),
        n_experiments=60,
        metrics={},
        existence={"dendrite": table, "pit": table},
    )
    return IntervalContext(
        calibrations=(calibration,),
        origin="network",
        model_sha256=sha256,
        measure_version=1,
        voxel_um=2.0,
        area_um2=1e4,
        cnr=cnr,
        blur_px=1.0,
    )


def test_each_object_has_a_chance_and_a_warning_says_what_it_rests_on() -> None:
    objects = with_existence(OBJECTS, context())
    metrics = measure_existence(objects, context())

    chances = [each.existence.chance for each in objects.objects if each.existence is not None]
    expected = [true_chance(voxels, 4.0, 1.0) for voxels in (500, 40, 12, 100)]
    assert chances == pytest.approx(expected)
    # The shortest way begins at the smaller dendrite, the highest is the larger one.
    assert metrics["gap_object_existence"].value == pytest.approx(expected[1])
    assert metrics["tip_existence"].value == pytest.approx(expected[0])
    assert metrics["dendrites_expected"].value == pytest.approx(sum(expected[:3]))
    assert metrics["pits_expected"].value == pytest.approx(expected[3])
    for metric in metrics.values():
        assert metric.value is not None
        assert metric.low95 is not None
        assert metric.high95 is not None
        assert metric.low95 <= metric.value <= metric.high95


@pytest.mark.parametrize(
    ("where", "flag"),
    [
        (context(cnr=1.5), "interval_outside_calibration"),
        (context(sha256="another"), "interval_not_calibrated"),
    ],
)
def test_without_a_calibration_nothing_is_invented(where: IntervalContext, flag: str) -> None:
    objects = with_existence(OBJECTS, where)
    metrics = measure_existence(objects, where)

    assert all(each.existence is None for each in objects.objects)
    assert {metric.value for metric in metrics.values()} == {None}
    assert metrics["gap_object_existence"].flags == (flag,)


def test_where_there_is_no_object_there_is_no_chance() -> None:
    nothing = replace(OBJECTS, objects=())

    metrics = measure_existence(with_existence(nothing, context()), context())

    assert metrics["tip_existence"].flags == ("no_object",)
    assert metrics["dendrites_expected"].value == 0.0
