"""What each part of the page shows: snapshot in, Dash components out. Pure."""

import time
from typing import Any

from dash import html

from lithoscope_dashboard.board import SERVICES, STALE_S, Beat, LiveState, Snapshot
from lithoscope_dashboard.model import STAGES, ExperimentState, Failure, ScanState, StageState
from lithoscope_dashboard.proposal_view import proposal_cards
from lithoscope_dashboard.quantities import (
    CORE,
    NOT_KNOWN,
    Quantity,
    change_text,
    duration_text,
    interval_text,
)
from lithoscope_messages import Life, ScanProgress

Component = Any  # Dash ships no types
Props = dict[str, Any]
STAGE_SIGNS = {"waiting": "·", "running": "▸", "done": "✓", "failed": "✗"}
SHOWN_SCANS = 4
SHOWN_FAILURES = 20
_LIVE_TEXT: dict[LiveState, str] = {
    "LIVE": "What is shown is what is",
    "WAITING": "No experiment has begun",
    "ENDED": "The experiment is over",
    "OFFLINE": "The journal does not answer: what is shown may be old",
}


def sections(snapshot: Snapshot, now_s: float) -> dict[str, Props]:
    """All that changes on the page: properties by the id of their element.

    Parameters
    ----------
    snapshot
        What is known.
    now_s
        Monotonic clock, s.
    """
    state = snapshot.experiment
    parts: dict[str, Props] = {
        **_header(snapshot, now_s),
        "scan-progress": {"children": progress(state, snapshot.progress)},
        "stages": {"children": stage_table(state)},
        "services": {"children": [service_row(name, snapshot, now_s) for name in SERVICES]},
        "proposals": {"children": proposal_cards(state)},
        "failures": {"children": failure_rows(state)},
        "slice-source": {"data": slice_source(state)},
        "curves-source": {"data": None if state is None else _curves_version(state)},
    }
    for quantity in CORE:
        parts |= tile(quantity, state)
    return parts


def _header(snapshot: Snapshot, now_s: float) -> dict[str, Props]:
    state = snapshot.experiment
    live = snapshot.live_state(now_s)
    sample = ""
    if state is not None:
        source = state.description.source
        kind = "" if source == "live" else source
        sample = " · ".join(part for part in (state.description.sample, kind) if part)
    return {
        "experiment-name": {"children": "no experiment yet" if state is None else state.name},
        "sample": {"children": sample},
        "live-state": {
            "children": live,
            "className": f"pill live-{live.lower()}",
            "title": _LIVE_TEXT[live],
        },
        "scan-count": {"children": _scan_count(state)},
        "charge-now": {"children": _charge_now(state)},
        "open-proposals": {"children": _open_proposals(state)},
    }


def _open_proposals(state: ExperimentState | None) -> str:
    n_open = 0 if state is None else sum(each.is_open for each in state.proposals)
    if n_open == 0:
        return ""
    return "1 proposal waits" if n_open == 1 else f"{n_open} proposals wait"


def _scan_count(state: ExperimentState | None) -> str:
    newest = None if state is None else state.newest
    if state is None or newest is None:
        return "no scan yet"
    n_scans = state.description.n_scans
    of = "" if n_scans is None else f" of {n_scans}"
    return f"scan {newest.scan + 1}{of} · cycle {newest.phase.cycle} · pulse {newest.phase.pulse}"


def _charge_now(state: ExperimentState | None) -> str:
    if state is None or not state.charges:
        return ""
    time_s, charge = state.charges[-1]
    # Adding zero takes the sign from a charge that rounds to nothing.
    return f"{round(charge, 3) + 0.0:.3f} mAh at {duration_text(time_s)}"


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


def service_row(name: str, snapshot: Snapshot, now_s: float) -> Component:
    """Show one service: its state, how far it lags, when it was last heard of."""
    beat = snapshot.beats.get(name)
    health, age = _health(beat, now_s)
    lag = "" if beat is None else duration_text(beat.heartbeat.lag_s)
    doing = "" if beat is None else beat.heartbeat.doing
    if beat is not None and not doing and beat.heartbeat.queue_depth:
        doing = f"{beat.heartbeat.queue_depth} waiting"
    word = "silent" if beat is None else beat.heartbeat.state.value
    if health == "stale":
        word = "stale"
    return html.Div(
        [
            html.Span(className="dot"),
            html.Span(name, className="service-name"),
            html.Span(word, className="service-state"),
            html.Span(lag, className="number", title="age of the oldest work that waits"),
            html.Span(age, className="number", title="time since the last heartbeat"),
            html.Span(doing, className="doing muted", title=doing),
        ],
        id=f"service-{name}",
        className=f"service {health}",
        **{"data-health": health},
    )


def _health(beat: Beat | None, now_s: float) -> tuple[str, str]:
    if beat is None:
        return "unknown", NOT_KNOWN
    age_s = max(0.0, now_s - beat.seen_s)
    # Whole seconds: a row changes when something does, not with every look at the clock.
    age = f"{age_s:.0f} s" if age_s < 100 else duration_text(age_s)
    if age_s > STALE_S or beat.heartbeat.state in (Life.FAILED, Life.STOPPED):
        return "stale", age
    return ("busy" if beat.heartbeat.state is Life.RUNNING else "well"), age


def tile(quantity: Quantity, state: ExperimentState | None) -> dict[str, Props]:
    """Show the newest value of one core metric, its change since scan 0 and its interval."""
    value_id, note_id = f"metric-{quantity.metric}", f"note-{quantity.metric}"
    measured = () if state is None else state.measured
    newest = measured[-1].metrics.get(quantity.metric) if measured else None
    if newest is None:
        return {value_id: {"children": NOT_KNOWN}, note_id: {"children": "not measured yet"}}
    note = interval_text(quantity, newest)
    if newest.value is None:
        return {value_id: {"children": NOT_KNOWN}, note_id: {"children": note}}
    first = measured[0].metrics.get(quantity.metric)
    if first is not None and first.value is not None and len(measured) > 1:
        change = f"{change_text(quantity, first.value, newest.value)} since scan 0"
        note = change if newest.low95 is None else f"{change} · {note}"
    return {
        value_id: {"children": quantity.text(newest.value)},
        note_id: {"children": note, "title": note},
    }


def failure_rows(state: ExperimentState | None) -> list[Component]:
    """Show what a person should look at: unsettled first, newest first."""
    failures = () if state is None else state.failures
    if not failures:
        return [html.P("None.", className="muted")]
    shown = sorted(failures, key=lambda each: (each.is_settled, -each.time_ns))
    return [_failure_row(each) for each in shown[:SHOWN_FAILURES]]


def _failure_row(failure: Failure) -> Component:
    kind = "settled" if failure.is_settled else ("alarm" if failure.is_alarm else "failed")
    clock = time.strftime("%H:%M:%S", time.localtime(failure.time_ns / 1e9))
    return html.Div(
        [
            html.Div(
                [html.B(f"scan {failure.scan} · {failure.what}"), html.Span(clock)],
                className="bar-head",
            ),
            html.Div(failure.text, className="small"),
            html.Div("settled", className="muted small") if failure.is_settled else None,
        ],
        className=f"failure {kind}",
    )


def slice_source(state: ExperimentState | None) -> Props:
    """Say which scans can be looked at, for the viewer in the browser."""
    pictures = {
        scan.scan: scan.picture
        for scan in (() if state is None else state.in_order)
        if scan.picture is not None
    }
    # The one that is looked at by itself is the newest with labels: a fresh reconstruction
    # would else hide them for as long as its segmentation takes.
    labelled = [scan for scan, picture in pictures.items() if picture.label_name is not None]
    return {
        "experiment": None if state is None else state.name,
        "newest": max(labelled or pictures, default=None),
        "last": max(pictures, default=0),
        "scans": {
            str(scan): {
                "shape": list(picture.shape),
                "voxel_um": picture.voxel_um,
                "token": picture.token,
                "labels": picture.label_name is not None,
            }
            for scan, picture in pictures.items()
        },
    }


def _curves_version(state: ExperimentState) -> list[Any]:
    """Something that changes when, and only when, the curves do."""
    return [state.name, len(state.rules), [_metrics_version(scan) for scan in state.measured]]


def _metrics_version(scan: ScanState) -> list[Any]:
    values = [metric.value for metric in scan.metrics.values()]
    return [scan.scan, scan.charge_mAh, hash(tuple(values))]
