"""Two experiments side by side, as a page that is one file."""

from collections.abc import Sequence
from html import escape

from lithoscope_services.compare import summarise
from lithoscope_services.pages.chart import Line, chart
from lithoscope_services.pages.html import page, table
from lithoscope_services.report import JsonObject

_FIRST = (
    "plating_side_thickness_um",
    "stripping_side_thickness_um",
    "deposited_thickness_um",
    "redeposited_thickness_um",
    "dendrite_volume_um3",
    "remaining_gap_um",
)


def compare_page(compared: JsonObject) -> str:
    """Write the page.

    Parameters
    ----------
    compared
        From :func:`~lithoscope_services.compare.compare_experiments`.

    Returns
    -------
    str
        HTML.
    """
    a, b = escape(compared["a"]), escape(compared["b"])
    rows = summarise(compared)
    names = [row["metric"] for row in rows]
    shown = [name for name in _FIRST if name in names]
    return page(
        f"{compared['a']} and {compared['b']}",
        [
            f"<h1>{a} and {b}</h1>",
            _lead(compared, rows),
            _left_out(compared),
            "<h2>Metrics over the scans</h2>",
            f'<div class="charts">{"".join(_chart(compared, name) for name in shown)}</div>',
            f"<h2>Differences, {b} minus {a}</h2>",
            _metric_table(rows),
            "<h2>Agreement of labels (Dice)</h2>",
            _label_table(compared),
            "<h2>Rules</h2>",
            _rule_table(compared),
        ],
    )


def _lead(compared: JsonObject, rows: Sequence[JsonObject]) -> str:
    n_scans = len(compared["scans"])
    n_equal = sum(scan["labels"]["is_equal"] for scan in compared["scans"])
    differing = [row for row in rows if row["n_equal"] < row["n_scans"]]
    beyond = [row for row in rows if row["n_beyond"]]
    text = (
        f"{n_scans} scans in both; labels equal to the voxel in {n_equal}. "
        f"{len(differing)} of {len(rows)} metrics differ somewhere, {len(beyond)} by more than "
        "their intervals."
    )
    kind = "lead good" if not differing else "lead"
    return f'<p class="{kind}">{text}</p>'


def _left_out(compared: JsonObject) -> str:
    parts = [
        f"only in {escape(compared[side])}: {_scans(compared[f'only_in_{side}'])}"
        for side in ("a", "b")
        if compared[f"only_in_{side}"]
    ]
    return f'<p class="warn">{"; ".join(parts)}</p>' if parts else ""


def _chart(compared: JsonObject, name: str) -> str:
    lines = []
    for side in ("a", "b"):
        points = [
            (scan["scan"], metric["value"], metric["low95"], metric["high95"])
            for scan in compared["scans"]
            if (metric := scan["metrics"].get(name, {}).get(side)) is not None
            and metric["value"] is not None
        ]
        if points:
            lines.append(Line(name=compared[side], points=points))
    unit = name.rsplit("_", 1)[-1].replace("um", "µm").replace("3", "³")
    return chart(name, unit, lines)


def _metric_table(rows: Sequence[JsonObject]) -> str:
    cells = [
        (
            escape(row["metric"]),
            escape(row["unit"]),
            f"{row['mean_difference']:+.4g}" if row["mean_difference"] else "0",
            f"{row['largest_difference']:+.4g}" if row["largest_difference"] else "0",
            str(row["at_scan"]) if row["largest_difference"] else "",
            f"{row['n_scans'] - row['n_equal']} of {row['n_scans']}",
            "not known" if row["n_beyond"] is None else str(row["n_beyond"]),
        )
        for row in rows
    ]
    headings = ("metric", "unit", "mean", "largest", "at scan", "scans that differ", "beyond 95 %")
    return (
        '<p class="soft">A difference counts as beyond if it is larger than the half widths of '
        "both 95 % intervals, added as squares. Where an interval is not known, nothing is said."
        "</p>" + table(headings, cells, numbers=(2, 3, 4, 6))
    )


def _label_table(compared: JsonObject) -> str:
    classes = list(dict.fromkeys(c for s in compared["scans"] for c in s["labels"]["dice"]))
    rows = [
        (
            str(scan["scan"]),
            *(_dice(scan["labels"]["dice"].get(each)) for each in classes),
            escape("equal" if scan["labels"]["is_equal"] else scan["labels"]["reason"]),
        )
        for scan in compared["scans"]
    ]
    headings = ("scan", *(each.replace("_", " ") for each in classes), "")
    return table(headings, rows, numbers=range(len(classes) + 1))


def _rule_table(compared: JsonObject) -> str:
    if not compared["rules"]:
        return "<p>No rule fired in either.</p>"
    rows = [
        (escape(rule), _scans(fired["a"]), _scans(fired["b"]))
        for rule, fired in sorted(compared["rules"].items())
    ]
    return table(("rule", f"fired in {compared['a']}", f"fired in {compared['b']}"), rows)


def _scans(scans: Sequence[int]) -> str:
    return "at scan " + ", ".join(map(str, scans)) if scans else "never"


def _dice(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
