"""Rates against charge, and how many pulses a short is away."""

import pytest

from lithoscope_pipeline.measure import (
    ComingPulse,
    PastScan,
    measure_history,
    measure_rate,
    measure_short_eta,
)
from lithoscope_pipeline.metric import Metric, measured


def known(value: float, half: float = 0.0, unit: str = "um") -> Metric:
    return Metric(value=value, unit=unit, low95=value - half, high95=value + half, voxels=100)


def test_rate_is_the_slope_per_pulse_and_ignores_one_bad_scan() -> None:
    thickness_um = [100.0, 97.0, 40.0, 91.0, None, 85.0]
    values = [None if um is None else measured(um, "um") for um in thickness_um]

    rate = measure_rate(values, [0, 1, 2, 3, 4, 5], k=5, unit="um")

    assert rate.value == pytest.approx(-3)
    assert "interval_not_modelled" in rate.flags


def test_rate_needs_two_scans_at_different_charge() -> None:
    values = [measured(100.0, "um"), measured(101.0, "um")]

    assert measure_rate(values, [3, 3], unit="um").flags == ("too_few_scans",)


def test_the_interval_of_a_rate_is_that_of_a_straight_line() -> None:
    values = [known(10.0 + 2 * pulse, half=1.959964) for pulse in range(4)]

    rate = measure_rate(values, [0, 1, 2, 3], unit="um")

    # The sd of a slope through 0, 1, 2, 3 with errors of sd 1 is 1 / sqrt(5).
    assert rate.value == pytest.approx(2)
    assert rate.low95 == pytest.approx(2 - 1.959964 / 5**0.5)
    assert rate.high95 == pytest.approx(2 + 1.959964 / 5**0.5)


def test_a_gap_that_closes_evenly_gives_the_pulses_that_are_left() -> None:
    gaps = [known(um) for um in (100.0, 90.0, 80.0, 70.0)]

    eta = measure_short_eta(gaps, [0, 1, 2, 3])

    # The next pulse may close half as much again as the last ones did.
    assert eta.value == pytest.approx(7 / 1.5)
    assert eta.low95 == pytest.approx(7 / 1.5)
    assert eta.high95 == pytest.approx(7)


def test_bounds_make_the_short_come_earlier() -> None:
    gaps = [known(um, half=1.959964) for um in (100.0, 90.0, 80.0, 70.0)]

    eta = measure_short_eta(gaps, [0, 1, 2, 3])

    half = 1.959964 / 5**0.5
    assert eta.value == pytest.approx((70 - 1.959964) / (1.5 * (10 + half)))
    assert eta.high95 == pytest.approx((70 + 1.959964) / (10 - half))


def test_accelerating_growth_counts_as_it_was_lately() -> None:
    gaps = [known(um) for um in (100.0, 98.0, 94.0, 84.0, 64.0)]

    eta = measure_short_eta(gaps, [0, 1, 2, 3, 4])

    # The last two steps are 10 and 20; the median of the slopes of the last four scans is less.
    assert eta.value == pytest.approx(64 / 15 / 1.5)


def test_a_higher_current_brings_the_short_nearer() -> None:
    gaps = [known(um) for um in (100.0, 90.0, 80.0)]

    eta = measure_short_eta(gaps, [0, 1, 2], coming=ComingPulse(current_ratio=2.0))

    assert eta.value == pytest.approx(4 / 1.5)


def test_a_bridge_is_no_pulse_away() -> None:
    gaps = [known(20.0), measured(0.0, "um", flags=("bridged",))]

    eta = measure_short_eta(gaps, [0, 1])

    assert eta.value == 0
    assert "bridged" in eta.flags


@pytest.mark.parametrize(
    ("gaps", "coming", "reason"),
    [
        ([100.0, 90.0], ComingPulse(strips_plated_side=True), "current_strips_that_side"),
        ([90.0, 100.0], ComingPulse(), "gap_not_closing"),
        ([90.0], ComingPulse(), "too_few_scans"),
        ([90.0, None], ComingPulse(), "no_gap"),
    ],
)
def test_an_eta_that_cannot_be_told_says_why(
    gaps: list[float | None], coming: ComingPulse, reason: str
) -> None:
    values = [None if um is None else known(um) for um in gaps]

    eta = measure_short_eta(values, list(range(len(gaps))), coming=coming)

    assert (eta.value, eta.flags) == (None, (reason,))


def scan(pulses: float, charge: float | None) -> PastScan:
    """Plate 2 um and strip 1 um a pulse, while a tip grows by 6 um."""
    return PastScan(
        pulses=pulses,
        charge_mAh_cm2=charge,
        metrics={
            "plating_side_thickness_um": known(100 + 2 * pulses),
            "stripping_side_thickness_um": known(100 - pulses),
            "dendrite_volume_um3": known(500 * pulses, unit="um3"),
            "tip_height_um": known(6 * pulses),
            "remaining_gap_um": known(100 - 5 * pulses),
        },
    )


def test_the_history_has_all_rates() -> None:
    scans = [scan(pulses, pulses * 0.25) for pulses in (0.0, 1.0, 2.0, 3.0)]

    metrics = measure_history(scans)

    assert metrics["plating_rate_um_per_pulse"].value == pytest.approx(2)
    assert metrics["stripping_rate_um_per_pulse"].value == pytest.approx(-1)
    assert metrics["dendrite_growth_um3_per_pulse"].value == pytest.approx(500)
    assert metrics["tip_speed_um_per_mAh_cm2"].value == pytest.approx(24)
    assert metrics["short_eta_pulses"].value == pytest.approx(85 / 5 / 1.5)


def test_without_a_cycler_there_is_no_speed_against_charge() -> None:
    metrics = measure_history([scan(0.0, None), scan(1.0, None)])

    assert metrics["tip_speed_um_per_mAh_cm2"].flags == ("no_electrochemistry",)
    assert metrics["plating_rate_um_per_pulse"].value == pytest.approx(2)


def test_one_scan_has_no_history() -> None:
    metrics = measure_history([scan(0.0, 0.0)])

    assert {metric.flags for metric in metrics.values()} == {("too_few_scans",)}
