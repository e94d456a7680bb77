"""Who may talk to the page: its own addresses alone, from itself alone, and whom it knows.

A page on another site can make a browser send requests to 127.0.0.1. The Host header tells when a
foreign name was pointed here (DNS rebinding), the Origin header when a foreign page asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lithoscope_dashboard.sessions import Session, Sessions
from lithoscope_store.errors import StoreError

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
#: What is shown to those who have not signed in.
_OPEN = frozenset({"/login", "/assets/login.css"})
#: No wish and no callback is longer.
LONGEST_BODY = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the page is reached.

    Parameters
    ----------
    names
        Host names and addresses, without port, beside those of the loopback.
    is_secure
        Whether it is reached over TLS: then cookies are sent over nothing else.
    """

    names: frozenset[str] = frozenset()
    is_secure: bool = False

    @property
    def needs_login(self) -> bool:
        """Whether anybody but the people on this machine can reach it."""
        return bool(self.names)


def content_security_policy(script_hashes: Sequence[str]) -> str:
    """Say what the page may load: its own files, and the inline scripts of these hashes."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {' '.join(script_hashes)}",
            # Components of Dash and Plotly bring their styles as elements, without a nonce.
            "style-src 'self' 'unsafe-inline'",
            "style-src-attr 'none'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "worker-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "object-src 'none'",
        )
    )


def _asked_for(scope: Scope) -> str:
    """Write path and query of a request as a part of a query; who reads it must look at it."""
    query: bytes = scope.get("query_string", b"")
    return quote(scope["path"] + (f"?{query.decode('latin-1')}" if query else ""), safe="/")


class Guard:
    """Refuses foreign hosts, origins and people, and sets the headers that bind the browser.

    Parameters
    ----------
    app
        What is guarded; it finds the session in ``request.state.session``.
    policy
        From :func:`content_security_policy`.
    sessions
        Knows people by their cookies.
    place
        Where the page is reached.
    """

    def __init__(self, app: ASGIApp, policy: str, sessions: Sessions, place: Place) -> None:
        self._app = app
        self._sessions = sessions
        self._place = place
        self._headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            # With no-referrer browsers send forms with an Origin of null.
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
        }
        if place.is_secure:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        cookie = ""
        if refusal is None:
            refusal, cookie = self._admit(scope, headers)
        if refusal is None:
            await self._app(scope, receive, self._sender(send, cookie))
        elif scope["type"] == "http":
            await refusal(scope, receive, self._sender(send, ""))
        else:
            code = 4401 if refusal.status_code == 401 else 4003
            await send({"type": "websocket.close", "code": code, "reason": "not allowed"})

    def _admit(self, scope: Scope, headers: Headers) -> tuple[Response | None, str]:
        """Find out who asks; gives a refusal, or a cookie for who has none and needs no login."""
        cookie = ""
        try:
            session = self._sessions.read(headers.get("cookie", ""))
            if session is None and not self._sessions.has_login:
                cookie = self._sessions.begin("")
                session = self._sessions.read(f"{self._sessions.cookie}={cookie}")
        except StoreError as error:
            return PlainTextResponse(str(error), status_code=503), ""
        scope.setdefault("state", {})["session"] = session
        if session is not None or scope["path"] in _OPEN:
            return None, self._sessions.header(cookie) if cookie else ""
        wants_page = "text/html" in headers.get("accept", "") and scope.get("method") == "GET"
        if wants_page and not scope["path"].startswith("/api/"):
            return RedirectResponse(f"/login?next={_asked_for(scope)}", status_code=303), ""
        return JSONResponse({"error": "sign in first", "code": "login"}, status_code=401), ""

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if name not in _LOOPBACK and name not in self._place.names:
            return PlainTextResponse(
                "this page is not served under that name; see dashboard.names", status_code=403
            )
        origin = headers.get("origin")
        is_writing = scope["type"] == "http" and scope["method"] not in ("GET", "HEAD")
        if (origin is not None or is_writing) and urlsplit(origin or "").netloc != host:
            return PlainTextResponse("another page may not ask here", status_code=403)
        if is_writing:
            length = headers.get("content-length", "")
            if not length.isdecimal():
                return PlainTextResponse("say how long it is", status_code=411)
            if int(length) > LONGEST_BODY:
                return PlainTextResponse("that is too long", status_code=413)
        return None

    def _sender(self, send: Send, cookie: str) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                if cookie:
                    headers.append("Set-Cookie", cookie)
            await send(message)

        return send_with_headers


def session_of(state: Any) -> Session:  # starlette's State has no fields
    """Give the session that the guard has found.

    Raises
    ------
    PermissionError
        If nobody has signed in: the guard lets nobody else through.
    """
    session = getattr(state, "session", None)
    if not isinstance(session, Session):
        raise PermissionError("nobody has signed in")
    return session
