"""A stream that nobody has described: ``new --from``, then a scan, and its first slice is there.

The senders are those of the contract of sources, and bluesky's own engine, publisher and proxy;
no settings file is edited. What is not taken is named.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import bluesky_lab
import h5py
import numpy as np
import pytest
import zmq
from bluesky_lab import Lab, about, proxy, publisher
from demo_process import entries, running
from file_writer import write_dxchange
from foreign import N_DARKS, N_FLATS, N_PROJECTIONS, Sent, scan_of
from numpy.typing import NDArray
from senders import SENDERS, Sender
from typer.testing import CliRunner
from waiting import until

from lithoscope_messages import StageFailed
from lithoscope_services.cli.app import make_app
from lithoscope_services.listen import channel, dectris, documents, listen_to, parse_place
from lithoscope_services.settings import load_settings

NAME = "found"
#: An instance takes some ten seconds of a core; those of the rest are run with --soak.
NOW = ("dectris",)
LISTEN_S = "2.5"
COUNTS = (
    *("--projections", str(N_PROJECTIONS), "--darks", str(N_DARKS), "--flats", str(N_FLATS)),
    *("--voxel-um", "4.5", "--scans", "1"),
)
FREE_PORT = ("--set", "dashboard.port=0")
#: What a command imports when it is needed: here before anybody waits for it.
WARM = (channel, dectris, documents)
#: Narrower slices are not reconstructed.
ROWS, COLUMNS = 4, 32
CLI = (sys.executable, "-m", "lithoscope_services.cli")


class RodFrame(Sent):
    """A frame of a scan of a rod: noise alone has too little light to be reconstructed."""

    @property
    def pixels(self) -> NDArray[np.uint16]:
        noise = np.random.default_rng((self.scan, self.scan_index, self.set, self.index))
        beam = (50.0, 40_000.0, 40_000.0)[self.scan_index]
        column = np.arange(COLUMNS) - (COLUMNS - 1) / 2
        chord = np.sqrt(np.clip(8.0**2 - column**2, 0, None))
        share = np.exp(-0.05 * chord) if self.scan_index == 2 else np.ones(COLUMNS)
        counts = 100 + noise.normal(beam, 50, (ROWS, COLUMNS)) * share
        return counts.round().astype(np.uint16)


def rod_of(scan: int) -> list[Sent]:
    """Give the frames of a scan of a rod."""
    return [RodFrame(each.scan, each.scan_index, each.set, each.index) for each in scan_of(scan)]


def new(place: str, out: Path, *more: str) -> str:
    """Run ``new --from``; gives what it printed, without line breaks."""
    words = ["new", NAME, "--from", place, "--listen-s", LISTEN_S, "--out", str(out), *more]
    result = CliRunner().invoke(make_app(), words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def place_of(sender: Sender) -> str:
    address = sender.source.get("address")
    if address is not None:
        return str(address)
    servers = sender.source["pva_servers"]
    assert isinstance(servers, list)
    return f"pva://{servers[0]}/{sender.source['channel']}"


def first_slice(
    file: Path, store: Path, send: Callable[[], None], *, sign: str = "_followed"
) -> None:
    """Run ``up`` with the file as it was written, send a scan, and wait for a slice of it.

    ``sign`` is what the services log once the stream would be heard.
    """
    up = [*CLI, "up", "--config", str(file), "--store", str(store)]
    log = store / ".lithoscope" / "services.log"
    with running(up):
        until(log.is_file, timeout_s=120, what="the services")
        until(lambda: sign in log.read_text(), timeout_s=120, what="the source")
        send()
        slices = store / NAME / "reconstructions"
        until(lambda: any(slices.glob("0000-*")), timeout_s=120, what="the first slice")
    failed = [e.message for e in entries(store, NAME) if isinstance(e.message, StageFailed)]
    assert not failed


@pytest.mark.parametrize("dialect", sorted(SENDERS))
def test_what_is_heard_makes_settings_that_bring_the_first_slice(
    dialect: str, tmp_path: Path, is_soak: bool
) -> None:
    file = tmp_path / "found.toml"
    # Addresses of sockets end at 107 characters: the folder must have a short name.
    with TemporaryDirectory(prefix="ls-") as folder:
        sender = SENDERS[dialect](Path(folder), scan_of(0))
        try:
            with ThreadPoolExecutor(1) as pool:
                printing = pool.submit(new, place_of(sender), file, *COUNTS, *FREE_PORT)
                sender.wait_until_heard()
                sender.send(rod_of(0))
                text = printing.result()
            settings = load_settings(file)

            assert "4 rows × 32 columns, uint16" in text
            for key, value in sender.source.items():
                found = getattr(settings.source, key)
                # How many images may wait is no matter of the stream.
                assert key == "queue_frames" or found == value or list(found) == value
            if dialect in NOW or is_soak:

                def send() -> None:
                    sender.wait_until_heard()
                    sender.send(rod_of(1))

                first_slice(file, tmp_path / "store", send)
        finally:
            sender.close()


def test_documents_say_where_their_frames_are(
    tmp_path: Path, is_soak: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bluesky_lab, "COLUMNS", COLUMNS)
    frames = rod_of(0)
    run = Lab(tmp_path / "detector").scan(frames, steps=True, **about(frames, NAME))
    file = tmp_path / "found.toml"
    with TemporaryDirectory(prefix="ls-") as folder, proxy(Path(folder)) as (inward, outward):
        until(Path(outward.removeprefix("ipc://")).exists, timeout_s=60, what="the proxy")
        with ThreadPoolExecutor(1) as pool, publisher(inward) as publish:
            printing = pool.submit(new, outward, file, "--scans", "1", *FREE_PORT)
            # What is published before somebody listens is lost: the run is published again.
            while not printing.done():
                for name, document in run:
                    publish(name, document)
                wait([printing], timeout=0.2)
            text = printing.result()
        settings = load_settings(file)

        assert settings.source.kind == "bluesky"
        assert settings.source.documents == "json"
        assert settings.source.folder == str(tmp_path / "detector")
        assert settings.scan.voxel_size_um == 4.5
        assert "theta_deg" in text
        if is_soak:

            def send() -> None:
                with publisher(inward) as publish:
                    # A publisher drops what comes before its way to the proxy stands.
                    Event().wait(2.0)
                    for name, document in run:
                        publish(name, document)

            first_slice(file, tmp_path / "store", send)


def test_the_frame_link_brings_a_slice_where_nothing_is_known_of_a_stream(
    tmp_path: Path, is_soak: bool
) -> None:
    if not is_soak:
        pytest.skip("an instance and a simulated scan: run with --soak")
    file, store = tmp_path / "found.toml", tmp_path / "store"
    words = ["new", NAME, "--scans", "1", "--out", str(file), *FREE_PORT]
    result = CliRunner().invoke(make_app(), words, catch_exceptions=False)
    assert result.exit_code == 0, result.output

    def send() -> None:
        words = ["simulate", "--scans", "1", "--as", NAME, "--store", str(store)]
        subprocess.run([*CLI, *words], check=True, timeout=300, capture_output=True)

    first_slice(file, store, send, sign="dashboard_ready")


def test_a_finished_file_makes_a_watched_folder_and_up_brings_its_first_slice(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "incoming"
    folder.mkdir()
    write_dxchange(folder / "scan_000.h5", rod_of(0))
    file, store = tmp_path / "found.toml", tmp_path / "store"

    more = ("--voxel-um", "4.5", "--scans", "1", "--set", "source.settled_s=0")
    place = str(folder / "scan_000.h5")
    text = new(place, file, *more, *FREE_PORT)
    first_slice(file, store, lambda: None, sign="service_started")

    assert "DXchange" in text


def test_a_scan_in_radians_is_named_though_it_is_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    write_dxchange(path, scan_of(0))
    with h5py.File(path, "r+") as stored:
        stored["exchange/theta"][...] = np.deg2rad(stored["exchange/theta"][...])

    result = CliRunner().invoke(make_app(), ["new", "--from", str(path), "--json"])

    (check,) = json.loads(result.output)["checks"]
    assert (check["check"], check["verdict"]) == ("angles", "wrong")
    assert "radians" in check["text"]


DHEADER = {"htype": "dheader-1.0", "series": 4, "header_detail": "basic"}
BSREAD = {"htype": "bsr_m-1.1", "pulse_id": 1, "hash": "0"}
CONCERT = {"dtype": "uint16", "shape": [4, 6]}
OTHERS: dict[str, list[bytes]] = {
    "DECTRIS Stream V1": [json.dumps(DHEADER).encode(), b"{}"],
    "bsread": [json.dumps(BSREAD).encode(), b"", b"", b""],
    "concert": [json.dumps(CONCERT).encode(), bytes(48)],
    "TomoPackets": [(0x309).to_bytes(4, "little") + bytes(60)],
    "an unknown dialect": [b"\x00\x01\x02", b"frame"],
    "pickles": [b"lab start \x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00}\x94."],
}


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_a_stream_that_is_not_taken_is_named(name: str) -> None:
    with zmq.Context() as context, context.socket(zmq.PUSH) as sender:
        sender.setsockopt(zmq.LINGER, 0)
        port = sender.bind_to_random_port("tcp://127.0.0.1")
        with ThreadPoolExecutor(1) as pool:
            # A PUSH socket waits for whoever takes what it has.
            sending = pool.submit(sender.send_multipart, OTHERS[name])
            found = listen_to(parse_place(f"tcp://127.0.0.1:{port}"), 0.5)
            sending.result(10)

    assert name in found.dialect + found.unsupported
    assert found.unsupported
    assert not found.settings


def test_nobody_at_an_address_and_a_silent_sender_are_told_apart() -> None:
    with zmq.Context() as context, context.socket(zmq.PUB) as sender:
        port = sender.bind_to_random_port("tcp://127.0.0.1")
        silent = listen_to(parse_place(f"tcp://127.0.0.1:{port}"), 0.5)
    nobody = listen_to(parse_place(f"tcp://127.0.0.1:{port}"), 0.3)

    assert "PUB socket answered and sent nothing" in silent.unsupported
    assert "nobody answers" in nobody.unsupported
