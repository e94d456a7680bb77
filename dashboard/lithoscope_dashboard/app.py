"""Put the application together: pages, routes, guard."""

from pathlib import Path

from dash import Dash
from fastapi import FastAPI
from starlette.types import ASGIApp

from lithoscope_dashboard import callbacks
from lithoscope_dashboard.api import api_router
from lithoscope_dashboard.board import Board
from lithoscope_dashboard.fine_tune_api import fine_tune_router
from lithoscope_dashboard.guard import Guard, Place, content_security_policy
from lithoscope_dashboard.library import Library
from lithoscope_dashboard.login import login_router
from lithoscope_dashboard.pages import PAGES
from lithoscope_dashboard.post import Post
from lithoscope_dashboard.reach import Reach
from lithoscope_dashboard.requests_api import requests_router
from lithoscope_dashboard.sessions import Sessions, Throttle, page_secret
from lithoscope_dashboard.setup_api import setup_router
from lithoscope_dashboard.shell import shell
from lithoscope_dashboard.transport import Transport
from lithoscope_dashboard.view_api import view_router
from lithoscope_store.layout import Store

ASSETS = Path(__file__).parent / "assets"
INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{%title%}</title>
{%favicon%}
{%css%}
</head>
<body>
{%app_entry%}
{%config%}
{%scripts%}
{%renderer%}
</body>
</html>
"""


def make_app(board: Board, post: Post, store: Store, *, place: Place, port: int) -> ASGIApp:
    """Make the web application.

    Parameters
    ----------
    board
        Where snapshots come from.
    post
        Where requests of persons go.
    store
        Where volumes and accounts lie.
    place, port
        Where the page is reached; who is not on this machine must sign in.
    """
    sessions = Sessions(
        page_secret(store.page_secret),
        store.accounts if place.needs_login else None,
        port=port,
        is_secure=place.is_secure,
    )
    # No pages of documentation: they would be loaded from another site.
    server = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    reach = Reach(board, Library(store))
    transport = Transport(reach)
    server.include_router(login_router(sessions, Throttle()))
    server.include_router(view_router(transport))
    server.include_router(requests_router(board, post))
    server.include_router(setup_router(store))
    server.include_router(fine_tune_router(reach))
    server.include_router(api_router(reach))
    app = Dash(
        "lithoscope_dashboard",
        server=server,
        backend="fastapi",
        assets_folder=str(ASSETS),
        # Loaded by the page that needs them, not by all.
        assets_path_ignore=["^modules$", "^vendor$"],
        assets_ignore=r"^login\.css$",
        title="Lithoscope",
        update_title="",
        serve_locally=True,
        add_log_handler=False,
        enable_mcp=False,
        suppress_callback_exceptions=True,  # parts of a page that is not open
        # A tab is told something each second; a line without news for so long is dead.
        websocket_inactivity_timeout=10_000,
    )
    app.index_string = INDEX
    app.layout = shell(tuple(page for page in PAGES.values() if page.name))
    callbacks.register(app, reach, transport)
    # Dash itself does this only once "/" is asked for: a first tab at /metrics had no assets.
    app._setup_server()  # noqa: SLF001
    policy = content_security_policy(app.csp_hashes())
    return Guard(server, policy, sessions, place)
