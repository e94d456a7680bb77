"""Whatever happens to the files of a frame store is found and named."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from frames_on_disk import COLUMNS, key_of, store_frames

from lithoscope_store.errors import (
    CorruptDataError,
    NotStoredError,
    StoreFormatError,
)
from lithoscope_store.frame_index import RECORD_BYTES
from lithoscope_store.frame_store import FrameReader, FrameWriter, frames_sha256
from lithoscope_store.layout import ExperimentPaths, Store


def test_a_torn_record_is_cut_and_its_frame_can_come_again(paths: ExperimentPaths) -> None:
    store_frames(paths, [0, 1])
    os.truncate(paths.index(0, 0), paths.index(0, 0).stat().st_size - 1)

    assert FrameReader(paths, 0, 0).keys == (key_of(0),)
    store_frames(paths, [1])

    reader = FrameReader(paths, 0, 0)
    assert reader.keys == (key_of(0), key_of(1))
    assert reader.damaged_records == 0


def test_every_flipped_byte_of_a_record_costs_that_frame_only(paths: ExperimentPaths) -> None:
    store_frames(paths, [0, 1, 2])
    sound = paths.index(0, 0).read_bytes()

    for offset in range(2 * RECORD_BYTES, 3 * RECORD_BYTES):
        damaged = bytearray(sound)
        damaged[offset] ^= 0x10
        paths.index(0, 0).write_bytes(damaged)
        reader = FrameReader(paths, 0, 0)
        assert reader.keys == (key_of(0), key_of(2))
        assert reader.damaged_records == 1


def test_every_flipped_byte_of_the_pixels_is_found(paths: ExperimentPaths) -> None:
    store_frames(paths, [0, 1])
    reader = FrameReader(paths, 0, 0)
    shard = paths.frames(0, 0) / "projection-0" / "c.1.0.0"
    sound = shard.read_bytes()
    n_chunks, table = 3, 3 * 16 + 4

    for offset in range(len(sound) - table):
        damaged = bytearray(sound)
        damaged[offset] ^= 0x01
        shard.write_bytes(damaged)
        with pytest.raises(CorruptDataError, match=r"c\.1\.0\.0 is damaged in rows"):
            reader.read_frame(key_of(1))
    assert len(sound) == n_chunks * (4 * COLUMNS * 2 + 4) + table


def test_a_frame_in_the_place_of_another_is_found(paths: ExperimentPaths) -> None:
    store_frames(paths, [0, 1])
    folder = paths.frames(0, 0) / "projection-0"
    (folder / "c.1.0.0").write_bytes((folder / "c.0.0.0").read_bytes())

    with pytest.raises(CorruptDataError, match="another frame"):
        FrameReader(paths, 0, 0).read_frame(key_of(1))


def test_a_missing_file_is_named(paths: ExperimentPaths) -> None:
    store_frames(paths, [0])
    (paths.frames(0, 0) / "projection-0" / "c.0.0.0").unlink()

    with pytest.raises(CorruptDataError, match="stands in the index and cannot be read"):
        FrameReader(paths, 0, 0).read("projection")


def test_foreign_metadata_are_refused(paths: ExperimentPaths) -> None:
    store_frames(paths, [0])
    metadata = paths.frames(0, 0) / "projection-0" / "zarr.json"
    metadata.write_text(metadata.read_text().replace('"crc32c"', '"pickle"', 1))

    with pytest.raises(StoreFormatError, match="not as frames are stored"):
        FrameReader(paths, 0, 0).read("projection")


def test_what_is_not_stored_is_named(paths: ExperimentPaths) -> None:
    with pytest.raises(NotStoredError, match="no frames of scan 0, tile 0"):
        FrameReader(paths, 0, 0)
    store_frames(paths, [0])

    with pytest.raises(NotStoredError, match="projection 4 of set 0"):
        FrameReader(paths, 0, 0).read("projection", indices=[4])
    with pytest.raises(NotStoredError, match="no flat of set 0"):
        FrameReader(paths, 0, 0).read("flat")


def test_a_file_that_is_no_index_is_refused(paths: ExperimentPaths) -> None:
    paths.frames(0, 0).mkdir(parents=True)
    paths.index(0, 0).write_bytes(b"x" * 200)

    with pytest.raises(StoreFormatError, match="is no index of frames"):
        FrameReader(paths, 0, 0)


def test_the_hash_of_frames_does_not_depend_on_their_arrival(tmp_path: Path) -> None:
    hashes = []
    for name, order in (("a", [0, 1, 2]), ("b", [2, 0, 1]), ("c", [0, 1])):
        paths = Store(tmp_path).experiment(name)
        paths.create()
        store_frames(paths, order)
        hashes.append(frames_sha256([FrameReader(paths, 0, 0)]))

    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


def test_opening_removes_shards_that_were_cut_short(paths: ExperimentPaths) -> None:
    store_frames(paths, [0])
    torn = paths.frames(0, 0) / "projection-0" / "c.1.0.0"
    torn.write_bytes(b"half")

    FrameWriter(paths, 0, 0).close()

    assert not torn.exists()
    assert (torn.parent / "c.0.0.0").exists()


WRITER = """
    import sys
    from pathlib import Path
    import numpy as np
    from lithoscope_store.frame_store import FrameWriter
    from lithoscope_store.layout import Store
    from lithoscope_messages import FrameHeader
    import google_crc32c

    paths = Store(Path(sys.argv[1])).experiment("cell-1")
    writer = FrameWriter(paths, 0, 0)
    for index in range(100_000):
        pixels = np.full((64, 64), index % 60000, np.uint16).tobytes()
        writer.write(FrameHeader(
            experiment="cell-1", scan=0, kind="projection", index=index, session="0" * 32,
            sequence=index, theta_deg=0.0, time_ns=0, dtype="uint16", shape=(64, 64),
            crc32c=google_crc32c.value(pixels),
        ), pixels)
        if index % 3 == 2:
            print(*[key.index for key in writer.commit()], flush=True)
"""


@pytest.mark.parametrize("n_commits", [1, 4, 9])
def test_committed_frames_survive_a_kill(paths: ExperimentPaths, n_commits: int) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(paths.root.parent)],
        stdout=subprocess.PIPE,
        text=True,
    )
    stdout = writer.stdout
    assert stdout is not None
    committed = [int(word) for _ in range(n_commits) for word in stdout.readline().split()]
    writer.send_signal(signal.SIGKILL)
    committed += [int(word) for word in stdout.read().split()]
    writer.wait(10)
    stdout.close()

    FrameWriter(paths, 0, 0).close()
    reader = FrameReader(paths, 0, 0)

    stored = reader.indices("projection").tolist()
    assert set(stored) >= set(committed)
    assert len(committed) >= 3 * n_commits
    frames = reader.read("projection")
    np.testing.assert_array_equal(frames[:, 0, 0], np.array(stored) % 60000)
    assert [reader.read_frame(key).min() for key in reader.keys] == [i % 60000 for i in stored]
