"""Receive DECTRIS Stream V2 over 0MQ."""

from pathlib import Path
from typing import Self

import zmq

from lithoscope_services.errors import SourceError
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sockets import FOREIGN, open_socket
from lithoscope_services.sources.dectris.decoder import (
    EndMessage,
    ImageMessage,
    StartMessage,
    decode_message,
)
from lithoscope_services.sources.dectris.series import SeriesTracker
from lithoscope_services.sources.stream.frame import StreamMessage

#: In the runtime directory: what the start message of the series said.
STATE = "dectris.state"


class DectrisReceiver:
    """Connects to the PUSH socket of a detector control unit.

    Parameters
    ----------
    settings
        With the address, the channel and how user data are read.
    state
        File that keeps what is known of the series; None to keep nothing.
    """

    def __init__(self, settings: SourceSettings, state: Path | None = None) -> None:
        self._settings = settings
        self._tracker = SeriesTracker(settings, state)

    def __enter__(self) -> Self:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = open_socket(self._context, zmq.PULL, FOREIGN)
        self._socket.connect(str(self._settings.address))
        return self

    def __exit__(self, *about: object) -> None:
        self._socket.close()
        self._context.term()

    def receive(self, wait_s: float) -> StreamMessage | None:
        """Give the next frame; see :class:`~lithoscope_services.sources.stream.Receiver`."""
        if not self._socket.poll(int(wait_s * 1000)):
            return None
        parts = self._socket.recv_multipart()
        if len(parts) != 1:
            raise SourceError(f"parts: {len(parts)} came, Stream V2 has one, V1 is not taken")
        match decode_message(parts[0], channel=self._settings.channel):
            case StartMessage() as start:
                self._tracker.begin(start)
                return None
            case ImageMessage() as image:
                return self._tracker.frame(image)
            case EndMessage() as end:
                return self._tracker.end(end)
