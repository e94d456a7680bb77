"""Tables of objects keep what they were given, and say when they cannot be read."""

from pathlib import Path

import pytest

from lithoscope_store import (
    CorruptDataError,
    NotStoredError,
    StoredObjects,
    StoreFormatError,
    read_objects,
    write_objects,
)

TABLE = StoredObjects(
    columns={"track": [3, 1], "gap_um": [12.5, None], "parents": [[3], []]},
    n_found={"dendrite": 2, "pit": 0},
    gone={"dendrite": [2], "pit": []},
    next_track=4,
)


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_objects(tmp_path / "objects" / "0001.json", TABLE)

    assert read_objects(tmp_path / "objects" / "0001.json") == TABLE


def test_columns_of_two_lengths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="equally long"):
        write_objects(tmp_path / "o.json", StoredObjects(columns={"track": [1], "voxels": []}))


def test_what_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_objects(tmp_path / "o.json", StoredObjects(columns={"gap_um": [float("nan")]}))


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotStoredError, match="no objects"):
        read_objects(tmp_path / "o.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": 1, "columns": 3}'])
def test_a_damaged_table_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "o.json").write_text(text)

    with pytest.raises(CorruptDataError, match="damaged"):
        read_objects(tmp_path / "o.json")


def test_a_newer_table_asks_for_a_newer_program(tmp_path: Path) -> None:
    write_objects(tmp_path / "o.json", TABLE)
    text = (tmp_path / "o.json").read_text().replace('"version":1', '"version":2')
    (tmp_path / "o.json").write_text(text)

    with pytest.raises(StoreFormatError, match="newer"):
        read_objects(tmp_path / "o.json")
