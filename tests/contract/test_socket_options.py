"""Every socket option that matters is set by name; read back from libzmq itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from lithoscope_messages import MAX_FRAME_BYTES, MAX_HEADER_BYTES
from lithoscope_services.errors import UnsafeEndpointError
from lithoscope_services.sockets import (
    FEED,
    FOREIGN,
    FRAMES,
    JOURNAL,
    TELEMETRY,
    bind,
    open_socket,
)

#: What design/02 asks of each plane: HWM both ways, linger in ms, longest message.
PLANES = {
    "frames": (FRAMES, 0, 0, MAX_FRAME_BYTES + 2**16),
    "journal": (JOURNAL, 1000, 200, MAX_HEADER_BYTES),
    "feed": (FEED, 10_000, 200, MAX_HEADER_BYTES),
    "telemetry": (TELEMETRY, 10, 0, 2**20),
}
KINDS = {
    "frames": (zmq.ROUTER, zmq.DEALER),
    "journal": (zmq.ROUTER, zmq.DEALER),
    "feed": (zmq.PUB, zmq.SUB),
    "telemetry": (zmq.PUB, zmq.SUB),
}
ENDS = [(plane, kind) for plane, kinds in KINDS.items() for kind in kinds]


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    with zmq.Context() as made:
        yield made


@pytest.mark.parametrize(("plane", "kind"), ENDS)
def test_each_end_of_each_plane_has_the_options_that_its_contract_names(
    context: zmq.Context[zmq.Socket[bytes]], plane: str, kind: int
) -> None:
    options, hwm, linger_ms, max_message_bytes = PLANES[plane]

    with open_socket(context, kind, options) as socket:
        found = {
            name: socket.getsockopt(getattr(zmq, name))
            for name in (
                *("SNDHWM", "RCVHWM", "LINGER", "MAXMSGSIZE", "IMMEDIATE"),
                *("HEARTBEAT_IVL", "HEARTBEAT_TIMEOUT", "HANDSHAKE_IVL"),
                *("RECONNECT_IVL", "RECONNECT_IVL_MAX"),
            )
        }

    assert found == {
        "SNDHWM": hwm,
        "RCVHWM": hwm,
        "LINGER": linger_ms,
        "MAXMSGSIZE": max_message_bytes,
        "IMMEDIATE": 1,
        "HEARTBEAT_IVL": 2000,
        "HEARTBEAT_TIMEOUT": 6000,
        "HANDSHAKE_IVL": 5000,
        "RECONNECT_IVL": 50,
        "RECONNECT_IVL_MAX": 500,
    }


def test_a_router_counts_an_answer_to_nobody_as_an_error(
    context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path
) -> None:
    with open_socket(context, zmq.ROUTER, FRAMES) as router:
        bind(router, f"ipc://{tmp_path}/router")

        # ROUTER_MANDATORY cannot be read back: what it does is looked at.
        with pytest.raises(zmq.ZMQError, match="Host unreachable"):
            router.send_multipart([b"nobody", b"answer"], zmq.NOBLOCK)


def test_a_router_lets_a_peer_come_back_under_its_name(
    context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path
) -> None:
    address = f"ipc://{tmp_path}/router"
    with (
        open_socket(context, zmq.ROUTER, FRAMES) as router,
        open_socket(context, zmq.DEALER, FRAMES) as first,
        open_socket(context, zmq.DEALER, FRAMES) as second,
    ):
        bind(router, address)
        for dealer in (first, second):
            dealer.setsockopt(zmq.ROUTING_ID, b"source")
            dealer.connect(address)
            assert dealer.poll(5000, zmq.POLLOUT)
            dealer.send(b"here")
            assert router.poll(5000)
            assert router.recv_multipart() == [b"source", b"here"]

        router.send_multipart([b"source", b"answer"])

        # ROUTER_HANDOVER cannot be read back either.
        assert second.poll(5000)
        assert second.recv() == b"answer"
        assert not first.poll(0)


@pytest.mark.parametrize(
    "endpoint",
    ["tcp://127.0.0.1:*", "tcp://0.0.0.0:5555", "ws://127.0.0.1:*", "ipc://@lithoscope"],
)
def test_what_others_can_reach_is_not_bound_without_curve(
    context: zmq.Context[zmq.Socket[bytes]], endpoint: str
) -> None:
    with (
        open_socket(context, zmq.ROUTER, JOURNAL) as socket,
        pytest.raises(UnsafeEndpointError, match="CURVE"),
    ):
        bind(socket, endpoint)


def test_tcp_is_bound_by_a_curve_server(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    _public, secret = zmq.curve_keypair()
    with open_socket(context, zmq.ROUTER, JOURNAL) as socket:
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret)

        bind(socket, "tcp://127.0.0.1:*")

        assert "tcp://127.0.0.1:" in socket.getsockopt_string(zmq.LAST_ENDPOINT)


@pytest.mark.parametrize("kind", [zmq.PULL, zmq.SUB])
def test_a_foreign_stream_has_few_messages_waiting_and_no_heartbeat(
    context: zmq.Context[zmq.Socket[bytes]], kind: int
) -> None:
    with open_socket(context, kind, FOREIGN) as socket:
        found = [
            socket.getsockopt(option)
            for option in (zmq.RCVHWM, zmq.LINGER, zmq.MAXMSGSIZE, zmq.HEARTBEAT_IVL)
        ]

    assert found == [32, 0, MAX_FRAME_BYTES + 2**16, 0]
