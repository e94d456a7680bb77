"""An EPICS server of images in a process of its own, as areaDetector's PVA plugin has one.

Reads commands from stdin, one JSON object a line, and says what it did on stdout. From nothing of
ours: p4p's server and its normative types.
"""

import base64
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from p4p import Value
from p4p.nt import NTEnum, NTNDArray, NTScalar
from p4p.server import Server
from p4p.server.raw import SharedPV

IMAGES = NTNDArray()
CODED = {"uint8": 5, "uint16": 6, "uint32": 7, "float32": 9}
PROVIDERS: dict[str, Callable[[], Value]] = {
    "T:Image": lambda: Value(IMAGES.type, {}),
    "T:FrameType": lambda: NTEnum().wrap({"index": 0, "choices": ["Projection", "FlatField"]}),
    "T:HDF5Location": lambda: NTScalar("s").wrap("/exchange/data_dark"),
    "T:StreamTheta": lambda: NTScalar("ad").wrap([0.0]),
    "T:Rotation": lambda: NTScalar("d").wrap(0.0),
}


SAYING = threading.Lock()


def say(**event: object) -> None:
    with SAYING:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()


class Watched:
    """Says when the first client comes and the last one goes."""

    def onFirstConnect(self, pv: SharedPV) -> None:  # noqa: N802 - as p4p calls it
        say(heard=True)

    def onLastDisconnect(self, pv: SharedPV) -> None:  # noqa: N802 - as p4p calls it
        say(heard=False)


def stamp(age_s: float = 0.0) -> dict[str, int]:
    seconds, nanoseconds = divmod(time.time_ns() - int(age_s * 1e9), 10**9)
    return {"secondsPastEpoch": seconds, "nanoseconds": nanoseconds}


def image(order: Mapping[str, Any]) -> Value:
    data = np.frombuffer(base64.b64decode(order["data"]), order.get("stored", order["dtype"]))
    pixels = np.zeros(order["shape"], order["dtype"]) if "codec" in order else data
    wrapped = IMAGES.wrap(pixels.reshape(order["shape"]), attrib=order.get("attributes", {}))
    wrapped.uniqueId = order["number"]
    wrapped.dataTimeStamp = wrapped.timeStamp = stamp(order.get("age_s", 0.0))
    # What is not said keeps its last value.
    wrapped.codec.name = order.get("codec", "")
    if "codec" in order:
        wrapped.value = ("ubyteValue", data)
        wrapped.codec.parameters = CODED[order["dtype"]]
        wrapped.compressedSize = data.nbytes
    return wrapped


def put(pv: SharedPV, value: object) -> None:
    kind = pv.current().type()
    is_enum = "choices" in str(kind)
    pv.post(Value(kind, {"value": {"index": value} if is_enum else value, "timeStamp": stamp()}))


def main() -> None:
    channels = {
        name: SharedPV(initial=make(), handler=Watched() if name == "T:Image" else None)
        for name, make in PROVIDERS.items()
    }
    conf = {
        "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1",
        "EPICS_PVAS_SERVER_PORT": sys.argv[1],
        "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
    }
    with Server(providers=[channels], conf=conf, useenv=False) as server:
        say(port=int(server.conf()["EPICS_PVAS_SERVER_PORT"]))
        for line in sys.stdin:
            order = json.loads(line)
            if "channel" in order:
                put(channels[order["channel"]], order["value"])
            else:
                channels["T:Image"].post(image(order))
            say(done=True)


if __name__ == "__main__":
    main()
