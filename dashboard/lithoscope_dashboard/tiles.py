"""Tiles of the live page: value, interval, limit of a rule, and the way it went. Pure."""

from collections.abc import Sequence
from typing import Any

from dash import html

from lithoscope_dashboard.model import ExperimentState, RuleLine, ScanState
from lithoscope_dashboard.quantities import (
    CORE,
    NOT_KNOWN,
    Quantity,
    change_text,
    flags_text,
)
from lithoscope_dashboard.trees import Svg
from lithoscope_messages import MetricValue

Component = Any  # Dash ships no types
WIDTH, HEIGHT = 100.0, 26.0
TILES = (
    *CORE,
    Quantity(metric="short_eta_pulses", name="Short in", unit="pulses"),
    Quantity(metric="ct_faraday_ratio", name="CT / Faraday", unit="×", digits=".2f"),
)
AREA = Quantity(metric="area_seen_fraction", name="CT sees", unit="%", scale=100.0, digits=".3g")


def tiles(state: ExperimentState | None) -> list[Component]:
    """Show the newest value of each key metric."""
    return [tile(quantity, state) for quantity in TILES]


def area_seen(state: ExperimentState | None) -> str:
    """Say for what part of the cell the numbers speak."""
    measured = () if state is None else state.measured
    metric = measured[-1].metrics.get(AREA.metric) if measured else None
    if metric is None or metric.value is None:
        return "What part of the active area the CT sees is not known."
    return f"CT sees {AREA.text(metric.value)} % of the active area"


def tile(quantity: Quantity, state: ExperimentState | None) -> Component:
    """Show one metric: its newest value with interval and limit, and a line of all before."""
    measured = () if state is None else state.measured
    newest = measured[-1].metrics.get(quantity.metric) if measured else None
    rules = [
        rule for rule in (() if state is None else state.rules) if rule.metric == quantity.metric
    ]
    number = None if newest is None else newest.value
    value = NOT_KNOWN if number is None else quantity.text(number)
    interval = interval_words(quantity, newest)
    change = _change(quantity, measured)
    past = any(_is_past(rule, newest) for rule in rules)
    return html.Div(
        [
            html.Div(quantity.name, className="tile-name"),
            html.Div(
                [
                    html.Span(value, id=f"metric-{quantity.metric}", className="tile-value"),
                    html.Span(quantity.unit, className="tile-unit"),
                ]
            ),
            sparkline(quantity, measured, rules),
            html.Div(interval, id=f"interval-{quantity.metric}", className="tile-note"),
            html.Div(change, id=f"note-{quantity.metric}", className="tile-note muted"),
            html.Div(
                limit_words(quantity, rules),
                id=f"limit-{quantity.metric}",
                className="tile-note tile-limit",
            ),
        ],
        className="card tile tile-past" if past else "card tile",
        key=quantity.metric,
        title=_provenance(quantity, measured, newest),
    )


def interval_words(quantity: Quantity, metric: MetricValue | None) -> str:
    """Write the 95 % interval: value ± where it is even, low to high where not, or why not."""
    if metric is None:
        return "not measured yet"
    if metric.value is None:
        return flags_text(metric.flags) or "not measured"
    if metric.low95 is None or metric.high95 is None:
        words = flags_text(tuple(flag for flag in metric.flags if flag != "interval_not_modelled"))
        return "interval not modelled" + (f" · {words}" if words else "")
    below, above = metric.value - metric.low95, metric.high95 - metric.value
    if abs(below - above) <= 0.05 * (below + above):
        half = format((below + above) / 2 * quantity.scale, quantity.digits)
        return f"± {half} {quantity.unit} (95 %)"
    return f"{quantity.text(metric.low95)} to {quantity.text(metric.high95)} (95 %)"


def limit_words(quantity: Quantity, rules: Sequence[RuleLine]) -> str:
    """Write the limits that rules set."""
    return "; ".join(
        f"limit: {rule.comparison} {quantity.text(rule.set_value)} {quantity.unit}"
        for rule in rules[:2]
    )


def sparkline(quantity: Quantity, measured: Sequence[ScanState], rules: Sequence[RuleLine]) -> Svg:
    """Draw the values of all scans, the interval as a band, limits as dashed lines."""
    found = [scan.metrics.get(quantity.metric) for scan in measured]
    points = [
        (i, each.value, each.low95, each.high95)
        for i, each in enumerate(found)
        if each is not None and each.value is not None
    ]
    label = f"{quantity.name} over {len(points)} scans"
    attributes = {
        "viewBox": f"0 0 {WIDTH:g} {HEIGHT:g}",
        "preserveAspectRatio": "none",
        "class": "sparkline",
        "role": "img",
        "aria-label": label,
    }
    if len(points) < 2:
        return Svg(tag="svg", attributes=attributes)
    bounds = [each for _, *values in points for each in values if each is not None]
    low, high = min(bounds), max(bounds)
    span = high - low or 1.0

    def place(i: int, value: float) -> str:
        x = WIDTH * i / max(1, len(found) - 1)
        y = HEIGHT - 3 - (HEIGHT - 6) * (value - low) / span
        return f"{x:.1f},{min(HEIGHT, max(0.0, y)):.1f}"

    band = [(i, lo, hi) for i, _, lo, hi in points if lo is not None and hi is not None]
    outline = [place(i, hi) for i, _, hi in band] + [place(i, lo) for i, lo, _ in reversed(band)]
    line = " ".join(place(i, value) for i, value, _, _ in points)
    limits = [rule.set_value for rule in rules if low <= rule.set_value <= high]
    children = [
        Svg(tag="polygon", attributes={"points": " ".join(outline), "class": "spark-band"}),
        Svg(tag="polyline", attributes={"points": line, "class": "spark-line"}),
        *(
            Svg(
                tag="polyline",
                attributes={
                    "points": f"{place(0, each)} {place(len(found) - 1, each)}",
                    "class": "spark-limit",
                },
            )
            for each in limits
        ),
    ]
    return Svg(tag="svg", attributes=attributes, children=children)


def _change(quantity: Quantity, measured: Sequence[ScanState]) -> str:
    if len(measured) < 2:
        return ""
    first = measured[0].metrics.get(quantity.metric)
    now = measured[-1].metrics.get(quantity.metric)
    if first is None or now is None or first.value is None or now.value is None:
        return ""
    return f"{change_text(quantity, first.value, now.value)} since scan {measured[0].scan}"


def _is_past(rule: RuleLine, metric: MetricValue | None) -> bool:
    if metric is None or metric.value is None:
        return False
    is_above = metric.value > rule.set_value
    return is_above if rule.comparison == "above" else metric.value < rule.set_value


def _provenance(
    quantity: Quantity, measured: Sequence[ScanState], newest: MetricValue | None
) -> str:
    if newest is None:
        return quantity.metric
    voxels = "" if newest.voxels is None else f", {newest.voxels} voxels"
    return f"{quantity.metric} of scan {measured[-1].scan}{voxels}"
