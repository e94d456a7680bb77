"""A webhook as an actuator: signed JSON to a program of the beamline, which obeys or refuses.

Each request is a POST to the one address of the settings. ``kind`` says what is wanted:

``check``
    may it be done now? Nothing changes. Answer ``ready``, or ``refused`` with a ``text``.
``act``
    do it, once a ``correlation_id``. Answer ``accepted``, ``done``, ``refused`` or ``failed``.
``look``
    what became of this ``correlation_id``? Answer ``done``, ``failed``, ``accepted``, ``absent``.

Each answer repeats the ``correlation_id``.

The body is signed: ``X-Lithoscope-Signature`` is the hexadecimal HMAC-SHA256 of the value of
``X-Lithoscope-Time`` (Unix time, s), a full stop and the body. The receiver refuses what is not
signed, and what is older than a minute. Redirects and proxies are not followed.
"""

import hashlib
import hmac
import http.client
import json
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from lithoscope_services.actuators.errors import KeysFileError
from lithoscope_services.actuators.protocol import Command, Json, Seen, Sent

MAX_ANSWER_BYTES = 65_536
SIGNATURE = "X-Lithoscope-Signature"
TIME = "X-Lithoscope-Time"
MIN_SECRET = 16


class _NoAnswerError(Exception):
    """Nothing came back that can be read."""


def sign(secret: str, time_s: str, body: bytes) -> str:
    """Give the signature of a request."""
    text = time_s.encode() + b"." + body
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


class WebhookActuator:
    """Acts by asking a program of the beamline.

    Parameters
    ----------
    address
        With ``https``; ``http`` on this machine alone.
    secret
        For signatures.
    timeout_s
        Wait for one answer.
    clock
        Unix time, s.

    Raises
    ------
    KeysFileError
        If the secret is missing or short.
    """

    name = "webhook"

    def __init__(
        self,
        address: str,
        secret: str | None,
        *,
        timeout_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if secret is None or len(secret) < MIN_SECRET:
            raise KeysFileError(
                f"webhook_secret must have at least {MIN_SECRET} characters; write one into "
                "keys_file"
            )
        self._parts = urlsplit(address)
        self._secret = secret
        self._timeout_s = timeout_s
        self._clock = clock

    def describe(self, command: Command) -> Json:
        """Give the body of the request."""
        return {
            "kind": "act",
            "correlation_id": command.correlation_id,
            "experiment": command.experiment,
            "scan": command.scan,
            "proposal": command.proposal,
            "rule": command.rule,
            "action": command.action,
            "parameters": dict(command.parameters),
            "reason": command.reason,
            "is_automatic": command.is_automatic,
        }

    def preflight(self, command: Command) -> str:
        """Ask whether it may be done."""
        try:
            answer = self._post({**self.describe(command), "kind": "check"})
        except _NoAnswerError as error:
            return f"the webhook does not answer: {error}"
        if answer.get("state") == "ready":
            return ""
        return str(answer.get("text") or f"the webhook is {answer.get('state')}")[:1000]

    def send(self, command: Command) -> Sent:
        """Ask for it once."""
        try:
            answer = self._post(self.describe(command))
        except _NoAnswerError as error:
            return Sent("unclear", str(error))
        text = str(answer.get("text") or "")[:1000]
        match answer.get("state"):
            case "accepted" | "done":
                return Sent("accepted", text)
            case "refused" | "failed":
                return Sent("refused", text or "refused without a reason")
            case _:
                return Sent("unclear", "an answer without a known state")

    def look(self, command: Command) -> Seen:
        """Ask what became of it."""
        question = {"kind": "look", "correlation_id": command.correlation_id}
        try:
            answer = self._post(question)
        except _NoAnswerError as error:
            return Seen("unreachable", str(error))
        text = str(answer.get("text") or "")[:1000]
        match answer.get("state"):
            case "done":
                return Seen("done", text)
            case "failed" | "refused":
                return Seen("failed", text)
            case "accepted":
                return Seen("underway", text)
            case "absent":
                return Seen("absent", text)
            case _:
                return Seen("unreachable", "an answer without a known state")

    def close(self) -> None:
        """Close nothing: each request has a connection of its own."""

    def _post(self, body: Json) -> Mapping[str, Any]:
        data = json.dumps(body, sort_keys=True).encode()
        time_s = str(int(self._clock()))
        headers = {
            "Content-Type": "application/json",
            TIME: time_s,
            SIGNATURE: sign(self._secret, time_s, data),
        }
        path = self._parts.path or "/"
        if self._parts.query:
            path += "?" + self._parts.query
        connection = self._connect()
        try:
            connection.request("POST", path, data, headers)
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise _NoAnswerError(f"HTTP {response.status}")
            answer = json.loads(response.read(MAX_ANSWER_BYTES))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _NoAnswerError(f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if not isinstance(answer, dict) or answer.get("correlation_id") != body["correlation_id"]:
            raise _NoAnswerError("an answer to something else")
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                host, port, timeout=self._timeout_s, context=context
            )
        return http.client.HTTPConnection(host, port, timeout=self._timeout_s)
