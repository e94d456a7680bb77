"""Put the application together: pages, routes, guard."""

import os
import pwd
from pathlib import Path

from dash import Dash
from fastapi import FastAPI
from starlette.types import ASGIApp

from lithoscope_dashboard import callbacks
from lithoscope_dashboard.board import Board
from lithoscope_dashboard.guard import Guard, content_security_policy
from lithoscope_dashboard.layout import page
from lithoscope_dashboard.post import Post
from lithoscope_dashboard.slice_api import slice_router
from lithoscope_store.layout import Store

ASSETS = Path(__file__).parent / "assets"


def make_app(board: Board, post: Post, store: Store) -> ASGIApp:
    """Make the web application.

    Parameters
    ----------
    board
        Where snapshots come from.
    post
        Where answers of persons go.
    store
        Where volumes lie.
    """
    # No pages of documentation: they would be loaded from another site.
    server = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    server.include_router(slice_router(board, store))
    app = Dash(
        "lithoscope_dashboard",
        server=server,
        backend="fastapi",
        assets_folder=str(ASSETS),
        title="Lithoscope",
        update_title="",
        serve_locally=True,
        add_log_handler=False,
        enable_mcp=False,
        # The page is pushed to each second; a page that is not told so is dead.
        websocket_inactivity_timeout=30_000,
    )
    app.layout = page(_account())
    callbacks.register(app, board, post)
    policy = content_security_policy(app.csp_hashes())
    return Guard(server, policy)


def _account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""
