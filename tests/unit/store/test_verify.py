"""Every flipped byte of a stored experiment is found and named, and nothing else is touched."""

import random
from collections import Counter
from pathlib import Path

import pytest
from small_experiment import make_experiment

from lithoscope_messages import Pruned
from lithoscope_store import Store, verify_experiment
from lithoscope_store.journal_database import JournalDatabase
from lithoscope_store.layout import ExperimentPaths
from lithoscope_store.manifest import write_manifest

N_FLIPS, N_SOAK = 60, 1000


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> ExperimentPaths:
    return make_experiment(Store(tmp_path_factory.mktemp("store")))


@pytest.fixture
def running(tmp_path: Path) -> ExperimentPaths:
    return make_experiment(Store(tmp_path), is_sealed=False)


def flip(path: Path, place: int, mask: int) -> None:
    """Change bits of one byte in place; doing it twice brings it back."""
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ mask]))


def places(paths: ExperimentPaths, seed: int, count: int) -> list[tuple[str, int, int]]:
    """Draw files of all kinds alike, then bytes in them: a small file must not be forgotten."""
    rng = random.Random(seed)
    files = [path for path in sorted(paths.root.rglob("*")) if path.is_file()]
    kinds: dict[str, list[Path]] = {}
    for path in files:
        relative = path.relative_to(paths.root).parts
        kind = "metadata" if path.name == "zarr.json" else relative[0]
        kind = "labels" if "labels" in relative and kind != "metadata" else kind
        kinds.setdefault(kind, []).append(path)
    drawn = []
    for number in range(count):
        path = rng.choice(kinds[sorted(kinds)[number % len(kinds)]])
        place = rng.randrange(path.stat().st_size)
        relative_path = path.relative_to(paths.root).as_posix()
        drawn.append((relative_path, place, 1 << rng.randrange(8)))
    return drawn


def test_an_untouched_experiment_is_whole(sealed: ExperimentPaths) -> None:
    found = verify_experiment(sealed, is_deep=True)

    assert found.findings == ()
    assert found.is_sealed
    assert found.n_entries == 18


def test_a_flipped_byte_is_found_and_named_and_nothing_else_is(
    sealed: ExperimentPaths, is_soak: bool
) -> None:
    found_as: Counter[str] = Counter()
    for relative, place, mask in places(sealed, seed=3, count=N_SOAK if is_soak else N_FLIPS):
        path = sealed.root / relative
        flip(path, place, mask)
        try:
            found = verify_experiment(sealed)
        finally:
            flip(path, place, mask)

        assert [finding.path for finding in found.findings] == [relative], (place, mask)
        finding = found.findings[0]
        assert "no file that this version writes" not in finding.what
        assert "copy" in finding.advice
        found_as[relative.split("/")[0]] += 1

    assert verify_experiment(sealed).is_whole
    assert len(found_as) >= 8


def test_a_file_that_is_gone_and_one_that_came_are_named(tmp_path: Path) -> None:
    paths = make_experiment(Store(tmp_path))
    (paths.truth / "truth.json").unlink()
    (paths.root / "notes.txt").write_text("by hand")

    found = verify_experiment(paths)

    assert [(each.path, each.how.split(":")[0]) for each in found.findings] == [
        ("notes.txt", "it is new"),
        ("truth/truth.json", "it is missing"),
    ]


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        ("frames/0000/0.index", 200),
        ("frames/0001/0.zarr/projection-0/c.3.0.0", 17),
        ("frames/0001/0.zarr/flat-0/c.1.0.0", -2),
        ("frames/0001/0.zarr/flat-0/zarr.json", 60),
        ("reconstructions/0000-*.zarr/0/c/0/0/0", 300),
        ("volumes/0001-*.zarr/labels/cell/0/c/0/0/0", 40),
        ("volumes/0001-*.zarr/labels/cell/0/c/0/0/0", -1),
        ("maps/0000-*.zarr/thickness/c/0/0", 20),
        ("electrochemistry.zarr/charge_mAh/c/0", 9),
    ],
)
def test_of_an_experiment_that_runs_damage_is_found_by_its_own_checksums(
    running: ExperimentPaths, pattern: str, place: int
) -> None:
    (path,) = running.root.glob(pattern)
    flip(path, place % path.stat().st_size, 4)

    found = verify_experiment(running)

    assert not found.is_sealed
    assert len(found.findings) == 1
    relative = path.relative_to(running.root).as_posix()
    assert relative.startswith(found.findings[0].path)


def test_a_changed_fact_is_found_by_the_chain_and_its_number_is_said(
    running: ExperimentPaths,
) -> None:
    data = running.journal.read_bytes()
    assert data.count(b'"remaining_gap_um":{"value":200.0') == 1
    running.journal.write_bytes(
        data.replace(b'"remaining_gap_um":{"value":200.0', b'"remaining_gap_um":{"value":900.0')
    )

    found = verify_experiment(running)

    assert [finding.path for finding in found.findings] == ["journal.sqlite"]
    assert "entry 8" in found.findings[0].how


def test_what_was_pruned_is_no_loss(tmp_path: Path) -> None:
    paths = make_experiment(Store(tmp_path))
    fact = Pruned(
        experiment=paths.name,
        key="0:frames",
        time_ns=1,
        producer="command_line",
        scan=0,
        part="frames",
        paths=("frames/0000/0.zarr",),
        n_files=1,
        n_bytes=1,
        person="me",
    )
    with JournalDatabase(paths.journal, paths.name) as journal:
        journal.amend([fact])
    for path in sorted(paths.frames(0, 0).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    paths.frames(0, 0).rmdir()
    write_manifest(paths)

    found = verify_experiment(paths, is_deep=True)

    assert found.findings == ()
    assert found.pruned == ("frames of scan 0",)
