"""A demo through the real services measures what is true of the simulated cell.

The bar is on the change since scan 0: a constant would pass one on the thickness itself.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_process import entries, undisturbed_demo

from lithoscope_messages import LabelsReady, TransformReady, VolumeReady
from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.phantom import SimulatedCell, make_cell
from lithoscope_pipeline.phantom.provenance import provenance_of
from lithoscope_store import ExperimentPaths, Store, read_slab

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]
SCANS = 3
#: Changes of volume are held to their bar from here on.
LARGE_VOXELS = 1000
THICKNESSES = (
    "plating_side_thickness_um",
    "stripping_side_thickness_um",
    "deposited_thickness_um",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    seeds = (1, 2, 3, 4, 5) if metafunc.config.getoption("--soak") else (5,)
    metafunc.parametrize("demo", seeds, indirect=True, scope="module")


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A demo that is over, and the cell it looked at."""

    store: Path
    cell: SimulatedCell
    report: dict[str, Any]  # JSON

    @property
    def paths(self) -> ExperimentPaths:
        return Store(self.store).experiment("first")

    @property
    def roi(self) -> Roi:
        """The region that the metrics speak for, from the fact that set it."""
        fact = next(
            entry.message
            for entry in entries(self.store, "first")
            if isinstance(entry.message, TransformReady) and entry.message.verdict == "reference"
        )
        return Roi(**fact.roi.model_dump())

    @cached_property
    def truth(self) -> list[dict[str, float]]:
        """What is true of that region, scan by scan."""
        return [self.cell.truth_metrics(scan, self.roi) for scan in range(SCANS)]

    def facts(self, kind: type[LabelsReady] | type[VolumeReady]) -> list[Any]:  # one of the two
        return [e.message for e in entries(self.store, "first") if isinstance(e.message, kind)]


@pytest.fixture(scope="module")
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    store = undisturbed_demo(tmp_path_factory, scans=SCANS, seed=request.param)
    report = [sys.executable, "-m", "lithoscope_services.cli", "report", "first", "--json"]
    done = subprocess.run([*report, "--store", str(store)], capture_output=True, check=True)
    return Demo(
        store=store,
        cell=make_cell("tiny", seed=request.param, n_scans=SCANS),
        report=json.loads(done.stdout),
    )


@pytest.mark.parametrize("name", THICKNESSES)
def test_change_of_thickness_agrees_with_the_truth_within_one_voxel(demo: Demo, name: str) -> None:
    true_um = np.array([demo.truth[scan][name] for scan in range(SCANS)])

    measured_um = np.array([scan["metrics"][name]["value"] for scan in demo.report["scans"]])

    errors_um = (measured_um - measured_um[0]) - (true_um - true_um[0])
    assert np.abs(errors_um).max() < demo.cell.voxel_um, errors_um


def test_change_of_deposited_volume_agrees_with_the_truth_within_15_percent(demo: Demo) -> None:
    name = "deposited_volume_um3"
    true_um3 = np.array([demo.truth[scan][name] for scan in range(SCANS)])
    is_large = true_um3 - true_um3[0] > LARGE_VOXELS * demo.cell.voxel_um**3

    measured_um3 = np.array([scan["metrics"][name]["value"] for scan in demo.report["scans"]])

    ratios = (measured_um3 - measured_um3[0])[is_large] / (true_um3 - true_um3[0])[is_large]
    assert is_large.any()
    assert np.abs(ratios - 1).max() < 0.15, ratios


def test_the_cell_changes_by_more_than_the_bar(demo: Demo) -> None:
    # Otherwise the test above would say nothing.
    thickest_um = [demo.truth[scan]["deposited_thickness_um"] for scan in range(SCANS)]

    assert max(thickest_um) - thickest_um[0] > 3 * demo.cell.voxel_um


def test_the_truth_beside_it_is_that_of_the_cell(demo: Demo) -> None:
    written = json.loads((demo.paths.truth / "truth.json").read_text())

    truth = {"experiment": "first", **demo.cell.truth(demo.cell.roi)}
    assert written == truth | json.loads(json.dumps(provenance_of(demo.cell)))
    for scan in range(SCANS):
        path = demo.paths.truth / f"labels_{scan:04d}.zarr"
        labels = read_slab(path, 0, demo.cell.roi.shape[0])
        assert np.array_equal(labels, demo.cell.labels(scan, demo.cell.roi))


def test_ome_zarr_opens_volumes_and_labels_of_all_scans(demo: Demo) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    facts = demo.facts(LabelsReady)

    for fact in facts:
        image, *labels = Reader(parse_url(demo.paths.resolve(fact.path)))()
        assert image.data[0].shape == fact.shape
        assert image.data[0].compute(scheduler="synchronous").std() > 0
        assert image.metadata["coordinateTransformations"][0][0]["scale"] == [fact.voxel_um] * 3
        values = [node.data[0] for node in labels if node.data]
        names = [fact.label_name, *filter(None, [fact.single_scan_label_name])]
        assert [each.shape for each in values] == [fact.shape] * len(names)
        for name, found in zip(names, values, strict=True):
            stored = read_slab(demo.paths.resolve(fact.path), 0, fact.shape[0], label=name)
            assert np.array_equal(found.compute(scheduler="synchronous"), stored)
    assert [fact.scan for fact in facts] == list(range(SCANS))


def test_ome_zarr_opens_the_reconstructions_of_all_scans(demo: Demo) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    facts = demo.facts(VolumeReady)

    for fact in facts:
        image = next(iter(Reader(parse_url(demo.paths.resolve(fact.path)))()))
        assert image.data[0].shape == fact.shape
        assert np.isfinite(image.data[0].compute(scheduler="synchronous")).all()
    assert [fact.scan for fact in facts] == list(range(SCANS))
