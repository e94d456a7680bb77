"""The surfaces of the classes in three dimensions."""

import json
from typing import Any

from dash import html

from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.live_view import scan_note
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.view import View

Component = Any  # Dash ships no types
Props = dict[str, Any]
_HOW = (
    "Drag turns, right drag or arrows move, wheel zooms. Letters show and hide classes; [ and ] "
    "change the scan. x runs right, y down through the thickness, z away. While it moves, fewer "
    "triangles are drawn."
)


def layout() -> Component:
    """Build the page."""
    head = html.Tr(
        [
            html.Th(each, scope="col")
            for each in ("class", "volume / µm³", "triangles", "extent / µm")
        ]
    )
    table = html.Table(
        [html.Caption(id="surface-caption"), html.Thead(head), html.Tbody(id="surface-rows")],
        className="stages",
    )
    return html.Main(
        [
            html.Div(id="surfaces-source", hidden=True, **{"data-module": "three_d"}),
            html.Section(
                [
                    html.H2("Surfaces"),
                    html.Div(id="surface-tools", className="tool-row"),
                    html.Div(id="surface-place", className="surface-place"),
                ],
                className="card area-surface",
            ),
            html.Div(
                [
                    html.Section(html.Div(table, className="wide"), className="card"),
                    html.P(_HOW, className="small muted"),
                ],
                className="surface-side",
            ),
        ],
        id="main",
        className="page-3d",
    )


def sections(snapshot: Snapshot, view: View, now_s: float) -> dict[str, Props]:
    """Give what changes on the page."""
    source = surfaces_source(snapshot.experiment)
    return {"surfaces-source": {"data-source": json.dumps(source)}}


def surfaces_source(state: ExperimentState | None) -> dict[str, Any]:
    """Say which scans have surfaces."""
    return {
        "experiment": None if state is None else state.name,
        "scans": [
            {"scan": scan.scan, "note": scan_note(scan)[1], "surfaces": scan.surfaces_path}
            for scan in (() if state is None else state.in_order)
        ],
    }
