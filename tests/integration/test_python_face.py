"""A stored experiment from Python, and two of them side by side."""

import json
from pathlib import Path

import numpy as np
import pytest
from stored_cell import journal_of, shared_cell

import lithoscope
from lithoscope_messages import LabelsReady, MetricsReady
from lithoscope_services.compare import NothingInCommonError, compare_experiments, summarise
from lithoscope_services.compare_page import compare_page
from lithoscope_services.reprocess.run import ReprocessOptions, run_reprocess
from lithoscope_store import Store, StoreError, read_slab, volume_info

pytest.importorskip("pandas", reason="needs the extra notebook")
pytest.importorskip("xarray", reason="needs the extra notebook")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A cell, and the same without ring removal."""
    store = shared_cell(tmp_path_factory)
    run_reprocess(
        ReprocessOptions(
            store=store.root, source="cell", name="other", given=["reconstruct.rings=none"]
        )
    )
    return store


@pytest.fixture
def cell(store: Store) -> lithoscope.Experiment:
    return lithoscope.open(store.root / "cell")


def metrics_in_journal(store: Store, scan: int) -> MetricsReady:
    return next(
        entry.message
        for entry in journal_of(store, "cell")
        if isinstance(entry.message, MetricsReady) and entry.message.scan == scan
    )


def test_metrics_are_those_of_the_journal(store: Store, cell: lithoscope.Experiment) -> None:
    table = cell.metrics

    fact = metrics_in_journal(store, 1)
    assert set(table.loc[1].index) == set(fact.metrics)
    for name, metric in fact.metrics.items():
        row = table.loc[1, name]
        assert row["unit"] == metric.unit
        assert row["flags"] == metric.flags
        value = np.nan if metric.value is None else metric.value
        np.testing.assert_equal(row["value"], value)
    assert table.loc[1, "remaining_gap_um"]["charge_mAh"] == fact.charge_mAh


def test_one_metric_has_a_row_a_scan(cell: lithoscope.Experiment) -> None:
    assert list(cell.metric("plating_side_thickness_um").index) == [0, 1]
    with pytest.raises(lithoscope.NotThereError, match="no metric 'gap'"):
        cell.metric("gap")


def test_a_volume_is_lazy_and_reads_what_is_stored(
    store: Store, cell: lithoscope.Experiment
) -> None:
    fact = next(e.message for e in journal_of(store, "cell") if isinstance(e.message, LabelsReady))
    path = store.experiment("cell").resolve(fact.path)
    expected = read_slab(path, 0, fact.shape[0])

    volume = cell.scan(0).volume

    assert "dtype=float32]" in repr(volume)  # xarray shows values of what was read only
    assert volume.shape == fact.shape
    np.testing.assert_array_equal(volume[3:9, ::-2, 5].values, expected[3:9, ::-2, 5])
    np.testing.assert_array_equal(volume.values, expected)
    assert volume[4:4].values.shape == (0, *fact.shape[1:])


def test_coordinates_are_micrometres_in_the_reference_frame(cell: lithoscope.Experiment) -> None:
    scan = cell.scan(1)
    transform = scan.facts.transform
    assert transform is not None
    voxel_um = volume_info(cell.path / scan.facts.labels.path).voxel_um  # type: ignore[union-attr] # labelled

    fine, coarse = scan.labels, scan.at_level(1, is_labels=True)

    assert float(fine.y[0]) == pytest.approx((transform.roi.y0 - transform.y_outer_px) * voxel_um)
    assert float(fine.x[1] - fine.x[0]) == pytest.approx(voxel_um)
    # The first voxel of the coarser level lies between the first two of the finer one.
    assert float(coarse.z[0]) == pytest.approx(float(fine.z[:2].mean()))
    assert fine.attrs["classes"][7] == "electrolyte"


def test_maps_lie_on_the_plane_of_the_electrode(cell: lithoscope.Experiment) -> None:
    scan = cell.scan(1)

    maps = scan.maps

    gap = maps["remaining_gap_um"]
    assert gap.dims == ("z", "x")
    np.testing.assert_array_equal(gap.x, scan.volume.x)
    assert gap.attrs["units"] == "um"


def test_decisions_have_a_row_a_fact(store: Store, cell: lithoscope.Experiment) -> None:
    decided = cell.decisions[cell.decisions["type"] == "ScanDecided"]

    assert list(decided["scan"]) == [0, 1]


def test_layers_for_napari_lie_on_each_other(cell: lithoscope.Experiment) -> None:
    layers = cell.napari_layers(level=1)

    assert [(kind, options["visible"]) for _, options, kind in layers] == [
        ("image", False),
        ("labels", False),
        ("image", True),
        ("labels", True),
    ]
    assert layers[2][1]["scale"] == pytest.approx(layers[3][1]["scale"])
    assert layers[2][1]["translate"] == pytest.approx(layers[3][1]["translate"])


def test_what_is_not_there_is_said(store: Store, cell: lithoscope.Experiment) -> None:
    with pytest.raises(lithoscope.NotThereError, match="no scan 7"):
        cell.scan(7)
    with pytest.raises(StoreError, match="no folder"):
        lithoscope.open(store.root / "nobody")


def both(store: Store, first: str, second: str) -> dict[str, object]:
    paths = store.experiment(first), store.experiment(second)
    return compare_experiments(paths, (journal_of(store, first), journal_of(store, second)))


def test_an_experiment_equals_itself(store: Store) -> None:
    compared = both(store, "cell", "cell")

    rows = summarise(compared)
    assert all(row["n_equal"] == row["n_scans"] for row in rows)
    assert [scan["labels"]["is_equal"] for scan in compared["scans"]] == [True, True]  # type: ignore[attr-defined] # JSON


def test_differences_and_agreement_are_those_of_the_numbers(store: Store) -> None:
    compared = both(store, "cell", "other")

    cells = [lithoscope.open(store.root / name) for name in ("cell", "other")]
    values = [each.metrics.loc[1, "plating_side_thickness_um"]["value"] for each in cells]
    scan = compared["scans"][1]  # type: ignore[index] # JSON
    metric = scan["metrics"]["plating_side_thickness_um"]
    assert metric["difference"] == pytest.approx(values[1] - values[0])
    if not scan["labels"]["reason"]:
        labels = [each.scan(1).labels.values for each in cells]
        both_electrolyte = np.sum((labels[0] == 7) & (labels[1] == 7))
        sizes = sum(np.sum(each == 7) for each in labels)
        assert scan["labels"]["dice"]["electrolyte"] == pytest.approx(2 * both_electrolyte / sizes)


def test_the_page_of_a_comparison_is_whole(store: Store, tmp_path: Path) -> None:
    compared = json.loads(json.dumps(both(store, "cell", "other"), allow_nan=False))

    page = compare_page(compared)

    assert page.count("<table>") >= 2
    assert "http" not in page.replace("http-equiv", "")


def test_experiments_without_a_common_scan_are_refused(store: Store) -> None:
    paths = store.experiment("cell"), store.experiment("cell")
    with pytest.raises(NothingInCommonError, match="no scan in common"):
        compare_experiments(paths, (journal_of(store, "cell"), []))
