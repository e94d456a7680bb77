from pathlib import Path

import pytest

from lithoscope_store.durable import make_directory, sweep_partial_files, write_atomic


def test_a_written_file_has_its_bytes_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"

    write_atomic(path, b"new", mode=0o600)

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "file"
    (folder / "occupied").mkdir(parents=True)

    with pytest.raises(OSError, match="directory"):
        write_atomic(folder, b"new")

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_sweeping_takes_partial_files_only(tmp_path: Path) -> None:
    (tmp_path / "a.1234.partial").touch()
    (tmp_path / "b").touch()

    swept = sweep_partial_files(tmp_path)

    assert [path.name for path in swept] == ["a.1234.partial"]
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_directories_are_made_with_their_parents(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b")
    make_directory(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").is_dir()
