"""Receive array-1.0 over 0MQ."""

from typing import Self

import zmq

from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sockets import FOREIGN, open_socket
from lithoscope_services.sources.array_1_0.decoder import decode_array
from lithoscope_services.sources.stream.frame import StreamFrame


class ArrayReceiver:
    """Connects to a PUSH or PUB sender of array-1.0.

    Parameters
    ----------
    settings
        With address, pattern and the order of shapes.
    """

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings

    def __enter__(self) -> Self:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        is_pull = self._settings.pattern == "pull"
        self._socket = open_socket(self._context, zmq.PULL if is_pull else zmq.SUB, FOREIGN)
        if not is_pull:
            self._socket.setsockopt(zmq.SUBSCRIBE, b"")
        self._socket.connect(str(self._settings.address))
        return self

    def __exit__(self, *about: object) -> None:
        self._socket.close()
        self._context.term()

    def receive(self, wait_s: float) -> StreamFrame | None:
        """Give the next frame; see :class:`~lithoscope_services.sources.stream.Receiver`."""
        if not self._socket.poll(int(wait_s * 1000)):
            return None
        is_reversed = self._settings.shape_order == "columns_first"
        return decode_array(self._socket.recv_multipart(), columns_first=is_reversed)
