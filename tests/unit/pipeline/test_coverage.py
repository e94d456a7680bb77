"""Whether the views of a scan are enough, against counts and gaps worked out by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lithoscope_pipeline.coverage import Coverage, judge_coverage, worst_coverage
from lithoscope_pipeline.errors import ParameterError, ShapeError
from lithoscope_pipeline.view_angles import edge_on_gap_rad

N = 360  # views, half a degree apart
GOLDEN_DEG = 180.0 * (np.sqrt(5.0) - 1.0) / 2.0


def judged(lost: slice | list[int], *, n: int = N, step_deg: float = 0.5) -> Coverage:
    kept = np.setdiff1d(np.arange(n), np.arange(n)[lost])
    return judge_coverage(kept, np.deg2rad(kept * step_deg), n_expected=n)


def test_a_whole_scan_has_nothing_to_say() -> None:
    coverage = judged([])

    assert (coverage.verdict, coverage.flags, coverage.reasons) == ("whole", (), ())
    assert (coverage.completeness, coverage.edge_on_coverage) == (1.0, 1.0)
    assert np.rad2deg(coverage.largest_gap_rad) == pytest.approx(0.5)


def test_a_fifth_lost_face_on_is_flagged_for_its_gap_alone() -> None:
    coverage = judged(slice(0, 72))

    # 72 of 360 views, 36 degrees: the views on either side are 36.5 degrees apart.
    assert coverage.completeness == pytest.approx(0.8)
    assert np.rad2deg(coverage.largest_gap_rad) == pytest.approx(36.5)
    assert (coverage.edge_on_coverage, coverage.flags) == (1.0, ("angular_gap",))
    assert coverage.verdict == "flagged"


def test_four_percent_lost_at_edge_on_refuse_the_scan() -> None:
    coverage = judged(slice(173, 188))

    # 15 of 360 views, 86.5 to 93.5 degrees; 61 were expected within 75 to 105.
    assert coverage.completeness == pytest.approx(345 / 360)
    assert coverage.edge_on_coverage == pytest.approx(46 / 61)
    assert np.rad2deg(coverage.edge_on_gap_rad) == pytest.approx(8.0)
    assert coverage.verdict == "refused"
    assert coverage.flags == ("edge_on_gap", "angular_gap", "edge_on_views_missing")
    assert "a gap of 8.0 degrees between its projections near edge-on" in coverage.reasons[0]


def test_a_few_views_lost_here_and_there_near_edge_on_are_flagged() -> None:
    coverage = judged([160, 190])

    assert (coverage.verdict, coverage.flags) == ("flagged", ("edge_on_views_missing",))
    assert coverage.reasons == ("97 % of the projections within 15 degrees of edge-on",)


def test_less_than_four_fifths_of_the_views_are_refused() -> None:
    coverage = judge_coverage(
        np.arange(0, N, 2), np.deg2rad(np.arange(0, N, 2) * 0.5), n_expected=N
    )

    assert coverage.verdict == "refused"
    assert coverage.reasons[0] == "50 % of its projections, 80 % are needed"


def test_a_wide_gap_is_refused_however_many_views_there_are() -> None:
    thetas_deg = np.linspace(0.0, 130.0, 400)

    coverage = judge_coverage(np.arange(400), np.deg2rad(thetas_deg), n_expected=400)

    assert (coverage.completeness, coverage.edge_on_coverage) == (1.0, 1.0)
    assert (coverage.verdict, coverage.flags) == ("refused", ("angular_gap",))
    assert "a gap of 50 degrees" in coverage.reasons[0]


def test_views_with_too_little_light_count_as_missing() -> None:
    is_low = np.zeros(N, np.bool_)
    is_low[173:188] = True

    coverage = judge_coverage(
        np.arange(N), np.deg2rad(np.arange(N) * 0.5), n_expected=N, is_low=is_low
    )
    lost = judged(slice(173, 188))

    assert (coverage.n_stored, coverage.n_low) == (N, 15)
    assert coverage.completeness == lost.completeness
    assert coverage.edge_on_coverage == lost.edge_on_coverage
    assert coverage.flags == (*lost.flags, "low_counts")
    assert "15 that came had too little light" in coverage.reasons[0]


@pytest.mark.parametrize("n", [30, 60, 180, 1500])
def test_no_whole_scan_in_any_order_is_anything_but_whole(n: int) -> None:
    indices = np.arange(n)
    orders: dict[str, NDArray[np.float64]] = {
        "linear": indices * 180.0 / n,
        "all around": indices * 360.0 / n,
        "golden": np.mod(indices * GOLDEN_DEG, 180.0),
        "backwards": -indices * 180.0 / n,
    }

    found = {
        name: judge_coverage(indices, np.deg2rad(thetas_deg), n_expected=n).verdict
        for name, thetas_deg in orders.items()
    }

    assert set(found.values()) == {"whole"}


def test_a_turn_all_around_sees_edge_on_from_either_side() -> None:
    indices = np.setdiff1d(np.arange(N), np.arange(85, 96))

    coverage = judge_coverage(indices, np.deg2rad(indices), n_expected=N)

    # Views at 265 to 275 degrees stand in for those at 85 to 95.
    assert np.rad2deg(coverage.edge_on_gap_rad) == pytest.approx(1.0)
    assert coverage.verdict == "flagged"


def test_the_worst_tile_is_the_verdict_on_the_scan() -> None:
    whole, holed = judged([]), judged(slice(173, 188))

    worst = worst_coverage([whole, holed])

    assert (worst.verdict, worst.n_expected, worst.n_stored) == ("refused", 2 * N, 2 * N - 15)
    assert worst.edge_on_coverage == holed.edge_on_coverage
    assert worst.reasons == holed.reasons


@pytest.mark.parametrize(
    ("thetas_deg", "gap_deg"),
    [
        ([0.0, 60.0, 120.0], 60.0),
        ([0.0, 89.0, 90.0, 91.0, 179.0], 89.0),
        ([0.0, 76.0, 80.0, 104.0, 170.0], 76.0),
        (list(range(0, 70)) + list(range(110, 180)), 41.0),
        ([90.0], 180.0),
    ],
)
def test_the_gap_near_edge_on_is_that_which_reaches_into_it(
    thetas_deg: list[float], gap_deg: float
) -> None:
    assert np.rad2deg(edge_on_gap_rad(np.deg2rad(thetas_deg))) == pytest.approx(gap_deg)


def test_vectors_of_different_length_are_refused() -> None:
    with pytest.raises(ShapeError, match="give one of each"):
        judge_coverage(np.arange(3), np.zeros(2), n_expected=3)


def test_a_scan_without_expected_views_is_refused() -> None:
    with pytest.raises(ParameterError, match="n_expected is 0"):
        judge_coverage(np.arange(0), np.zeros(0), n_expected=0)


def test_a_scan_without_tiles_is_refused() -> None:
    with pytest.raises(ParameterError, match="at least one"):
        worst_coverage([])
