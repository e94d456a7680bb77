"""How the verdict on a rotation axis follows from what both methods see."""

from lithoscope_pipeline.rotation_axis import given_axis
from lithoscope_pipeline.rotation_axis.mirror import MirrorPeak
from lithoscope_pipeline.rotation_axis.sharpness import SharpPeak
from lithoscope_pipeline.rotation_axis.verdict import Prior, judge


def mirror(
    position_px: float = 50.0,
    significance: float = 20.0,
    *,
    second_peak: float = 0.1,
    row_spread_px: float | None = 0.05,
) -> MirrorPeak:
    return MirrorPeak(
        position_px=position_px,
        significance=significance,
        second_peak=second_peak,
        is_at_border=False,
        row_spread_px=row_spread_px,
    )


def sharp(
    position_px: float = 50.1,
    significance: float = 30.0,
    *,
    n_quarters: int = 4,
    row_spread_px: float | None = 0.05,
) -> SharpPeak:
    return SharpPeak(
        position_px=position_px,
        significance=significance,
        row_spread_px=row_spread_px,
        n_quarters=n_quarters,
        bin_px=1,
    )


PRIOR = Prior(position_px=50.0, tolerance_px=2.0)


def test_methods_that_agree_are_believed_and_the_axis_lies_between() -> None:
    found = judge(mirror(50.0), sharp(50.2), None)

    assert found.verdict == "resolved"
    assert found.methods == ("mirror", "sharpness")
    assert 50.0 < found.position_px < 50.2


def test_methods_that_disagree_are_not_believed_however_clear_each_is() -> None:
    found = judge(mirror(50.0, 40.0), sharp(53.0, 40.0), None)

    assert found.verdict == "ambiguous"
    assert "50.00" in found.reason
    assert "53.00" in found.reason


def test_of_two_that_disagree_the_expected_one_is_given() -> None:
    found = judge(mirror(50.0, 10.0), sharp(61.0, 40.0), PRIOR)

    assert (found.verdict, found.position_px) == ("ambiguous", 50.0)


def test_a_faint_finding_is_believed_where_it_was_expected_only() -> None:
    faint, unseen = mirror(50.0, 6.5), sharp(70.0, 0.0)

    assert judge(faint, unseen, None).verdict == "ambiguous"
    assert judge(faint, unseen, PRIOR).verdict == "resolved"
    assert judge(faint, unseen, PRIOR).methods == ("mirror", "prior")


def test_one_clear_method_is_enough_unless_another_axis_was_expected() -> None:
    elsewhere = Prior(position_px=44.0, tolerance_px=2.0)

    assert judge(mirror(), None, None).verdict == "resolved"
    assert judge(mirror(), None, elsewhere).verdict == "ambiguous"
    assert "44.00 was expected" in judge(mirror(), None, elsewhere).reason


def test_an_axis_that_moved_is_believed_if_both_methods_see_it() -> None:
    found = judge(mirror(50.0), sharp(50.1), Prior(position_px=44.0, tolerance_px=2.0))

    assert found.verdict == "resolved"


def test_a_slice_sharp_in_one_part_only_does_not_count() -> None:
    # The outline of a compact sample, folded by a wrong axis, is such a slice.
    assert judge(mirror(50.0), sharp(39.0, n_quarters=1), None).verdict == "resolved"
    assert judge(mirror(50.0, 2.0), sharp(39.0, n_quarters=1), None).verdict == "ambiguous"


def test_rows_that_disagree_or_a_second_peak_are_not_believed() -> None:
    apart = judge(mirror(row_spread_px=1.3), None, None)
    twice = judge(mirror(second_peak=0.8), None, None)

    assert (apart.verdict, twice.verdict) == ("ambiguous", "ambiguous")
    assert "even and odd rows" in apart.reason
    assert "another position" in twice.reason


def test_where_nothing_is_seen_the_expected_axis_is_given() -> None:
    found = judge(mirror(61.0, 3.0), sharp(30.0, 2.0), PRIOR)

    assert (found.verdict, found.position_px, found.confidence) == ("flat", 50.0, 0.0)


def test_a_given_axis_is_given() -> None:
    found = given_axis(41.5, tilt_deg=0.2)

    assert (found.position_px, found.verdict, found.is_tilted) == (41.5, "given", True)
