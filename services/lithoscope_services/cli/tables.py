"""Tables for people, on standard output."""

from collections.abc import Iterable
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lithoscope_services.doctor import Check

# The metrics a person looks at first, with a short heading; --json and --csv have all of them.
_SHOWN = (
    ("plating_side_thickness_um", "plating\nside µm"),
    ("stripping_side_thickness_um", "stripping\nside µm"),
    ("deposited_thickness_um", "deposited\nµm"),
    ("remaining_gap_um", "remaining\ngap µm"),
)
_STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "bold red"}


def print_report(report: dict[str, Any]) -> None:  # as make_report gives it
    """Print scans, decisions and failures."""
    console = Console()
    # Narrow enough for a terminal of 80 columns.
    title = f"Experiment {report['experiment']}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    headings = ("scan", "charge\nmAh", *(heading for _, heading in _SHOWN), "total\ns", "verdict")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    verdicts = {
        fact["scan"]: fact["verdict"]
        for fact in report["decisions"]
        if fact["type"] == "ScanDecided"
    }
    for scan in report["scans"]:
        metrics = [scan["metrics"].get(name) for name, _ in _SHOWN]
        values = [None if metric is None else metric["value"] for metric in metrics]
        table.add_row(
            f"{scan['scan']}{'*' if _anomalies(scan) else ''}",
            _fixed(scan["charge_mAh"], 3),
            *(_fixed(value, 1) for value in values),
            _fixed(scan["latency_s"].get("total"), 1),
            verdicts.get(scan["scan"], ""),
        )
    console.print(table)
    for scan in report["scans"]:
        if text := _anomalies(scan):
            console.print(f"[yellow]scan {scan['scan']}*[/]: {escape(text)}", highlight=False)
        if parts := ", ".join(scan.get("pruned", ())):
            console.print(f"[dim]scan {scan['scan']}: {parts} pruned[/]", highlight=False)
    for fact in report["decisions"]:
        if fact["type"] == "ProposalMade":
            text = f"scan {fact['scan']}: {fact['rule']} proposes {fact['action']}"
            console.print(f"[yellow]{escape(text)}[/]: {escape(fact['reason'])}")
    for failure in report["failures"]:
        text = f"scan {failure['scan']}, {failure['stage']} failed"
        console.print(f"[bold red]{text}[/]: {escape(failure['error'])}")
    console.print("[dim]All metrics with intervals: --json or --csv[/]")


def print_metrics(metrics: dict[str, Any]) -> None:  # as measure_label_file gives it
    """Print all metrics of one label volume."""
    table = _table("metric", "value", "unit", "flags")
    for name, metric in metrics.items():
        table.add_row(name, _value(metric), metric["unit"], ", ".join(metric["flags"]))
    Console().print(table)


def print_status(status: dict[str, Any]) -> None:  # as read_status gives it
    """Print the services and the experiments of an instance."""
    console = Console()
    console.print(f"Instance {status['instance']} (pid {status['pid']})", highlight=False)
    if status["dashboard_url"]:
        console.print(f"Page: {status['dashboard_url']}")
    table = _table("service", "pid", "state", "waiting", "lag s", "last heartbeat", "doing")
    for service in status["services"]:
        age_s = service["heartbeat_age_s"]
        style = "bold red" if service["state"] in ("silent", "failed") else None
        table.add_row(
            service["service"],
            "" if service["pid"] is None else str(service["pid"]),
            service["state"],
            _number(service["queue_depth"]),
            _number(service["lag_s"]),
            "none" if age_s is None else f"{age_s:.1f} s ago",
            escape(service["doing"]),
            style=style,
        )
    console.print(table)
    experiments = _table("experiment", "entries", "sealed")
    for head in status["experiments"]:
        sealed = "yes" if head["sealed"] else "no"
        experiments.add_row(head["experiment"], str(head["head"]), sealed)
    console.print(experiments)


def print_checks(checks: Iterable[Check]) -> None:
    """Print what the doctor found."""
    table = Table.grid(padding=(0, 2))
    for check in checks:
        text = escape(check.found)
        if check.advice:
            text += f"\n[dim]{escape(check.advice)}[/]"
        table.add_row(f"[{_STYLES[check.state]}]{check.state}[/]", check.name, text)
    Console().print(table)


def _anomalies(scan: dict[str, Any]) -> str:  # of make_report
    """Say in a line what was not as it should be with the frames of a scan; empty if nothing."""
    account = scan["account"]
    if account is None or not account["anomalies"]:
        return ""
    counts = [
        f"{count} of {account['expected']} {name}" if name == "missing" else f"{count} {name}"
        for name, count in account["anomalies"].items()
    ]
    text = "frames: " + ", ".join(counts)
    if account["rejected"]:
        reasons = (f"{reason} {count}" for reason, count in account["rejected"].items())
        text += f" ({', '.join(reasons)})"
    if account["missing"] and account["largest_gap_deg"] is not None:
        text += f"; largest gap {account['largest_gap_deg']:.2f}°"
    if account["missing"] and account["edge_on_coverage"] is not None:
        text += f", near edge-on {100 * account['edge_on_coverage']:.1f} % there"
    return text


def _table(*headings: str) -> Table:
    table = Table()
    for heading in headings:
        # The first column names things: cut short, it would name nothing.
        table.add_column(heading, no_wrap=heading == headings[0])
    return table


def _value(metric: dict[str, Any] | None) -> str:  # a metric as JSON has it
    return "" if metric is None or metric["value"] is None else f"{metric['value']:.4g}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _fixed(value: float | None, decimals: int) -> str:
    # Rounding first, and adding zero: what is nothing must not read as "-0.000".
    return "" if value is None else f"{round(value, decimals) + 0.0:.{decimals}f}"
