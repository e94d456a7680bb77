"""Two experiments side by side, by what their journals say. Pure.

The same as ``lithoscope compare`` says of metrics and rules; labels are compared there alone.
"""

import math
from dataclasses import dataclass
from typing import Any

from dash import html

from lithoscope_dashboard.model import ExperimentState, ScanState
from lithoscope_dashboard.quantities import NOT_KNOWN
from lithoscope_dashboard.tables import table
from lithoscope_messages import MetricValue

Component = Any  # Dash ships no types
_HEADS = ("metric", "A", "B", "B − A", "± both intervals", "beyond", "largest B − A", "at scan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A metric at the newest scan that both have, and where the two differ most."""

    metric: str
    unit: str
    a: float | None
    b: float | None
    half_width: float | None
    n_beyond: int | None
    n_scans: int
    largest: float | None
    at_scan: int | None

    @property
    def difference(self) -> float | None:
        """B − A at the newest scan that both have."""
        return None if self.a is None or self.b is None else self.b - self.a


def compare(first: ExperimentState, second: ExperimentState) -> tuple[int | None, list[Compared]]:
    """Compare two experiments metric by metric.

    Returns
    -------
    tuple
        The newest scan that both have measured (None if there is none), and the metrics.
    """
    pairs = [
        (scan, second.scans[scan.scan])
        for scan in first.measured
        if scan.scan in second.scans and second.scans[scan.scan].metrics
    ]
    if not pairs:
        return None, []
    names = sorted({name for pair in pairs for scan in pair for name in scan.metrics})
    return pairs[-1][0].scan, [_compare(name, pairs) for name in names]


def _compare(name: str, pairs: list[tuple[ScanState, ScanState]]) -> Compared:
    both = [(a.scan, a.metrics.get(name), b.metrics.get(name)) for a, b in pairs]
    unit = next((m.unit for _, a, b in both for m in (a, b) if m is not None), "")
    differences = {scan: _difference(a, b) for scan, a, b in both}
    known = {scan: value for scan, value in differences.items() if value is not None}
    beyond = [
        abs(known[scan]) > width
        for scan, a, b in both
        if scan in known and (width := _half_width(a, b)) is not None
    ]
    at_scan = max(known, key=lambda scan: abs(known[scan]), default=None)
    _, last_a, last_b = both[-1]
    return Compared(
        metric=name,
        unit=unit,
        a=None if last_a is None else last_a.value,
        b=None if last_b is None else last_b.value,
        half_width=_half_width(last_a, last_b),
        n_beyond=sum(beyond) if beyond else None,
        n_scans=len(known),
        largest=None if at_scan is None else known[at_scan],
        at_scan=at_scan,
    )


def _difference(a: MetricValue | None, b: MetricValue | None) -> float | None:
    if a is None or b is None or a.value is None or b.value is None:
        return None
    return b.value - a.value


def _half_width(a: MetricValue | None, b: MetricValue | None) -> float | None:
    """Half width of the interval of the difference, for errors that know nothing of each other."""
    widths = []
    for each in (a, b):
        if each is None or each.low95 is None or each.high95 is None:
            return None
        widths.append((each.high95 - each.low95) / 2)
    return math.hypot(*widths)


def compared_table(first: ExperimentState | None, second: ExperimentState | None) -> Component:
    """Show the metrics of two experiments side by side."""
    if first is None or second is None:
        text = "Choose an experiment above to compare with the one that is shown."
        return html.P(text, className="muted", key="none")
    scan, rows = compare(first, second)
    if scan is None:
        return html.P(
            f"{first.name} and {second.name} have no measured scan in common.", key="none"
        )
    title = html.P(
        [
            html.B(f"A: {first.name}"),
            " · ",
            html.B(f"B: {second.name}"),
            f" · scan {scan}, the newest that both have; the last columns over "
            f"{max(row.n_scans for row in rows)} scans. Rules that fired (A / B): ",
            _rules(first, second),
        ],
        key="title",
    )
    return html.Div([title, table(_HEADS, [_row(row) for row in rows], "compared-table")])


def _row(row: Compared) -> Component:
    difference = row.difference
    cells = (
        *(_number(row.a), _number(row.b), _number(difference)),
        _number(row.half_width),
        NOT_KNOWN if row.n_beyond is None else f"{row.n_beyond} of {row.n_scans}",
        *(_number(row.largest), NOT_KNOWN if row.at_scan is None else str(row.at_scan)),
    )
    unit = f" / {row.unit}" if row.unit not in ("", "1") else ""
    is_beyond = (
        difference is not None and row.half_width is not None and abs(difference) > row.half_width
    )
    return html.Tr(
        [
            html.Th(f"{row.metric}{unit}", scope="row"),
            *(html.Td(cell, className="number") for cell in cells),
        ],
        id=f"compared-{row.metric}",
        className="is-beyond" if is_beyond else "",
    )


def _rules(first: ExperimentState, second: ExperimentState) -> str:
    fired = [{each.rule: each.n_fired for each in state.rules} for state in (first, second)]
    names = sorted({rule for each in fired for rule, count in each.items() if count})
    parts = [f"{name} {fired[0].get(name, 0)} / {fired[1].get(name, 0)} times" for name in names]
    return ", ".join(parts) or "none fired"


def _number(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:.5g}"
