"""The commands that keep experiments say what they found, and what was asked for wrongly."""

import json
from pathlib import Path

import pytest
from small_experiment import make_experiment
from typer.testing import CliRunner, Result

from lithoscope_services.cli.app import make_app
from lithoscope_services.errors import ServiceError
from lithoscope_store import ExperimentPaths, Store, StoreError


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> ExperimentPaths:
    return make_experiment(Store(tmp_path_factory.mktemp("store")))


def run(paths: ExperimentPaths, *words: str) -> Result:
    return CliRunner().invoke(make_app(), [*words, "--store", str(paths.root.parent)])


def test_verify_names_the_file_what_it_means_and_what_to_do(tmp_path: Path) -> None:
    paths = make_experiment(Store(tmp_path))
    (labels,) = paths.root.glob("volumes/0001-*/labels/cell/0/c/0/0/0")
    labels.write_bytes(labels.read_bytes()[:-1])

    said = run(paths, "verify", "cell-1")
    found = run(paths, "verify", "cell-1", "--json", "--deep")

    assert said.exit_code == found.exit_code == 1
    assert "labels 'cell' of scan 1, slab 0" in said.output
    assert "What to do: restore it from a copy" in said.output
    document = json.loads(found.stdout)
    assert not document["is_whole"]
    assert [each["path"] for each in document["findings"]] == [
        labels.relative_to(paths.root).as_posix()
    ]


def test_verify_of_what_is_not_there_says_what_there_is(paths: ExperimentPaths) -> None:
    with pytest.raises(ServiceError, match="there: cell-1"):
        raise_from(run(paths, "verify", "cell-2"))


def test_migrate_says_that_there_is_no_older_format(paths: ExperimentPaths) -> None:
    done = run(paths, "migrate", "cell-1")

    assert done.exit_code == 0
    assert "there is no older one" in done.output


def test_migrate_refuses_a_newer_format(tmp_path: Path) -> None:
    paths = make_experiment(Store(tmp_path))
    paths.format_file.write_text('{"format_version": 9}\n')

    with pytest.raises(StoreError, match="install a newer lithoscope"):
        raise_from(run(paths, "migrate", "cell-1"))


@pytest.mark.parametrize(
    "words",
    [
        ("replay", "cell-1", "--speed", "fast"),
        ("replay", "cell-1", "--speed", "0"),
        ("replay", "cell-1", "--from", "3", "--to", "1"),
        ("replay", "cell-1", "--facts-only", "--as", "other"),
        ("replay-control", "pause", "7"),
        ("replay-control", "seek"),
        ("replay-control", "seek", "soon"),
        ("export", "cell-1", "--to", "Word", "--out", "x"),
        ("export", "cell-1", "--to", "archive", "--scans", "1", "--out", "x"),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_exit_code_two(paths: ExperimentPaths, words: tuple[str]) -> None:
    assert run(paths, *words).exit_code == 2


def test_a_replay_into_itself_and_one_of_nothing_are_refused(paths: ExperimentPaths) -> None:
    with pytest.raises(ServiceError, match="into itself"):
        raise_from(run(paths, "replay", "cell-1", "--as", "cell-1", "--no-page"))
    with pytest.raises(ServiceError, match="none of them lies in the range"):
        raise_from(run(paths, "replay", "cell-1", "--from", "7", "--no-page"))


def test_without_a_replay_there_is_nothing_to_control(paths: ExperimentPaths) -> None:
    with pytest.raises(ServiceError, match="no replay runs"):
        raise_from(run(paths, "replay-control", "pause"))


def raise_from(done: Result) -> None:
    """Raise what a command failed with; the program itself puts it into one line."""
    if done.exception is not None:
        raise done.exception
