"""Sockets with every option that matters set by name; nothing rests on a library's default."""

from dataclasses import dataclass

import zmq

from lithoscope_messages import MAX_FRAME_BYTES, MAX_HEADER_BYTES
from lithoscope_services.errors import UnsafeEndpointError


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketOptions:
    """Options of one end of one plane.

    Parameters
    ----------
    send_hwm, receive_hwm
        Messages that may wait in the queues.
    linger_ms
        How long unsent messages keep a closing socket alive.
    max_message_bytes
        Longer messages close the connection.
    heartbeat_ms
        A peer that is silent for three of these is taken as gone.
    immediate
        Queue only to peers that are connected.
    """

    send_hwm: int
    receive_hwm: int
    linger_ms: int
    max_message_bytes: int
    heartbeat_ms: int = 2000
    immediate: bool = True


# Credits in bytes bound what is under way, so the high-water mark must never be what drops a
# frame; 0 means no limit. What is not acknowledged is sent again, so nothing need linger.
FRAMES = SocketOptions(
    send_hwm=0, receive_hwm=0, linger_ms=0, max_message_bytes=MAX_FRAME_BYTES + 2**16
)
# Each client has one request under way; answers may be large.
JOURNAL = SocketOptions(
    send_hwm=1000, receive_hwm=1000, linger_ms=200, max_message_bytes=MAX_HEADER_BYTES
)
# A reader that falls behind reads again from the last number it knows: dropping is harmless.
FEED = SocketOptions(
    send_hwm=10_000, receive_hwm=10_000, linger_ms=200, max_message_bytes=MAX_HEADER_BYTES
)
# A sender of others: what we have not taken must wait with it (PUSH) or show as a gap (PUB), so
# few wait here. Old libraries hang up at a heartbeat that they do not know, so none is sent.
FOREIGN = SocketOptions(
    send_hwm=1,
    receive_hwm=32,
    linger_ms=0,
    max_message_bytes=MAX_FRAME_BYTES + 2**16,
    heartbeat_ms=0,
)
# What a tap passes on waits with its sender (PUSH) or is counted as dropped (PUB), so few wait
# here; what waits when it ends still goes out.
RELAY = SocketOptions(
    send_hwm=4,
    receive_hwm=1,
    linger_ms=10_000,
    max_message_bytes=MAX_FRAME_BYTES + 2**16,
    heartbeat_ms=0,
)
# Documents of others are small, and their proxy drops what we have no room for: many may wait.
DOCUMENTS = SocketOptions(
    send_hwm=1,
    receive_hwm=20_000,
    linger_ms=0,
    max_message_bytes=2**20 + 2**12,
    heartbeat_ms=0,
)
# Newest wins. The publisher keeps few; the reader's CONFLATE keeps one.
TELEMETRY = SocketOptions(send_hwm=10, receive_hwm=10, linger_ms=0, max_message_bytes=2**20)


def open_socket(
    context: zmq.Context[zmq.Socket[bytes]], kind: int, options: SocketOptions
) -> zmq.Socket[bytes]:
    """Make a socket of a plane.

    Parameters
    ----------
    context
        Of this process.
    kind
        ``zmq.ROUTER`` and so on.
    options
        Of the plane.
    """
    socket = context.socket(kind)
    socket.setsockopt(zmq.SNDHWM, options.send_hwm)
    socket.setsockopt(zmq.RCVHWM, options.receive_hwm)
    socket.setsockopt(zmq.LINGER, options.linger_ms)
    socket.setsockopt(zmq.MAXMSGSIZE, options.max_message_bytes)
    socket.setsockopt(zmq.HEARTBEAT_IVL, options.heartbeat_ms)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3 * options.heartbeat_ms)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 5000)
    socket.setsockopt(zmq.IMMEDIATE, int(options.immediate))
    socket.setsockopt(zmq.RECONNECT_IVL, 50)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
    if kind == zmq.ROUTER:
        # An answer to a peer that is gone is an error to be counted, not a silent loss; a peer
        # that comes back under its name takes over from its dead connection.
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
    return socket


def bind(socket: zmq.Socket[bytes], endpoint: str, *, allows_loopback: bool = False) -> None:
    """Bind, but to nothing that others can reach without CURVE.

    Parameters
    ----------
    socket
        To be bound.
    endpoint
        Address.
    allows_loopback
        Take TCP of this machine itself too, which every user of it can reach.

    Raises
    ------
    UnsafeEndpointError
        If the address is no ipc file and the socket is not a CURVE server.
    """
    # ipc://@name has no file, hence no permissions: any user of the machine could connect.
    is_private = endpoint.startswith("ipc:///")
    if allows_loopback and endpoint.startswith(("tcp://127.0.0.1:", "tcp://[::1]:")):
        is_private = True
    if not is_private and not socket.getsockopt(zmq.CURVE_SERVER):
        raise UnsafeEndpointError(
            f"{endpoint}: only ipc files are bound without CURVE keys; use ipc:///absolute/path "
            "on one machine"
        )
    socket.bind(endpoint)
