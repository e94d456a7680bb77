import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from lithoscope_messages import FrameDtype, FrameHeader, FrameKey, FrameKind
from lithoscope_store.errors import (
    CorruptDataError,
    LockedError,
    NotStoredError,
    StoreFormatError,
    WrongFrameError,
)
from lithoscope_store.frame_index import RECORD_BYTES
from lithoscope_store.frame_store import FrameReader, FrameWriter, frames_sha256
from lithoscope_store.layout import ExperimentPaths, Store

ROWS, COLUMNS = 10, 7
Pixels = NDArray[Any]


def pixels_of(index: int, dtype: str = "uint16", rows: int = ROWS) -> Pixels:
    rng = np.random.default_rng(index)
    return rng.integers(1, 250, (rows, COLUMNS)).astype(dtype)


def header_of(
    index: int,
    pixels: Pixels,
    *,
    kind: FrameKind = "projection",
    set: int = 0,
    dtype: FrameDtype = "uint16",
    tile: int = 0,
) -> FrameHeader:
    return FrameHeader(
        experiment="cell-1",
        scan=0,
        tile=tile,
        kind=kind,
        set=set,
        index=index,
        session="0" * 32,
        sequence=index,
        theta_deg=0.5 * index if kind == "projection" else None,
        theta_source="encoder",
        time_ns=100 + index,
        dtype=dtype,
        shape=pixels.shape,
        crc32c=google_crc32c.value(pixels.tobytes()),
    )


def store_frames(paths: ExperimentPaths, indices: list[int]) -> None:
    with FrameWriter(paths, 0, 0, slab_rows=4) as writer:
        for index in indices:
            writer.write(header_of(index, pixels_of(index)), pixels_of(index).tobytes())


def key_of(index: int, kind: FrameKind = "projection", set: int = 0) -> FrameKey:
    return FrameKey(scan=0, tile=0, kind=kind, set=set, index=index)


def test_frames_are_read_as_they_were_written(paths: ExperimentPaths) -> None:
    store_frames(paths, [2, 0, 5])

    reader = FrameReader(paths, 0, 0)

    assert reader.indices("projection").tolist() == [0, 2, 5]
    assert reader.thetas_deg("projection").tolist() == [0.0, 1.0, 2.5]
    expected = np.stack([pixels_of(index) for index in (0, 2, 5)])
    np.testing.assert_array_equal(reader.read("projection"), expected)
    np.testing.assert_array_equal(reader.read_frame(key_of(5)), pixels_of(5))


def test_a_record_keeps_what_the_header_said(paths: ExperimentPaths) -> None:
    store_frames(paths, [3])

    record = FrameReader(paths, 0, 0).record(key_of(3))

    header = header_of(3, pixels_of(3))
    assert record.crc32c == header.crc32c
    assert (record.sequence, record.session, record.time_ns) == (3, "0" * 32, 103)
    assert (record.theta_deg, record.theta_source) == (1.5, "encoder")
    assert (record.dtype, record.shape) == ("uint16", (ROWS, COLUMNS))


@pytest.mark.parametrize(
    "rows", [slice(0, 4), slice(3, 9), slice(4, 5), slice(8, 10), slice(5, 5)]
)
def test_any_rows_can_be_read(paths: ExperimentPaths, rows: slice) -> None:
    store_frames(paths, [0, 1])

    read = FrameReader(paths, 0, 0).read("projection", rows=rows)

    np.testing.assert_array_equal(read, np.stack([pixels_of(0), pixels_of(1)])[:, rows])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float32"])
def test_zarr_reads_what_was_written(paths: ExperimentPaths, dtype: FrameDtype) -> None:
    pixels = pixels_of(1, dtype)
    with FrameWriter(paths, 0, 0, slab_rows=4) as writer:
        writer.write(header_of(1, pixels, kind="flat", set=1, dtype=dtype), pixels.tobytes())

    array = zarr.open_group(paths.frames(0, 0), mode="r")["flat-1"]

    assert isinstance(array, zarr.Array)
    assert (array.shape, array.dtype) == ((2, ROWS, COLUMNS), np.dtype(dtype))
    np.testing.assert_array_equal(array[1], pixels)
    np.testing.assert_array_equal(array[0], 0)


def test_an_array_is_one_folder_with_one_file_a_frame(paths: ExperimentPaths) -> None:
    store_frames(paths, [0, 1])

    files = sorted(path.name for path in (paths.frames(0, 0) / "projection-0").iterdir())

    assert files == ["c.0.0.0", "c.1.0.0", "zarr.json"]


def test_nothing_counts_before_the_commit(paths: ExperimentPaths) -> None:
    pixels = pixels_of(0)
    with FrameWriter(paths, 0, 0) as writer:
        assert writer.write(header_of(0, pixels), pixels.tobytes())
        assert not writer.has(key_of(0))
        assert FrameReader(paths, 0, 0).keys == ()

        assert writer.commit() == (key_of(0),)

        assert writer.has(key_of(0))
        assert FrameReader(paths, 0, 0).keys == (key_of(0),)


def test_a_reader_takes_in_what_came_later(paths: ExperimentPaths) -> None:
    store_frames(paths, [0])
    reader = FrameReader(paths, 0, 0)

    store_frames(paths, [1])
    reader.refresh()

    assert reader.keys == (key_of(0), key_of(1))


def test_doubles_collapse_before_and_after_the_commit(paths: ExperimentPaths) -> None:
    pixels = pixels_of(0)
    header = header_of(0, pixels)
    with FrameWriter(paths, 0, 0) as writer:
        written = [writer.write(header, pixels.tobytes()) for _ in range(2)]
        writer.commit()
        written.append(writer.write(header, pixels.tobytes()))
    with FrameWriter(paths, 0, 0) as writer:
        written.append(writer.write(header, pixels.tobytes()))

    assert written == [True, False, False, False]
    assert paths.index(0, 0).stat().st_size == 2 * RECORD_BYTES  # the file's own header and one


def test_more_frames_than_open_files_are_allowed(paths: ExperimentPaths) -> None:
    store_frames(paths, list(range(300)))

    assert len(FrameReader(paths, 0, 0).keys) == 300


def test_frames_that_are_written_beside_are_the_same(paths: ExperimentPaths) -> None:
    # More than files may be open, and more than may wait.
    indices = list(range(300))
    with (
        ThreadPoolExecutor(1) as executor,
        FrameWriter(paths, 0, 0, slab_rows=4, executor=executor) as writer,
    ):
        for index in indices:
            writer.write(header_of(index, pixels_of(index)), pixels_of(index).tobytes())
        committed = writer.commit()

    reader = FrameReader(paths, 0, 0)
    assert [key.index for key in committed] == indices
    np.testing.assert_array_equal(
        reader.read("projection"), np.stack([pixels_of(index) for index in indices])
    )


def test_what_is_discarded_while_it_is_written_beside_leaves_no_file(
    paths: ExperimentPaths,
) -> None:
    with (
        ThreadPoolExecutor(1) as executor,
        FrameWriter(paths, 0, 0, executor=executor) as writer,
    ):
        for index in range(20):
            writer.write(header_of(index, pixels_of(index)), pixels_of(index).tobytes())
        writer.discard()
        assert writer.commit() == ()

    assert list(paths.frames(0, 0).rglob("c.*")) == []


def test_an_array_grows_when_an_index_needs_it(paths: ExperimentPaths) -> None:
    store_frames(paths, [5000])

    array = zarr.open_array(paths.frames(0, 0) / "projection-0", mode="r")

    assert array.shape == (5001, ROWS, COLUMNS)
    np.testing.assert_array_equal(array[5000], pixels_of(5000))


def test_a_frame_of_another_shape_is_refused(paths: ExperimentPaths) -> None:
    store_frames(paths, [0])
    pixels = pixels_of(1, rows=ROWS + 1)

    with (
        FrameWriter(paths, 0, 0) as writer,
        pytest.raises(WrongFrameError, match="start a new set"),
    ):
        writer.write(header_of(1, pixels), pixels.tobytes())


def test_a_frame_of_another_tile_is_refused(paths: ExperimentPaths) -> None:
    pixels = pixels_of(1)

    with (
        FrameWriter(paths, 0, 0) as writer,
        pytest.raises(WrongFrameError, match="does not belong"),
    ):
        writer.write(header_of(1, pixels, tile=1), pixels.tobytes())


def test_too_few_bytes_are_refused(paths: ExperimentPaths) -> None:
    pixels = pixels_of(1)

    with FrameWriter(paths, 0, 0) as writer, pytest.raises(WrongFrameError, match="its shape"):
        writer.write(header_of(1, pixels), pixels.tobytes()[:-1])


def test_pixels_damaged_on_the_way_are_refused(paths: ExperimentPaths) -> None:
    pixels = pixels_of(1)

    with FrameWriter(paths, 0, 0) as writer:
        with pytest.raises(CorruptDataError, match="send it again"):
            writer.write(header_of(1, pixels), (pixels + 1).tobytes())

        assert writer.commit() == ()


def test_a_second_writer_is_refused(paths: ExperimentPaths) -> None:
    with FrameWriter(paths, 0, 0), pytest.raises(LockedError, match="another process"):
        FrameWriter(paths, 0, 0)


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
