"""What runs: the instance of a store, a heartbeat of each service, the heads of the journal."""

import time
from pathlib import Path
from typing import Any

import zmq

from lithoscope_messages import Heartbeat, MessageError, ScanProgress, adapter_of, decode
from lithoscope_services.errors import InstanceError, ServiceError
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.sockets import TELEMETRY, open_socket
from lithoscope_store.discovery import InstanceFile, find_instance
from lithoscope_store.layout import Store

# Services beat once a second: whoever is silent for longer has a problem worth showing.
WAIT_S = 2.5
_TELEMETRY = adapter_of(Heartbeat | ScanProgress)
_SUFFIX = ".telemetry"


def read_status(store: Path) -> dict[str, Any]:  # JSON
    """Ask the running instance of a store how it is.

    Parameters
    ----------
    store
        The store's folder.

    Returns
    -------
    dict
        ``instance``, ``pid``, ``version``, ``dashboard_url``, ``services`` (a service without a
        heartbeat in 2.5 s has the state ``silent``) and ``experiments``.

    Raises
    ------
    InstanceError
        If no instance runs on this store.
    """
    instance = find_instance(Store(store))
    if instance is None:
        raise InstanceError(
            f"no instance runs on {store}; start one with lithoscope up or lithoscope demo, or "
            "give its --store"
        )
    with zmq.Context() as context:
        beats = _listen(context, _telemetry_endpoints(instance))
        # A silent journal would only be waited for once more.
        experiments = [] if beats.get("journal") is None else _heads(context, instance)
    return {
        "instance": instance.id,
        "pid": instance.pid,
        "version": instance.version,
        "dashboard_url": instance.dashboard_url,
        "services": [_describe(service, beat) for service, beat in sorted(beats.items())],
        "experiments": experiments,
    }


def _telemetry_endpoints(instance: InstanceFile) -> dict[str, str]:
    """Find the telemetry of each service: what the instance names, and its sockets."""
    found = {
        name.removesuffix(_SUFFIX): endpoint
        for name, endpoint in instance.endpoints.items()
        if name.endswith(_SUFFIX)
    }
    for socket in Path(instance.runtime_dir).glob(f"*{_SUFFIX}"):
        found.setdefault(socket.name.removesuffix(_SUFFIX), f"ipc://{socket}")
    return found


def _listen(
    context: zmq.Context[zmq.Socket[bytes]], endpoints: dict[str, str]
) -> dict[str, Heartbeat | None]:
    """Wait for one heartbeat of each service."""
    beats: dict[str, Heartbeat | None] = dict.fromkeys(endpoints)
    with open_socket(context, zmq.SUB, TELEMETRY) as socket:
        socket.setsockopt(zmq.SUBSCRIBE, b"")
        for address in endpoints.values():
            socket.connect(address)
        deadline_s = time.monotonic() + WAIT_S
        while None in beats.values():
            left_ms = int(1000 * (deadline_s - time.monotonic()))
            if left_ms <= 0 or not socket.poll(left_ms):
                break
            try:
                message = decode(socket.recv(), _TELEMETRY)
            except MessageError:
                continue
            if isinstance(message, Heartbeat):
                beats[message.service] = message
    return beats


def _heads(
    context: zmq.Context[zmq.Socket[bytes]], instance: InstanceFile
) -> list[dict[str, Any]]:
    address = instance.endpoints.get("journal")
    if address is None:
        return []
    try:
        with JournalClient(context, address, "command_line", patience_s=WAIT_S) as client:
            return [head.model_dump() for head in client.experiments()]
    except ServiceError:
        # The journal is being restarted; the table of services shows it as silent.
        return []


def _describe(service: str, beat: Heartbeat | None) -> dict[str, Any]:
    if beat is None:
        return {
            "service": service,
            "pid": None,
            "state": "silent",
            "queue_depth": None,
            "lag_s": None,
            "heartbeat_age_s": None,
            "doing": f"no heartbeat for {WAIT_S} s",
        }
    return {
        "service": service,
        "pid": beat.pid,
        "state": beat.state.value,
        "queue_depth": beat.queue_depth,
        "lag_s": beat.lag_s,
        "heartbeat_age_s": max(0.0, (time.time_ns() - beat.time_ns) / 1e9),
        "doing": beat.doing,
    }
