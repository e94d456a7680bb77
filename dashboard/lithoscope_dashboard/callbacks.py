"""Wiring of the shell: pages by their address, pushes to every open tab."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from dash import ClientsideFunction, Dash, Input, Output, ctx, html, set_props
from dash.exceptions import WebsocketDisconnected

from lithoscope_dashboard.board import Board
from lithoscope_dashboard.pages import PAGES
from lithoscope_dashboard.reach import Reach
from lithoscope_dashboard.transport import Transport

#: Tabs are told at most this often, and at least each second, so that ages stay true.
SHORTEST_S = 0.2
LONGEST_S = 1.0
#: A tab that does not say what it looks at for so long is gone; one that wakes up asks by itself.
GONE_S = 60.0


def register(app: Dash, reach: Reach, transport: Transport) -> None:
    """Wire the shell, and what pages wire themselves.

    Parameters
    ----------
    app
        The application whose layout is :func:`shell.shell`.
    reach
        What pages may reach.
    transport
        Says what is new.
    """
    app.callback(websocket=True, persistent=True)(_pusher(reach.board, transport))
    app.callback(Output("page-body", "children"), Input("url", "pathname"))(_page)
    app.clientside_callback(
        ClientsideFunction(namespace="lithoscope", function_name="receive"),
        Input("pushed", "data"),
    )
    for page in PAGES.values():
        if page.register is not None:
            page.register(app, reach)


def _page(path: str | None) -> Any:  # Dash ships no types
    path = (path or "/").rstrip("/") or "/"
    page = PAGES.get(path)
    if page is None:
        nothing = html.P("There is no such page. The bar above has all there are.")
        return html.Main(nothing, id="main", className="card", **{"data-page-path": path})
    return html.Div(page.layout(), **{"data-page-path": path})


def _pusher(board: Board, transport: Transport) -> Callable[[], Any]:
    async def push() -> None:
        socket = ctx.websocket
        address, since, told_s = "", 0, 0.0
        while socket is not None and not socket.is_shutdown:
            generation = board.snapshot.generation
            # The answer also says that the tab has taken what was sent before: no tab is ever
            # told more while it is still busy, so nothing piles up.
            try:
                href = await socket.get_prop("url", "href", timeout=GONE_S)
            except (TimeoutError, WebsocketDisconnected):
                return
            wanted = address_of(href)
            if wanted != address:
                address, since = wanted, 0
            message = await asyncio.to_thread(transport.message, address, since)
            now_s = time.monotonic()
            if message is not None or now_s - told_s >= LONGEST_S - SHORTEST_S:
                message = message or transport.beat(address, since)
                since = message["sequence"]
                told_s = now_s
                set_props("pushed", {"data": message})
            await asyncio.sleep(SHORTEST_S)
            await board.wait_newer(generation, LONGEST_S - SHORTEST_S)

    return push


def address_of(href: object) -> str:
    """Give path and query of what a tab says that it looks at."""
    try:
        parts = urlsplit(str(href))
    except ValueError:
        return "/"
    return parts.path + (f"?{parts.query}" if parts.query else "")
