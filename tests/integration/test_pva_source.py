"""EPICS images from p4p's server and pvaPy's simulator: what only this source has to master."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import bitshuffle
import numcodecs.blosc
import numcodecs.lz4
import numpy as np
import pytest
from numpy.typing import NDArray
from pva_sender import ImageServer, noise
from spine import Spine, spine
from waiting import until

from lithoscope_messages import ScanAccount
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.sources.pva import PvaReceiver
from lithoscope_services.sources.stream import StreamFrame
from lithoscope_store import FrameReader

NAME = "epics"
N_DARKS, N_FLATS, N_PROJECTIONS = 2, 3, 20
N_FRAMES = N_DARKS + N_FLATS + N_PROJECTIONS
IMAGES = [noise(number) for number in range(N_FRAMES)]
SIMULATOR = shutil.which("pvapy-ad-sim-server", path=str(Path(sys.executable).parent))


def source_of(port: int, **changes: object) -> dict[str, object]:
    values: dict[str, object] = {
        "kind": "pva",
        "channel": "T:Image",
        "pva_servers": [f"127.0.0.1:{port}"],
        "numbers": "running",
        "first_frame": 1,
        "kind_from": "order",
        "n_darks": N_DARKS,
        "n_flats": N_FLATS,
        "n_projections": N_PROJECTIONS,
        "silence_s": 30.0,
    }
    return values | changes


@contextmanager
def following(tmp_path: Path, source: dict[str, object]) -> Iterator[Spine]:
    """Journal, ingest and the source as processes."""
    with spine(tmp_path) as services:
        settings = replace_values(Settings(), {"experiment.name": NAME, "scan.voxel_size_um": 4.5})
        data = json.loads(settings.model_dump_json()) | {"source": source}
        data["experiment"]["n_scans"] = 1
        (services.runtime_dir / "settings.json").write_text(json.dumps(data))
        services.start("journal", "ingest", "source")
        yield services


def wait_until_heard(server: ImageServer) -> None:
    until(lambda: server.is_heard, timeout_s=30, what="the source")


def check(services: Spine, images: list[NDArray[Any]] = IMAGES) -> tuple[FrameReader, ScanAccount]:
    """The scan has these images in this order, and no others."""
    account = services.completed(NAME).account
    reader = FrameReader(services.store.experiment(NAME), 0, 0)
    rank = {"dark": 0, "flat": 1, "projection": 2}
    keys = sorted(reader.keys, key=lambda key: (rank[key.kind], key.index))
    assert len(keys) == len(images)
    for key, image in zip(keys, images, strict=True):
        np.testing.assert_array_equal(reader.read_frame(key), image)
    return reader, account


def test_kind_and_angles_may_stand_in_channels_of_their_own(tmp_path: Path) -> None:
    angles_deg = np.linspace(0, 90, N_PROJECTIONS)
    images = iter(enumerate(IMAGES, start=1))
    with closing(ImageServer()) as server:
        source = source_of(
            server.port,
            kind_from="frame",
            kind_channel="T:HDF5Location",
            theta_from="frame",
            theta_channel="T:StreamTheta",
        )
        with following(tmp_path, source) as services:
            wait_until_heard(server)
            server.put("T:StreamTheta", angles_deg.tolist())
            counts = {"data_dark": N_DARKS, "data_white": N_FLATS, "data": N_PROJECTIONS}
            for place, count in counts.items():
                server.put("T:HDF5Location", f"/exchange/{place}")
                for _ in range(count):
                    server.post(*next(images))

            reader, account = check(services)

    assert account.missing == 0
    np.testing.assert_allclose(reader.thetas_deg(), angles_deg)
    assert {reader.record(key).theta_source for key in reader.keys} == {"table"}


def test_an_image_that_stood_in_the_channel_before_is_none_of_the_scan(tmp_path: Path) -> None:
    with closing(ImageServer()) as server:
        server.post(N_FRAMES, noise(99), age_s=3600)
        with following(tmp_path, source_of(server.port)) as services:
            wait_until_heard(server)
            for number, image in enumerate(IMAGES, start=1):
                server.post(number, image)

            _, account = check(services)

    assert account.anomalies == {}


def test_a_server_that_dies_in_mid_scan_is_found_again(tmp_path: Path) -> None:
    half = N_FRAMES // 2
    server = ImageServer()
    with following(tmp_path, source_of(server.port)) as services:
        wait_until_heard(server)
        for number, image in enumerate(IMAGES[:half], start=1):
            server.post(number, image)
        paths = services.store.experiment(NAME)
        until(
            lambda: paths.index(0, 0).exists() and len(FrameReader(paths, 0, 0).keys) == half,
            timeout_s=30,
            what="half a scan",
        )
        server.close(hard=True)
        with closing(ImageServer(server.port)) as server:
            wait_until_heard(server)
            for number, image in enumerate(IMAGES[half:], start=half + 1):
                server.post(number, image)

            _, account = check(services)

    assert account.anomalies == {}


def packed(image: NDArray[np.uint16], codec: str) -> bytes:
    """Compress as areaDetector's codec plugin does: blocks without a header."""
    match codec:
        case "bslz4":
            return bytes(bitshuffle.compress_lz4(image).tobytes())
        case "lz4":
            return bytes(numcodecs.lz4.compress(image)[4:])
        case _:
            return bytes(numcodecs.blosc.compress(image, b"zstd", 5, numcodecs.blosc.SHUFFLE))


@pytest.mark.parametrize("codec", ["bslz4", "lz4", "blosc"])
def test_packed_images_arrive_as_they_were(codec: str) -> None:
    images = [noise(seed, (64, 96)) // 16 for seed in range(3)]
    with (
        closing(ImageServer()) as server,
        receiver_of(server) as receiver,
    ):
        until(lambda: heard(server, receiver), timeout_s=30, what="the receiver")
        for number, image in enumerate(images):
            server.post_packed(number, (64, 96), "uint16", codec, packed(image, codec))
        frames = take(receiver, len(images))

    for frame, image in zip(frames, images, strict=True):
        np.testing.assert_array_equal(frame.pixels, image)


def test_images_that_found_the_queue_full_are_counted_by_their_numbers() -> None:
    n_sent = 300
    with (
        closing(ImageServer()) as server,
        receiver_of(server, queue_frames=4) as receiver,
    ):
        until(lambda: heard(server, receiver), timeout_s=30, what="the receiver")
        server.post(1, IMAGES[0])
        take(receiver, 1)
        for number in range(2, n_sent + 1):
            server.post(number, IMAGES[0])
        server.wait_until_done()
        numbers = [1]
        while numbers[-1] != n_sent:
            numbers += [frame.number for frame in take(receiver, 1)]

    assert 0 < receiver.n_lost == n_sent - len(numbers)


def receiver_of(server: ImageServer, **changes: object) -> PvaReceiver:
    source = json.dumps(source_of(server.port, **changes))
    return PvaReceiver(SourceSettings.model_validate_json(source))


def heard(server: ImageServer, receiver: PvaReceiver) -> bool:
    """Let the receiver look, so that what stood there is out of the way."""
    receiver.receive(0.05)
    return server.is_heard


def take(receiver: PvaReceiver, count: int, timeout_s: float = 20.0) -> list[StreamFrame]:
    found: list[StreamFrame] = []
    deadline_s = time.monotonic() + timeout_s
    while len(found) < count:
        assert time.monotonic() < deadline_s, f"{len(found)} of {count} images came"
        frame = receiver.receive(0.2)
        found += [] if frame is None else [frame]
    return found


def free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


@contextmanager
def simulator(images: Path, port: int, search_port: int) -> Iterator[None]:
    """pvaPy's areaDetector simulator: EPICS 7's own server, found by UDP alone."""
    assert SIMULATOR is not None
    here = {"INTF_ADDR_LIST": "127.0.0.1", "BEACON_ADDR_LIST": "127.0.0.1"}
    ports = {"SERVER_PORT": str(port), "BROADCAST_PORT": str(search_port)}
    environment = {
        f"EPICS_{prefix}_{key}": value
        for prefix in ("PVA", "PVAS")
        for key, value in (here | ports | {"AUTO_BEACON_ADDR_LIST": "NO"}).items()
    }
    command = [SIMULATOR, "-cn", "T:Image", "-if", str(images), "-fps", "100", "-dc"]
    # A cache smaller than the file makes it stop at the end of it.
    command += ["-cs", "5", "-nf", str(N_FRAMES), "-std", "8", "-shd", "1", "-rp", "0"]
    process = subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.skipif(SIMULATOR is None, reason="pvapy is not installed; pip install pvapy runs it")
def test_the_areadetector_simulator_of_pvapy_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "images.npy"
    np.save(file, np.stack(IMAGES))
    port, search_port = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
    source = source_of(port, pva_servers=[], pva_addresses=[f"127.0.0.1:{search_port}"])

    with following(tmp_path / "store", source) as services:
        log = services.runtime_dir / "source.log"
        # It sends after a delay, whether it is heard or not.
        until(lambda: "stream_followed" in log.read_text(), timeout_s=60, what="the source")
        with simulator(file, port, search_port):
            _, account = check(services)

    assert account.anomalies == {}
