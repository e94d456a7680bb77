"""Slices painted on an experiment are learned from with the scans that they are shown with."""

from pathlib import Path

import numpy as np
import pytest
from stored_cell import journal_of, shared_cell

from lithoscope_messages import LabelsReady
from lithoscope_models.data.painted import read_painted
from lithoscope_models.errors import TrainingDataError
from lithoscope_models.fine_tune.run import PAINTED
from lithoscope_models.model_file import DEFAULT_MODEL, load_card
from lithoscope_pipeline.labels import UNLABELLED, SegmentClass
from lithoscope_services.fine_tuning import model_name, paint_from_experiment
from lithoscope_store import LabelClass, Store, read_slab
from lithoscope_store.painted_labels import paint
from lithoscope_store.painted_planes import PaintLayer

CLASSES = tuple(
    LabelClass(value=int(each), name=each.key, colour=(0, 0, 0, 255)) for each in SegmentClass
)
ADA = PaintLayer(axis="z", person="Ada", round=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return shared_cell(tmp_path_factory)


def labels_of(store: Store, scan: int) -> LabelsReady:
    return next(
        entry.message
        for entry in journal_of(store, "cell")
        if isinstance(entry.message, LabelsReady) and entry.message.scan == scan
    )


def test_without_paint_it_is_said_where_to_paint(store: Store, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="paint some on the Labels page"):
        paint_from_experiment(store.root, "cell", tmp_path, model=DEFAULT_MODEL)


def test_painted_slices_come_with_their_volume_and_with_earlier_scans(
    store: Store, tmp_path: Path
) -> None:
    fact = labels_of(store, 1)
    volume = store.experiment("cell").resolve(fact.path)
    n_z, _, n_x = fact.shape
    slices = [1, n_z // 2, n_z - 2]
    for z in slices:
        paint(volume, ADA, z, [(5 * n_x, 40, 2), (20 * n_x, 40, 1)], CLASSES, time_ns=1)

    paint_from_experiment(store.root, "cell", tmp_path, model=DEFAULT_MODEL)

    found = read_painted(tmp_path / PAINTED)
    first, second = found.training.scans
    named = [each.z for each in (*found.training_slices, *found.held_out_slices)]
    assert (first.scan, second.scan) == (0, 1)
    assert first.only == ()
    assert sorted(named) == slices
    assert second.shifts_px is not None
    assert second.shifts_px.shape == (2, second.grey.shape[0], n_x)
    known = np.flatnonzero((second.classes != UNLABELLED).any(axis=(1, 2)))
    assert len(known) == len(slices)
    assert int((second.classes == SegmentClass.ELECTRODE).sum()) == 40 * len(slices)
    # The tiny cell is not as high as what is kept around a slice: all of it is there.
    halo = load_card(DEFAULT_MODEL).inputs.inputs.halo
    if n_z <= 2 * halo:
        np.testing.assert_array_equal(second.grey, read_slab(volume, 0, n_z).astype(np.float16))


def test_planes_across_the_other_axes_are_learned_from_too(store: Store, tmp_path: Path) -> None:
    fact = labels_of(store, 1)
    volume = store.experiment("cell").resolve(fact.path)
    n_z, n_y, n_x = fact.shape
    for axis, index, line in (("x", n_x // 3, n_y), ("y", n_y // 2, n_x)):
        # A stroke on every line of the plane, z after z.
        runs = [(line * z + 5, 12, 2) for z in range(n_z)]
        layer = PaintLayer(axis=axis, person="Bea", round=1)  # type: ignore[arg-type]  # of two
        paint(volume, layer, index, runs, CLASSES, time_ns=2)

    paint_from_experiment(store.root, "cell", tmp_path, model=DEFAULT_MODEL)

    found = read_painted(tmp_path / PAINTED)
    scan = found.training.scans[1]
    assert scan.only is not None
    (line_in,) = {each.z for each in found.training_slices} & {0}
    classes = scan.classes[line_in]
    assert classes[5:17, n_x // 3].tolist() == [2] * 12
    assert classes[n_y // 2, 5:17].tolist() == [2] * 12


def test_models_are_named_by_their_folder_as_cards_allow_it() -> None:
    assert model_name(Path("Cell 7 / model")) == "model"
    assert model_name(Path("out/Cell 7")) == "cell-7"
    assert model_name(Path("out/7")) == "model-7"
