"""Foreign senders behind one face, for the contract that all stream sources keep.

Each is the far end of a real socket and knows nothing of ours; :data:`SENDERS` makes them by name.
"""

import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import zmq
from dectris_sender import end, image, start
from foreign import COLUMNS, KINDS, N_FLATS, ROWS, Sent, areadetector, garbage, gigafrost
from pva_sender import ImageServer
from waiting import until

#: The NDAttribute by which areaDetector writes DXchange files.
SAVE_DEST = {0: "/exchange/data_dark", 1: "/exchange/data_white", 2: "/exchange/data"}
#: Frames of a scan, in the order in which they are taken.
Scan = Sequence[Sent]


class Sender(Protocol):
    """A detector's computer.

    ``source`` is what ``[source]`` must say of it; ``tells_scans`` whether its messages tell one
    scan from another.
    """

    source: Mapping[str, object]
    tells_scans: bool

    def wait_until_heard(self) -> None:
        """Wait until what is sent next arrives."""
        ...

    def send(self, frames: Iterable[Sent]) -> None:
        """Send frames in this order."""
        ...

    def send_garbage(self) -> None:
        """Send one message that is no frame of this stream."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class _ZmqSender:
    """A PUSH socket, bound where it is, which waits for who is late."""

    tells_scans = True
    source: Mapping[str, object]

    def __init__(self, folder: Path, scan: Scan) -> None:
        self.positions = {frame.slot: place for place, frame in enumerate(scan)}
        self.address = f"ipc://{folder}/detector"
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.PUSH)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDTIMEO, 30_000)
        self._socket.bind(self.address)
        self._noise = self.noise()

    def wait_until_heard(self) -> None:
        """Do nothing: PUSH keeps what it has until somebody connects."""

    def send(self, frames: Iterable[Sent]) -> None:
        for frame in frames:
            self._socket.send_multipart(self.message(frame))

    def send_garbage(self) -> None:
        self._socket.send_multipart(next(self._noise))

    def close(self) -> None:
        self._socket.close()
        self._context.term()

    def message(self, frame: Sent) -> list[bytes]:
        raise NotImplementedError

    def noise(self) -> Iterator[list[bytes]]:
        return garbage()

    def number(self, frame: Sent) -> int:
        """Count through all scans, from 0."""
        return frame.scan * len(self.positions) + self.positions[frame.slot]


class Gigafrost(_ZmqSender):
    """Numbers start anew with each kind, and nothing says which scan a frame is of."""

    tells_scans = False

    def __init__(self, folder: Path, scan: Scan) -> None:
        super().__init__(folder, scan)
        self.source = {"kind": "array-1.0", "address": self.address, "numbers": "per_kind"}

    def message(self, frame: Sent) -> list[bytes]:
        # Flats after the projections count on behind those before.
        number = frame.index + (N_FLATS if frame.set else 0)
        header, pixels = gigafrost(frame)
        return [header.replace(b'"frame": %d,' % frame.index, b'"frame": %d,' % number), pixels]


class StdDaq(_ZmqSender):
    """Plain array-1.0: a number that runs on, and nothing else."""

    def __init__(self, folder: Path, scan: Scan) -> None:
        super().__init__(folder, scan)
        self.source = {
            "kind": "array-1.0",
            "address": self.address,
            "numbers": "running",
            "kind_from": "order",
        }

    def message(self, frame: Sent) -> list[bytes]:
        header = {
            "htype": "array-1.0",
            "shape": list(frame.pixels.shape),
            "type": "uint16",
            "frame": self.number(frame),
        }
        return [json.dumps(header).encode(), frame.pixels.tobytes()]

    def noise(self) -> Iterator[list[bytes]]:
        for parts in garbage():
            if b"false" not in parts[0]:  # a word that only GigaFRoST's headers have
                yield parts


class AreaDetectorZmq(_ZmqSender):
    """NDPluginZMQ: columns first, numbers from 1, kind and angle as attributes."""

    def __init__(self, folder: Path, scan: Scan) -> None:
        super().__init__(folder, scan)
        self.source = {
            "kind": "array-1.0",
            "address": self.address,
            "numbers": "running",
            "first_frame": 1,
            "shape_order": "columns_first",
            "kind_from": "attribute",
            "theta_from": "attribute",
        }

    def message(self, frame: Sent) -> list[bytes]:
        return areadetector(frame, 1 + self.number(frame), theta_deg=theta_deg(frame))


class Dectris(_ZmqSender):
    """Stream V2: each scan a series between a start and an end, packed each way by turns."""

    def __init__(self, folder: Path, scan: Scan) -> None:
        super().__init__(folder, scan)
        self._last = 0
        self.source = {
            "kind": "dectris",
            "address": self.address,
            "numbers": "per_scan",
            "kind_from": "order",
            "theta_from": "frame",
        }

    def send(self, frames: Iterable[Sent]) -> None:
        for frame in frames:
            series = frame.scan + 1
            if series > self._last:
                if self._last:
                    self._socket.send(end(self._last))
                self._socket.send(start(series))
                self._last = series
            self._socket.send_multipart(self.message(frame))

    def message(self, frame: Sent) -> list[bytes]:
        number = self.positions[frame.slot]
        return [image(frame.scan + 1, number, frame.pixels, ("", "bslz4", "lz4")[number % 3])]

    def noise(self) -> Iterator[list[bytes]]:
        noise = random.Random(6)
        pixels = Sent(9, 2, 0, 1).pixels
        while True:
            yield [noise.randbytes(30)]
            yield [image(self._last, 1, pixels)[:-1]]
            yield [image(self._last, -1, pixels)]
            yield [image(self._last, 1, pixels), b""]


class EpicsImages:
    """areaDetector's PVA plugin: the same over an EPICS channel, which keeps the newest image."""

    tells_scans = True

    def __init__(self, folder: Path, scan: Scan) -> None:
        self._positions = {frame.slot: place for place, frame in enumerate(scan)}
        self._server = ImageServer()
        self._random = random.Random(7)
        self.source: Mapping[str, object] = {
            "kind": "pva",
            "channel": "T:Image",
            "pva_servers": [f"127.0.0.1:{self._server.port}"],
            "queue_frames": 1024,
            "numbers": "running",
            "first_frame": 1,
            "kind_from": "attribute",
            "kind_attribute": "SaveDest",
            "theta_from": "attribute",
        }

    def wait_until_heard(self) -> None:
        until(lambda: self._server.is_heard, timeout_s=30, what="the source")

    def send(self, frames: Iterable[Sent]) -> None:
        for frame in frames:
            number = 1 + frame.scan * len(self._positions) + self._positions[frame.slot]
            attributes = {
                "SaveDest": SAVE_DEST[frame.scan_index],
                "SampleRotary": theta_deg(frame),
            }
            self._server.post(number, frame.pixels, attributes)
        self._server.wait_until_done()

    def send_garbage(self) -> None:
        frame = Sent(9, 2, 0, 1)
        match self._random.randrange(3):
            case 0:
                self._server.post(1, frame.pixels.astype("int16"))
            case 1:
                self._server.post(1, frame.pixels, {"SaveDest": "/exchange/nothing"})
            case 2:
                data = self._random.randbytes(30)
                self._server.post_packed(1, (ROWS, COLUMNS), "uint16", "bslz4", data)

    def close(self) -> None:
        self._server.close()


def theta_deg(frame: Sent) -> float:
    """Give the angle that a sender says."""
    return 4.5 * frame.index if KINDS[frame.scan_index] == "projection" else 0.0


SENDERS: dict[str, Callable[[Path, Scan], Sender]] = {
    "gigafrost": Gigafrost,
    "std_daq": StdDaq,
    "adzmq": AreaDetectorZmq,
    "dectris": Dectris,
    "pva": EpicsImages,
}
