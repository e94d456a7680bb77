"""The system: services, where the time goes, what is left, quality of every scan, failures."""

from typing import Any

from dash import html

from lithoscope_dashboard.alarm_view import failure_rows
from lithoscope_dashboard.board import SERVICES, Snapshot
from lithoscope_dashboard.machine import Machine
from lithoscope_dashboard.model import ExperimentState, ScanState
from lithoscope_dashboard.quantities import NOT_KNOWN, duration_text, flags_text
from lithoscope_dashboard.service_health import health_of
from lithoscope_dashboard.tables import table
from lithoscope_dashboard.view import View
from lithoscope_dashboard.waterfall import waterfall

Component = Any  # Dash ships no types
Props = dict[str, Any]
#: Below these parts of the whole a disk or a memory is marked.
LOW = 0.10
SHOWN_FAILURES = 100
_SERVICE_HEADS = ("service", "state", "heard", "lag", "waits", "done", "refused", "at work on")
_SCAN_HEADS = (
    *("scan", "frames", "whole", "anomalies", "rotation axis", "edge-on", "registration"),
    *("labels by", "sure", "total", "flags"),
)


def layout() -> Component:
    """Build the page."""
    return html.Main(
        [
            _card("Services", "services", "services"),
            _card("Machine", "machine", "machine"),
            _card("From the last frame to the decision", "waterfall", "waterfall"),
            _card("Failures", "failures", "failures"),
            _card("Scans", "scans", "scans"),
        ],
        id="main",
        className="page-system",
    )


def _card(title: str, name: str, area: str) -> Component:
    body = html.Div(id=name, className="scroll", tabIndex="0")
    return html.Section([html.H2(title), body], className=f"card area-{area}")


def sections(snapshot: Snapshot, view: View, now_s: float) -> dict[str, Props]:
    """Give what changes on the page."""
    state = snapshot.experiment
    return {
        "services": {"children": service_table(snapshot, now_s)},
        "machine": {"children": machine_rows(snapshot.machine)},
        "waterfall": {"children": waterfall(state)},
        "failures": {
            "children": failure_rows(state, is_replay=snapshot.is_replay, shown=SHOWN_FAILURES)
        },
        "scans": {"children": scan_table(state)},
    }


def service_table(snapshot: Snapshot, now_s: float) -> Component:
    """Show a row a service."""
    rows = [_service_row(name, snapshot, now_s) for name in SERVICES]
    return table(_SERVICE_HEADS, rows, "services-table")


def _service_row(name: str, snapshot: Snapshot, now_s: float) -> Component:
    beat = snapshot.beats.get(name)
    health, age = health_of(beat, now_s)
    if beat is None:
        cells: tuple[str, ...] = ("never heard", age, "", "", "", "", "")
    else:
        heart = beat.heartbeat
        word = "silent" if health == "stale" else heart.state.value
        cells = (
            *(word, age, duration_text(heart.lag_s), str(heart.queue_depth)),
            *(str(heart.handled), str(heart.rejected), heart.doing),
        )
    head = html.Th(html.Span([html.Span(className="dot"), f" {name}"]), scope="row")
    return html.Tr(
        [head, *(html.Td(cell) for cell in cells)],
        id=f"service-{name}",
        className=f"service-line {health}",
        **{"data-health": health},
    )


def machine_rows(machine: Machine | None) -> list[Component]:
    """Show what is left of disk, memory and GPU memory."""
    if machine is None:
        return [html.P("Not looked at yet.", className="muted", key="none")]
    rows = [
        _bar("disk of the store", machine.disk_free, machine.disk_total),
        _bar("memory", machine.memory_free, machine.memory_total),
        *(_bar(gpu.name, gpu.total - gpu.used, gpu.total) for gpu in machine.gpus),
    ]
    if not machine.gpus:
        rows.append(html.P("No GPU answers on this machine.", className="muted small", key="gpu"))
    return rows


def _bar(name: str, free: int, total: int) -> Component:
    used = 1.0 - free / total if total else 0.0
    kind = "low" if total and free < LOW * total else "well"
    text = f"{free / 2**30:.1f} GiB free of {total / 2**30:.1f}"
    fill = html.Div(className="bar-fill", style={"width": f"{100 * used:.0f}%"})
    return html.Div(
        [
            html.Div([html.Span(name), html.Span(text, className="number")], className="bar-head"),
            html.Div(fill, className="bar"),
        ],
        key=f"machine-{name}",
        className=f"machine {kind}",
    )


def scan_table(state: ExperimentState | None) -> Component:
    """Show of every scan how whole it is and how far it can be trusted, the newest first."""
    if state is None or not state.scans:
        return html.P("No scan yet.", className="muted", key="none")
    rows = [_scan_row(scan) for scan in reversed(state.in_order)]
    return table(_SCAN_HEADS, rows, "scans-table")


def _scan_row(scan: ScanState) -> Component:
    anomalies = ", ".join(f"{count} {name}" for name, count in scan.anomalies.items())
    whole = NOT_KNOWN if scan.completeness is None else f"{100 * scan.completeness:.1f} %"
    cells = (
        f"{scan.stored} of {scan.expected}" if scan.expected else str(scan.stored),
        whole,
        anomalies or "none",
        _axis(scan),
        NOT_KNOWN if scan.coverage is None else f"{100 * scan.coverage.edge_on_coverage:.0f} %",
        _registration(scan),
        scan.model or NOT_KNOWN,
        NOT_KNOWN if scan.confidence is None else f"{100 * scan.confidence.mean:.1f} %",
        NOT_KNOWN if scan.latency_s is None else duration_text(scan.latency_s),
        _flags(scan),
    )
    head = html.Th(html.A(str(scan.scan), href=f"/?scan={scan.scan}"), scope="row")
    return html.Tr([head, *(html.Td(cell) for cell in cells)], id=f"scan-{scan.scan}")


def _axis(scan: ScanState) -> str:
    if scan.axis is None:
        return NOT_KNOWN
    why = f": {scan.axis.reason}" if scan.axis.reason else ""
    return f"{scan.axis.verdict}, {scan.axis.position_px:.2f} px{why}"


def _registration(scan: ScanState) -> str:
    if not scan.registration:
        return NOT_KNOWN
    if scan.residual_px is None:
        return scan.registration
    return f"{scan.registration}, {scan.residual_px:.2f} px"


def _flags(scan: ScanState) -> str:
    reasons = () if scan.coverage is None else scan.coverage.reasons
    return "; ".join(
        part for part in (flags_text(scan.flags), *reasons, scan.batch_reason) if part
    )
