"""The maps: thickness, coverage, remaining gap, current density, voids; and how they differ."""

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
    "Click two points for the profile from A to B; arrows move it. Wheel with Ctrl, or + and −, "
    "zoom; drag moves; [ and ] change the scan. Hatched: not measured. Greyed, with lines that "
    "fall: measured, and less than can be told from nothing."
)


def layout() -> Component:
    """Build the page."""
    numbers = [
        *(html.Dt("Least"), html.Dd(id="map-least")),
        *(html.Dt("Greatest"), html.Dd(id="map-greatest")),
        *(html.Dt("Mean"), html.Dd(id="map-mean")),
        *(html.Dt("Measured"), html.Dd(id="map-measured")),
        *(html.Dt("Detected"), html.Dd(id="map-detected")),
    ]
    return html.Main(
        [
            html.Div(id="maps-source", hidden=True, **{"data-module": "maps"}),
            html.Section(
                [
                    html.Div(id="map-tools", className="tool-row"),
                    html.H2(id="map-title"),
                    html.Div(id="map-place", className="map-place"),
                    html.Div(id="map-readout"),
                ],
                className="card area-map",
            ),
            html.Div(
                [
                    html.Section(
                        [html.H2("Numbers"), html.Dl(numbers, className="numbers")],
                        className="card",
                    ),
                    html.Section(
                        [
                            html.H2("Profile"),
                            html.Div(id="map-profile"),
                            html.Div(id="profile-text", className="small muted"),
                        ],
                        className="card",
                    ),
                    html.P(_HOW, className="small muted"),
                ],
                className="map-side",
            ),
        ],
        id="main",
        className="page-maps",
    )


def sections(snapshot: Snapshot, view: View, now_s: float) -> dict[str, Props]:
    """Give what changes on the page."""
    return {"maps-source": {"data-source": json.dumps(maps_source(snapshot.experiment))}}


def maps_source(state: ExperimentState | None) -> dict[str, Any]:
    """Say which scans have maps."""
    return {
        "experiment": None if state is None else state.name,
        "scans": [
            {"scan": scan.scan, "note": scan_note(scan)[1], "maps": scan.maps_path is not None}
            for scan in (() if state is None else state.in_order)
        ],
    }
