"""Metrics over time, charge or pulses, of one experiment or several."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args
from urllib.parse import urlencode

from dash import Dash, Input, Output, State, dcc, html

from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.figures import (
    MAX_EXPERIMENTS,
    MAX_METRICS,
    Against,
    metric_names,
    metrics_figure,
    series_of,
)
from lithoscope_dashboard.model import ExperimentState, ScanState
from lithoscope_dashboard.reach import Reach
from lithoscope_dashboard.summary import summary_table
from lithoscope_dashboard.view import View

Component = Any  # Dash ships no types
Props = dict[str, Any]
Wish = dict[str, Any]  # JSON from the browser
FIRST = ("remaining_gap_um", "plating_side_thickness_um", "dendrite_volume_um3")


def layout() -> Component:
    """Build the page."""
    wish: Wish = {"names": list(FIRST), "beside": [], "against": "passed", "smooth": False}
    source = {"data-module": "metrics", "data-wish": json.dumps(wish)}
    graph = dcc.Graph(
        id="metrics-figure",
        figure=metrics_figure([], [], "passed"),
        config={"displaylogo": False, "responsive": True},
        responsive=True,
    )
    csv = html.A("CSV of what is shown", id="metrics-csv", href="/api/v1/metrics.csv")
    return html.Main(
        [
            dcc.Store(id="metrics-version"),
            dcc.Store(id="metrics-wish", data=wish),
            html.Div(id="metrics-source", hidden=True, **source),
            html.Section(
                [
                    html.Div(
                        [html.Div(id="metrics-choices", className="tool-row"), csv],
                        className="metric-choices",
                    ),
                    html.Div(graph, className="metrics-frame"),
                ],
                className="card area-metrics",
            ),
            html.Section(
                html.Div(id="metrics-summary", className="wide", tabIndex="0"), className="card"
            ),
        ],
        id="main",
        className="page-metrics",
    )


def sections(snapshot: Snapshot, view: View, now_s: float) -> dict[str, Props]:
    """Give what changes on the page: what can be chosen, and that there is something to draw."""
    state = snapshot.experiment
    others = [line.name for line in snapshot.shelf if state is None or line.name != state.name]
    names = metric_names([] if state is None else [state]) or list(FIRST)
    version = None if state is None else [state.name, len(state.rules), _stamp(state.measured)]
    return {
        "metrics-version": {"data": version},
        "metrics-source": {"data-source": json.dumps({"names": names, "others": others})},
    }


def _stamp(scans: Sequence[ScanState]) -> list[Any]:
    """Give something that changes when, and only when, a value does."""
    return [
        [scan.scan, hash(tuple((name, each.value) for name, each in scan.metrics.items()))]
        for scan in scans
    ]


def register(app: Dash, reach: Reach) -> None:
    """Wire the choices to the figure."""

    def draw(_version: object, wish: Wish | None, search: str | None) -> tuple[Any, Any, str]:
        main = reach.snapshot_at(f"/{search or ''}").experiment
        names, beside, against = read_wish(wish or {})
        states = _states(reach, main, beside)
        series = [series_of(state, name, against) for name in names for state in states]
        return (
            metrics_figure(states, names, against, is_smoothed=(wish or {}).get("smooth") is True),
            summary_table(series),
            csv_address(states, names),
        )

    app.callback(
        Output("metrics-figure", "figure"),
        Output("metrics-summary", "children"),
        Output("metrics-csv", "href"),
        Input("metrics-version", "data"),
        Input("metrics-wish", "data"),
        State("url", "search"),
        prevent_initial_call=True,
    )(draw)


def read_wish(wish: Mapping[str, Any]) -> tuple[list[str], list[str], Against]:
    """Read what a browser asks for; what means nothing is left out."""
    names, beside = (
        [each for each in wish.get(key) or [] if isinstance(each, str)]
        for key in ("names", "beside")
    )
    against = wish.get("against")
    axis = cast(Against, against if against in get_args(Against) else "passed")
    return names[:MAX_METRICS], beside[: MAX_EXPERIMENTS - 1], axis


def _states(
    reach: Reach, main: ExperimentState | None, beside: Sequence[str]
) -> list[ExperimentState]:
    if main is None:
        return []
    others = [reach.find(name) for name in beside if name != main.name]
    return [main, *(each for each in others if each is not None)]


def csv_address(states: Sequence[ExperimentState], metrics: Sequence[str]) -> str:
    """Give the address of the table of what is shown."""
    query = [("experiment", state.name) for state in states]
    query += [("metric", metric) for metric in metrics]
    return f"/api/v1/metrics.csv?{urlencode(query)}"
