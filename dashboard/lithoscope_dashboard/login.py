"""Signing in and out: a page without scripts, and what its form is answered."""

import asyncio
import html
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from lithoscope_dashboard.errors import ViewError
from lithoscope_dashboard.guard import session_of
from lithoscope_dashboard.pages import PAGES
from lithoscope_dashboard.requests_api import has_token
from lithoscope_dashboard.sessions import Sessions, Throttle
from lithoscope_dashboard.view import parse_view
from lithoscope_store.errors import StoreError

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Lithoscope: sign in</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/assets/login.css"></head>
<body><main><h1>Lithoscope</h1>
<p role="alert">{note}</p>
<form method="post" action="/login">
<input type="hidden" name="next" value="{after}">
<label for="name">Login</label>
<input id="name" name="name" maxlength="64" autocomplete="username" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" maxlength="256"
 autocomplete="current-password" required>
<button type="submit">Sign in</button>
</form></main></body></html>
"""


def login_router(sessions: Sessions, throttle: Throttle) -> APIRouter:
    """Make the routes.

    Parameters
    ----------
    sessions
        Knows names and passwords.
    throttle
        Counts wrong passwords.
    """
    router = APIRouter()

    def show(after: Annotated[str, Query(alias="next")] = "/") -> Response:
        """Show the form."""
        if not sessions.has_login:
            return RedirectResponse("/", status_code=303)
        return _page("", own_page(after))

    async def sign_in(request: Request) -> Response:
        """Look at a name and a password."""
        fields = _fields(await request.body())
        name, password = fields.get("name", "")[:64], fields.get("password", "")
        after = own_page(fields.get("next", "/"))
        address = request.client.host if request.client else ""
        wait_s = throttle.wait_s(name, address)
        if wait_s > 0:
            reply = _page(f"Too many wrong passwords. Try again in {wait_s:.0f} s.", after, 429)
            reply.headers["Retry-After"] = f"{wait_s:.0f}"
            return reply
        try:
            # A twentieth of a second of hashing must not keep the pages of others waiting.
            cookie = await asyncio.to_thread(sessions.sign_in, name, password)
        except StoreError as error:
            return _page(str(error), after, 503)
        if cookie is None:
            throttle.count(name, address)
            return _page("Login and password do not fit.", after, 401)
        done = RedirectResponse(after, status_code=303)
        done.headers["Set-Cookie"] = sessions.header(cookie)
        return done

    def sign_out(request: Request) -> Response:
        """Take the cookie away."""
        if not has_token(request, session_of(request.state)):
            return JSONResponse({"error": "the token does not fit"}, status_code=403)
        done = JSONResponse({})
        done.headers["Set-Cookie"] = sessions.header("")
        return done

    router.add_api_route("/login", show, methods=["GET"], response_class=HTMLResponse)
    router.add_api_route("/login", sign_in, methods=["POST"], response_class=HTMLResponse)
    router.add_api_route("/logout", sign_out, methods=["POST"])
    return router


def own_page(address: str) -> str:
    """Give the address of a page of ours, written anew from what it names; "/" for all else."""
    try:
        view = parse_view(address)
    except ViewError:
        return "/"
    if view.page not in PAGES:
        return "/"
    named = (("experiment", view.experiment), ("scan", view.scan), *view.options)
    query = urlencode([(name, value) for name, value in named if value is not None])
    return view.page + (f"?{query}" if query else "")


def _page(note: str, after: str, status: int = 200) -> HTMLResponse:
    text = _PAGE.format(note=html.escape(note), after=html.escape(after))
    return HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store"})


def _fields(body: bytes) -> dict[str, Any]:
    try:
        found = parse_qs(body.decode(), max_num_fields=4, keep_blank_values=True)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}
