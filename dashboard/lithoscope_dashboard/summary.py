"""What chosen metrics say in words: newest, least, greatest, and how sure. Pure."""

from collections.abc import Sequence
from typing import Any

from dash import html

from lithoscope_dashboard.figures import Series
from lithoscope_dashboard.quantities import NOT_KNOWN, flags_text, metric_title, unit_text
from lithoscope_messages import MetricValue

Component = Any  # Dash ships no types
_HEADS = ("metric", "experiment", "unit", "newest", "95 % interval", "least", "greatest", "scans")


def summary_table(series: Sequence[Series]) -> Component:
    """Write a row for each metric of each experiment."""
    head = html.Tr([html.Th(each, scope="col") for each in _HEADS])
    rows = [_row(each) for each in series if each.known]
    return html.Table([html.Thead(head), html.Tbody(rows)], className="stages summary")


def _row(series: Series) -> Component:
    known = series.known
    newest_scan, newest = known[-1]
    least_scan, least = min(known, key=lambda each: each[1].value or 0.0)
    greatest_scan, greatest = max(known, key=lambda each: each[1].value or 0.0)
    cells = (
        (series.experiment, "experiment"),
        (unit_text(series.unit), "unit"),
        (f"{_number(newest)} (scan {newest_scan})", "newest"),
        (_interval(newest), "interval"),
        (f"{_number(least)} (scan {least_scan})", "least"),
        (f"{_number(greatest)} (scan {greatest_scan})", "greatest"),
        (str(len(known)), "scans"),
    )
    return html.Tr(
        [
            html.Th(metric_title(series.metric), scope="row"),
            *(html.Td(text, **{"data-of": of}) for text, of in cells),
        ],
        id=f"summary-{series.experiment}-{series.metric}",
    )


def _number(metric: MetricValue) -> str:
    return NOT_KNOWN if metric.value is None else f"{metric.value:.5g}"


def _interval(metric: MetricValue) -> str:
    if metric.low95 is None or metric.high95 is None:
        return flags_text(metric.flags) or NOT_KNOWN
    return f"{metric.low95:.5g} to {metric.high95:.5g}"
