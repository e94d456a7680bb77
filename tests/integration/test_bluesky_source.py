"""A RunEngine's documents come over a proxy; its frames are on disk, or the account says why not.

The sender is bluesky and ophyd-async alone: engine, detector, publisher and proxy are theirs.
"""

import json
import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zmq
from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky_lab import (
    CameraSettings,
    Documents,
    Lab,
    Plan,
    about,
    cycling,
    encoder_deg,
    interleaved,
    lost,
    mixed,
    proxy,
    publisher,
    taken,
    twice,
)
from demo_process import until
from foreign import N_DARKS, N_FLATS, N_PROJECTIONS, Sent, scan_of
from spine import Spine, spine

from lithoscope_messages import FrameKey, ScanAccount, ScanCompleted, ScanStarted
from lithoscope_services.errors import ServiceError
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.sources.bluesky import LithoscopeCallback
from lithoscope_store import FrameReader, read_electrochemistry

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
    frames = {frame.slot: frame for frame in sent}
    reader = FrameReader(services.store.experiment(NAME), scan, 0)
    assert {(key.kind, key.set, key.index) for key in reader.keys} == set(frames)
    for key in reader.keys:
        pixels = frames[key.kind, key.set, key.index].pixels
        np.testing.assert_array_equal(reader.read_frame(key), pixels)
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


@pytest.mark.parametrize("documents", ["json", "msgpack"])
def test_frames_in_order_are_stored_as_they_were_taken(tmp_path: Path, documents: str) -> None:
    runs = taken(tmp_path / "detector", NAME)
    with following(tmp_path, documents=documents) as beamline:
        beamline.send(runs[0])

        account = check(beamline.services, scan_of(0))
        check_angles(beamline.services)
        n_documents = len(runs[0])
        until(
            lambda: len(documents_stored(beamline.services)) == n_documents,
            timeout_s=10,
            what="all documents",
        )

    assert (account.missing, account.completeness) == (0, 1.0)


def test_frames_are_read_while_the_detector_still_writes(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "detector", CameraSettings(chunk=8))
    lab.camera.acquire.pause_s = 0.01
    with following(tmp_path) as beamline:
        lab.engine.subscribe(beamline.publish)
        seen: list[int] = []

        def look(name: str, _: dict[str, Any]) -> None:
            paths = beamline.services.store.experiment(NAME)
            if name == "stream_datum" and paths.index(0, 0).exists():
                seen.append(len(FrameReader(paths, 0, 0).keys))

        lab.engine.subscribe(look)
        lab.scan(scan_of(0), **about(scan_of(0), NAME))

        account = check(beamline.services, scan_of(0))
        check_angles(beamline.services)

    assert account.missing == 0
    assert max(seen) > N_FRAMES // 4


def test_shuffled_documents_make_the_same_scan(tmp_path: Path) -> None:
    runs = taken(tmp_path / "detector", NAME)
    with following(tmp_path) as beamline:
        beamline.send(mixed(runs[0], seed=4))

        account = check(beamline.services, scan_of(0))
        check_angles(beamline.services)

    assert account.missing == 0


#: By seed of the losses: which documents beside data are among them.
LOSSES = {0: (), 11: ("stop",), 22: ("descriptor projections",), 43: ("descriptor darks",)}


@pytest.mark.parametrize(("seed", "also"), LOSSES.items())
def test_frames_whose_documents_are_lost_are_fetched_from_the_file(
    tmp_path: Path, seed: int, also: tuple[str, ...]
) -> None:
    runs = taken(tmp_path / "detector", NAME)
    left = lost(runs[0], seed=seed, keep=("start", "stream_resource"))
    gone = [f"{n} {doc.get('name', '')}".strip() for n, doc in runs[0] if (n, doc) not in left]
    assert {*also} == {name for name in gone if name.startswith(("stop", "descriptor"))}
    with following(tmp_path, silence_s=2.0) as beamline:
        beamline.send(left)

        account = check(beamline.services, scan_of(0))
        check_angles(beamline.services)

    assert account.missing == 0
    assert (account.fetched or 0) > 0


@pytest.mark.parametrize("kind", ["stream_resource", "descriptor"])
def test_frames_that_no_document_places_are_missing_and_the_account_says_why(
    tmp_path: Path, kind: str
) -> None:
    (documents,) = taken(tmp_path / "detector", NAME)
    # Of the descriptors two: with one the frames that are left over could only be its own.
    names = ("projections", "flats", None)
    left = [each for each in documents if each[0] != kind or each[1].get("name") not in names]
    frames = [f for f in scan_of(0) if kind == "descriptor" and f.slot[0] == "dark"]
    with following(tmp_path) as beamline:
        beamline.send(left)

        account = check(beamline.services, frames)

    assert account.missing == N_FRAMES - len(frames)
    assert rejected(account)[kind] > 0


def test_doubled_documents_are_counted_and_harm_nothing(tmp_path: Path) -> None:
    (documents,) = taken(tmp_path / "detector", NAME)
    with following(tmp_path) as beamline:
        beamline.send(twice(documents, seed=3))

        account = check(beamline.services, scan_of(0))

    assert account.missing == 0
    assert rejected(account)["document doubled"] == len(twice(documents, seed=3)) - len(documents)


def test_two_scans_interleaved_are_two_scans(tmp_path: Path) -> None:
    first, second = taken(tmp_path / "detector", NAME, n_scans=2)
    with following(tmp_path, n_scans=2) as beamline:
        beamline.send(interleaved(first, second, seed=8))

        accounts = [check(beamline.services, scan_of(n), scan=n) for n in range(2)]
        check_angles(beamline.services, scan=1)

    assert [account.missing for account in accounts] == [0, 0]


def test_a_source_killed_in_mid_scan_fetches_what_it_missed(tmp_path: Path) -> None:
    (documents,) = taken(tmp_path / "detector", NAME)
    third = len(documents) // 3
    with following(tmp_path) as beamline:
        beamline.send(documents[:third])
        stored(beamline.services, 5)
        beamline.services.kill("source")
        beamline.send(documents[third : 2 * third])
        beamline.services.start("source")
        until(lambda: beamline.log.count("documents_followed") == 2, timeout_s=30, what="it again")
        beamline.listen()
        beamline.send(documents[2 * third :])

        account = check(beamline.services, scan_of(0))
        check_angles(beamline.services)

    assert account.missing == 0
    assert (account.fetched or 0) > 0


def garbage(documents: Documents) -> Iterator[bytes]:
    """Messages that are none, and some that nearly are."""
    datum = next(doc for name, doc in documents if name == "stream_datum")
    while True:
        yield b"\xff\x00 no document"
        yield b" start {"
        yield b" stream_datum " + json.dumps(datum | {"uid": "a", "indices": 3}).encode()
        yield b" resource {}"
        yield b" nothing {}"


def test_garbage_between_is_counted_and_harms_nothing(tmp_path: Path) -> None:
    (documents,) = taken(tmp_path / "detector", NAME)
    noise = garbage(documents)
    with following(tmp_path, documents="json") as beamline, anybody(beamline) as other:
        until(lambda: heard(beamline, other), timeout_s=30, what="the other publisher")
        for one in documents:
            other.send(next(noise))
            beamline.send([one])

        account = check(beamline.services, scan_of(0))

    assert account.missing == 0
    assert {"document message", "document stream_datum.indices"} <= set(rejected(account))


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


def test_flats_before_and_after_are_two_sets(tmp_path: Path) -> None:
    frames = scan_of(0, n_flats_after=3)
    lab = Lab(tmp_path / "detector")
    with following(tmp_path) as beamline:
        beamline.send(lab.scan(frames, **about(frames, NAME)))

        account = check(beamline.services, frames)

    assert [(each.kind, each.set, each.stored) for each in account.sets] == [
        ("dark", 0, N_DARKS),
        ("flat", 0, N_FLATS),
        ("projection", 0, N_PROJECTIONS),
        ("flat", 1, 3),
    ]


class Trap:
    """Runs code in whoever unpickles it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self._path,))


@pytest.mark.parametrize("documents", ["json", "msgpack"])
def test_a_pickle_is_refused_and_never_run(tmp_path: Path, documents: str) -> None:
    mark = tmp_path / "run"
    pickled = pickle.dumps({"uid": "a", "time": Trap(mark)})
    with following(tmp_path, documents=documents) as beamline, anybody(beamline) as other:

        def is_refused() -> bool:
            other.send(b" start " + pickled)
            return "this is a pickle" in beamline.log

        until(is_refused, timeout_s=30, what="the refusal")

    assert not mark.exists()
    with pytest.raises(AttributeError):  # the trap does work: a Path is no document
        pickle.loads(pickled)["time"].nothing()
    assert mark.exists()


def test_runs_without_our_metadata_are_numbered_and_told_apart_by_the_settings(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path / "detector", CameraSettings(has_encoder=False, swmr=False))
    counts: dict[str, Any] = {"n_darks": N_DARKS, "n_flats": N_FLATS}
    counts["n_projections"] = N_PROJECTIONS
    one_stream = dict.fromkeys([(0, 0), (1, 0), (2, 0)], "primary")
    with following(tmp_path, n_scans=2, **counts) as beamline:
        for scan in range(2):
            frames = scan_of(scan)
            lab.engine(lab.plan(frames, steps=True, names=one_stream, voxel_size_um=4.5))
        beamline.send(lab.documents)

        accounts = [check(beamline.services, scan_of(n), scan=n) for n in range(2)]
        reader = FrameReader(beamline.services.store.experiment(NAME), 1, 0)
        record = reader.record(FrameKey(scan=1, kind="projection", index=3))

    assert [account.missing for account in accounts] == [0, 0]
    assert (record.theta_deg, record.theta_source) == (3 * 180 / N_PROJECTIONS, "formula")


def test_a_run_whose_start_was_missed_is_refused_with_its_reason(tmp_path: Path) -> None:
    late, good = taken(tmp_path / "detector", NAME, n_scans=2)
    with following(tmp_path) as beamline:
        beamline.send(late[1:])
        until(lambda: "RunStart never came" in beamline.log, timeout_s=30, what="the refusal")
        beamline.send(good)

        account = check(beamline.services, scan_of(1), scan=1)

    assert account.missing == 0


def test_files_outside_the_folder_are_not_read(tmp_path: Path) -> None:
    runs = taken(tmp_path / "elsewhere", NAME)
    with following(tmp_path) as beamline:
        beamline.send(runs[0])

        account = check(beamline.services, [])

    assert account.missing == N_FRAMES
    assert rejected(account)["uri"] == N_FRAMES


def test_two_tiles_of_a_scan_are_two_runs(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "detector")
    counts = {"dark": N_DARKS, "flat": N_FLATS, "projection": N_PROJECTIONS}
    both = [
        {"tile": tile, "kind": kind, "count": n} for tile in range(2) for kind, n in counts.items()
    ]
    said: dict[str, Any] = {"experiment": NAME, "scan": 0, "expected": both}
    said["voxel_size_um"] = 4.5
    with following(tmp_path) as beamline:
        for tile in range(2):
            lab.scan(scan_of(tile), **said, tile=tile)
        beamline.send(lab.documents)

        account = check(beamline.services, scan_of(0))
        reader = FrameReader(beamline.services.store.experiment(NAME), 0, 1)
        key = FrameKey(scan=0, tile=1, kind="projection", index=7)

    assert account.missing == 0
    np.testing.assert_array_equal(reader.read_frame(key), Sent(1, 2, 0, 7).pixels)


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    runs = taken(tmp_path / "elsewhere", NAME)
    (tmp_path / "detector").mkdir()
    for kind in ("symbolic", "external"):
        link(tmp_path, kind)
    moved = json.loads(json.dumps(runs[0]).replace("/elsewhere/camera%200", "/detector/external"))
    with following(tmp_path) as beamline:
        beamline.send(moved)
        account = check(beamline.services, [])
    assert account.missing == N_FRAMES

    moved = json.loads(json.dumps(runs[0]).replace("/elsewhere/camera%200", "/detector/symbolic"))
    with following(tmp_path / "second", folder=str(tmp_path / "detector")) as beamline:
        beamline.send(moved)
        account = check(beamline.services, [])
    assert rejected(account)["uri"] == N_FRAMES


def link(tmp_path: Path, kind: str) -> None:
    """Make a file in the folder that leads to the one outside it."""
    target, made = tmp_path / "elsewhere" / "camera 0.h5", tmp_path / "detector" / f"{kind}.h5"
    if kind == "symbolic":
        made.symlink_to(target)
        return
    with h5py.File(made, "w") as file:
        file["entry"] = h5py.ExternalLink(str(target), "/entry")


def test_samples_of_the_cycler_come_from_its_events(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "detector")
    with following(tmp_path) as beamline:
        lab.engine(cycling(lab, n_samples=7))
        lab.scan(scan_of(0), **about(scan_of(0), NAME), time_s=100.0)
        beamline.send(lab.documents)

        check(beamline.services, scan_of(0))
        samples = read_electrochemistry(beamline.services.store.experiment(NAME))
        facts = [entry.message for entry in beamline.services.entries(NAME)]

    (started,) = [fact for fact in facts if isinstance(fact, ScanStarted)]
    assert started.phase.experiment_time_s == 100.0
    np.testing.assert_array_equal(samples.current_mA, np.arange(7) / 10)
    np.testing.assert_array_equal(samples.potential_V, 3.0 + np.arange(7))
    # The run began at 50 s, and its events were a little later.
    assert 50.0 < samples.time_s[0] < samples.time_s[-1] < 60.0


def test_a_stop_is_the_last_document_of_a_run_that_failed(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "detector")

    def failing() -> Plan:
        yield from bpp.pchain(
            bps.null(), limited(lab.plan(scan_of(0), steps=True, **about(scan_of(0), NAME)))
        )

    with pytest.raises(BeamLostError):
        lab.engine(failing())
    with following(tmp_path) as beamline:
        beamline.send(lab.documents)

        completed: ScanCompleted = beamline.services.completed(NAME)

    assert lab.documents[-1][1]["exit_status"] == "fail"
    assert 0 < completed.account.stored < N_FRAMES
    assert completed.account.missing == N_FRAMES - completed.account.stored


class BeamLostError(RuntimeError):
    """The beam went down."""


def limited(plan: Plan) -> Plan:
    """Break off a plan in the middle of its steps."""
    n_triggered = 0

    def look(message: Any) -> Any:
        nonlocal n_triggered
        n_triggered += message.command == "trigger"
        if n_triggered == N_FRAMES // 2:
            raise BeamLostError
        return message

    return (yield from bpp.msg_mutator(plan, look))


def test_a_callback_in_the_engine_stores_the_same_without_a_proxy(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "detector")
    settings = replace_values(
        Settings(),
        {"experiment.name": NAME, "source.folder": str(tmp_path / "detector")},
    )
    with spine(tmp_path / "store") as services:
        services.start("journal", "ingest")
        address = f"ipc://{services.runtime_dir}/frames"
        with LithoscopeCallback(address, settings) as callback:
            lab.engine.subscribe(callback)
            for scan in range(2):
                lab.scan(scan_of(scan), **about(scan_of(scan), NAME))
            assert callback.wait(30.0)

            accounts = [check(services, scan_of(scan), scan=scan) for scan in range(2)]
        check_angles(services, scan=1)
        n_documents = len(documents_stored(services))

    assert [account.missing for account in accounts] == [0, 0]
    assert n_documents == len(lab.documents)


def test_a_callback_whose_ingest_is_not_there_lets_the_plan_go_on(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "detector")
    settings = replace_values(Settings(), {"source.folder": str(tmp_path / "detector")})
    callback = LithoscopeCallback(f"ipc://{tmp_path}/nobody", settings)
    lab.engine.subscribe(callback)

    lab.scan(scan_of(0), **about(scan_of(0), "experiment"))

    assert lab.documents[-1][1]["exit_status"] == "success"
    with pytest.raises(ServiceError, match="not on disk"):
        callback.close(timeout_s=0.2)
