import errno
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import google_crc32c
import numpy as np
import pytest

from lithoscope_messages import FrameHeader, ServiceStarted
from lithoscope_store.durable import write_atomic
from lithoscope_store.electrochemistry import ElectrochemistryWriter, read_electrochemistry
from lithoscope_store.errors import StoreFullError
from lithoscope_store.frame_store import FrameReader, FrameWriter
from lithoscope_store.journal_database import JournalDatabase
from lithoscope_store.journal_reading import read_journal
from lithoscope_store.layout import ExperimentPaths, Store
from lithoscope_store.volumes import create_volume, read_slab, write_slab

FRAME = np.random.default_rng(0).integers(0, 60000, (100, 1000), np.uint16)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[ExperimentPaths]:
    """An experiment on a disk of two megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("needs the program mount")
    command = [mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {done.stderr.strip()}")
    paths = Store(disk).experiment("cell-1")
    paths.create()
    yield paths
    subprocess.run(["umount", str(disk)], check=True)


def fill(paths: ExperimentPaths, *, leaving: int) -> Path:
    filler = paths.root / "filler"
    free = shutil.disk_usage(paths.root).free
    filler.write_bytes(bytes(max(free - leaving, 0)))
    return filler


def header(index: int) -> FrameHeader:
    return FrameHeader(
        experiment="cell-1",
        scan=0,
        kind="projection",
        index=index,
        session="0" * 32,
        sequence=index,
        theta_deg=0.0,
        time_ns=0,
        dtype="uint16",
        shape=(100, 1000),
        crc32c=google_crc32c.value(FRAME.tobytes()),
    )


def write_until_full(writer: FrameWriter) -> int:
    for index in range(1, 100):
        writer.write(header(index), FRAME.tobytes())
    return 100


def test_a_full_disk_loses_no_stored_frame_and_takes_more_when_it_is_free(
    small: ExperimentPaths,
) -> None:
    with FrameWriter(small, 0, 0) as writer:
        writer.write(header(0), FRAME.tobytes())
        writer.commit()

        with pytest.raises(StoreFullError, match="free space") as caught:
            write_until_full(writer)

        assert caught.value.errno == errno.ENOSPC
        stored = {key.index for key in writer.commit()} | {0}
        files = {int(p.name.split(".")[1]) for p in small.root.rglob("c.*.0.0")}
        assert files == stored
        FrameReader(small, 0, 0).read("projection")
        next(iter(small.root.rglob("c.0.0.0"))).unlink()
        assert writer.write(header(99), FRAME.tobytes())
        assert writer.commit() == (header(99).frame_key,)


def test_a_disk_that_gets_full_beside_loses_no_stored_frame(small: ExperimentPaths) -> None:
    with (
        ThreadPoolExecutor(1) as executor,
        FrameWriter(small, 0, 0, executor=executor) as writer,
    ):
        writer.write(header(0), FRAME.tobytes())
        writer.commit()
        filler = fill(small, leaving=5 * FRAME.nbytes // 2)
        for index in range(1, 6):
            writer.write(header(index), FRAME.tobytes())

        with pytest.raises(StoreFullError, match="free space"):
            writer.commit()

        assert [path.name for path in small.root.rglob("c.*.0.0")] == ["c.0.0.0"]
        filler.unlink()
        for index in range(1, 6):
            assert writer.write(header(index), FRAME.tobytes())
        assert len(writer.commit()) == 5
    assert FrameReader(small, 0, 0).indices("projection").tolist() == [0, 1, 2, 3, 4, 5]


def test_a_full_disk_at_the_commit_leaves_the_index_as_it_was(small: ExperimentPaths) -> None:
    with FrameWriter(small, 0, 0) as writer:
        writer.write(header(0), FRAME.tobytes())
        writer.commit()
        writer.write(header(5000), FRAME.tobytes())  # its commit must write larger metadata
        filler = fill(small, leaving=0)

        with pytest.raises(StoreFullError, match="free space"):
            writer.commit()

        assert not writer.has(header(5000).frame_key)
        filler.unlink()
        assert writer.write(header(5000), FRAME.tobytes())
        writer.commit()
    assert FrameReader(small, 0, 0).indices("projection").tolist() == [0, 5000]


def test_a_full_disk_leaves_the_journal_as_it_was(small: ExperimentPaths) -> None:
    def message(key: str) -> ServiceStarted:
        return ServiceStarted(
            experiment="cell-1",
            key=key,
            time_ns=0,
            producer="x" * 64,
            service="ingest",
            pid=1,
            software_version="0",
        )

    with JournalDatabase(small.journal, "cell-1") as journal:
        journal.append([message("first")])
        filler = fill(small, leaving=0)

        with pytest.raises(StoreFullError, match="free space"):
            journal.append([message(str(i)) for i in range(1000)])

        assert journal.head == 1
        filler.unlink()
        journal.append([message("second")])
    assert [entry.message.key for entry in read_journal(small.journal)] == ["first", "second"]


def test_a_full_disk_leaves_other_slabs(small: ExperimentPaths) -> None:
    path = small.volume(0, "ab" * 32)
    slab = np.random.default_rng(0).normal(size=(8, 64, 64)).astype(np.float32)
    create_volume(path, shape=(16, 64, 64), voxel_um=1.0, name="v", slab_slices=8)
    write_slab(path, 0, slab)
    fill(small, leaving=50_000)

    with pytest.raises(StoreFullError, match="free space"):
        write_slab(path, 8, slab)

    np.testing.assert_array_equal(read_slab(path, 0, 8), slab)
    assert not list(path.rglob("*.partial"))


def test_a_full_disk_leaves_the_samples_before(small: ExperimentPaths) -> None:
    writer = ElectrochemistryWriter(small)
    writer.append(0, [0.0], [0.0], [0.0])
    filler = fill(small, leaving=0)

    with pytest.raises(StoreFullError, match="free space"):
        writer.append(1, [1.0], [0.0], [0.0])

    assert read_electrochemistry(small).n_samples == 1
    filler.unlink()
    writer.append(1, [1.0], [0.0], [0.0])
    assert read_electrochemistry(small).n_samples == 2


def test_a_full_disk_leaves_the_old_file(small: ExperimentPaths) -> None:
    write_atomic(small.documents, b"old")
    fill(small, leaving=8192)

    with pytest.raises(StoreFullError, match=r"documents\.jsonl"):
        write_atomic(small.documents, bytes(100_000))

    assert small.documents.read_bytes() == b"old"
    assert not list(small.root.glob("*.partial"))
