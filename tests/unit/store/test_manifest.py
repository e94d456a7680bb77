import subprocess
from pathlib import Path

import pytest

from lithoscope_store.errors import NotStoredError, StoreFormatError, UnsafePathError
from lithoscope_store.layout import ExperimentPaths
from lithoscope_store.manifest import verify_manifest, write_manifest


@pytest.fixture
def sealed(paths: ExperimentPaths) -> ExperimentPaths:
    (paths.root / "truth").mkdir()
    (paths.root / "truth" / "truth.json").write_text("{}")
    paths.documents.write_text("one\n")
    paths.lock.touch()
    write_manifest(paths)
    return paths


def test_an_untouched_experiment_has_no_problems(sealed: ExperimentPaths) -> None:
    assert verify_manifest(sealed) == []


def test_sha256sum_agrees(sealed: ExperimentPaths) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", sealed.manifest.name],
        cwd=sealed.root,
        capture_output=True,
        check=True,
        text=True,
    )

    assert done.stdout == "documents.jsonl: OK\nformat.json: OK\ntruth/truth.json: OK\n"


def test_every_kind_of_change_is_named(sealed: ExperimentPaths) -> None:
    sealed.documents.write_text("two\n")
    (sealed.truth / "truth.json").unlink()
    (sealed.truth / "more.json").touch()

    assert verify_manifest(sealed) == [
        "documents.jsonl has changed",
        "truth/more.json is new",
        "truth/truth.json is missing",
    ]


def test_progress_counts_the_bytes(sealed: ExperimentPaths) -> None:
    done: list[int] = []

    verify_manifest(sealed, progress=done.append)

    assert sorted(done) == [2, 4, sealed.format_file.stat().st_size]


def test_a_symlink_is_refused(sealed: ExperimentPaths, tmp_path: Path) -> None:
    (sealed.root / "link").symlink_to(tmp_path)

    with pytest.raises(UnsafePathError, match="link is a symlink"):
        verify_manifest(sealed)


def test_a_missing_manifest_is_named(paths: ExperimentPaths) -> None:
    with pytest.raises(NotStoredError, match="was not sealed"):
        verify_manifest(paths)


def test_a_damaged_manifest_is_named(sealed: ExperimentPaths) -> None:
    sealed.manifest.write_text("nonsense\n")

    with pytest.raises(StoreFormatError, match="line 1 is no checksum"):
        verify_manifest(sealed)
