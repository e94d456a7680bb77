"""Thinning out: first a look, never the journal, and nobody takes it for a loss."""

import shutil
from pathlib import Path

import pytest
from small_experiment import make_experiment
from typer.testing import CliRunner

from lithoscope_messages import Pruned
from lithoscope_services.cli.app import make_app
from lithoscope_services.keep.errors import KeepError
from lithoscope_services.keep.prune import PruneOptions, plan_prune, run_prune
from lithoscope_services.keep.stored import open_stored
from lithoscope_services.replay.recorded import ReplayError, open_recorded
from lithoscope_services.report import make_report
from lithoscope_store import Store, read_journal, verify_experiment

RUNNER = CliRunner()


def prune(store: Store, *words: str) -> str:
    done = RUNNER.invoke(make_app(), ["prune", "cell-1", *words, "--store", str(store.root)])
    assert done.exit_code == 0, done.output
    return done.output


def test_without_yes_it_is_only_listed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    paths = make_experiment(store)
    before = sorted(path for path in paths.root.rglob("*") if path.is_file())

    said = prune(store, "--frames", "all", "--reconstructions", "--probabilities")

    assert "Nothing was removed" in said
    assert "reconstructions" in said
    assert sorted(path for path in paths.root.rglob("*") if path.is_file()) == before
    assert verify_experiment(paths).is_whole


def test_what_was_pruned_is_said_by_all_and_is_no_damage(tmp_path: Path) -> None:
    store = Store(tmp_path)
    paths = make_experiment(store)

    prune(store, "--frames", "0", "--reconstructions", "--yes")

    entries = read_journal(paths.journal)
    facts = [entry.message for entry in entries if isinstance(entry.message, Pruned)]
    assert [(fact.scan, fact.part) for fact in facts] == [
        (0, "frames"),
        (0, "reconstructions"),
        (1, "reconstructions"),
    ]
    assert all(fact.n_bytes > 0 for fact in facts)
    assert not paths.frames(0, 0).exists()
    assert paths.index(0, 0).exists()
    assert paths.frames(1, 0).exists()
    found = verify_experiment(paths, is_deep=True)
    assert found.findings == ()
    assert found.pruned == ("frames of scan 0", "reconstructions of scan 0, 1")
    with pytest.raises(ReplayError, match="frames of scan 0 of cell-1 were pruned"):
        open_recorded(paths, entries)
    assert open_recorded(paths, entries, first=1).scans == (1,)
    with pytest.raises(KeepError, match="pruned"):
        open_stored(store, "cell-1").check_frames()
    report = make_report("cell-1", entries)
    assert [scan.get("pruned", []) for scan in report["scans"]] == [
        ["frames", "reconstructions"],
        ["reconstructions"],
    ]


def test_a_prune_that_was_cut_short_is_named_and_ended_by_the_next(tmp_path: Path) -> None:
    store = Store(tmp_path)
    paths = make_experiment(store)
    manifest = paths.manifest.read_bytes()
    kept = tmp_path / "kept"
    shutil.copytree(paths.frames(1, 0), kept)
    options = PruneOptions(store=store, experiment="cell-1", frames="0-1")
    run_prune(options, plan_prune(options))
    # As a crash after the fact leaves it: the old manifest, and some of the files.
    paths.manifest.write_bytes(manifest)
    shutil.copytree(kept, paths.frames(1, 0))

    broken = verify_experiment(paths)
    run_prune(options, plan_prune(options))

    assert [each.path for each in broken.findings] == ["manifest.sha256"]
    assert "run the same prune again" in broken.findings[0].how
    assert not paths.frames(1, 0).exists()
    assert verify_experiment(paths).is_whole


def test_of_an_experiment_that_goes_on_only_decided_scans_can_go(tmp_path: Path) -> None:
    store = Store(tmp_path)
    paths = make_experiment(store, is_sealed=False)

    prune(store, "--frames", "all", "--yes")

    assert not paths.frames(0, 0).exists()
    assert isinstance(read_journal(paths.journal)[-1].message, Pruned)
    assert verify_experiment(paths).is_whole


def test_asking_for_nothing_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    make_experiment(store)

    with pytest.raises(KeepError, match="nothing was asked for"):
        plan_prune(PruneOptions(store=store, experiment="cell-1"))
