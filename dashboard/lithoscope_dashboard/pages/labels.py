"""Paint a few slices: a forest answers at once, and what is painted trains a network."""

import json
from typing import Any

from dash import html

from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.live_view import scan_source
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.palette import PAINTED_CLASSES, LabelClass
from lithoscope_dashboard.view import View

Component = Any  # Dash ships no types
Props = dict[str, Any]


def layout() -> Component:
    """Build the page; ``modules/labels.mjs`` fills it."""
    classes = json.dumps([_class_source(each) for each in PAINTED_CLASSES])
    return html.Main(
        [
            html.Div(
                id="labels-source",
                hidden=True,
                **{"data-module": "labels", "data-classes": classes},
            ),
            html.Section(
                [
                    html.Div(
                        [html.H2("Slice"), html.Span(id="labels-place", className="small")],
                        className="card-head",
                    ),
                    html.Div(id="labels-viewer", className="viewer"),
                ],
                className="card area-labels",
            ),
            html.Div(
                [
                    _card("Paint", "labels-tools"),
                    _card("Answer", "labels-answer"),
                    _card("Painted", "labels-painted"),
                    _card("Network for this cell", "labels-network"),
                    _card("Keys", "labels-keys"),
                ],
                className="labels-side",
            ),
        ],
        id="main",
        className="page-labels",
    )


def _card(title: str, part: str) -> Component:
    return html.Section([html.H2(title), html.Div(id=part)], className="card")


def _class_source(each: LabelClass) -> dict[str, Any]:
    return {
        "value": each.value,
        "key": each.key,
        "name": each.name,
        "letter": each.letter,
        "rgb": each.rgb,
        "alpha": each.alpha,
        "css": each.css,
        "ink": "#000000",
    }


def sections(snapshot: Snapshot, view: View, now_s: float) -> dict[str, Props]:
    """Say which scans can be painted on, and whether anybody may."""
    del view, now_s
    state = snapshot.experiment
    labelled = () if state is None else [each for each in state.in_order if _has_labels(each)]
    source = {
        "experiment": None if state is None else state.name,
        "scans": [scan_source(each) for each in labelled],
        "closed": _why_closed(snapshot, state),
    }
    return {"labels-source": {"data-source": json.dumps(source)}}


def _has_labels(scan: Any) -> bool:
    return scan.picture is not None and scan.picture.label_name is not None


def _why_closed(snapshot: Snapshot, state: ExperimentState | None) -> str:
    if state is None:
        return "No experiment has begun."
    if snapshot.is_replay:
        return "This is not happening now: what was painted is shown, and nothing can be added."
    if state.is_ended:
        return "The experiment is over; lithoscope labels import adds labels to it."
    return ""
