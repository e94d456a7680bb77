import json
from pathlib import Path

import pytest

from lithoscope_store.errors import StoreFormatError, UnsafePathError
from lithoscope_store.layout import ExperimentPaths, Store


def test_paths_are_those_of_the_design(tmp_path: Path) -> None:
    store = Store(tmp_path)
    paths = store.experiment("cell-1")
    key = "0123456789" + 54 * "f"

    found = [
        paths.relative(path)
        for path in (
            paths.journal,
            paths.frames(3, 1),
            paths.index(3, 1),
            paths.reconstruction(3, key),
            paths.volume(3, key),
            paths.maps(3, key),
            paths.electrochemistry,
            paths.truth,
            paths.manifest,
            paths.documents,
        )
    ]

    assert found == [
        "journal.sqlite",
        "frames/0003/1.zarr",
        "frames/0003/1.index",
        "reconstructions/0003-01234567.zarr",
        "volumes/0003-01234567.zarr",
        "maps/0003-01234567.zarr",
        "electrochemistry.zarr",
        "truth",
        "manifest.sha256",
        "documents.jsonl",
    ]


def test_instances_and_system_journal_hide_behind_a_dot(tmp_path: Path) -> None:
    store = Store(tmp_path)

    assert store.instances == tmp_path / ".lithoscope" / "instances"
    assert store.journal("system") == tmp_path / ".lithoscope" / "system.sqlite"
    assert store.journal("cell-1") == tmp_path / "cell-1" / "journal.sqlite"


def test_only_real_folders_with_a_format_are_experiments(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.experiment("b").create()
    store.experiment("a").create()
    (tmp_path / "not-one").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")

    assert store.experiments() == ["a", "b"]


def test_a_store_that_does_not_exist_has_no_experiments(tmp_path: Path) -> None:
    assert Store(tmp_path / "none").experiments() == []


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a\n", "system", "x" * 65])
def test_names_that_no_folder_may_have_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafePathError, match="cannot name an experiment"):
        Store(tmp_path).experiment(name)


def test_relative_and_resolve_are_inverse(paths: ExperimentPaths) -> None:
    volume = paths.volume(2, "ab" * 32)

    assert paths.resolve(paths.relative(volume)) == volume


@pytest.mark.parametrize("relative", ["../x", "/etc/passwd", "a/../../b", "a//b", "", ".lock"])
def test_resolving_never_leaves_the_experiment(paths: ExperimentPaths, relative: str) -> None:
    with pytest.raises(UnsafePathError):
        paths.resolve(relative)


def test_resolving_through_a_symlink_is_refused(paths: ExperimentPaths, tmp_path: Path) -> None:
    (paths.root / "volumes").symlink_to(tmp_path)

    with pytest.raises(UnsafePathError, match="symlink"):
        paths.resolve("volumes/0000-ab.zarr")


def test_a_path_elsewhere_has_no_relative_form(paths: ExperimentPaths, tmp_path: Path) -> None:
    with pytest.raises(UnsafePathError, match="does not lie in"):
        paths.relative(tmp_path / "elsewhere")


def test_creating_twice_does_no_harm(paths: ExperimentPaths) -> None:
    paths.create()

    assert json.loads(paths.format_file.read_text()) == {"format_version": 1}


def test_a_newer_format_is_refused_in_one_line(paths: ExperimentPaths) -> None:
    paths.format_file.write_text('{"format_version": 2}')

    with pytest.raises(StoreFormatError, match="install a newer lithoscope") as caught:
        paths.create()

    assert "\n" not in str(caught.value)


def test_a_folder_without_format_is_no_experiment(tmp_path: Path) -> None:
    with pytest.raises(StoreFormatError, match="is no experiment"):
        Store(tmp_path).experiment("nothing").check_format()


def test_a_damaged_format_file_is_named(paths: ExperimentPaths) -> None:
    paths.format_file.write_text("{")

    with pytest.raises(StoreFormatError, match=r"format\.json cannot be read"):
        paths.check_format()


def test_tiles_are_those_with_an_index(paths: ExperimentPaths) -> None:
    paths.frames(0, 2).mkdir(parents=True)
    paths.index(0, 1).touch()
    paths.index(0, 0).touch()

    assert paths.tiles(0) == (0, 1)
