"""The structure of the page; what changes in it comes from :mod:`views`."""

from typing import Any

from dash import dcc, html

from lithoscope_dashboard.figures import PANELS, Panel, curve_figure
from lithoscope_dashboard.palette import CLASSES
from lithoscope_dashboard.quantities import CORE, NOT_KNOWN, Quantity

Component = Any  # Dash ships no types
FALLBACK_MS = 2000
_NO_TOOLS = {"displayModeBar": False, "responsive": True}


def page(person: str) -> Component:
    """Build the page.

    Parameters
    ----------
    person
        Who answers proposals, unless another name is typed.
    """
    return html.Div(
        [
            dcc.Store(id="slice-source"),
            dcc.Store(id="curves-source"),
            dcc.Interval(id="fallback", interval=FALLBACK_MS),
            html.Span(id="beat", hidden=True),
            html.Div(id="stale-note", role="alert"),
            _header(),
            html.Main(
                [
                    html.Div([_tile(quantity) for quantity in CORE], className="tiles"),
                    _card(
                        "Scan",
                        [html.Div(id="scan-progress"), html.Div(id="stages")],
                        "progress",
                    ),
                    _card("Services", [_service_head(), html.Div(id="services")], "services"),
                    _viewer(),
                    _curves(),
                    _proposals(person),
                    _card("Failures", [html.Div(id="failures", role="log")], "failures"),
                ]
            ),
        ],
        id="page",
    )


def _header() -> Component:
    return html.Header(
        [
            html.H1("Lithoscope"),
            html.Span(id="live-state", className="pill live-offline", children="…"),
            html.Span(id="experiment-name"),
            html.Span(id="sample", className="muted"),
            html.Span(className="spring"),
            html.A(id="open-proposals", href="#proposals", className="pill attention"),
            html.Span(id="charge-now", className="muted number"),
            html.Span(id="scan-count", className="number"),
        ]
    )


def _card(title: str, children: list[Component], area: str) -> Component:
    return html.Section([html.H2(title), *children], className=f"card area-{area}")


def _service_head() -> Component:
    names = ("", "service", "state", "lag", "heard")
    return html.Div([html.Span(name) for name in names], className="service service-head")


def _tile(quantity: Quantity) -> Component:
    return html.Div(
        [
            html.Div(quantity.name, className="tile-name"),
            html.Div(
                [
                    html.Span(NOT_KNOWN, id=f"metric-{quantity.metric}", className="tile-value"),
                    html.Span(quantity.unit, className="tile-unit"),
                ]
            ),
            html.Div(id=f"note-{quantity.metric}", className="tile-note muted"),
        ],
        className="card tile",
    )


def _viewer() -> Component:
    return html.Section(
        [
            html.Div(
                [
                    html.H2("Slice"),
                    dcc.RadioItems(
                        id="axis",
                        options=[
                            {"label": "cross-section", "value": "z"},
                            {"label": "in plane", "value": "y"},
                            {"label": "side", "value": "x"},
                        ],
                        value="z",
                        inline=True,
                        className="choice",
                    ),
                    html.Span(className="spring"),
                    dcc.Checklist(
                        id="follow",
                        options=[{"label": "follow newest", "value": "newest"}],
                        value=["newest"],
                        className="choice",
                    ),
                ],
                className="card-head",
            ),
            html.Div(
                [
                    html.Img(id="slice-image", alt=""),
                    html.Img(id="slice-labels", alt=""),
                    html.Div("nothing to look at yet", id="slice-none", className="muted"),
                    html.Div(html.Span(id="scale-text"), id="scale-bar"),
                ],
                className="slice-frame",
            ),
            html.Div(id="slice-caption", className="muted small"),
            _slider("scan", "scan-slider", 0, 1, 0),
            _slider("position", "position-slider", 0, 100, 50),
            _slider("labels", "opacity-slider", 0, 100, 60),
            _legend(),
        ],
        className="card area-slice",
    )


def _slider(name: str, slider: str, low: int, high: int, value: int) -> Component:
    return html.Div(
        [
            html.Label(name, htmlFor=slider),
            dcc.Slider(
                id=slider,
                min=low,
                max=high,
                step=1,
                value=value,
                marks=None,
                updatemode="drag",
                allow_direct_input=False,
            ),
            html.Span(id=f"{slider}-text", className="number small"),
        ],
        className="slider-row",
    )


def _legend() -> Component:
    return html.Ul(
        [
            html.Li(
                [
                    html.I(each.letter, className=f"swatch swatch-{each.key}"),
                    html.Span(each.name),
                ]
            )
            for each in CLASSES
        ],
        id="legend",
    )


#: Characters that look like the markers of the curves.
_SIGNS = {"circle": "●", "square": "■", "diamond": "◆", "triangle-up": "▲"}


def _curve(name: str, panel: Panel) -> Component:
    keys = [
        html.Span([html.I(_SIGNS[curve.symbol], style={"color": curve.colour}), curve.name])
        for curve in panel.curves
    ]
    title = [html.B(panel.title), html.Span(panel.unit, className="muted")]
    return html.Div(
        [
            html.Div([*title, *(keys if len(keys) > 1 else [])], className="curve-head"),
            dcc.Graph(
                id=f"curve-{name}",
                figure=curve_figure(None, panel, "passed"),
                config=_NO_TOOLS,
                responsive=True,
            ),
        ],
        className="card curve",
    )


def _curves() -> Component:
    graphs = [_curve(name, panel) for name, panel in PANELS.items()]
    against = dcc.RadioItems(
        id="against",
        options=[
            {"label": "charge passed", "value": "passed"},
            {"label": "net charge", "value": "net"},
            {"label": "time", "value": "time"},
        ],
        value="passed",
        inline=True,
        className="choice",
    )
    head = html.Div([html.H2("Metrics against"), against], className="card-head")
    return html.Section([head, html.Div(graphs, className="curves")], className="area-curves")


def _proposals(person: str) -> Component:
    return html.Section(
        [
            html.Div(
                [
                    html.H2("Proposals"),
                    html.Span(className="spring"),
                    dcc.Input(
                        id="person",
                        value=person,
                        placeholder="your name",
                        maxLength=128,
                        type="text",
                    ),
                    dcc.Input(id="reason", placeholder="reason", maxLength=1000, type="text"),
                ],
                className="card-head",
            ),
            html.Div(id="answer-note", role="status", className="small"),
            html.Div(id="proposals", **{"aria-live": "polite"}),
        ],
        className="card area-proposals",
    )
