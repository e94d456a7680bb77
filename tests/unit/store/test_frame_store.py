from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr
from frames_on_disk import COLUMNS, ROWS, header_of, key_of, pixels_of, store_frames

from lithoscope_messages import FrameDtype
from lithoscope_store.errors import (
    CorruptDataError,
    LockedError,
    WrongFrameError,
)
from lithoscope_store.frame_index import RECORD_BYTES
from lithoscope_store.frame_store import FrameReader, FrameWriter
from lithoscope_store.layout import ExperimentPaths


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
