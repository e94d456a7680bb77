"""Wiring: pushes to every open page, curves, the viewer, answers to proposals."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, no_update, set_props
from plotly.utils import PlotlyJSONEncoder

from lithoscope_dashboard.board import Board
from lithoscope_dashboard.errors import DashboardError
from lithoscope_dashboard.figures import PANELS, Against, curve_figure
from lithoscope_dashboard.post import Post, approval
from lithoscope_dashboard.views import Props, sections

#: Pages are told at most this often, and at least each second, so that ages stay true.
SHORTEST_S = 0.2
LONGEST_S = 1.0
#: After this long without a push the fallback takes over.
SILENT_S = 4.0


class Page:
    """The changing parts of the page, rendered once for all who look at it."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._key: tuple[int, int] | None = None
        self._parts: dict[str, tuple[str, Props]] = {}

    def render(self) -> dict[str, tuple[str, Props]]:
        """Give each part with a text that differs when the part does."""
        now_s = time.monotonic()
        snapshot = self._board.snapshot
        key = (snapshot.generation, int(now_s))
        if key != self._key:
            self._parts = {
                element: (json.dumps(props, cls=PlotlyJSONEncoder, sort_keys=True), props)
                for element, props in sections(snapshot, now_s).items()
            }
            self._key = key
        return self._parts

    def push(self, sent: dict[str, str]) -> None:
        """Send what has changed since ``sent``, and remember it there."""
        for element, (text, props) in self.render().items():
            if sent.get(element) != text:
                set_props(element, props)
                sent[element] = text
        set_props("beat", {"children": f"{time.time():.1f}"})


def register(app: Dash, board: Board, post: Post) -> None:
    """Wire the page.

    Parameters
    ----------
    app
        The application whose layout is :func:`layout.page`.
    board
        Where snapshots come from.
    post
        Where answers of persons go.
    """
    page = Page(board)
    app.callback(websocket=True, persistent=True)(_pusher(page, board))
    app.callback(Input("fallback", "n_intervals"), State("beat", "children"))(_fallback(page))
    app.callback(
        [Output(f"curve-{name}", "figure") for name in PANELS],
        Input("curves-source", "data"),
        Input("against", "value"),
        prevent_initial_call=True,
    )(_curves(board))
    app.callback(
        Output("answer-note", "children"),
        Input({"answer": ALL, "number": ALL, "proposal": ALL}, "n_clicks"),
        State("person", "value"),
        State("reason", "value"),
        prevent_initial_call=True,
    )(_answer(board, post))
    app.clientside_callback(
        ClientsideFunction(namespace="lithoscope", function_name="look"),
        Output("scan-slider", "max"),
        Output("scan-slider", "value"),
        Output("follow", "value"),
        Input("slice-source", "data"),
        Input("scan-slider", "value"),
        Input("follow", "value"),
        Input("axis", "value"),
        Input("position-slider", "value"),
    )
    app.clientside_callback(
        ClientsideFunction(namespace="lithoscope", function_name="fade"),
        Output("slice-labels", "style"),
        Output("opacity-slider-text", "children"),
        Input("opacity-slider", "value"),
    )


def _pusher(page: Page, board: Board) -> Callable[[], Any]:
    async def push() -> None:
        socket = ctx.websocket
        sent: dict[str, str] = {}
        generation = -1
        while socket is not None and not socket.is_shutdown:
            generation = board.snapshot.generation
            page.push(sent)
            await asyncio.sleep(SHORTEST_S)
            await board.wait_newer(generation, LONGEST_S - SHORTEST_S)

    return push


def _fallback(page: Page) -> Callable[[int | None, str | None], None]:
    def pull(_n_intervals: int | None, beat: str | None) -> None:
        if beat is None or time.time() - float(beat) > SILENT_S:
            page.push({})

    return pull


def _curves(board: Board) -> Callable[[object, Against], list[Any]]:
    def draw(_version: object, against: Against) -> list[Any]:
        state = board.snapshot.experiment
        return [curve_figure(state, panel, against) for panel in PANELS.values()]

    return draw


def _answer(board: Board, post: Post) -> Callable[..., Any]:
    async def answer(_clicks: list[int | None], person: str | None, reason: str | None) -> Any:
        triggered = ctx.triggered_id
        # New buttons fire the callback too, with no click.
        if not triggered or not ctx.triggered[0]["value"]:
            return no_update
        name = (person or "").strip()
        if not name:
            return "Type your name first: it is kept with the answer."
        state = board.snapshot.experiment
        known = () if state is None else state.proposals
        asked = next((each for each in known if each.proposal == triggered["proposal"]), None)
        if state is None or asked is None or not asked.is_open:
            return "This proposal no longer waits for an answer."
        is_approved = triggered["answer"] == "approve"
        message = approval(
            state.name,
            triggered["proposal"],
            name,
            (reason or "").strip(),
            is_approved=is_approved,
            attempt=asked.n_not_sent,
        )
        try:
            await asyncio.wrap_future(post.send(message))
        except DashboardError as error:
            return f"Not written: {error}"
        verb = "Approval" if is_approved else "Rejection"
        return f"{verb} of proposal {triggered['number']} is in the journal."

    return answer
