"""Files written into a watched folder become scans, each once, whatever else lies there."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from file_writer import FileWriter, file_writer, write_dxchange, write_nxtomo
from foreign import COLUMNS, N_FLATS, N_PROJECTIONS, ROWS, Sent, scan_of
from spine import Spine, begin, spine
from stored_frames import check_stored
from waiting import until

from lithoscope_messages import (
    ExpectedCount,
    ExperimentEnded,
    FrameKey,
    ScanAccount,
    ScanStarted,
)
from lithoscope_services.frame_link import ScanDescription
from lithoscope_services.settings import Settings, replace_values

NAME = "watched"
SETTLED_S = 0.6


@contextmanager
def watching(
    tmp_path: Path, *, n_scans: int | None = None, start: bool = True, **source: object
) -> Iterator[tuple[Spine, Path]]:
    """Journal, ingest and the source as processes, and the folder that is watched."""
    folder = tmp_path / "watched"
    folder.mkdir()
    with spine(tmp_path / "store") as services:
        settings = replace_values(Settings(), {"experiment.name": NAME, "scan.voxel_size_um": 4.5})
        data = json.loads(settings.model_dump_json())
        data["source"] = {"kind": "folder", "folder": str(folder), "settled_s": SETTLED_S}
        data["source"] |= source
        data["experiment"]["n_scans"] = n_scans
        (services.runtime_dir / "settings.json").write_text(json.dumps(data))
        services.start("journal", "ingest", *(["source"] if start else []))
        yield services, folder


def origins(services: Spine) -> dict[str, int]:
    """Give the scan of each file that was taken."""
    messages = (entry.message for entry in services.entries(NAME))
    return {each.origin: each.scan for each in messages if isinstance(each, ScanStarted)}


def completed(services: Spine, name: str) -> ScanAccount:
    """Wait until a file was taken to its end."""
    until(lambda: name in origins(services), timeout_s=30, what=f"{name} to be taken")
    return services.completed(NAME, origins(services)[name]).account


def check(services: Spine, name: str, frames: list[Sent]) -> ScanAccount:
    """The scan of a file has these frames, as they are, and no others."""
    account = completed(services, name)
    check_stored(services, NAME, origins(services)[name], frames)
    return account


def log_of(services: Spine) -> str:
    return (services.runtime_dir / "source.log").read_text()


def wait_for_log(services: Spine, *texts: str) -> None:
    until(
        lambda: all(text in log_of(services) for text in texts),
        timeout_s=30,
        what=f"{texts} in the log",
    )


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Spine, Path]]:
    """One experiment for files that have nothing to do with each other."""
    with watching(tmp_path_factory.mktemp("shared")) as made:
        yield made


@pytest.fixture
def writer() -> Iterator[FileWriter]:
    with file_writer() as made:
        yield made


def test_files_of_both_kinds_become_scans_with_flats_before_and_after(
    watched: tuple[Spine, Path],
) -> None:
    services, folder = watched
    frames = scan_of(0, n_flats_after=3)

    write_nxtomo(folder / "one.nxs", frames)
    write_dxchange(folder / "two.h5", scan_of(1))
    first = check(services, "one.nxs", frames)
    second = check(services, "two.h5", scan_of(1))

    assert {(each.kind, each.set): each.stored for each in first.sets} == {
        ("dark", 0): 2,
        ("flat", 0): N_FLATS,
        ("projection", 0): N_PROJECTIONS,
        ("flat", 1): 3,
    }
    assert (first.anomalies, second.anomalies) == ({}, {})


def test_files_that_are_there_already_are_taken_in_the_order_of_their_numbers(
    tmp_path: Path,
) -> None:
    with watching(tmp_path, start=False) as (services, folder):
        for number in (10, 8, 11, 9):
            write_dxchange(folder / f"scan_{number}.h5", scan_of(number))
        services.start("source")
        for number in range(8, 12):
            check(services, f"scan_{number}.h5", scan_of(number))

        assert origins(services) == {f"scan_{number}.h5": number - 8 for number in range(8, 12)}


@pytest.mark.parametrize(
    ("libver", "locking"),
    [("default", "locking"), ("latest", "locking"), ("latest", "free")],
)
def test_a_file_is_taken_after_its_slow_writer_has_closed_it(
    watched: tuple[Spine, Path], writer: FileWriter, libver: str, locking: str
) -> None:
    services, folder = watched
    frames = scan_of(0, n_flats_after=3)
    slow, quick = f"slow-{libver}-{locking}.h5", f"quick-{libver}-{locking}"

    writer.order("open", folder / slow, 0, libver, locking)
    writer.order("frames", 0, len(frames) - 1)
    writer.order("flush")
    # As slow as can be: others are written, settle and are taken meanwhile.
    for number in (1, 2):
        write_dxchange(folder / f"{quick}{number}.h5", scan_of(number))
        check(services, f"{quick}{number}.h5", scan_of(number))
    before = origins(services)
    writer.order("frames", len(frames) - 1, len(frames))
    writer.order("close")

    assert slow not in before
    assert check(services, slow, frames).anomalies == {}


def test_a_file_written_under_a_temporary_name_is_taken_after_its_renaming(
    watched: tuple[Spine, Path], writer: FileWriter
) -> None:
    services, folder = watched
    frames = scan_of(0, n_flats_after=3)

    writer.order("open", folder / ".hidden.h5", 0, "default", "free")
    writer.order("frames", 0, len(frames))
    writer.order("close")
    write_dxchange(folder / "beside.h5", scan_of(1))
    check(services, "beside.h5", scan_of(1))
    writer.order("rename", folder / "renamed.h5")

    check(services, "renamed.h5", frames)
    assert ".hidden.h5" not in origins(services)


def test_garbage_between_is_refused_with_one_line_each_and_the_rest_is_taken(
    watched: tuple[Spine, Path], tmp_path: Path
) -> None:
    services, folder = watched
    outside = tmp_path / "outside.h5"
    write_dxchange(outside, scan_of(7))
    refused = ("text.h5", "empty.h5", "cut.h5", "no_flats.h5", "tin.h5")

    (folder / "text.h5").write_text("no HDF5 at all\n")
    (folder / "empty.h5").touch()
    (folder / "cut.h5").write_bytes(outside.read_bytes()[:-500])
    write_nxtomo(folder / "no_flats.h5", [f for f in scan_of(0) if f.scan_index != 1])
    (folder / os.fsdecode(b"l\xe4tin.h5")).write_bytes(outside.read_bytes())
    (folder / "link.h5").symlink_to(outside)
    (folder / "folder.h5").mkdir()
    write_dxchange(folder / "good.h5", scan_of(0))
    check(services, "good.h5", scan_of(0))
    wait_for_log(services, *refused)
    write_dxchange(folder / "last.h5", scan_of(1))
    check(services, "last.h5", scan_of(1))
    lines = [line for line in log_of(services).splitlines() if "file_refused" in line]

    assert [sum(name in line for line in lines) for name in refused] == [1] * len(refused)
    assert not {*refused, "link.h5", "folder.h5"} & set(origins(services))


def test_a_damaged_file_that_is_written_anew_is_taken(watched: tuple[Spine, Path]) -> None:
    services, folder = watched

    (folder / "mended.h5").write_text("not yet")
    wait_for_log(services, "mended.h5")
    write_dxchange(folder / "mended.h5", scan_of(0))

    check(services, "mended.h5", scan_of(0))


def test_frames_that_were_never_written_are_missing_in_the_account(
    watched: tuple[Spine, Path],
) -> None:
    services, folder = watched
    frames = scan_of(0)
    lost = [frames[12], frames[30]]

    write_nxtomo(folder / "holes.h5", frames, never=lost)
    account = check(services, "holes.h5", [each for each in frames if each not in lost])

    assert (account.rejected, account.missing) == ({"empty": 2}, 2)
    # 40 views on the half-turn are 4.5 degrees apart; one is lost in each of two places.
    assert account.largest_gap_deg == pytest.approx(9.0)


def test_a_chunk_that_cannot_be_read_costs_its_frame_alone(
    watched: tuple[Spine, Path], tmp_path: Path
) -> None:
    services, folder = watched
    frames = scan_of(0)
    victim = frames[20]

    write_nxtomo(tmp_path / "making.h5", frames, with_checksums=True)
    data = (tmp_path / "making.h5").read_bytes()
    place = data.index(victim.pixels.tobytes())
    damaged = data[:place] + b"\xff\x00\xff" + data[place + 3 :]
    (folder / "damaged.h5").write_bytes(damaged)
    account = check(services, "damaged.h5", [each for each in frames if each != victim])

    assert (account.rejected, account.missing) == ({"damaged": 1}, 1)


def test_a_file_is_taken_once_whatever_is_done_to_it_later(tmp_path: Path) -> None:
    with watching(tmp_path) as (services, folder):
        write_dxchange(folder / "scan.h5", scan_of(0))
        check(services, "scan.h5", scan_of(0))
        os.utime(folder / "scan.h5")
        wait_for_log(services, "file_changed")
        services.kill("source")
        write_dxchange(folder / "scan.h5", scan_of(5))
        services.start("source")
        write_dxchange(folder / "next.h5", scan_of(1))
        check(services, "next.h5", scan_of(1))

        check(services, "scan.h5", scan_of(0))
        assert origins(services) == {"scan.h5": 0, "next.h5": 1}


def begin_half(services: Spine, frames: list[Sent], origin: str) -> None:
    """Leave a scan as a source does that is killed in the middle of it."""
    with services.link(NAME) as link:
        begin(
            link,
            0,
            ScanDescription(
                expected=(
                    ExpectedCount(kind="dark", count=2),
                    ExpectedCount(kind="flat", count=N_FLATS),
                    ExpectedCount(kind="projection", count=N_PROJECTIONS),
                ),
                frame_shape=(ROWS, COLUMNS),
                dtype="uint16",
                voxel_size_um=4.5,
                origin=origin,
            ),
        )
        for frame in frames[: len(frames) // 2]:
            kind, set_, index = frame.slot
            theta_deg = index * 180.0 / N_PROJECTIONS if kind == "projection" else None
            key = FrameKey.model_validate({"scan": 0, "kind": kind, "set": set_, "index": index})
            link.send_frame(key, frame.pixels, theta_deg=theta_deg)
        link.flush()


def test_a_scan_cut_short_by_a_restart_is_taken_to_its_end(tmp_path: Path) -> None:
    frames = scan_of(0)
    with watching(tmp_path, start=False) as (services, folder):
        write_dxchange(folder / "scan.h5", frames)
        begin_half(services, frames, "scan.h5")
        services.start("source")
        account = check(services, "scan.h5", frames)
        found = origins(services)

    assert account.anomalies == {}
    assert found == {"scan.h5": 0}


@pytest.mark.parametrize("origin", ["gone.h5", "../outside.h5"])
def test_a_scan_whose_file_is_gone_after_a_restart_is_closed_with_what_it_has(
    tmp_path: Path, origin: str
) -> None:
    frames = scan_of(0)
    write_dxchange(tmp_path / "outside.h5", frames)
    with watching(tmp_path, start=False, silence_s=1.0) as (services, folder):
        begin_half(services, frames, origin)
        services.start("source")
        account = services.completed(NAME, 0).account
        write_dxchange(folder / "next.h5", scan_of(1))
        check(services, "next.h5", scan_of(1))
        found = origins(services)

    n_left = len(frames) - len(frames) // 2
    assert (account.missing, account.rejected) == (n_left, {"file_gone": n_left})
    assert found == {origin: 0, "next.h5": 1}


def test_a_folder_that_comes_later_is_waited_for(tmp_path: Path) -> None:
    with watching(tmp_path, n_scans=1, start=False) as (services, folder):
        folder.rmdir()
        services.start("source")
        until(lambda: services.entries(NAME) != [], timeout_s=20, what="the experiment")
        folder.mkdir()
        write_dxchange(folder / "scan.h5", scan_of(0))
        check(services, "scan.h5", scan_of(0))

        assert not any(isinstance(e.message, ExperimentEnded) for e in services.entries(NAME))
        assert services.is_running("source")
