"""Metrics over time, charge or pulses: states in, Plotly figure out. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lithoscope_dashboard.model import ExperimentState, RuleLine, ScanState
from lithoscope_dashboard.palette import ALARM, GRID, MUTED, WARN
from lithoscope_dashboard.quantities import flags_text, metric_title, unit_text
from lithoscope_dashboard.read_model import charge_passed_mAh
from lithoscope_messages import MetricValue

Against = Literal["passed", "net", "time", "pulse"]
#: More points than this are thinned: the browser draws them all as vectors.
MAX_POINTS = 5000
MAX_METRICS, MAX_EXPERIMENTS = 8, 5
# Okabe and Ito, without the yellow that white paper swallows.
_COLOURS = (
    *("#56B4E9", "#E69F00", "#009E73", "#CC79A7"),
    *("#D55E00", "#0072B2", "#8C8C8C", "#B8860B"),
)
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "hexagon")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One metric of one experiment: a point for each scan that was measured."""

    experiment: str
    metric: str
    unit: str
    scans: tuple[int, ...]
    positions: tuple[float | None, ...]
    metrics: tuple[MetricValue | None, ...]
    half_cycles: tuple[int, ...]

    @property
    def values(self) -> list[float | None]:
        """Values, scan by scan."""
        return [None if each is None else each.value for each in self.metrics]

    @property
    def known(self) -> list[tuple[int, MetricValue]]:
        """Scans that have a value, with it."""
        return [
            (scan, metric)
            for scan, metric in zip(self.scans, self.metrics, strict=True)
            if metric is not None and metric.value is not None
        ]


def abscissa(
    state: ExperimentState, scans: Sequence[ScanState], against: Against
) -> tuple[list[float | None], str]:
    """Positions of the scans along the x axis, and what stands under it."""
    if against == "time":
        times_h = [None if scan.time_s is None else scan.time_s / 3600 for scan in scans]
        return times_h, "time / h"
    if against == "pulse":
        return [float(scan.phase.pulse) for scan in scans], "pulses before the scan"
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


def metric_names(states: Sequence[ExperimentState]) -> list[str]:
    """Names of all metrics that any scan has, in order."""
    return sorted({name for state in states for scan in state.measured for name in scan.metrics})


def series_of(state: ExperimentState, metric: str, against: Against) -> Series:
    """Take one metric out of an experiment, thinned to 5000 points."""
    scans = state.measured
    step = -(-len(scans) // MAX_POINTS) or 1
    scans = scans[(len(scans) - 1) % step :: step] if scans else scans
    positions, _ = abscissa(state, scans, against)
    metrics = tuple(scan.metrics.get(metric) for scan in scans)
    units = [each.unit for each in metrics if each is not None]
    return Series(
        experiment=state.name,
        metric=metric,
        unit=units[-1] if units else "",
        scans=tuple(scan.scan for scan in scans),
        positions=tuple(positions),
        metrics=metrics,
        half_cycles=tuple(scan.half_cycle for scan in scans),
    )


def smoothed(series: Series) -> list[float | None]:
    """Give medians of each value and its neighbours; none reaches over a turn of the current."""
    values, halves = series.values, series.half_cycles
    found: list[float | None] = []
    for place, value in enumerate(values):
        near = range(max(0, place - 1), min(len(values), place + 2))
        known = [
            each
            for other in near
            if (each := values[other]) is not None and halves[other] == halves[place]
        ]
        found.append(None if value is None else median(known))
    return found


def metrics_figure(
    states: Sequence[ExperimentState],
    metrics: Sequence[str],
    against: Against,
    *,
    is_smoothed: bool = False,
) -> go.Figure:
    """Draw metrics of experiments: a panel for each unit, intervals as bands, limits as lines.

    Parameters
    ----------
    states
        Experiments, the one that is looked at first; at most five are drawn.
    metrics
        Names of metrics; at most eight are drawn.
    against
        What runs to the right.
    is_smoothed
        Whether lines go through medians of three scans; the points are what was measured.
    """
    states, metrics = states[:MAX_EXPERIMENTS], list(metrics)[:MAX_METRICS]
    found = [
        (series_of(state, metric, against), place, number)
        for number, metric in enumerate(metrics)
        for place, state in enumerate(states)
    ]
    found = [each for each in found if each[0].known]
    units = list(dict.fromkeys(series.unit for series, _, _ in found))
    figure = make_subplots(rows=max(1, len(units)), shared_xaxes=True, vertical_spacing=0.04)
    for series, place, number in found:
        row = units.index(series.unit) + 1
        look = _Look(row=row, place=place, number=number, n_states=len(states))
        _add_series(figure, series, look, is_smoothed=is_smoothed)
    for row, unit in enumerate(units, 1):
        figure.update_yaxes(title_text=unit_text(unit) or "share", row=row, col=1)
    if states and found:
        _add_bounds(figure, states[0], against)
        _add_rules(figure, states[0].rules, units, [series for series, _, _ in found])
        _, title = abscissa(states[0], states[0].measured, against)
        figure.update_xaxes(title_text=title, row=len(units), col=1)
    return _styled(figure, against=against)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """Where a series is drawn: panel, place of its experiment, number of its metric."""

    row: int
    place: int
    number: int
    n_states: int


def _add_series(figure: go.Figure, series: Series, look: _Look, *, is_smoothed: bool) -> None:
    number = look.number
    colour, symbol = _COLOURS[number % len(_COLOURS)], _SYMBOLS[number % len(_SYMBOLS)]
    name = metric_title(series.metric)
    if look.n_states > 1:
        name = f"{name} · {series.experiment}"
    group = f"{series.experiment} {series.metric}"
    line = {"color": colour, "width": 2, "dash": _DASHES[look.place]}
    points = go.Scatter(
        x=series.positions,
        y=series.values,
        name=name,
        legendgroup=group,
        mode="markers" if is_smoothed else "lines+markers",
        line=line,
        opacity=0.6 if is_smoothed else 1.0,
        marker={"symbol": symbol, "size": 7, "color": colour},
        customdata=[
            [scan, _hover(metric)]
            for scan, metric in zip(series.scans, series.metrics, strict=True)
        ],
        hovertemplate=(
            f"%{{y:.5g}} {unit_text(series.unit)}%{{customdata[1]}}"
            f"<br>scan %{{customdata[0]}}<extra>{name}</extra>"
        ),
    )
    traces = [*_band(series, colour, group), points]
    if is_smoothed:
        medians = f"{name}, median of 3"
        smooth = {"x": series.positions, "y": smoothed(series), "name": medians}
        traces.append(
            go.Scatter(**smooth, legendgroup=group, mode="lines", line=line, hoverinfo="skip")
        )
    for trace in traces:
        figure.add_trace(trace, row=look.row, col=1)


def _band(series: Series, colour: str, group: str) -> list[go.Scatter]:
    """Draw the interval as two edges with a filling between; nothing where none is known."""
    known = [
        (position, metric.low95, metric.high95)
        for position, metric in zip(series.positions, series.metrics, strict=True)
        if metric is not None and metric.low95 is not None and metric.high95 is not None
    ]
    if not known:
        return []
    positions, low, high = zip(*known, strict=True)
    common = {
        "x": positions,
        "mode": "lines",
        "line": {"width": 0, "color": colour},
        "legendgroup": group,
        "showlegend": False,
        "hoverinfo": "skip",
    }
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    filling = f"rgba({red},{green},{blue},0.2)"
    return [
        go.Scatter(**common, y=low),
        go.Scatter(**common, y=high, fill="tonexty", fillcolor=filling),
    ]


def _hover(metric: MetricValue | None) -> str:
    """Say how sure a value is, and what it rests on."""
    if metric is None:
        return ""
    parts = []
    if metric.low95 is not None and metric.high95 is not None:
        parts.append(f"95 %: {metric.low95:.5g} to {metric.high95:.5g}")
    if metric.voxels is not None:
        parts.append(f"{metric.voxels} voxels")
    if metric.flags:
        parts.append(flags_text(metric.flags))
    return "".join(f"<br>{part}" for part in parts)


def _add_bounds(figure: go.Figure, state: ExperimentState, against: Against) -> None:
    if against == "net":
        return
    positions, _ = abscissa(state, state.measured, against)
    for bound in half_cycle_bounds(state.measured, positions):
        figure.add_vline(x=bound, line={"color": MUTED, "width": 1, "dash": "dot"})


def _add_rules(
    figure: go.Figure, rules: Sequence[RuleLine], units: Sequence[str], found: Sequence[Series]
) -> None:
    """Draw where rules fire, and where they let go again."""
    unit_of = {series.metric: series.unit for series in found}
    for rule in rules:
        if rule.metric not in unit_of:
            continue
        row = units.index(unit_of[rule.metric]) + 1
        levels = [(rule.set_value, ALARM, "set")]
        if rule.reset_value is not None:
            levels.append((rule.reset_value, WARN, "reset"))
        for value, colour, word in levels:
            figure.add_hline(
                y=value,
                row=row,
                col=1,
                line={"color": colour, "width": 1.5, "dash": "dash"},
                annotation={
                    "text": f"{rule.rule}: {word} {rule.comparison} {value:g}",
                    "font": {"color": colour, "size": 11},
                },
                annotation_position="top left",
            )


def _styled(figure: go.Figure, *, against: Against) -> go.Figure:
    """Give it the look of the page; the style sheet colours its words for dark and light."""
    clear = "rgba(0,0,0,0)"
    figure.update_layout(
        paper_bgcolor=clear,
        plot_bgcolor=clear,
        font={"size": 12, "family": "system-ui, sans-serif", "color": MUTED},
        margin={"l": 8, "r": 12, "t": 26, "b": 8},
        showlegend=True,
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        hovermode="x unified",
        # Constant: zoom and hidden curves outlive new points.
        uirevision=against,
    )
    axis = {"gridcolor": GRID, "zeroline": False, "linecolor": GRID, "automargin": True}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure
