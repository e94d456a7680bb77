"""The server of images, started and told what to send: see pva_server.py."""

import base64
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from waiting import until

SERVER = Path(__file__).with_name("pva_server.py")


class ImageServer:
    """Has ``T:Image``, ``T:FrameType``, ``T:HDF5Location``, ``T:StreamTheta``, ``T:Rotation``."""

    def __init__(self, port: int = 0) -> None:
        self.said: list[dict[str, Any]] = []  # as the server says it
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._n_sent = 0
        self._reader = threading.Thread(target=self._read, name="image-server")
        self._reader.start()
        until(lambda: bool(self.said), timeout_s=30, what="the EPICS server")
        self.port = int(self.said[0]["port"])

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append(json.loads(line))

    @property
    def is_heard(self) -> bool:
        """Whether somebody follows the images."""
        return next((each["heard"] for each in self.said[::-1] if "heard" in each), False)

    def order(self, **order: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        self._n_sent += 1

    def post(
        self,
        number: int,
        pixels: NDArray[Any],
        attributes: dict[str, Any] | None = None,
        *,
        age_s: float = 0.0,
    ) -> None:
        """Send an image."""
        self.order(
            number=number,
            shape=pixels.shape,
            dtype=pixels.dtype.name,
            data=base64.b64encode(pixels.tobytes()).decode(),
            attributes=attributes or {},
            age_s=age_s,
        )

    def post_packed(
        self, number: int, shape: tuple[int, int], dtype: str, codec: str, data: bytes
    ) -> None:
        """Send an image that a codec plugin has compressed."""
        self.order(
            number=number,
            shape=shape,
            dtype=dtype,
            codec=codec,
            stored="uint8",
            data=base64.b64encode(data).decode(),
        )

    def put(self, channel: str, value: object) -> None:
        """Change a channel beside the images."""
        self.order(channel=channel, value=value)

    def wait_until_done(self) -> None:
        """Wait until all orders are carried out."""
        until(
            lambda: sum("done" in each for each in self.said) == self._n_sent,
            timeout_s=30,
            what="the EPICS server",
        )

    def close(self, *, hard: bool = False) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if hard:
            self._process.kill()
        self._process.stdin.close()
        self._process.wait(20)
        self._reader.join(10)
        self._process.stdout.close()


def noise(seed: int, shape: tuple[int, int] = (4, 6)) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 65_535, shape, np.uint16)
