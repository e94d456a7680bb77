"""An experiment leaves and returns whole, or not at all."""

import io
import tarfile
from pathlib import Path

import pytest
from small_experiment import make_experiment
from typer.testing import CliRunner

from lithoscope_services.cli.app import make_app
from lithoscope_services.keep.archive import export_archive, import_archive
from lithoscope_store import (
    CorruptDataError,
    ExperimentPaths,
    NotStoredError,
    Store,
    StoreError,
    StoreFormatError,
    UnsafeArrayError,
    UnsafePathError,
    read_journal,
    verify_experiment,
)
from lithoscope_store.archive import MANIFEST


def ignore(_n_bytes: int) -> None:
    """Show nothing."""


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> ExperimentPaths:
    return make_experiment(Store(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def archive(paths: ExperimentPaths, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("away")
    return export_archive(Store(paths.root.parent), paths.name, folder, ignore)


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_an_experiment_returns_with_every_byte(
    paths: ExperimentPaths, archive: Path, tmp_path: Path
) -> None:
    made = import_archive(archive, Store(tmp_path), ignore)

    assert contents(made.root) == contents(paths.root)
    assert verify_experiment(made, is_deep=True).is_whole
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lithoscope", paths.name]
    assert list((tmp_path / ".lithoscope").iterdir()) == []


def test_the_commands_do_it_too(paths: ExperimentPaths, tmp_path: Path) -> None:
    runner, store = CliRunner(), str(paths.root.parent)
    words = ["export", paths.name, "--to", "archive", "--out", str(tmp_path), "--store", store]
    assert runner.invoke(make_app(), words).exit_code == 0
    made = tmp_path / f"{paths.name}.lithoscope.tar"
    other = str(tmp_path / "other")

    assert runner.invoke(make_app(), ["import", str(made), "--store", other]).exit_code == 0

    done = runner.invoke(make_app(), ["verify", paths.name, "--store", other])
    assert done.exit_code == 0
    assert "all is as it was stored" in done.output


def test_an_experiment_that_is_not_over_returns_open(tmp_path: Path) -> None:
    paths = make_experiment(Store(tmp_path / "one"), is_sealed=False)
    made = export_archive(Store(tmp_path / "one"), paths.name, tmp_path, ignore)

    back = import_archive(made, Store(tmp_path / "two"), ignore)

    assert not back.manifest.exists()
    assert len(read_journal(back.journal)) == len(read_journal(paths.journal))


def test_a_damaged_file_is_not_exported(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    paths = make_experiment(store)
    (paths.truth / "truth.json").write_text('{"experiment": "another"}')

    with pytest.raises(CorruptDataError, match=r"truth\.json is damaged"):
        export_archive(store, paths.name, tmp_path / "out", ignore)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_experiment_of_the_same_name_is_not_replaced(
    paths: ExperimentPaths, archive: Path
) -> None:
    with pytest.raises(NotStoredError, match="already"):
        import_archive(archive, Store(paths.root.parent), ignore)


@pytest.mark.parametrize("place", [700, 40_000, -30_000])
def test_a_flipped_byte_in_an_archive_leaves_nothing_behind(
    archive: Path, tmp_path: Path, place: int
) -> None:
    data = bytearray(archive.read_bytes())
    data[place] ^= 8
    broken = tmp_path / "broken.tar"
    broken.write_bytes(data)

    with pytest.raises(StoreError):
        import_archive(broken, Store(tmp_path / "store"), ignore)

    assert Store(tmp_path / "store").experiments() == []
    assert list((tmp_path / "store" / ".lithoscope").iterdir()) == []


@pytest.mark.parametrize("share", [0.0, 0.3, 0.97])
def test_an_archive_that_was_cut_short_leaves_nothing_behind(
    archive: Path, tmp_path: Path, share: float
) -> None:
    data = archive.read_bytes()
    broken = tmp_path / "broken.tar"
    broken.write_bytes(data[: int(share * len(data))])

    with pytest.raises(StoreError):
        import_archive(broken, Store(tmp_path / "store"), ignore)

    assert Store(tmp_path / "store").experiments() == []


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@pytest.mark.parametrize(
    "evil",
    [
        member("cell-1/../../outside"),
        member("/outside"),
        member("../outside"),
        member("cell-1/frames/../../../outside"),
        member("other/format.json"),
        member("cell-1/.lock"),
        member("cell-1/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("cell-1/link", tarfile.LNKTYPE, "cell-1/format.json"),
        member("cell-1/device", tarfile.CHRTYPE),
        member("cell-1/pipe", tarfile.FIFOTYPE),
        member("cell-1/folder", tarfile.DIRTYPE),
        member("cell-1/not-in-the-manifest"),
    ],
    ids=lambda each: f"{each.name} {each.type!r}",
)
def test_a_member_that_would_leave_its_folder_is_refused(
    paths: ExperimentPaths, tmp_path: Path, evil: tarfile.TarInfo
) -> None:
    broken = tmp_path / "evil.tar"
    manifest = paths.manifest.read_bytes()
    with tarfile.open(broken, "w") as tar:
        first = member(f"{paths.name}/{MANIFEST}")
        first.size = len(manifest)
        tar.addfile(first, io.BytesIO(manifest))
        tar.addfile(evil)

    with pytest.raises((UnsafePathError, CorruptDataError)):
        import_archive(broken, Store(tmp_path / "store"), ignore)

    assert not (tmp_path / "outside").exists()
    assert Store(tmp_path / "store").experiments() == []


def test_an_array_that_asks_for_pickle_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "one")
    paths = make_experiment(store, is_sealed=False)
    metadata = next(paths.root.glob("maps/0000-*/thickness/zarr.json"))
    metadata.write_text(metadata.read_text().replace('"crc32c"', '"pickle"'))
    made = export_archive(store, paths.name, tmp_path, ignore)

    with pytest.raises(UnsafeArrayError, match="pickle"):
        import_archive(made, Store(tmp_path / "two"), ignore)


def test_an_archive_under_another_name_is_refused(paths: ExperimentPaths, tmp_path: Path) -> None:
    broken = tmp_path / "renamed.tar"
    files = contents(paths.root)
    with tarfile.open(broken, "w") as tar:
        for name in (MANIFEST, *(each for each in files if each != MANIFEST)):
            made = member(f"other/{name}")
            made.size = len(files[name])
            tar.addfile(made, io.BytesIO(files[name]))

    with pytest.raises(StoreFormatError, match="journal is that of cell-1"):
        import_archive(broken, Store(tmp_path / "store"), ignore)
