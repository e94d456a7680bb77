"""Set up the next experiment: listen to its stream, answer the questions, write the file."""

from typing import Any

from dash import html

from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.view import View

Component = Any  # Dash ships no types
Props = dict[str, Any]


def layout() -> Component:
    """Build the page; ``modules/setup.mjs`` fills it."""
    return html.Main(
        [
            html.Section([html.H2("Now"), html.Div(id="setup-now")], className="card"),
            html.Section(
                [
                    html.H2("The next experiment"),
                    html.Div(id="setup-place", **{"data-module": "setup"}),
                ],
                className="card",
            ),
        ],
        id="main",
        className="page-setup",
    )


def sections(snapshot: Snapshot, view: View, now_s: float) -> dict[str, Props]:
    """Say what the page is not about."""
    del view, now_s
    state = snapshot.experiment
    if state is None:
        text = "No experiment has begun in this instance."
    else:
        text = f"{state.name} has its settings from its begin on: no page changes them."
    return {"setup-now": {"children": text}}
