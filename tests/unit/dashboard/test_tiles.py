"""Tiles: value, interval, limit, and the way it went."""

from collections.abc import Callable
from typing import Any

import pytest

from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.quantities import CORE
from lithoscope_dashboard.tiles import area_seen, interval_words, sparkline, tile, tiles
from lithoscope_dashboard.trees import tree_of
from lithoscope_messages import MetricValue

MakeState = Callable[..., ExperimentState]
GAP = CORE[0]
_RULES = {"rules": [{"id": "gap", "metric": GAP.metric, "set_value": 120.0}]}


def _measured(scan: int, value: float | None, **fields: Any) -> tuple[str, dict[str, Any]]:
    metric = {"value": value, "unit": "um", **fields}
    return ("MetricsReady", {"scan": scan, "metrics": {GAP.metric: metric}})


def _texts(tree: Any) -> dict[str, str]:
    """Texts of the elements that have an id."""
    found: dict[str, str] = {}
    for child in tree.get("c", []):
        if isinstance(child, dict):
            found |= _texts(child)
    if "id" in tree.get("a", {}):
        found[tree["a"]["id"]] = "".join(
            each for each in tree.get("c", []) if isinstance(each, str)
        )
    return found


def test_a_tile_has_value_interval_change_and_limit(make_state: MakeState) -> None:
    state = make_state(
        ("ExperimentStarted", {"settings": _RULES}),
        _measured(0, 240.0),
        _measured(1, 231.5, low95=228.0, high95=236.0),
    )

    texts = _texts(tree_of(tile(GAP, state)))

    assert texts == {
        "metric-remaining_gap_um": "231.5",
        "interval-remaining_gap_um": "228.0 to 236.0 (95 %)",
        "note-remaining_gap_um": "−8.5 µm since scan 0",
        "limit-remaining_gap_um": "limit: below 120.0 µm",
    }


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ({"value": 10.0, "low95": 8.0, "high95": 12.0}, "± 2.0 µm (95 %)"),
        ({"value": 10.0, "low95": 9.0, "high95": 12.0}, "9.0 to 12.0 (95 %)"),
        ({"value": 10.0, "flags": ["interval_not_modelled"]}, "interval not modelled"),
        ({"value": 10.0, "flags": ["cut_by_border"]}, "interval not modelled · cut by border"),
        ({"value": None, "flags": ["no_path"]}, "no path"),
    ],
)
def test_how_sure_a_value_is_stands_in_words(metric: dict[str, Any], words: str) -> None:
    assert interval_words(GAP, MetricValue.model_validate({"unit": "um", **metric})) == words


def test_a_value_past_its_limit_is_marked(make_state: MakeState) -> None:
    rules = ("ExperimentStarted", {"settings": _RULES})

    within, past = (tile(GAP, make_state(rules, _measured(0, value))) for value in (121.0, 119.0))

    assert "tile-past" not in within.className
    assert "tile-past" in past.className


def test_a_sparkline_runs_from_the_first_scan_to_the_last(make_state: MakeState) -> None:
    state = make_state(_measured(0, 100.0), _measured(1, None), _measured(2, 50.0))

    drawn = tree_of(sparkline(GAP, state.measured, ()))

    lines = [each["a"]["points"] for each in drawn["c"] if each["a"]["class"] == "spark-line"]
    # 26 high with 3 to spare: the greatest value is at 3, the least at 23.
    assert lines == ["0.0,3.0 100.0,23.0"]


def test_without_an_experiment_there_are_tiles_and_no_values() -> None:
    texts = _texts({"c": [tree_of(each) for each in tiles(None)]})

    assert texts["metric-remaining_gap_um"] == "–"
    assert texts["interval-remaining_gap_um"] == "not measured yet"


def test_the_part_of_the_cell_that_is_seen_is_given_in_percent(make_state: MakeState) -> None:
    metrics = {"area_seen_fraction": {"value": 0.138, "unit": "1"}}
    state = make_state(("MetricsReady", {"scan": 0, "metrics": metrics}))

    assert area_seen(state) == "CT sees 13.8 % of the active area"
    assert "not known" in area_seen(make_state())
