"""Services that follow a Bluesky proxy, and what they stored."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import zmq
from bluesky_lab import (
    encoder_deg,
    proxy,
    publisher,
)
from foreign import N_DARKS, N_FLATS, N_PROJECTIONS, Sent
from spine import Spine, spine
from stored_frames import check_stored
from waiting import until

from lithoscope_messages import ScanAccount
from lithoscope_services.settings import Settings, replace_values
from lithoscope_store import FrameReader

NAME = "documented"
N_FRAMES = N_DARKS + N_FLATS + N_PROJECTIONS
Publish = Callable[[str, dict[str, Any]], None]


class Beamline:
    """Services that follow a proxy, and a publisher that they hear."""

    def __init__(self, services: Spine, publish: Publish) -> None:
        self.services = services
        self.publish = publish

    @property
    def log(self) -> str:
        return (self.services.runtime_dir / "source.log").read_text()

    def send(self, documents: Iterable[tuple[str, dict[str, Any]]]) -> None:
        for name, document in documents:
            self.publish(name, document)

    def listen(self) -> None:
        """Wait until what is published is heard: PUB drops what nobody has subscribed to."""
        numbers = count()
        before = self.log.count("'ping'")

        def is_heard() -> bool:
            uid = f"ping {os.getpid()} {before} {next(numbers)}"
            self.publish("start", {"uid": uid, "time": 1.0, "lithoscope_experiment": "ping"})
            return self.log.count("'ping'") > before

        until(is_heard, timeout_s=30, what="the source to listen")


@contextmanager
def following(
    tmp_path: Path, *, n_scans: int = 1, documents: str = "msgpack", **source: object
) -> Iterator[Beamline]:
    with spine(tmp_path / "store") as services, proxy(services.runtime_dir) as (inward, outward):
        values = {
            "kind": "bluesky",
            "address": outward,
            "documents": documents,
            "folder": str(tmp_path / "detector"),
            "silence_s": 20.0,
        }
        settings = replace_values(Settings(), {"experiment.name": NAME})
        data = json.loads(settings.model_dump_json()) | {"source": values | source}
        data["experiment"]["n_scans"] = n_scans
        (services.runtime_dir / "settings.json").write_text(json.dumps(data))
        prefix = str(source.get("prefix", "")).encode()
        with publisher(inward, documents, prefix) as publish:
            services.start("journal", "ingest", "source")
            beamline = Beamline(services, publish)
            until(lambda: "documents_followed" in beamline.log, timeout_s=30, what="the source")
            beamline.listen()
            yield beamline


def check(services: Spine, sent: Sequence[Sent], *, scan: int = 0) -> ScanAccount:
    """The store has these frames and no others, each as it was taken."""
    account = services.completed(NAME, scan).account
    check_stored(services, NAME, scan, sent)
    return account


def rejected(account: ScanAccount) -> dict[str, int]:
    return dict(account.rejected or {})


def check_angles(services: Spine, *, scan: int = 0) -> None:
    """All angles are those that the encoder read."""
    reader = FrameReader(services.store.experiment(NAME), scan, 0)
    for key in reader.keys:
        if key.kind == "projection":
            record = reader.record(key)
            assert (record.theta_deg, record.theta_source) == (encoder_deg(key.index), "encoder")


def stored(services: Spine, n: int, *, scan: int = 0) -> None:
    paths = services.store.experiment(NAME)

    def look() -> bool:
        return paths.index(scan, 0).exists() and len(FrameReader(paths, scan, 0).keys) >= n

    until(look, timeout_s=30, what=f"{n} frames of scan {scan}")


def documents_stored(services: Spine) -> list[str]:
    path = services.store.experiment(NAME).documents
    return [json.loads(line)["name"] for line in path.read_text().splitlines()]


@contextmanager
def anybody(beamline: Beamline) -> "Iterator[zmq.Socket[bytes]]":
    """Connect somebody who sends whatever bytes to the proxy."""
    with zmq.Context() as context, context.socket(zmq.PUB) as other:
        other.setsockopt(zmq.LINGER, 1000)
        other.connect(f"ipc://{beamline.services.runtime_dir}/documents-in")
        yield other


def heard(beamline: Beamline, other: "zmq.Socket[bytes]") -> bool:
    other.send(b"nothing")
    return "message: prefix" in beamline.log
