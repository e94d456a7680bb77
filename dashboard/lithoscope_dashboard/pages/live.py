"""The live page: the cell now."""

import json
import time
from typing import Any

from dash import html

from lithoscope_dashboard.alarm_view import failure_rows
from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.deadline import Deadline, next_deadline
from lithoscope_dashboard.live_view import (
    class_table,
    deadline_card,
    live_source,
    preview_pictures,
)
from lithoscope_dashboard.proposal_view import proposal_cards
from lithoscope_dashboard.tiles import area_seen, tiles
from lithoscope_dashboard.view import View
from lithoscope_dashboard.views import progress, stage_table

Component = Any  # Dash ships no types
Props = dict[str, Any]


def layout() -> Component:
    """Build the page."""
    return html.Main(
        [
            html.Div(
                id="live-source",
                hidden=True,
                **{"data-module": "live", "data-classes": json.dumps(class_table())},
            ),
            html.Div(id="tiles", className="tiles"),
            _viewer(),
            html.Div(
                [
                    _card("Next pulse", "deadline"),
                    _card("Scan", "scan-progress", "preview", "stages"),
                    _card("Proposals", "proposals"),
                    _card("Failures", "failures"),
                ],
                className="live-side",
                tabIndex="0",
            ),
            html.Section(
                [
                    html.Div(
                        [
                            html.H2("Scans over time"),
                            html.Span(id="timeline-span", className="small muted"),
                            html.Span("current", className="small key-current"),
                            html.Span("potential (dashed)", className="small key-potential"),
                        ],
                        className="card-head",
                    ),
                    html.Div(id="timeline", className="timeline"),
                ],
                className="card area-timeline",
            ),
        ],
        id="main",
        className="page-live",
    )


def _card(title: str, *parts: str) -> Component:
    inside = [html.Div(id=part) for part in parts]
    return html.Section([html.H2(title), *inside], className=f"card area-{parts[0]}")


def _viewer() -> Component:
    return html.Section(
        [
            html.Div(
                [
                    html.H2("Cell"),
                    html.Span(id="shown-scan", className="small"),
                    html.Span(className="spring"),
                    html.Span(id="area-seen", className="small muted"),
                    html.Button(
                        "LIVE",
                        id="live-button",
                        className="live-button",
                        title="Follow the newest scan (key End)",
                        **{"aria-pressed": "true"},
                    ),
                ],
                className="card-head",
            ),
            html.Div(id="viewer", className="viewer"),
        ],
        className="card area-viewer",
    )


def sections(snapshot: Snapshot, view: View, now_s: float) -> dict[str, Props]:
    """Give what changes on the page."""
    state = snapshot.experiment
    deadline = next_deadline(state, time.time_ns())
    if snapshot.is_replay:
        deadline = Deadline(outlook="none", text="A stored experiment: nothing waits for it.")
    return {
        "live-source": {"data-source": json.dumps(live_source(state))},
        "tiles": {"children": tiles(state)},
        "area-seen": {"children": area_seen(state)},
        "deadline": {
            "children": deadline_card(deadline),
            "data-outlook": deadline.outlook,
            "className": f"deadline deadline-{deadline.outlook.replace(' ', '-')}",
        },
        "scan-progress": {"children": progress(state, snapshot.progress)},
        "preview": {"children": preview_pictures(snapshot)},
        "stages": {"children": stage_table(state)},
        "proposals": {"children": proposal_cards(state, is_replay=snapshot.is_replay)},
        "failures": {"children": failure_rows(state, is_replay=snapshot.is_replay)},
    }
