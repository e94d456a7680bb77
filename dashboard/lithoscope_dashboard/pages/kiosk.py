"""A screen on the wall: read at three metres, touched by nobody; it says when it is old."""

import time
from typing import Any

from dash import html

from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.last_slice import last_slice
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.quantities import CORE, NOT_KNOWN, Quantity
from lithoscope_dashboard.shell import lease_text, scan_count
from lithoscope_dashboard.staleness import stale_text
from lithoscope_dashboard.view import View
from lithoscope_dashboard.views import progress

Component = Any  # Dash ships no types
Props = dict[str, Any]
SHOWN_ALARMS = 3


def layout() -> Component:
    """Build the page."""
    return html.Main(
        [
            html.Div(id="kiosk-stale", role="alert", className="kiosk-stale"),
            html.Div(
                [
                    html.Span(id="kiosk-state"),
                    html.Span(id="kiosk-name"),
                    html.Span(id="kiosk-scan"),
                    html.Span(id="kiosk-lease"),
                    html.Button(
                        "DISARM",
                        id="kiosk-disarm",
                        className="disarm",
                        **{"data-ask": "disarm"},
                    ),
                ],
                className="kiosk-head",
            ),
            html.Div(id="kiosk-alarms", className="kiosk-alarms"),
            html.Div(id="kiosk-numbers", className="kiosk-numbers"),
            html.Div(
                [html.Div(id="last-slice"), html.Div(id="scan-progress", className="card")],
                className="kiosk-foot",
            ),
        ],
        id="main",
        className="page-kiosk",
    )


def sections(snapshot: Snapshot, view: View, now_s: float) -> dict[str, Props]:
    """Give what changes on the page."""
    state, live = snapshot.experiment, snapshot.live_state(now_s)
    lease, lease_class = lease_text(snapshot)
    return {
        "kiosk-stale": {"children": stale_text(snapshot, time.time_ns())},
        "kiosk-state": {"children": live, "className": f"pill live-{live.lower()}"},
        "kiosk-name": {"children": "no experiment" if state is None else state.name},
        "kiosk-scan": {"children": scan_count(state)},
        "kiosk-lease": {"children": lease, "className": f"pill {lease_class}"},
        "kiosk-alarms": {"children": big_alarms(state)},
        "kiosk-numbers": {"children": [number_card(each, state) for each in CORE]},
        "last-slice": {"children": last_slice(state)},
        "scan-progress": {"children": progress(state, snapshot.progress)},
    }


def big_alarms(state: ExperimentState | None) -> list[Component]:
    """Show what a person must see from afar."""
    if state is None:
        return []
    alarms = sorted(state.open_alarms, key=lambda each: -each.time_ns)
    found = [
        html.Div(f"ALARM · scan {each.scan} · {each.what}", key=each.key, className="kiosk-alarm")
        for each in alarms[:SHOWN_ALARMS]
    ]
    waiting = state.open_proposals
    if waiting:
        newest = waiting[-1]
        text = f"{newest.action.replace('_', ' ')} proposed · scan {newest.scan} · {newest.rule}"
        found.append(html.Div(text, key="proposal", className="kiosk-proposal"))
    if state.holding:
        found.append(html.Div("The plan is on hold", key="hold", className="kiosk-proposal"))
    return found


def number_card(quantity: Quantity, state: ExperimentState | None) -> Component:
    """Show the newest value of a metric with its interval."""
    measured = () if state is None else state.measured
    metric = measured[-1].metrics.get(quantity.metric) if measured else None
    value = NOT_KNOWN if metric is None or metric.value is None else quantity.text(metric.value)
    interval = ""
    if metric is not None and metric.low95 is not None and metric.high95 is not None:
        interval = f"{quantity.text(metric.low95)} – {quantity.text(metric.high95)}"
    return html.Div(
        [
            html.Div(quantity.name, className="kiosk-what"),
            html.Div(
                [
                    html.Span(value, id=f"metric-{quantity.metric}"),
                    html.Span(quantity.unit, className="kiosk-unit"),
                ],
                className="kiosk-value",
            ),
            html.Div(interval, className="kiosk-interval"),
        ],
        className="card kiosk-number",
        key=quantity.metric,
    )
