"""Which files of a folder are finished, with a clock of the test's own."""

import fcntl
import os
from pathlib import Path

import pytest

from lithoscope_services.sources.folder_watch import (
    FolderWatch,
    has_scan_name,
    is_locked,
    natural_order,
)

SETTLED_S = 5.0


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "watched"
    made.mkdir()
    return made


@pytest.fixture
def watch(folder: Path, clock: Clock) -> FolderWatch:
    return FolderWatch(folder, settled_s=SETTLED_S, clock=clock)


def names(watch: FolderWatch, clock: Clock, *, at_s: float) -> list[str]:
    clock.now_s = at_s
    return [path.name for path, _ in watch.finished()]


def test_a_file_is_finished_when_it_has_not_changed_for_a_while(
    folder: Path, watch: FolderWatch, clock: Clock
) -> None:
    path = folder / "scan.h5"
    path.write_bytes(b"1")

    assert names(watch, clock, at_s=0.0) == []
    assert names(watch, clock, at_s=4.9) == []
    path.write_bytes(b"12")
    assert names(watch, clock, at_s=5.0) == []
    assert names(watch, clock, at_s=9.9) == []
    assert names(watch, clock, at_s=10.0) == ["scan.h5"]


def test_a_change_that_leaves_the_size_is_a_change(
    folder: Path, watch: FolderWatch, clock: Clock
) -> None:
    path = folder / "scan.h5"
    path.write_bytes(b"1")
    names(watch, clock, at_s=0.0)
    os.utime(path, ns=(1, 1))

    assert names(watch, clock, at_s=6.0) == []
    assert names(watch, clock, at_s=11.0) == ["scan.h5"]


def test_a_file_put_in_the_place_of_another_waits_anew(
    folder: Path, watch: FolderWatch, clock: Clock
) -> None:
    path = folder / "scan.h5"
    path.write_bytes(b"1")
    names(watch, clock, at_s=0.0)
    stamp = path.stat()
    other = folder / "other.tmp"
    other.write_bytes(b"2")
    os.utime(other, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    other.rename(path)

    assert names(watch, clock, at_s=6.0) == []
    assert names(watch, clock, at_s=11.0) == ["scan.h5"]


def test_what_is_finished_at_once_comes_in_the_natural_order_of_names(
    folder: Path, watch: FolderWatch, clock: Clock
) -> None:
    for name in ("scan_10.h5", "scan_9.h5", "Scan_11.h5", "a.nxs", "scan_9b.h5"):
        (folder / name).write_bytes(b"1")
    names(watch, clock, at_s=0.0)

    assert names(watch, clock, at_s=5.0) == [
        "a.nxs",
        "scan_9.h5",
        "scan_9b.h5",
        "scan_10.h5",
        "Scan_11.h5",
    ]


def test_folders_links_and_sockets_are_no_scans(
    tmp_path: Path, folder: Path, watch: FolderWatch, clock: Clock
) -> None:
    outside = tmp_path / "outside.h5"
    outside.write_bytes(b"1")
    (folder / "link.h5").symlink_to(outside)
    (folder / "nowhere.h5").symlink_to(tmp_path / "nowhere")
    (folder / "folder.h5").mkdir()
    (folder / "folder.h5" / "inner.h5").write_bytes(b"1")
    os.mkfifo(folder / "pipe.h5")
    (folder / "good.h5").write_bytes(b"1")
    names(watch, clock, at_s=0.0)

    assert names(watch, clock, at_s=5.0) == ["good.h5"]


@pytest.mark.parametrize("name", ["scan.h5", "a b.HDF5", "x.tomo.nxs", "tmp_1.hdf", "ü.nx"])
def test_names_of_scans(name: str) -> None:
    assert has_scan_name(name)


@pytest.mark.parametrize(
    "name",
    [".scan.h5", "~scan.h5", "scan.h5.tmp", "scan.tmp.h5", "scan.part.h5", "scan", ".h5",
     "scan.h5~", "scan~.h5", "scan.tif", "#scan.h5", ".scan.h5.a1B2c3", "scan.PARTIAL.h5"],
)  # fmt: skip
def test_names_of_temporary_and_of_other_files(name: str) -> None:
    assert not has_scan_name(name)


@pytest.mark.parametrize("name", ["9", "a9", "a", "", "09", "a9b", "²", "٣"])
@pytest.mark.parametrize("other", ["10", "a10", "b", "x1", "9", "a9B"])
def test_any_two_names_have_an_order(name: str, other: str) -> None:
    assert (natural_order(name) < natural_order(other)) + (
        natural_order(other) < natural_order(name)
    ) == (name != other)


def test_a_file_whose_writer_holds_its_lock_is_not_finished(
    folder: Path, watch: FolderWatch, clock: Clock
) -> None:
    path = folder / "scan.h5"
    path.write_bytes(b"1")
    names(watch, clock, at_s=0.0)

    with path.open("r+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert names(watch, clock, at_s=9.0) == []
    assert names(watch, clock, at_s=9.0) == ["scan.h5"]


def test_asking_for_the_lock_leaves_it_free(folder: Path) -> None:
    path = folder / "scan.h5"
    path.write_bytes(b"1")

    assert not is_locked(path)
    with path.open("r+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_folder_that_is_gone_is_an_error_of_the_system(folder: Path, watch: FolderWatch) -> None:
    folder.rmdir()

    with pytest.raises(FileNotFoundError):
        watch.finished()
