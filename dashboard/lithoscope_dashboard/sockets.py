"""Sockets of the dashboard: clients of the journal and of telemetry, and its own heartbeat."""

from pathlib import Path

import zmq

from lithoscope_messages import MAX_HEADER_BYTES

Context = zmq.Context[zmq.Socket[bytes]]


def endpoint(runtime_dir: Path, name: str) -> str:
    """Address of a plane in the runtime directory."""
    return f"ipc://{runtime_dir}/{name}"


def open_journal(context: Context, runtime_dir: Path) -> zmq.Socket[bytes]:
    """Open the line for requests to the journal."""
    # What is not answered is asked again, so nothing need linger.
    socket = _open(context, zmq.DEALER, hwm=1000, max_bytes=MAX_HEADER_BYTES)
    socket.connect(endpoint(runtime_dir, "journal"))
    return socket


def open_feed(context: Context, runtime_dir: Path) -> zmq.Socket[bytes]:
    """Listen to the feed of all experiments."""
    # What is dropped when we fall behind shows as a gap and is read again.
    socket = _open(context, zmq.SUB, hwm=10_000, max_bytes=MAX_HEADER_BYTES)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(endpoint(runtime_dir, "feed"))
    return socket


def open_telemetry(
    context: Context, runtime_dir: Path, service: str, message_type: str
) -> zmq.Socket[bytes]:
    """Listen to one kind of telemetry of one service; the newest message alone is kept."""
    socket = _open(context, zmq.SUB, hwm=1, max_bytes=2**20)
    socket.setsockopt(zmq.CONFLATE, 1)
    # Every message begins with its type: JSON in the order of the fields.
    socket.setsockopt(zmq.SUBSCRIBE, f'{{"type":"{message_type}"'.encode())
    socket.connect(endpoint(runtime_dir, f"{service}.telemetry"))
    return socket


def bind_heartbeat(context: Context, runtime_dir: Path) -> zmq.Socket[bytes]:
    """Open the place where this dashboard says that it lives."""
    socket = _open(context, zmq.PUB, hwm=10, max_bytes=2**20)
    socket.bind(endpoint(runtime_dir, "dashboard.telemetry"))
    return socket


def _open(context: Context, kind: int, *, hwm: int, max_bytes: int) -> zmq.Socket[bytes]:
    socket = context.socket(kind)
    socket.setsockopt(zmq.SNDHWM, hwm)
    socket.setsockopt(zmq.RCVHWM, hwm)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, max_bytes)
    # A peer that is silent for three beats is taken as gone and connected to anew.
    socket.setsockopt(zmq.HEARTBEAT_IVL, 2000)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 6000)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 5000)
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt(zmq.RECONNECT_IVL, 50)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
    return socket
