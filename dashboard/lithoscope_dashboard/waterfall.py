"""How the time of a scan was spent, from its last frame to its decision. Pure."""

from typing import Any

from dash import html

from lithoscope_dashboard.model import STAGES, ExperimentState, ScanState
from lithoscope_dashboard.quantities import duration_text

Component = Any  # Dash ships no types
SHOWN = 12
_SIGNS = {"reconstruct": "Rc", "register": "Rg", "segment": "Sg", "measure": "Me", "decide": "De"}
#: A narrower bar has no room for its sign, % of the line; the table of scans has the numbers.
_NARROW = 4.0


def waterfall(state: ExperimentState | None, shown: int = SHOWN) -> list[Component]:
    """Show each of the newest scans as a row of bars, one for each stage, on one time axis.

    The axis is seconds after the last frame. A stage may begin before it: what is left of the
    line was done while the scan still ran.
    """
    scans = [] if state is None else [scan for scan in state.in_order if _spans(scan)][-shown:]
    if not scans:
        return [html.P("No scan has been worked on yet.", className="muted", key="none")]
    edges = [edge for scan in scans for _, start, end in _spans(scan) for edge in (start, end)]
    low_s, high_s = min(0.0, *edges), max(0.1, *edges)
    rows = [_row(scan, low_s, high_s) for scan in reversed(scans)]
    share = 100 * -low_s / (high_s - low_s)
    zero = {"left": f"{share:.2f}%", "translate": "0" if share < 20 else "-50%"}
    scale = html.Div(
        [
            html.Span("scan"),
            html.Div(
                [
                    html.Span(f"{low_s:.1f} s" if share > 30 else "", className="from"),
                    html.Span("last frame", className="zero", style=zero),
                    html.Span(duration_text(high_s), className="to"),
                ],
                className="track scale",
            ),
            html.Span("total"),
        ],
        className="fall fall-head",
        key="scale",
    )
    legend = html.Div(
        [
            html.Span([html.I(_SIGNS[stage], className=f"swatch stage-{stage}"), stage])
            for stage in STAGES
        ],
        className="fall-legend",
        key="legend",
    )
    return [scale, *rows, legend]


def _spans(scan: ScanState) -> list[tuple[str, float, float]]:
    """Give stage, start and end, s after the last frame."""
    zero_ns = scan.completed_ns
    if zero_ns is None:
        return []
    return [
        (name, (stage.started_ns - zero_ns) / 1e9, (stage.finished_ns - zero_ns) / 1e9)
        for name, stage in scan.stages.items()
        if stage.started_ns is not None and stage.finished_ns is not None
    ]


def _row(scan: ScanState, low_s: float, high_s: float) -> Component:
    length_s = high_s - low_s
    bars = []
    for name, start_s, end_s in _spans(scan):
        duration_s = scan.stages[name].duration_s  # type: ignore[index] # a name of STAGES
        width = max(0.4, 100 * (end_s - start_s) / length_s)
        text = f"{name}: {duration_text(duration_s or end_s - start_s)}, from {start_s:.1f} s"
        bars.append(
            html.Span(
                _SIGNS[name] if width > _NARROW else "",
                className=f"span stage-{name}",
                title=text,
                style={
                    "left": f"{100 * (start_s - low_s) / length_s:.2f}%",
                    "width": f"{width:.2f}%",
                },
            )
        )
    bars.append(html.Span(className="line", style={"left": f"{100 * -low_s / length_s:.2f}%"}))
    total = "" if scan.latency_s is None else duration_text(scan.latency_s)
    return html.Div(
        [
            html.Span(str(scan.scan)),
            html.Div(bars, className="track"),
            html.Span(total, className="number"),
        ],
        id=f"fall-{scan.scan}",
        className="fall",
    )
