"""How far scans are: frames that are on disk, and where each stage stands. Pure."""

from typing import Any

from dash import html

from lithoscope_dashboard.model import STAGES, ExperimentState, StageState
from lithoscope_dashboard.quantities import duration_text
from lithoscope_messages import ScanProgress

Component = Any  # Dash ships no types
STAGE_SIGNS = {"waiting": "·", "running": "▸", "done": "✓", "failed": "✗"}
SHOWN_SCANS = 4


def progress(state: ExperimentState | None, telemetry: ScanProgress | None) -> list[Component]:
    """Show how far the newest scan is: frames on disk of those expected.

    Telemetry is newer than the journal while a scan runs; it counts only if it is about the same
    scan.
    """
    scan = None if state is None else state.newest
    if state is None or scan is None:
        return [html.P("Waiting for the first frame.", className="muted")]
    stored, expected = scan.stored, scan.expected
    is_same = (
        telemetry is not None
        and telemetry.experiment == state.name
        and telemetry.scan == scan.scan
        and scan.completed_ns is None
    )
    if telemetry is not None and is_same:
        stored, expected = max(stored, telemetry.stored), max(expected, telemetry.expected)
    share = min(1.0, stored / expected) if expected else 0.0
    notes = [f"{stored} of {expected} frames" if expected else f"{stored} frames"]
    if scan.completed_ns is not None:
        found = [f"{count} {name}" for name, count in scan.anomalies.items()]
        notes += found or ["complete"]
    elif telemetry is not None and is_same and telemetry.dropped:
        notes.append(f"{telemetry.dropped} refused")
    return [
        html.Div(
            [html.Span(f"scan {scan.scan}"), html.Span(f"{100 * share:.0f} %")],
            className="bar-head",
        ),
        html.Div(
            html.Div(className="bar-fill", style={"width": f"{100 * share:.1f}%"}),
            className="bar",
            role="progressbar",
            **{
                "aria-label": "frames on disk",
                "aria-valuenow": f"{100 * share:.0f}",
                "aria-valuemin": "0",
                "aria-valuemax": "100",
            },
        ),
        html.Div(" · ".join(notes), className="muted small"),
        *_not_whole(state, scan.scan),
    ]


def _not_whole(state: ExperimentState, newest: int) -> list[Component]:
    missing = {
        scan.scan: scan.anomalies["missing"]
        for scan in state.scans.values()
        if scan.scan != newest and "missing" in scan.anomalies
    }
    if not missing:
        return []
    # The newest of them: a long experiment must not push the page down.
    listed = ", ".join(f"{scan} ({missing[scan]})" for scan in sorted(missing)[-8:])
    more = "… " if len(missing) > 8 else ""
    return [html.Div(f"Frames missing in scans {more}{listed}", className="small")]


def stage_table(state: ExperimentState | None) -> Component:
    """Show where each stage stands with the newest scans, and how long it took."""
    if state is None or not state.scans:
        return None
    scans = state.in_order[-SHOWN_SCANS:][::-1]
    head = html.Tr(
        [html.Th("scan"), *(html.Th(stage[:3], title=stage) for stage in STAGES), html.Th("total")]
    )
    rows = [
        html.Tr(
            [
                html.Td(str(scan.scan)),
                *(_stage_cell(scan.stages[stage], stage) for stage in STAGES),
                html.Td("" if scan.latency_s is None else duration_text(scan.latency_s)),
            ],
            id=f"stages-{scan.scan}",
        )
        for scan in scans
    ]
    return html.Table([html.Thead(head), html.Tbody(rows)], className="stages")


def _stage_cell(stage: StageState, name: str) -> Component:
    text = STAGE_SIGNS[stage.status]
    if stage.status == "done" and stage.duration_s is not None:
        text = duration_text(stage.duration_s)
    attempt = f", attempt {stage.attempt}" if stage.attempt > 1 else ""
    return html.Td(text, className=stage.status, title=f"{name}: {stage.status}{attempt}")
