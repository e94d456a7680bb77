"""The web server in a thread of its own: started on a socket that is bound before."""

import socket
import threading
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from lithoscope_dashboard.errors import PortTakenError

#: Open pages never end by themselves; they get this long to hear that it is over.
GRACE_S = 1


def bind(host: str, port: int) -> socket.socket:
    """Take the port; 0 takes a free one.

    Raises
    ------
    PortTakenError
        If something else listens there, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortTakenError(
            f"cannot listen on {host}:{port}: {error.strerror}; "
            "stop what listens there, or choose another port (0 takes a free one)"
        ) from error
    return listener


def url_of(listener: socket.socket, *, is_secure: bool = False, name: str | None = None) -> str:
    """Address of the page, by a name in place of the address it listens on if one is given."""
    host, port = listener.getsockname()[:2]
    host = name or host
    scheme = "https" if is_secure else "http"
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"


class WebServer:
    """Serves an application until it is stopped.

    Parameters
    ----------
    app
        The application.
    listener
        From :func:`bind`.
    tls
        Certificate and key, PEM; None serves in the clear.
    """

    def __init__(
        self, app: ASGIApp, listener: socket.socket, *, tls: tuple[Path, Path] | None = None
    ) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            ws="websockets-sansio",
            ssl_certfile=None if tls is None else str(tls[0]),
            ssl_keyfile=None if tls is None else str(tls[1]),
        )
        self._listener = listener
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

    @property
    def is_up(self) -> bool:
        """Whether the page can be opened."""
        return bool(self._server.started)

    @property
    def is_alive(self) -> bool:
        """Whether the server has neither stopped nor failed."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End all connections, within ``timeout_s`` or by force."""
        self._server.should_exit = True
        self._thread.join(timeout_s)
        self._server.force_exit = True
        self._listener.close()

    def _serve(self) -> None:
        # In a thread of its own uvicorn leaves the signals alone.
        self._server.run(sockets=[self._listener])
