"""Metrics drawn from the state."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lithoscope_dashboard.figures import (
    MAX_POINTS,
    metric_names,
    metrics_figure,
    series_of,
)
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.summary import summary_table

MakeState = Callable[..., ExperimentState]
GAP = "remaining_gap_um"
_RULE = {"id": "gap", "metric": GAP, "set_value": 120.0, "reset_value": 150.0}


def _measured(scan: int, value: float | None, **fields: Any) -> tuple[str, dict[str, Any]]:
    metric = {"value": value, "unit": "um", **fields.pop("bounds", {})}
    metrics = {GAP: metric, "coverage": {"value": 0.5, "unit": "1"}}
    return ("MetricsReady", {"scan": scan, "charge_mAh": 0.5 * scan, "metrics": metrics, **fields})


def test_a_line_has_the_value_of_each_scan_and_holes_where_there_is_none(
    make_state: MakeState,
) -> None:
    state = make_state(_measured(0, 240.0), _measured(1, None), _measured(2, 230.5))

    line = metrics_figure([state], [GAP], "net").data[0]

    assert list(line.x) == [0.0, 0.5, 1.0]
    assert list(line.y) == [240.0, None, 230.5]


def test_a_smoothed_line_drops_one_outlier_and_the_points_keep_it(make_state: MakeState) -> None:
    gaps = [100.0, 101.0, 400.0, 103.0, None, 50.0]
    halves = [0, 0, 0, 0, 1, 1]
    state = make_state(*(_measured(i, gap, half_cycle=halves[i]) for i, gap in enumerate(gaps)))

    points, line = metrics_figure([state], [GAP], "net", is_smoothed=True).data

    assert (list(points.y), points.mode) == (gaps, "markers")
    # By hand; the last stands alone in its half-cycle.
    assert list(line.y) == [100.5, 101.0, 103.0, 251.5, None, 50.0]


def test_charge_is_given_per_area_where_the_area_is_known(make_state: MakeState) -> None:
    started = ("ExperimentStarted", {"description": {"active_area_cm2": 0.5}})
    state = make_state(started, _measured(0, 240.0), _measured(1, 230.0))

    figure = metrics_figure([state], [GAP], "passed")

    assert list(figure.data[0].x) == [0.0, 1.0]
    assert figure.layout.xaxis.title.text == "charge passed / mAh cm⁻²"


def test_an_interval_is_a_band_around_the_line(make_state: MakeState) -> None:
    bounds = {"low95": 90.0, "high95": 115.0}
    state = make_state(_measured(0, 100.0, bounds=bounds), _measured(1, 100.0, bounds=bounds))

    low, high, line = metrics_figure([state], [GAP], "net").data

    assert (list(low.y), list(high.y), high.fill) == ([90.0, 90.0], [115.0, 115.0], "tonexty")
    assert "95 %: 90 to 115" in line.customdata[0][1]


def test_units_have_panels_of_their_own_and_rules_stand_in_theirs(make_state: MakeState) -> None:
    rules = ("ExperimentStarted", {"settings": {"rules": [_RULE]}})
    state = make_state(rules, _measured(0, 240.0))

    figure = metrics_figure([state], ["coverage", GAP], "net")

    levels = {(shape.y0, shape.yref) for shape in figure.layout.shapes}
    assert levels == {(120.0, "y2"), (150.0, "y2")}
    assert (figure.layout.yaxis.title.text, figure.layout.yaxis2.title.text) == ("share", "µm")


def test_several_experiments_lie_over_each_other(make_state: MakeState) -> None:
    one = make_state(_measured(0, 240.0))
    two = replace(make_state(_measured(0, 230.0)), name="second")

    first, second = metrics_figure([one, two], [GAP], "time").data

    assert (first.line.color, first.line.dash) == (second.line.color, "solid")
    assert second.line.dash == "dash"
    assert second.name == "remaining gap · second"


def test_the_turn_of_the_current_is_marked_where_it_happened(make_state: MakeState) -> None:
    state = make_state(_measured(0, 240.0), _measured(1, 230.0), _measured(2, 230.0, half_cycle=1))

    figure = metrics_figure([state], [GAP], "passed")

    assert [shape.x0 for shape in figure.layout.shapes] == [0.5]


def test_a_long_experiment_is_thinned_and_its_newest_scan_stays(make_state: MakeState) -> None:
    state = make_state(*(_measured(scan, float(scan)) for scan in range(MAX_POINTS + 2)))

    series = series_of(state, GAP, "net")

    assert len(series.scans) <= MAX_POINTS
    assert series.scans[-1] == MAX_POINTS + 1


def test_zoom_outlives_new_points_and_not_another_axis(make_state: MakeState) -> None:
    before, after = make_state(_measured(0, 1.0)), make_state(_measured(0, 1.0), _measured(1, 2.0))

    revisions = [
        metrics_figure([each], [GAP], "net").layout.uirevision for each in (before, after)
    ]

    assert revisions[0] == revisions[1]
    assert metrics_figure([after], [GAP], "time").layout.uirevision != revisions[0]


@pytest.mark.parametrize("states", [0, 1])
def test_without_values_the_figure_is_empty(states: int, make_state: MakeState) -> None:
    assert len(metrics_figure([make_state()] * states, [GAP], "passed").data) == 0


def test_the_summary_says_which_scan_was_least_and_how_sure_the_newest_is(
    make_state: MakeState,
) -> None:
    bounds = {"low95": 90.0, "high95": 115.0}
    state = make_state(_measured(0, 240.0), _measured(1, 80.0), _measured(2, 100.0, bounds=bounds))

    table = summary_table([series_of(state, GAP, "net")])

    cells = [cell.children for cell in table.children[1].children[0].children]
    assert cells == [
        *("remaining gap", "first", "µm", "100 (scan 2)", "90 to 115"),
        *("80 (scan 1)", "240 (scan 0)", "3"),
    ]


def test_all_metrics_can_be_chosen(make_state: MakeState) -> None:
    assert metric_names([make_state(_measured(0, 1.0))]) == ["coverage", GAP]
