"""A scan labelled in parts against the same scan at once."""

from pathlib import Path

import numpy as np
import pytest
from stored_cell import journal_of, shared_cell

from lithoscope_messages import LabelsReady
from lithoscope_services.chain.scratch import read_arrays, write_arrays
from lithoscope_services.history import History
from lithoscope_services.settings import Settings, replace_values
from lithoscope_services.stage import Task
from lithoscope_services.stages.segment import SegmentStage
from lithoscope_store import Store
from lithoscope_store.links import link_tree

STAGE = SegmentStage()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return shared_cell(tmp_path_factory)


def task_of(store: Store, *, n_labelled: int = 1, **changes: object) -> Task:
    """Plan the second scan once more, with other settings so that it is written beside it."""
    entries = journal_of(store, "cell")
    labels = [each for each in entries if isinstance(each.message, LabelsReady)]
    history = History("cell")
    history.extend([each for each in entries if each not in labels[n_labelled:]])
    assert history.started is not None
    settings = replace_values(
        Settings.model_validate(history.started.settings, strict=False),
        {f"segment.{name}": value for name, value in changes.items()},
    )
    history.started = history.started.model_copy(
        update={"settings": settings.model_dump(mode="json")}
    )
    return STAGE.plan(history)[-1]


def said(fact: object) -> dict[str, object]:
    assert isinstance(fact, LabelsReady)
    return fact.model_dump(exclude={"time_ns", "hops"})


def files_of(store: Store, fact: object) -> dict[str, bytes]:
    assert isinstance(fact, LabelsReady)
    experiment = store.experiment("cell")
    folders = (experiment.resolve(fact.path), experiment.root / "probabilities")
    return {
        str(path.relative_to(experiment.root)): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_parts_of_a_scan_write_the_bytes_of_the_whole(store: Store, tmp_path: Path) -> None:
    apart = Store(tmp_path)
    link_tree(store.root / "cell", apart.root / "cell")
    task = task_of(store, probabilities=True)

    (whole,) = STAGE.execute(task, str(store.root))
    root = str(apart.root)
    begun = STAGE.begin(task, root)
    # The last part first: parts know nothing of each other.
    for part in reversed(begun["parts"]):
        assert list(SegmentStage().do_part(task, root, begun, part)) == []
    (together,) = STAGE.finish(task, root, begun, ())

    assert {name for name, *_ in begun["parts"]} == {"beside", "alone"}
    assert len(begun["parts"]) > 4
    assert said(together) == said(whole)
    assert files_of(apart, together) == files_of(store, whole)


def test_a_scan_need_not_wait_for_the_labels_of_the_one_before(store: Store) -> None:
    task = task_of(store, n_labelled=0, probabilities=True)
    waited = task_of(store, probabilities=True)

    (early,) = STAGE.execute(task, str(store.root))
    (late,) = STAGE.execute(waited, str(store.root))

    assert task.scan == waited.scan == 1
    assert [place["region_path"] for place in task.arguments["shown"]] == [None, None]
    assert task.key == waited.key
    assert said(early) == said(late)
    assert said(early)["earlier_scans"] == (0, 0)


def test_labels_by_the_order_of_layers_are_not_cut(store: Store) -> None:
    task = task_of(store, method="layers")

    assert STAGE.begin(task, str(store.root)) == {"parts": []}


def test_what_parts_lay_down_comes_back_as_it_was(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)

    write_arrays(tmp_path / "key", "alone-0", {"segments": array}, {"shown": ["first"]})
    arrays, text = read_arrays(tmp_path / "key", "alone-0")

    np.testing.assert_array_equal(arrays["segments"], array)
    assert (list(arrays), text) == (["segments"], {"shown": ["first"]})
