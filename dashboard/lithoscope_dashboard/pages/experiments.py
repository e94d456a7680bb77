"""Stored experiments: open one, steer a replay, compare two."""

from typing import Any

from dash import dcc, html

from lithoscope_dashboard.alarm_view import clock_text
from lithoscope_dashboard.board import Snapshot
from lithoscope_dashboard.comparison import compared_table
from lithoscope_dashboard.shelf import StoredLine
from lithoscope_dashboard.tables import table
from lithoscope_dashboard.view import View

Component = Any  # Dash ships no types
Props = dict[str, Any]
_HEADS = ("experiment", "state", "source", "sample", "measured scans", "began", "size", "go to")
_SPEEDS = (("1 ×", "1"), ("10 ×", "10"), ("100 ×", "100"), ("as fast as possible", "0"))


def layout() -> Component:
    """Build the page."""
    seek = dcc.Input(id="seek-scan", type="number", min=0, max=9999, step=1, value=0)
    return html.Main(
        [
            _card(
                "In this store", html.Div(id="shelf", className="scroll", tabIndex="0"), "shelf"
            ),
            _card(
                "Replay",
                [
                    html.Div(id="replay-state"),
                    html.Div(
                        [
                            *_replay_buttons(),
                            html.Label(["go forward to scan", seek], htmlFor="seek-scan"),
                            _replay_button("Go", "seek", value_from="seek-scan"),
                        ],
                        id="replay-buttons",
                        className="answers needs-operator",
                    ),
                ],
                "replay",
            ),
            _card(
                "Two side by side",
                html.Div(id="compared", className="scroll", tabIndex="0"),
                "compared",
            ),
        ],
        id="main",
        className="page-experiments",
    )


def _card(title: str, body: Component, area: str) -> Component:
    return html.Section([html.H2(title), html.Div(body)], className=f"card area-{area}")


def _replay_buttons() -> list[Component]:
    return [
        _replay_button("Pause", "pause"),
        _replay_button("Go on", "resume"),
        *(_replay_button(text, "speed", value=value) for text, value in _SPEEDS),
    ]


def _replay_button(text: str, action: str, *, value: str = "", value_from: str = "") -> Component:
    data = {"data-ask": "replay", "data-action": action}
    if value:
        data["data-value"] = value
    if value_from:
        data["data-value-from"] = value_from
    return html.Button(text, id=f"replay-{action}{value}", className="reject", **data)


def sections(snapshot: Snapshot, view: View, now_s: float) -> dict[str, Props]:
    """Give what changes on the page."""
    return {
        "shelf": {"children": shelf_table(snapshot, view)},
        "replay-state": {"children": _replay_text(snapshot)},
        "replay-buttons": {"hidden": not snapshot.is_replay or snapshot.is_stored},
        "compared": {"children": compared_table(snapshot.experiment, snapshot.other)},
    }


def _replay_text(snapshot: Snapshot) -> Component:
    state = snapshot.experiment
    if snapshot.is_stored and state is not None:
        command = html.Code(f"lithoscope replay {state.name}")
        return html.P(["Run it again as if it were live: ", command])
    if not snapshot.is_replay or state is None:
        return html.P("No replay runs.", className="muted")
    return html.P(f"{state.name} is replayed. A replay goes forward only.")


def shelf_table(snapshot: Snapshot, view: View) -> Component:
    """Show every stored experiment with what can be done with it."""
    if not snapshot.shelf:
        return html.P("Nothing is stored here yet.", className="muted", key="none")
    running = None if snapshot.is_stored else snapshot.experiment
    running_name = "" if running is None or running.is_ended else running.name
    order = sorted(snapshot.shelf, key=_began_ns, reverse=True)
    shown = "" if snapshot.experiment is None else snapshot.experiment.name
    rows = [_row(line, running_name, shown) for line in order]
    return table(_HEADS, rows, "shelf-table")


def _began_ns(line: StoredLine) -> int:
    return 0 if line.journal is None else line.journal.began_ns or 0


def _row(line: StoredLine, running: str, shown: str) -> Component:
    about = line.journal
    head = html.Th(line.name, scope="row")
    if about is None:
        problem = html.Td(line.problem, colSpan=str(len(_HEADS) - 1), className="guidance")
        return html.Tr([head, problem], id=f"stored-{line.name}")
    word = "sealed" if about.is_sealed else ("ended" if about.has_ended else "stopped")
    if line.name == running:
        word = "runs"
    source = about.source + (f" of {about.made_from}" if about.made_from else "")
    size = "" if line.n_bytes is None else f"{line.n_bytes / 2**20:.0f} MiB"
    cells = (
        *(word, source, about.sample, f"{about.n_measured} of {about.n_scans}"),
        *("" if about.began_ns is None else clock_text(about.began_ns), size),
    )
    links = [html.A("open", href=f"/?experiment={line.name}" if line.name != running else "/?")]
    if shown and line.name != shown:
        href = f"/experiments?experiment={shown}&compare={line.name}"
        links += [" · ", html.A(f"compare with {shown}", href=href)]
    return html.Tr(
        [head, *(html.Td(cell) for cell in cells), html.Td(html.Span(links))],
        id=f"stored-{line.name}",
        className="is-shown" if line.name == shown else "",
        **{"data-state": word},
    )
