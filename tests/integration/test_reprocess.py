"""A stored experiment again: only what changed is done, and what is done is the same."""

import os
from pathlib import Path

import pytest
from stored_cell import hashes_of, journal_of, shared_cell

from lithoscope_messages import ExperimentStarted, MetricsReady, StageFailed, WorkStarted
from lithoscope_services.errors import StopRequested
from lithoscope_services.reprocess.plan import ReprocessError
from lithoscope_services.reprocess.run import ReprocessOptions, run_reprocess
from lithoscope_services.unfinished import NameTakenError
from lithoscope_store import Store, verify_manifest
from lithoscope_store.links import link_tree


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return shared_cell(tmp_path_factory)


def reprocess(store: Store, name: str, *given: str, stages: str | None = None) -> tuple[int, int]:
    result = run_reprocess(
        ReprocessOptions(store=store.root, source="cell", name=name, given=given, stages=stages)
    )
    assert result.failures == []
    return result.n_reused, result.n_done


def test_equal_settings_make_nothing_anew(store: Store) -> None:
    n_reused, n_done = reprocess(store, "same")

    assert (n_reused, n_done) == (8, 0)
    assert hashes_of(store, "same") == hashes_of(store, "cell")


def test_results_that_are_taken_over_take_no_space_twice(store: Store) -> None:
    reprocess(store, "linked")

    old, new = store.experiment("cell"), store.experiment("linked")
    inside = [p for p in old.root.rglob("*") if p.is_file() and "sqlite" not in p.name]
    arrays = [p for p in inside if p.relative_to(old.root).parts[0] in ("frames", "volumes")]
    assert arrays
    assert all(os.path.samefile(p, new.root / p.relative_to(old.root)) for p in arrays)
    assert verify_manifest(new) == []


def test_a_parameter_of_measure_makes_nothing_before_it(store: Store) -> None:
    n_reused, n_done = reprocess(store, "area", "experiment.active_area_cm2=0.7")

    stages = {e.message.stage for e in journal_of(store, "area") if e.message.type == "SlabReady"}
    assert (n_reused, n_done) == (6, 2)
    assert stages == {"reconstruct"}
    assert hashes_of(store, "area") == hashes_of(store, "cell")
    seen = [areas_seen(store, name) for name in ("cell", "area")]
    assert seen[0] != seen[1]


def areas_seen(store: Store, name: str) -> list[float | None]:
    return [
        entry.message.metrics["area_seen_fraction"].value
        for entry in journal_of(store, name)
        if isinstance(entry.message, MetricsReady)
    ]


def test_the_new_experiment_says_what_it_was_made_from(store: Store) -> None:
    reprocess(store, "said", stages="decide")

    started = next(
        e.message for e in journal_of(store, "said") if isinstance(e.message, ExperimentStarted)
    )
    assert (started.description.source, started.description.made_from) == ("reprocess", "cell")


def test_stages_before_the_first_are_taken_over_as_they_stand(store: Store) -> None:
    # Another slab height would change all keys from reconstruct on.
    reprocess(store, "late", "reconstruct.slab_rows=6", stages="segment:measure")

    begun = {e.message.stage for e in journal_of(store, "late") if e.message.type == "WorkStarted"}
    assert begun == {"segment", "measure"}
    assert not any(e.message.type == "ScanDecided" for e in journal_of(store, "late"))


def test_a_damaged_result_is_not_taken_over(store: Store, tmp_path: Path) -> None:
    # The same files under second names: the original stays as it is.
    link_tree(store.experiment("cell").root, tmp_path / "cell")
    store = Store(tmp_path)
    volume = next((store.root / "cell" / "reconstructions").glob("0001*"))
    shard = next(path for path in (volume / "0" / "c").rglob("*") if path.is_file())
    damaged = bytearray(shard.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    shard.unlink()
    shard.write_bytes(damaged)

    result = run_reprocess(ReprocessOptions(store=store.root, source="cell", name="again"))

    failures = [
        e.message for e in journal_of(store, "again") if isinstance(e.message, StageFailed)
    ]
    assert [(each.scan, each.stage) for each in failures] == [(1, "reconstruct")]
    assert str(shard.relative_to(store.root / "cell")) in failures[0].error
    assert result.history.scans[0].metrics is not None


def test_an_experiment_that_was_ended_in_the_middle_goes_on(store: Store) -> None:
    options = ReprocessOptions(
        store=store.root, source="cell", name="rings", given=["reconstruct.slab_rows=2"]
    )
    n_looks = 0

    def stop_soon() -> None:
        nonlocal n_looks
        n_looks += 1
        if n_looks == 4:
            raise StopRequested("enough")

    with pytest.raises(StopRequested):
        run_reprocess(options, look=stop_soon)
    assert "rings" not in store.experiments()
    n_before = len(work_of(store.unfinished, "rings"))
    run_reprocess(options)
    run_reprocess(
        ReprocessOptions(
            store=store.root, source="cell", name="whole", given=["reconstruct.slab_rows=2"]
        )
    )

    assert n_before > 0
    assert hashes_of(store, "rings") == hashes_of(store, "whole")
    assert hashes_of(store, "rings") != hashes_of(store, "cell")


def work_of(store: Store, name: str) -> list[WorkStarted]:
    return [e.message for e in journal_of(store, name) if isinstance(e.message, WorkStarted)]


def test_going_on_with_other_settings_is_refused(store: Store) -> None:
    def stop_at_once() -> None:
        raise StopRequested("enough")

    first = ReprocessOptions(store=store.root, source="cell", name="new")
    other = ReprocessOptions(
        store=store.root, source="cell", name="new", given=["reconstruct.zingers=0.5"]
    )

    with pytest.raises(StopRequested):
        run_reprocess(first, look=stop_at_once)

    with pytest.raises(ReprocessError, match="begun with other settings"):
        run_reprocess(other)


def test_a_name_that_is_taken_is_refused(store: Store) -> None:
    store.experiment("taken").create()

    with pytest.raises(NameTakenError, match="choose another name"):
        run_reprocess(ReprocessOptions(store=store.root, source="cell", name="taken"))
