"""Runs of others: refused, told apart, limited to a folder; and the callback in the engine."""

import json
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky_followed import (
    N_FRAMES,
    NAME,
    anybody,
    check,
    check_angles,
    documents_stored,
    following,
    rejected,
)
from bluesky_lab import (
    CameraSettings,
    Lab,
    Plan,
    about,
    cycling,
    taken,
)
from foreign import N_DARKS, N_FLATS, N_PROJECTIONS, Sent, scan_of
from spine import spine
from waiting import until

from lithoscope_messages import FrameKey, ScanCompleted, ScanStarted
from lithoscope_services.errors import ServiceError
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.sources.bluesky import LithoscopeCallback
from lithoscope_store import FrameReader, read_electrochemistry


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
