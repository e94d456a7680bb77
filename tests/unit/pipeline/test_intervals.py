"""Intervals of metrics against known errors, when there is none, and limits of detection."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.measure.intervals import (
    BiasTerm,
    Calibration,
    CalibrationRange,
    FitParameters,
    IntervalContext,
    MetricResiduals,
    MetricTable,
    Reach,
    SeenScans,
    fit_metric,
    null_spread,
    with_intervals,
)
from lithoscope_pipeline.measure.intervals.conformal import coverage, intervals_of
from lithoscope_pipeline.metric import Metric, measured, not_measured

SHA = "a" * 64


def residuals(
    seed: int, *, n: int = 120, n_scans: int = 8, family_bias: float = 0.0, bias: float = 0.0
) -> MetricResiduals:
    """Errors that grow with size and noise, half of each shared by all scans of an experiment."""
    rng = np.random.default_rng(seed)
    experiment = np.repeat(np.arange(n), n_scans)
    family = experiment % 4
    truth = rng.uniform(1.0, 50.0, len(experiment))
    cnr = rng.uniform(2.5, 7.0, n)[experiment]
    blur_px = rng.uniform(0.7, 1.4, n)[experiment]
    shared, own = rng.standard_normal(n)[experiment], rng.standard_normal(len(experiment))
    sd = (0.2 + 0.02 * truth) * (1.0 + 80.0 / cnr**4)
    error = sd * (shared + own) / np.sqrt(2) + bias + family_bias * (family == 3)
    return MetricResiduals(
        seen=seen(np.maximum(truth + error, 0.0), cnr=cnr, blur_px=blur_px),
        truth=truth,
        experiment=experiment,
        family=family,
    )


def seen(
    size: NDArray[np.float64] | float,
    *,
    cnr: NDArray[np.float64] | float = 6.0,
    blur_px: NDArray[np.float64] | float = 1.0,
    grain: float = 0.4,
    volumes_um: float = 1.0,
) -> SeenScans:
    """Scans of a plain cell whose noise is fine."""
    sizes = np.atleast_1d(np.asarray(size, np.float64))
    n = len(sizes)
    return SeenScans(
        size=sizes,
        cnr=np.broadcast_to(np.asarray(cnr, np.float64), n),
        blur_px=np.broadcast_to(np.asarray(blur_px, np.float64), n),
        grain=np.full(n, grain),
        volumes_um=np.full((n, 5), volumes_um),
    )


def interval_of(table: MetricTable, scan: SeenScans) -> tuple[float, float]:
    low, high = intervals_of(table, scan)
    return float(low[0]), float(high[0])


def test_new_experiments_are_covered_as_often_as_was_promised() -> None:
    found = [
        coverage(fit_metric(residuals(seed), FitParameters()), residuals(seed + 100))
        for seed in range(8)
    ]

    # The mean over 8 x 120 new experiments has a standard deviation of about 0.01.
    assert 0.93 <= np.mean(found) <= 0.985


def test_intervals_are_hardly_wider_than_the_errors_spread() -> None:
    table = fit_metric(residuals(1), FitParameters())
    fresh = residuals(2)

    low, high = intervals_of(table, fresh.seen)

    # 95 % of a normal distribution lie within 1.96 standard deviations.
    sd = (0.2 + 0.02 * fresh.truth) * (1.0 + 80.0 / fresh.seen.cnr**4)
    assert np.mean((high - low) / (2 * 1.96 * sd)) < 1.5


def test_a_bias_moves_the_interval_and_the_value_stays_in_it() -> None:
    table = fit_metric(residuals(3, bias=8.0), FitParameters(least=0.0))

    low, high = interval_of(table, seen(30.0, cnr=4.0))

    assert low < 22.0
    assert high == 30.0


def test_intervals_keep_to_what_is_possible() -> None:
    table = fit_metric(residuals(4), FitParameters(least=0.0, most=50.0))

    assert interval_of(table, seen(0.1, cnr=2.5))[0] == 0.0
    assert interval_of(table, seen(49.9, cnr=2.5))[1] == 50.0


def test_noisier_scans_have_wider_intervals() -> None:
    table = fit_metric(residuals(5), FitParameters())

    widths = [
        high - low for low, high in (interval_of(table, seen(20.0, cnr=cnr)) for cnr in (2.6, 6.5))
    ]

    assert widths[0] > 2 * widths[1]


def test_families_that_differ_widen_all_intervals() -> None:
    alike = fit_metric(residuals(6), FitParameters())
    apart = fit_metric(residuals(6, family_bias=1.0), FitParameters())

    width = [high - low for low, high in (interval_of(t, seen(20.0)) for t in (alike, apart))]
    assert width[1] > width[0]


def test_too_few_experiments_are_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(ParameterError, match="at least 25"):
        fit_metric(residuals(7, n=20), FitParameters())


def test_residuals_of_unequal_length_are_refused() -> None:
    good = residuals(8, n=2)

    with pytest.raises(ShapeError, match="one value a scan"):
        replace(good, truth=good.truth[1:])
    with pytest.raises(ShapeError, match="one value a scan"):
        replace(good.seen, cnr=good.seen.cnr[1:])


def calibration(**changes: object) -> Calibration:
    """Intervals of one micrometre to either side, whatever the metric."""
    table = MetricTable(
        is_per_area=False,
        least=0.0,
        most=None,
        offset=0.0,
        bias=(BiasTerm(weight=0.0, middle=0.0, least=0.0, most=0.0),) * 11,
        scale=(1.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        middle=0.0,
        below=1.0,
        above=1.0,
        reaches=(Reach(n_regions=1, reach=1.0), Reach(n_regions=4, reach=3.0)),
        grain=(0.3, 0.5),
        of_nothing=None,
        n_experiments=100,
    )
    per_area = replace(table, is_per_area=True, least=None)
    base = Calibration(
        origin="network",
        model_sha256=SHA,
        measure_version=3,
        holds=CalibrationRange(
            voxel_um=2.25, area_um2=1000.0, cnr=(2.2, 7.0), blur_px=(0.0, 1.5), registration_px=0.5
        ),
        n_experiments=100,
        metrics={
            "remaining_gap_um": table,
            "dendrite_volume_um3": per_area,
            "li_travelled_volume_um3": per_area,
        },
    )
    return replace(base, **changes)  # type: ignore[arg-type] # names of fields


def context(**changes: object) -> IntervalContext:
    base = IntervalContext(
        calibrations=(calibration(),),
        origin="network",
        model_sha256=SHA,
        measure_version=3,
        voxel_um=2.25,
        area_um2=1000.0,
        cnr=4.0,
        blur_px=1.0,
        registration_px=0.1,
    )
    return replace(base, **changes)  # type: ignore[arg-type] # names of fields


GAP = {"remaining_gap_um": measured(20.0, "um", voxels=5000, flags=("bridged",))}


def test_a_metric_gets_its_interval_and_keeps_its_other_flags() -> None:
    gap = with_intervals(GAP, context())["remaining_gap_um"]

    assert (gap.low95, gap.value, gap.high95) == (19.0, 20.0, 21.0)
    assert gap.flags == ("bridged",)


def test_extremes_of_a_larger_region_reach_farther_for_false_pieces_are_likelier_there() -> None:
    metrics = {**GAP, "dendrite_volume_um3": measured(5000.0, "um3", voxels=9000)}

    found = with_intervals(metrics, context(area_um2=4000.0))

    gap, volume = found["remaining_gap_um"], found["dendrite_volume_um3"]
    assert (gap.low95, gap.high95) == (17.0, 23.0)
    assert gap.flags == ("bridged",)
    assert (volume.low95, volume.high95) == (1000.0, 9000.0)


def test_a_region_of_which_the_calibration_tells_nothing_is_flagged() -> None:
    gap = with_intervals(GAP, context(area_um2=20_000.0))["remaining_gap_um"]

    assert gap.flags == ("bridged", "calibrated_on_smaller_region")


def test_noise_of_a_grain_that_was_never_seen_widens_intervals_up_to_twice() -> None:
    widths = []
    for grain in (0.4, 0.6, 0.9):
        gap = with_intervals(GAP, context(grain=grain))["remaining_gap_um"]
        assert gap.low95 is not None
        assert gap.high95 is not None
        widths.append(gap.high95 - gap.low95)

    # The calibration has seen 0.3 to 0.5.
    assert widths == pytest.approx([2.0, 3.0, 4.0])


def test_nothing_that_is_measured_hides_what_it_hid_in_the_calibration() -> None:
    known = residuals(10)
    none = known.family == 2
    sizes = np.where(none, 0.0, known.seen.size)
    truth = np.where(none, 0.3 * (known.experiment % 20 == 2), known.truth)
    table = fit_metric(
        replace(known, seen=replace(known.seen, size=sizes), truth=truth),
        FitParameters(least=0.0),
    )

    # A twentieth of the scans hides 0.3; no more is left out.
    assert interval_of(table, seen(0.0)) == pytest.approx((0.0, 0.3))


def test_what_the_cell_looks_like_tells_the_bias() -> None:
    plain = residuals(11)
    rng = np.random.default_rng(20261122)
    volumes = rng.uniform(0.0, 10.0, (len(plain.truth), 5))
    biased = replace(
        plain,
        seen=replace(
            plain.seen, size=plain.truth + 0.8 * (volumes[:, 0] - 5.0), volumes_um=volumes
        ),
    )
    table = fit_metric(biased, FitParameters(ridge=0.01))

    low, high = intervals_of(table, biased.seen)

    # A bias of 0 to 4 um to either side, and hardly any interval: volumes tell it.
    beside = np.abs(biased.seen.size - biased.truth)
    assert np.mean(high - low) == pytest.approx(np.mean(beside), rel=0.3)
    assert coverage(table, biased) > 0.95


def test_errors_of_volumes_grow_with_the_region() -> None:
    volume = {"dendrite_volume_um3": measured(5000.0, "um3", voxels=9000)}

    found = with_intervals(volume, context())["dendrite_volume_um3"]

    assert (found.low95, found.high95) == (4000.0, 6000.0)


@pytest.mark.parametrize(
    ("changed", "flag"),
    [
        ({"model_sha256": "b" * 64}, "interval_not_calibrated"),
        ({"measure_version": 4}, "interval_not_calibrated"),
        ({"origin": "layers"}, "interval_not_calibrated"),
        ({"calibrations": ()}, "interval_not_calibrated"),
        ({"cnr": 1.5}, "interval_outside_calibration"),
        ({"cnr": None}, "interval_outside_calibration"),
        ({"blur_px": None}, "interval_outside_calibration"),
        ({"blur_px": 1.6}, "interval_outside_calibration"),
        ({"voxel_um": 1.33}, "interval_outside_calibration"),
        ({"registration_px": 0.9}, "interval_outside_calibration"),
    ],
)
def test_what_was_not_calibrated_has_no_interval_and_says_so(
    changed: dict[str, object], flag: str
) -> None:
    gap = with_intervals(GAP, context(**changed))["remaining_gap_um"]

    assert (gap.value, gap.low95, gap.high95) == (20.0, None, None)
    assert flag in gap.flags


def test_labels_of_a_single_scan_have_a_calibration_of_their_own() -> None:
    alone = {"single_scan_remaining_gap_um": GAP["remaining_gap_um"]}
    both = (calibration(), calibration(origin="single_scan"))

    without = with_intervals(alone, context())["single_scan_remaining_gap_um"]
    # Without earlier scans what registration left does not matter.
    having = with_intervals(alone, context(calibrations=both, registration_px=2.0))

    assert "interval_not_calibrated" in without.flags
    assert having["single_scan_remaining_gap_um"].low95 == 19.0


def test_a_metric_that_was_never_calibrated_is_flagged_as_not_modelled() -> None:
    dose = {"dose_kGy": measured(3.0, "kGy"), "void_volume_um3": not_measured("um3", "no_void")}

    found = with_intervals(dose, context())

    assert found["dose_kGy"].flags == ("interval_not_modelled",)
    assert found["void_volume_um3"] == dose["void_volume_um3"]


def test_the_ratio_to_the_charge_has_the_interval_of_what_travelled() -> None:
    metrics = {
        "li_travelled_volume_um3": measured(10_000.0, "um3"),
        "faraday_volume_um3": measured(5_000.0, "um3"),
        "ct_faraday_ratio": measured(2.0, "1"),
        "missing_capacity_fraction": measured(-1.0, "1"),
    }

    found = with_intervals(metrics, context())

    ratio, missing = found["ct_faraday_ratio"], found["missing_capacity_fraction"]
    assert (ratio.low95, ratio.high95) == pytest.approx((1.8, 2.2))
    assert (missing.low95, missing.high95) == pytest.approx((-1.2, -0.8))
    assert found["faraday_volume_um3"].low95 == 5_000.0


def test_a_gap_in_the_record_of_the_cycler_widens_the_ratio() -> None:
    metrics = {
        "li_travelled_volume_um3": measured(10_000.0, "um3"),
        "faraday_volume_um3": Metric(
            value=5_000.0, unit="um3", low95=4_000.0, high95=6_250.0, flags=("charge_record_gap",)
        ),
        "ct_faraday_ratio": measured(2.0, "1", flags=("charge_record_gap",)),
    }

    ratio = with_intervals(metrics, context())["ct_faraday_ratio"]

    # 9000 / 6250 and 11 000 / 4000.
    assert (ratio.low95, ratio.high95) == pytest.approx((1.44, 2.75))
    assert ratio.flags == ("charge_record_gap",)


def test_a_gap_that_may_hide_all_charge_leaves_the_ratio_without_an_interval() -> None:
    metrics = {
        "li_travelled_volume_um3": measured(10_000.0, "um3"),
        "faraday_volume_um3": Metric(
            value=5_000.0, unit="um3", low95=0.0, high95=6_250.0, flags=("charge_record_gap",)
        ),
        "ct_faraday_ratio": measured(2.0, "1", flags=("charge_record_gap",)),
    }

    ratio = with_intervals(metrics, context())["ct_faraday_ratio"]

    assert (ratio.value, ratio.low95) == (2.0, None)
    assert ratio.flags == ("charge_record_gap",)


def test_blurred_scans_have_wider_intervals_where_blur_is_what_errs() -> None:
    rng = np.random.default_rng(20261122)
    sharp = residuals(9)
    # The more blurred, the more of each value is lost.
    lost = 0.2 * sharp.seen.blur_px**2 * rng.uniform(0.0, 2.0, 120)[sharp.experiment]
    truth = sharp.seen.size * (1.0 + lost)
    table = fit_metric(replace(sharp, truth=truth), FitParameters())

    width = [
        high - low for low, high in (interval_of(table, seen(20.0, blur_px=b)) for b in (0.7, 1.4))
    ]

    assert width[1] > 1.5 * width[0]


def test_limits_of_detection_are_the_mean_of_nothing_and_its_spread() -> None:
    scans = [{"dendrite_volume_um3": measured(v, "um3")} for v in (8.0, 10.0, 12.0, 10.0)]

    spread = null_spread(scans)["dendrite_volume_um3"]

    sd = np.std([8.0, 10.0, 12.0, 10.0], ddof=1)
    assert spread.detection == pytest.approx(10.0 + 3.3 * sd)
    assert spread.quantification == pytest.approx(10.0 + 10.0 * sd)


def test_fewer_than_four_scans_before_the_first_pulse_say_nothing() -> None:
    scans = [{"dendrite_volume_um3": measured(1.0, "um3")}] * 3

    assert null_spread(scans) == {}


def test_what_nothing_looks_like_as_well_is_flagged() -> None:
    null = [
        {"dendrite_volume_um3": measured(v, "um3"), "remaining_gap_um": measured(v, "um")}
        for v in (8.0, 10.0, 12.0, 10.0)
    ]

    def flags(value: float) -> tuple[str, ...]:
        metrics = {"dendrite_volume_um3": measured(value, "um3", voxels=1000), **GAP}
        found = with_intervals(metrics, context(null_scans=null))
        assert found["remaining_gap_um"].flags == ("bridged",)  # a gap is not detected
        return found["dendrite_volume_um3"].flags

    assert flags(12.0) == ("below_detection_limit", "below_quantification_limit")
    assert flags(20.0) == ("below_quantification_limit",)
    assert flags(40.0) == ()


def test_an_interval_that_a_metric_already_has_is_left_alone() -> None:
    metrics = {"remaining_gap_um": Metric(value=5.0, unit="um", low95=1.0, high95=9.0)}

    assert with_intervals(metrics, context()) == metrics
