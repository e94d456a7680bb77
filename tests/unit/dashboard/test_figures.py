"""Curves drawn from the state."""

from collections.abc import Callable
from typing import Any

import pytest

from lithoscope_dashboard.figures import PANELS, curve_figure
from lithoscope_dashboard.model import ExperimentState

MakeState = Callable[..., ExperimentState]
RULE = {"id": "gap", "metric": "remaining_gap_um", "set_value": 120.0}


def _measured(scan: int, value: float | None, **fields: Any) -> tuple[str, dict[str, Any]]:
    metric = {"value": value, "unit": "µm", **fields.pop("bounds", {})}
    charge = {"charge_mAh": 0.5 * scan, "metrics": {"remaining_gap_um": metric}}
    return ("MetricsReady", {"scan": scan, **charge, **fields})


def test_a_curve_has_the_value_of_each_scan(make_state: MakeState) -> None:
    state = make_state(_measured(0, 240.0), _measured(1, 230.5))

    figure = curve_figure(state, PANELS["gap"], "net")

    assert list(figure.data[0].x) == [0.0, 0.5]
    assert list(figure.data[0].y) == [240.0, 230.5]


def test_a_value_that_could_not_be_measured_is_a_hole(make_state: MakeState) -> None:
    state = make_state(_measured(0, 240.0), _measured(1, None), _measured(2, 220.0))

    figure = curve_figure(state, PANELS["gap"], "passed")

    assert list(figure.data[0].y) == [240.0, None, 220.0]


def test_charge_is_given_per_area_where_the_area_is_known(make_state: MakeState) -> None:
    started = ("ExperimentStarted", {"description": {"active_area_cm2": 0.5}})
    state = make_state(started, _measured(0, 240.0), _measured(1, 230.0))

    figure = curve_figure(state, PANELS["gap"], "passed")

    assert list(figure.data[0].x) == [0.0, 1.0]
    assert figure.layout.xaxis.title.text == "charge passed / mAh cm⁻²"


def test_intervals_are_drawn_around_the_value(make_state: MakeState) -> None:
    state = make_state(_measured(0, 100.0, bounds={"low95": 90.0, "high95": 115.0}))

    bars = curve_figure(state, PANELS["gap"], "net").data[0].error_y

    assert (list(bars.array), list(bars.arrayminus), bars.visible) == ([15.0], [10.0], True)


def test_the_set_value_of_a_rule_is_drawn_in_its_panel_alone(make_state: MakeState) -> None:
    state = make_state(("ExperimentStarted", {"settings": {"rules": [RULE]}}), _measured(0, 240.0))

    gap = curve_figure(state, PANELS["gap"], "net")
    coverage = curve_figure(state, PANELS["coverage"], "net")

    assert [shape.y0 for shape in gap.layout.shapes] == [120.0]
    assert len(coverage.layout.shapes) == 0


def test_the_turn_of_the_current_is_marked_where_it_happened(make_state: MakeState) -> None:
    state = make_state(_measured(0, 240.0), _measured(1, 230.0), _measured(2, 230.0, half_cycle=1))

    figure = curve_figure(state, PANELS["gap"], "passed")

    assert [shape.x0 for shape in figure.layout.shapes] == [0.5]


@pytest.mark.parametrize("panel", sorted(PANELS))
def test_a_panel_without_scans_is_empty(panel: str, make_state: MakeState) -> None:
    assert len(curve_figure(make_state(), PANELS[panel], "passed").data) == 0
