"""A tap between a sender and ingest: what it records plays back into the same frames."""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
from dectris_sender import series_of
from foreign import N_DARKS, N_FLATS, N_PROJECTIONS, gigafrost, scan_of
from spine import spine
from waiting import until

from lithoscope_services.errors import UnsafeEndpointError
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.sockets import bind
from lithoscope_services.sources.tap import (
    Playback,
    RecordedMessage,
    Recording,
    RecordingHeader,
    RecordingReader,
    RecordingWriter,
    TapCounts,
    play,
    record,
    relay_address,
)


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder with a short name: the address of a socket has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="lithoscope-") as name:
        yield Path(name)


@contextmanager
def endpoint(kind: int, address: str, *, binds: bool) -> "Iterator[zmq.Socket[bytes]]":
    with zmq.Context() as context, context.socket(kind) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDTIMEO, 30_000)
        socket.setsockopt(zmq.RCVTIMEO, 30_000)
        (socket.bind if binds else socket.connect)(address)
        yield socket


@contextmanager
def recording(plan: Recording) -> Iterator[TapCounts]:
    """A tap in a thread; the counts are those of its last word."""
    stop, seen, failures = threading.Event(), TapCounts(), list[Exception]()

    def tell(counts: TapCounts) -> None:
        for name in TapCounts.__slots__:
            setattr(seen, name, getattr(counts, name))

    def work() -> None:
        try:
            tell(record(plan, stop, tell))
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(30)
    if failures:
        raise failures[0]


def messages_of(path: Path) -> list[RecordedMessage]:
    with RecordingReader(path) as reader:
        return list(reader.messages())


@contextmanager
def tapping(*arguments: str) -> "Iterator[subprocess.Popen[bytes]]":
    """The command as a person would run it; gone afterwards."""
    command = [sys.executable, "-m", "lithoscope_services.cli", "tap", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def ingested(store_root: Path, address: str) -> "Iterator[str]":
    """Ingest two scans from an address; first ready, then their hashes."""
    with spine(store_root) as services:
        values = {
            "kind": "array-1.0",
            "address": address,
            "n_darks": N_DARKS,
            "n_flats": N_FLATS,
            "n_projections": N_PROJECTIONS,
        }
        settings = replace_values(Settings(), {"experiment.name": "e", "scan.voxel_size_um": 4.5})
        data = json.loads(settings.model_dump_json()) | {"source": values}
        data["experiment"]["n_scans"] = 2
        (services.runtime_dir / "settings.json").write_text(json.dumps(data))
        services.start("journal", "ingest", "source")
        yield "ready"
        for scan in (0, 1):
            yield services.completed("e", scan).frames_sha256


def test_a_recorded_stream_plays_back_into_the_same_frames(tmp_path: Path, sockets: Path) -> None:
    """The command itself between a sender and ingest, ended by Ctrl-C; then without the sender."""
    sender, relay = f"ipc://{sockets}/sender", f"ipc://{sockets}/relay"
    path = tmp_path / "cell.tap"
    sent = [gigafrost(frame) for scan in (0, 1) for frame in scan_of(scan)]
    live = ingested(tmp_path / "live", relay)
    again = ingested(tmp_path / "again", relay)

    with (
        endpoint(zmq.PUSH, sender, binds=True) as socket,
        tapping(sender, "--record", str(path), "--forward", relay) as tap,
    ):
        assert next(live) == "ready"
        for parts in sent:
            socket.send_multipart(parts)
        first = list(live)
        tap.send_signal(signal.SIGINT)
        said = tap.communicate(timeout=30)[1].decode()
    assert next(again) == "ready"
    with tapping("--play", str(path), "--forward", relay, "--speed", "max") as player:
        second = list(again)
        # It ends because the source of the second experiment has gone.
        player.wait(30)

    assert (tap.returncode, player.returncode) == (0, 0)
    assert f"Recorded {len(sent)} messages" in said
    assert f"{len(sent)} passed on" in said
    assert [list(message.parts) for message in messages_of(path)] == sent
    assert first == second
    assert len(set(first)) == 2


def test_single_part_messages_are_kept_too(tmp_path: Path, sockets: Path) -> None:
    sent = series_of(scan_of(0), 1)
    address = f"ipc://{sockets}/dcu"
    with (
        endpoint(zmq.PUSH, address, binds=True) as socket,
        recording(Recording(source=address, pattern="pull", path=tmp_path / "a.tap")) as counts,
    ):
        for data in sent:
            socket.send(data)
        until(lambda: counts.n_messages == len(sent), timeout_s=20, what="all messages")

    found = messages_of(tmp_path / "a.tap")
    assert [message.parts for message in found] == [(data,) for data in sent]
    assert [each.received_ns for each in found] == sorted(each.received_ns for each in found)


def test_behind_push_the_sender_waits_for_a_slow_reader(tmp_path: Path, sockets: Path) -> None:
    source, relay = f"ipc://{sockets}/sender", f"ipc://{sockets}/relay"
    plan = Recording(source=source, pattern="pull", path=tmp_path / "a.tap", relay=relay)
    with endpoint(zmq.PUSH, source, binds=True) as socket, recording(plan) as counts:
        socket.setsockopt(zmq.SNDHWM, 1)
        for number in range(20):
            socket.send(b"%d" % number)
        with endpoint(zmq.PULL, relay, binds=False) as reader:
            found = [reader.recv() for _ in range(20)]
        until(lambda: counts.n_passed == 20, timeout_s=10, what="the counts")

    assert found == [b"%d" % number for number in range(20)]
    assert (counts.n_dropped, counts.n_unpassed) == (0, 0)


def test_behind_pub_what_a_slow_reader_leaves_is_counted(tmp_path: Path, sockets: Path) -> None:
    source, relay = f"ipc://{sockets}/sender", f"ipc://{sockets}/relay"
    plan = Recording(source=source, pattern="sub", path=tmp_path / "a.tap", relay=relay)
    data, n_sent = bytes(2**20), 300
    with endpoint(zmq.XPUB, source, binds=True) as socket, recording(plan) as counts:
        socket.setsockopt(zmq.XPUB_NODROP, 1)
        assert socket.recv() == b"\x01"  # the tap has subscribed
        socket.send(data)
        until(lambda: counts.n_unheard == 1, timeout_s=10, what="a message for nobody")
        with endpoint(zmq.SUB, relay, binds=False) as reader:
            reader.setsockopt(zmq.RCVHWM, 1)
            reader.setsockopt(zmq.SUBSCRIBE, b"")

            def is_heard() -> bool:
                socket.send(data)
                return counts.n_passed > 0

            until(is_heard, timeout_s=20, what="the reader")
            for _ in range(n_sent):
                socket.send(data)
            until(lambda: counts.n_messages > n_sent, timeout_s=30, what="all messages")
            until(lambda: counts.n_dropped > 0, timeout_s=10, what="drops")

    assert counts.n_passed + counts.n_dropped + counts.n_unheard == counts.n_messages
    assert len(messages_of(tmp_path / "a.tap")) == counts.n_messages


def test_a_killed_tap_leaves_all_but_its_last_message(tmp_path: Path, sockets: Path) -> None:
    address, path = f"ipc://{sockets}/sender", tmp_path / "a.tap"
    with (
        endpoint(zmq.PUSH, address, binds=True) as socket,
        tapping(address, "--record", str(path)) as tap,
    ):
        for number in range(50):
            socket.send_multipart([b"%d" % number, bytes(1000)])
        until(
            lambda: path.exists() and path.stat().st_size > 50 * 1000,
            timeout_s=30,
            what="the recording",
        )
        tap.kill()
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])

    found = messages_of(path)

    assert [message.parts[0] for message in found] == [b"%d" % n for n in range(49)]


@pytest.mark.parametrize("pattern", ["pull", "sub"])
def test_a_recording_is_played_at_its_pace_to_the_same_kind_of_socket(
    tmp_path: Path, sockets: Path, pattern: str
) -> None:
    path, relay = tmp_path / "a.tap", f"ipc://{sockets}/relay"
    begun_ns, pause_ns = 10**18, 40_000_000
    header = RecordingHeader(source="x", pattern="pull", begun_ns=begun_ns)
    if pattern == "sub":
        header = RecordingHeader(source="x", pattern="sub", begun_ns=begun_ns)
    with RecordingWriter(path, header) as writer:
        for number in range(21):
            writer.write([b"%d" % number], begun_ns + number * pause_ns)
    kind = zmq.PULL if pattern == "pull" else zmq.SUB
    thread = threading.Thread(
        target=play, args=(Playback(path=path, relay=relay, speed=2.0), threading.Event())
    )

    with endpoint(kind, relay, binds=False) as reader:
        if kind == zmq.SUB:
            reader.setsockopt(zmq.SUBSCRIBE, b"")
        thread.start()
        first, begin_s = reader.recv(), time.monotonic()
        rest = [reader.recv() for _ in range(20)]
        took_s = time.monotonic() - begin_s
    thread.join(30)

    assert [first, *rest] == [b"%d" % number for number in range(21)]
    # 20 pauses of 40 ms at twice the speed; it may be late, never early by more than a wake-up.
    assert 0.35 < took_s < 5.0


def test_a_full_disk_does_not_cut_off_who_listens(sockets: Path) -> None:
    """The file becomes /dev/full, a disk without room; the tap says so when it ends."""
    source, relay = f"ipc://{sockets}/sender", f"ipc://{sockets}/relay"
    path = sockets / "a.tap"
    plan = Recording(source=source, pattern="pull", path=path, relay=relay)
    stop, failures, found = threading.Event(), list[OSError](), list[bytes]()

    def work() -> None:
        try:
            record(plan, stop)
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    with (
        endpoint(zmq.PUSH, source, binds=True) as socket,
        endpoint(zmq.PULL, relay, binds=False) as reader,
    ):
        for number in range(5):
            socket.send(b"%d" % number)
            found.append(reader.recv())
            if number == 0:
                make_full(path)
    stop.set()
    thread.join(30)

    assert found == [b"0", b"1", b"2", b"3", b"4"]
    assert [error.errno for error in failures] == [errno.ENOSPC]
    assert [message.parts for message in messages_of(path)] == [(b"0",)]


def make_full(path: Path) -> None:
    """Put a disk without room under the file that this process has open for writing."""
    for name in os.listdir("/proc/self/fd"):
        if os.path.realpath(f"/proc/self/fd/{name}") == str(path.resolve()):
            full = os.open("/dev/full", os.O_WRONLY)
            os.dup2(full, int(name))
            os.close(full)


@pytest.mark.parametrize(
    "address",
    [
        *("tcp://*:1", "tcp://0.0.0.0:9000", "tcp://10.0.0.1:9000", "tcp://localhost:9000"),
        *("tcp://127.0.0.1:0", "tcp://127.0.0.1:70000", "ipc://@x", "ipc:///none/such/x", ""),
        "ipc:///etc/hostname",
    ],
)
def test_what_others_could_reach_or_would_be_lost_is_not_bound(address: str) -> None:
    with pytest.raises(ValueError, match=r"ipc://"):
        relay_address(address)


def test_even_a_relay_is_not_bound_where_others_reach_it() -> None:
    with (
        zmq.Context() as context,
        context.socket(zmq.PUSH) as socket,
        pytest.raises(UnsafeEndpointError, match="CURVE"),
    ):
        bind(socket, "tcp://0.0.0.0:*", allows_loopback=True)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9000", "tcp://[::1]:9000", "ipc:///tmp/t"])
def test_an_address_of_this_machine_is_taken(address: str) -> None:
    assert relay_address(address) == address


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["ipc://TMP/x"], 2),
        (["--record", "x.tap"], 2),
        (["ipc://TMP/x", "--record", "x", "--forward", "tcp://0.0.0.0:1"], 2),
        (["tcp://*:1", "--record", "x.tap"], 2),
        (["--play", "x.tap"], 2),
        (["--play", "x.tap", "--forward", "ipc://TMP/x", "--speed", "0"], 2),
        (["--play", "/none", "--forward", "ipc://TMP/x"], 1),
        (["--play", "/etc/passwd", "--forward", "ipc://TMP/x"], 1),
    ],
)
def test_wrong_use_ends_with_a_reason(arguments: list[str], code: int, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from lithoscope_services.cli import make_app

    given = [each.replace("TMP", str(tmp_path)) for each in arguments]
    result = CliRunner().invoke(make_app(), ["tap", *given])

    assert result.exit_code == code
