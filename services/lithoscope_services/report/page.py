"""The report as one file that needs no network: metrics, maps, objects, decisions, provenance."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from lithoscope_messages import Entry
from lithoscope_services.history import History
from lithoscope_services.pages.html import page, table
from lithoscope_services.report.charts import metric_sections, place_scans, shown_unit
from lithoscope_services.report.fold import JsonObject, make_report
from lithoscope_services.report.map_pictures import choose_scans, map_rows
from lithoscope_services.report.provenance import provenance
from lithoscope_store import ExperimentPaths, NotStoredError, read_objects

_MAX_OBJECTS: Final = 40
_OBJECT_COLUMNS: Final = (
    ("track", "track", ""),
    ("kind", "kind", ""),
    ("event", "since the scan before", ""),
    ("volume_um3", "volume", "µm³"),
    ("height_um", "height", "µm"),
    ("base_area_um2", "base", "µm²"),
    ("gap_um", "gap", "µm"),
    ("speed_um_per_pulse", "speed", "µm/pulse"),
    ("existence", "chance that it exists", ""),
    ("voxels", "voxels", ""),
    ("flags", "flags", ""),
)
_FIRST: Final = (
    "plating_side_thickness_um",
    "stripping_side_thickness_um",
    "dendrite_volume_um3",
    "remaining_gap_um",
    "ct_faraday_ratio",
    "short_eta_pulses",
)


def report_page(paths: ExperimentPaths, entries: Sequence[Entry]) -> str:
    """Write the page.

    Parameters
    ----------
    paths
        The experiment, for its maps and objects.
    entries
        Its journal.

    Returns
    -------
    str
        HTML, one file with its pictures; no script.
    """
    report = make_report(paths.name, entries)
    history = History(paths.name)
    history.extend(entries)
    chosen = choose_scans(history, paths)
    parts = [
        f"<h1>{escape(paths.name)}</h1>",
        _summary(report, history),
        '<nav class="soft"><a href="#metrics">metrics</a> · <a href="#maps">maps</a> · '
        '<a href="#objects">objects</a> · <a href="#decisions">decisions</a> · '
        '<a href="#scans">scans</a> · <a href="#provenance">provenance</a></nav>',
        "<h2>Now</h2>",
        _latest(report),
        '<h2 id="metrics">Metrics</h2>',
        f'<p class="soft">Against {escape(place_scans(report).across)}; bands: 95 % intervals, '
        "where they are known.</p>",
        *metric_sections(report),
        '<h2 id="maps">Maps</h2>',
        *(map_rows(chosen) or ["<p>No maps are stored.</p>"]),
        '<h2 id="objects">Objects</h2>',
        *_objects(paths, history),
        '<h2 id="decisions">Decisions</h2>',
        _decisions(report),
        '<h2 id="scans">Scans</h2>',
        _scans(report),
        '<h2 id="provenance">Provenance</h2>',
        *provenance(history, entries),
    ]
    return page(f"{paths.name}: report", parts)


def _summary(report: JsonObject, history: History) -> str:
    scans = report["scans"]
    measured = [scan for scan in scans if scan["metrics"]]
    texts = [f"{len(scans)} scans, {len(measured)} measured"]
    if measured and measured[-1]["charge_mAh"] is not None:
        texts.append(f"{_number(measured[-1]['charge_mAh'])} mAh at the last")
    if measured:
        texts.append(f"half-cycle {measured[-1]['half_cycle']}")
    texts.append("over" if history.ended is not None else "goes on")
    failed = len(report["failures"])
    warning = f' <span class="warn">{failed} failed</span>' if failed else ""
    return f'<p class="soft">{escape("; ".join(texts))}{warning}</p>'


def _latest(report: JsonObject) -> str:
    measured = [scan for scan in report["scans"] if scan["metrics"]]
    if not measured:
        return "<p>Nothing is measured yet.</p>"
    last = measured[-1]
    rows = []
    for name in (each for each in _FIRST if each in last["metrics"]):
        metric = last["metrics"][name]
        rows.append(
            (
                escape(name),
                _number(metric["value"]),
                escape(shown_unit(metric["unit"])),
                _interval(metric),
                escape(", ".join(metric["flags"])),
            )
        )
    headings = ("metric", f"scan {last['scan']}", "unit", "95 % interval", "flags")
    return table(headings, rows, numbers=(1, 3))


def _objects(paths: ExperimentPaths, history: History) -> list[str]:
    facts = [scan.metrics for scan in history.in_order() if scan.metrics is not None]
    last = next((fact for fact in reversed(facts) if fact.objects_path is not None), None)
    if last is None or last.objects_path is None:
        return ["<p>No objects are stored.</p>"]
    try:
        objects = read_objects(paths.resolve(last.objects_path))
    except NotStoredError:
        return ["<p>The table of objects is gone.</p>"]
    columns = objects.columns
    shown = [each for each in _OBJECT_COLUMNS if each[0] in columns]
    n_objects = len(next(iter(columns.values()), ()))
    volumes = columns.get("volume_um3", [0.0] * n_objects)
    order = sorted(range(n_objects), key=lambda number: -(volumes[number] or 0.0))
    rows = [
        tuple(_cell(columns[name][number]) for name, _, _ in shown)
        for number in order[:_MAX_OBJECTS]
    ]
    headings = [f"{title}, {unit}" if unit else title for _, title, unit in shown]
    numbers = [n for n, (name, _, _) in enumerate(shown) if name not in ("kind", "event", "flags")]
    said = ", ".join(f"{count} {kind}" for kind, count in objects.n_found.items())
    more = f"; the {_MAX_OBJECTS} largest" if n_objects > _MAX_OBJECTS else ""
    return [
        f'<p class="soft">Scan {last.scan}: {escape(said)}{more}.</p>',
        table(headings, rows, numbers=numbers),
    ]


def _decisions(report: JsonObject) -> str:
    if not report["decisions"]:
        return "<p>Nothing was decided.</p>"
    rows = [
        (
            "" if fact.get("scan") is None else str(fact["scan"]),
            escape(fact["type"]),
            escape(str(fact.get("rule") or "")),
            escape(str(fact.get("verdict") or fact.get("action") or "")),
            escape(str(fact.get("reason") or fact.get("person") or "")),
        )
        for fact in report["decisions"]
    ]
    return table(("scan", "what", "rule", "verdict or action", "why or who"), rows, numbers=(0,))


def _scans(report: JsonObject) -> str:
    failures = {each["scan"]: f"{each['stage']}: {each['error']}" for each in report["failures"]}
    rows = [
        (
            str(scan["scan"]),
            _number(scan["time_s"]),
            _number(scan["charge_mAh"]),
            _cell(scan["cycle"]),
            _cell(scan["half_cycle"]),
            _number(scan["completeness"]),
            _number(scan["latency_s"].get("total")),
            escape("; ".join((scan["account"] or {}).get("anomalies", ()))),
            f'<span class="warn">{escape(failures.get(scan["scan"], ""))}</span>',
        )
        for scan in report["scans"]
    ]
    headings = ("scan", "time, s", "charge, mAh", "cycle", "half-cycle", "complete")
    return table(
        (*headings, "verdict after, s", "not as it should be", "failed"), rows, numbers=range(7)
    )


def _interval(metric: Mapping[str, Any]) -> str:
    if metric["low95"] is None or metric["high95"] is None:
        return "not known"
    return f"{_number(metric['low95'])} to {_number(metric['high95'])}"


def _number(value: float | None) -> str:
    """Write a number with four digits, a large one in full; noise of a sum is nothing."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{round(value, 9) + 0.0:.4g}"


def _cell(value: Any) -> str:  # a number, a word, a list of them, or null
    match value:
        case None:
            return ""
        case bool() | int():
            return str(value)
        case float():
            return _number(value)
        case list() | tuple():
            return escape(", ".join(map(str, value)))
        case _:
            return escape(str(value))
