"""What surrounds every page: bar, state, alarms, disarm, and what tells that a page is old."""

import time
from typing import TYPE_CHECKING, Any

from dash import dcc, html

from lithoscope_dashboard.board import LiveState, Snapshot
from lithoscope_dashboard.model import ExperimentState
from lithoscope_dashboard.quantities import duration_text
from lithoscope_dashboard.view import View

if TYPE_CHECKING:
    from lithoscope_dashboard.pages import Page

Component = Any  # Dash ships no types
Props = dict[str, Any]
_LIVE_TEXT: dict[LiveState, str] = {
    "LIVE": "What is shown is what is",
    "WAITING": "No experiment has begun",
    "ENDED": "The experiment is over",
    "OFFLINE": "The journal does not answer: what is shown may be old",
    "REPLAY": "A stored experiment runs again; nothing is sent to a beamline",
    "STORED": "A stored experiment is looked at; nothing can be asked of it",
}
_REPLAY_NOTE = {
    "REPLAY": "REPLAY: this happened before. Nothing here reaches a beamline.",
    "STORED": "REPLAY: a stored experiment is shown, not the one that runs.",
}


def shell(pages: "tuple[Page, ...]") -> Component:
    """Build what surrounds the pages.

    Parameters
    ----------
    pages
        Those in the bar, in its order.
    """
    return html.Div(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Store(id="pushed"),
            html.Span(id="beat", hidden=True),
            html.Span(id="sequence", hidden=True),
            html.A("Skip to the page", href="#main", className="skip"),
            html.Div(id="stale-note", role="alert"),
            html.Div(id="view-note", role="alert"),
            html.Div(id="replay-note", role="note"),
            _header(),
            html.Div(
                [
                    html.Nav([_link(page) for page in pages], id="bar", **{"aria-label": "Pages"}),
                    html.Button(
                        "◐",
                        id="theme",
                        className="plain",
                        title="Dark or light (key T)",
                        **{"aria-label": "Dark or light"},
                    ),
                    html.Span(id="who", className="muted small"),
                ],
                className="bar-row",
            ),
            html.Div(id="answer-note", role="status", **{"aria-live": "polite"}),
            html.Div(id="page-body"),
            html.Div(id="ask-place"),
        ],
        id="page",
    )


def _link(page: "Page") -> Component:
    return html.A(
        page.name,
        href=page.path,
        className="page-link",
        title=f"{page.name} (key {page.key})",
        **{"data-page": page.path, "data-key": page.key},
    )


def _header() -> Component:
    return html.Header(
        [
            html.H1("Lithoscope"),
            html.Span(id="live-state", className="pill live-offline", children="…"),
            html.Span(id="experiment-name"),
            html.Span(id="sample", className="muted"),
            html.Span(className="spring"),
            html.A(id="open-alarms", href="/decisions", className="pill alarm-pill"),
            html.A(id="open-proposals", href="/decisions", className="pill attention"),
            html.Span(id="lease-state", className="pill"),
            html.Span(id="charge-now", className="muted number"),
            html.Span(id="scan-count", className="number"),
            html.Button(
                "Disarm",
                id="disarm",
                className="disarm",
                title="End the lease to act at once (always possible)",
                **{"data-ask": "disarm"},
            ),
        ]
    )


def shell_sections(snapshot: Snapshot, view: View, now_s: float) -> dict[str, Props]:
    """Give what changes around every page."""
    state = snapshot.experiment
    live = snapshot.live_state(now_s)
    n_alarms = 0 if state is None else len(state.open_alarms)
    n_open = 0 if state is None else len(state.open_proposals)
    alarms = "" if n_alarms == 0 else ("1 alarm" if n_alarms == 1 else f"{n_alarms} alarms")
    waits = {0: "", 1: "1 proposal waits"}.get(n_open, f"{n_open} proposals wait")
    lease, lease_class = lease_text(snapshot)
    return {
        "experiment-name": {"children": "no experiment yet" if state is None else state.name},
        "sample": {"children": _sample(state)},
        "live-state": {
            "children": live,
            "className": f"pill live-{live.lower()}",
            "title": _LIVE_TEXT[live],
        },
        "scan-count": {"children": scan_count(state)},
        "charge-now": {"children": charge_now(state)},
        "open-proposals": {"children": waits},
        "open-alarms": {"children": alarms},
        "lease-state": {"children": lease, "className": f"pill {lease_class}"},
        "replay-note": {"children": _REPLAY_NOTE.get(live, "")},
    }


def lease_text(snapshot: Snapshot) -> tuple[str, str]:
    """Say whether the program may act by itself, and how that is coloured."""
    state = snapshot.experiment
    if snapshot.is_replay:
        return "actuators off", "lease-off"
    if state is None or state.lease is None or state.is_ended:
        return "disarmed", "lease-off"
    left_s = state.lease.ends_ns / 1e9 - time.time()
    if left_s <= 0:
        return "lease over", "lease-off"
    # Whole minutes, so that the pill changes once a minute.
    return f"ARMED by {state.lease.person}, {max(1, round(left_s / 60))} min", "lease-on"


def _sample(state: ExperimentState | None) -> str:
    if state is None:
        return ""
    kind = "" if state.source == "live" else state.source
    return " · ".join(part for part in (state.description.sample, kind) if part)


def scan_count(state: ExperimentState | None) -> str:
    """Say which scan it is, of how many."""
    newest = None if state is None else state.newest
    if state is None or newest is None:
        return "no scan yet"
    n_scans = state.description.n_scans
    of = "" if n_scans is None else f" of {n_scans}"
    return f"scan {newest.scan + 1}{of} · cycle {newest.phase.cycle} · pulse {newest.phase.pulse}"


def charge_now(state: ExperimentState | None) -> str:
    """Say how much charge has gone through the cell by now."""
    if state is None or not state.charges:
        return ""
    time_s, charge = state.charges[-1]
    # Adding zero takes the sign from a charge that rounds to nothing.
    return f"{round(charge, 3) + 0.0:.3f} mAh at {duration_text(time_s)}"
