"""The connection to an RE Manager, over the queue server's own client."""

import time
from collections.abc import Mapping
from typing import Any

import zmq

from lithoscope_services.actuators.errors import ActuatorError
from lithoscope_services.actuators.protocol import Json
from lithoscope_services.actuators.queue_server import QueueSilentError

PAUSE_S = 0.02


class ManagerLink:
    """Asks a manager over 0MQ.

    The client opens a new socket after each time-out, and a socket takes only answers that carry
    the number of its request, so that one that comes too late or twice is never taken for that to
    another request. It is the class that ``bluesky-queueserver-api`` wraps; the wrapper would take
    keys and addresses from environment variables.

    Parameters
    ----------
    address
        ``tcp://HOST:PORT`` of its control socket.
    timeout_s
        Wait for one answer.
    public_key
        Of the manager, for CURVE; None on one machine.

    Raises
    ------
    ActuatorError
        If the client is not installed.
    """

    def __init__(self, address: str, *, timeout_s: float, public_key: str | None) -> None:
        try:
            from bluesky_queueserver import CommTimeoutError, ZMQCommSendThreads
        except ImportError as error:
            raise ActuatorError(
                "bluesky-queueserver is missing; install the extra: pip install '.[beamline]'"
            ) from error
        self._silence: tuple[type[BaseException], ...] = (CommTimeoutError,)
        timeout_ms = int(1000 * timeout_s)
        self._client = ZMQCommSendThreads(
            zmq_server_address=address,
            server_public_key=public_key,
            timeout_recv=timeout_ms,
            timeout_send=timeout_ms,
        )
        # For the socket that is open, and for those after time-outs; it offers no other way.
        for each in (self._client._zmq_socket, self._client._ctx):  # noqa: SLF001
            each.setsockopt(zmq.REQ_CORRELATE, 1)

    def ask(self, method: str, parameters: Json) -> Mapping[str, Any]:
        """Ask once."""
        try:
            reply = self._client.send_message(method=method, params=dict(parameters))
        except self._silence as error:
            raise QueueSilentError(f"no answer to {method}") from error
        return reply if isinstance(reply, Mapping) else {}

    def pause(self) -> None:
        """Let a moment pass."""
        time.sleep(PAUSE_S)

    def close(self) -> None:
        """Close the socket, the client's thread, and the context that it leaves open."""
        self._client.close()
        self._client._ctx.destroy(linger=0)  # noqa: SLF001 - here neither
