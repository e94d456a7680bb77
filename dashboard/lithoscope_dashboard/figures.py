"""Curves of the core metrics against charge: state in, Plotly figure out. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go

from lithoscope_dashboard.model import ExperimentState, RuleLine, ScanState
from lithoscope_dashboard.palette import ALARM, BY_KEY, GRID, MUTED, SURFACE, TEXT
from lithoscope_dashboard.read_model import charge_passed_mAh
from lithoscope_messages import MetricValue

Against = Literal["passed", "net", "time"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line of a figure."""

    metric: str
    name: str
    colour: str
    symbol: str = "circle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One figure of curves that share a unit; ``scale`` turns that of the metric into it."""

    title: str
    unit: str
    curves: tuple[Curve, ...]
    scale: float = 1.0
    from_zero: bool = False


def _curve(metric: str, name: str, key: str, symbol: str) -> Curve:
    return Curve(metric=metric, name=name, colour=BY_KEY[key].css, symbol=symbol)


PANELS: dict[str, Panel] = {
    "thickness": Panel(
        title="Side thickness",
        unit="µm",
        curves=(
            _curve("plating_side_thickness_um", "plating side", "plating_electrode", "circle"),
            _curve(
                "stripping_side_thickness_um", "stripping side", "stripping_electrode", "square"
            ),
        ),
    ),
    "volume": Panel(
        title="Volume",
        unit="10⁶ µm³",
        scale=1e-6,
        from_zero=True,
        curves=(
            _curve("deposited_volume_um3", "deposited", "deposited", "circle"),
            _curve("redeposited_volume_um3", "redeposited", "redeposited", "square"),
            _curve("dendrite_volume_um3", "dendrite", "dendrite", "diamond"),
        ),
    ),
    "gap": Panel(
        title="Remaining gap",
        unit="µm",
        from_zero=True,
        curves=(Curve(metric="remaining_gap_um", name="remaining gap", colour="#F0E442"),),
    ),
    "coverage": Panel(
        title="Coverage",
        unit="%",
        scale=100.0,
        from_zero=True,
        curves=(
            _curve("deposited_coverage", "deposited", "deposited", "circle"),
            _curve("redeposited_coverage", "redeposited", "redeposited", "square"),
            _curve("dendrite_coverage", "dendrite", "dendrite", "diamond"),
            _curve("pit_coverage", "pit", "pit", "triangle-up"),
        ),
    ),
}


def abscissa(
    state: ExperimentState, scans: Sequence[ScanState], against: Against
) -> tuple[list[float | None], str]:
    """Positions of the scans along the x axis, and what stands under it."""
    if against == "time":
        times_h = [None if scan.time_s is None else scan.time_s / 3600 for scan in scans]
        return times_h, "time / h"
    charges = (
        charge_passed_mAh(scans) if against == "passed" else [scan.charge_mAh for scan in scans]
    )
    name = "charge passed" if against == "passed" else "net charge"
    area_cm2 = state.description.active_area_cm2
    if area_cm2 is None:
        return charges, f"{name} / mAh"
    per_area = [None if charge is None else charge / area_cm2 for charge in charges]
    return per_area, f"{name} / mAh cm⁻²"


def half_cycle_bounds(
    scans: Sequence[ScanState], positions: Sequence[float | None]
) -> list[float]:
    """Where the current turned: at the last scan before each new half-cycle."""
    bounds = []
    for before, after, position in zip(scans, scans[1:], positions, strict=False):
        if after.half_cycle != before.half_cycle and position is not None:
            bounds.append(position)
    return bounds


def curve_figure(state: ExperimentState | None, panel: Panel, against: Against) -> go.Figure:
    """Draw one panel.

    Parameters
    ----------
    state
        The experiment; None draws an empty panel.
    panel
        Which curves.
    against
        Charge passed, net charge or time.
    """
    figure = go.Figure(layout=_layout(panel))
    if state is None or not state.measured:
        # Without points the scales would show numbers that mean nothing.
        figure.update_xaxes(showticklabels=False)
        figure.update_yaxes(showticklabels=False)
        return figure
    scans = state.measured
    positions, title = abscissa(state, scans, against)
    figure.update_xaxes(title_text=title)
    for curve in panel.curves:
        figure.add_trace(_trace(curve, panel, scans, positions))
    if against != "net":
        for bound in half_cycle_bounds(scans, positions):
            figure.add_vline(x=bound, line={"color": MUTED, "width": 1, "dash": "dot"})
    metrics = {curve.metric for curve in panel.curves}
    for rule in state.rules:
        if rule.metric in metrics:
            _add_rule(figure, rule, panel)
    return figure


def _trace(
    curve: Curve, panel: Panel, scans: Sequence[ScanState], positions: Sequence[float | None]
) -> go.Scatter:
    metrics = [scan.metrics.get(curve.metric) for scan in scans]
    values = [
        None if metric is None or metric.value is None else metric.value * panel.scale
        for metric in metrics
    ]
    bounds = [_error_bar(metric, panel.scale) for metric in metrics]
    below, above = zip(*bounds, strict=True) if bounds else ((), ())
    return go.Scatter(
        x=list(positions),
        y=values,
        name=curve.name,
        mode="lines+markers",
        line={"color": curve.colour, "width": 2},
        marker={"symbol": curve.symbol, "size": 7, "color": curve.colour},
        error_y={
            "type": "data",
            "array": above,
            "arrayminus": below,
            "visible": any(above) or any(below),
            "thickness": 1,
            "width": 3,
        },
        customdata=[scan.scan for scan in scans],
        hovertemplate=f"scan %{{customdata}}: %{{y:.4g}} {panel.unit}<extra>{curve.name}</extra>",
    )


def _error_bar(metric: MetricValue | None, scale: float) -> tuple[float, float]:
    """Length of the bar below and above the value; nothing where no interval is known."""
    if metric is None or metric.value is None or metric.low95 is None or metric.high95 is None:
        return 0.0, 0.0
    return (metric.value - metric.low95) * scale, (metric.high95 - metric.value) * scale


def _add_rule(figure: go.Figure, rule: RuleLine, panel: Panel) -> None:
    side = "top left" if rule.comparison == "above" else "bottom left"
    figure.add_hline(
        y=rule.set_value * panel.scale,
        line={"color": ALARM, "width": 1.5, "dash": "dash"},
        annotation={
            "text": f"{rule.rule}: {rule.comparison} {rule.set_value:g}",
            "font": {"color": ALARM, "size": 11},
        },
        annotation_position=side,
    )


def _layout(panel: Panel) -> go.Layout:
    axis = {
        "gridcolor": GRID,
        "zeroline": False,
        "linecolor": GRID,
        "ticks": "outside",
        "tickcolor": GRID,
        "automargin": True,
        "title": {"standoff": 6, "font": {"size": 11, "color": MUTED}},
    }
    return go.Layout(
        paper_bgcolor=SURFACE,
        plot_bgcolor=SURFACE,
        font={"color": TEXT, "size": 11, "family": "system-ui, sans-serif"},
        margin={"l": 8, "r": 10, "t": 8, "b": 8},
        showlegend=False,
        xaxis=axis,
        yaxis={**axis, "rangemode": "tozero" if panel.from_zero else "normal"},
        hovermode="x unified",
        hoverlabel={"bgcolor": "#0c1117", "bordercolor": GRID, "font": {"color": TEXT}},
        # Constant: zoom and hidden curves outlive new points.
        uirevision=panel.title,
    )
