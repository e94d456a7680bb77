"""Receive Bluesky documents from a 0MQ proxy.

bluesky's own RemoteDispatcher unpickles by default, prints what it cannot read, and can only be
stopped by force: a SUB socket is simpler and safer.
"""

from types import TracebackType
from typing import Self

import zmq

from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sockets import DOCUMENTS, open_socket
from lithoscope_services.sources.bluesky.decoder import Document, decode_document


class DocumentReceiver:
    """Connects to the out address of a ``bluesky-0MQ-proxy``.

    Parameters
    ----------
    settings
        With address, encoding and prefix.
    """

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings

    def __enter__(self) -> Self:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = open_socket(self._context, zmq.SUB, DOCUMENTS)
        self._socket.setsockopt(zmq.SUBSCRIBE, self._settings.prefix.encode())
        self._socket.connect(str(self._settings.address))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()
        self._context.term()

    def wait(self, wait_s: float) -> bool:
        """Tell whether a message comes in time."""
        return bool(self._socket.poll(int(wait_s * 1000)))

    def receive(self) -> Document | None:
        """Give the next document; None if there is none, or if it is of another publisher.

        Raises
        ------
        SourceError
            If what came is none; the text begins with the field that is wrong.
        """
        try:
            parts = self._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None
        return decode_document(
            b"".join(parts),
            documents=self._settings.documents,
            prefix=self._settings.prefix.encode(),
        )
