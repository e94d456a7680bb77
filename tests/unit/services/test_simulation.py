"""What ``simulate`` is told, and that it writes the same bytes every time."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import h5py
import numpy as np
import pytest

from lithoscope_pipeline.phantom import FAMILIES, SIZES, SimulatedCell, make_cell
from lithoscope_pipeline.phantom.acquisition_parameters import AngleOrder
from lithoscope_pipeline.phantom.growth_parameters import Bridge
from lithoscope_pipeline.phantom.provenance import SIMULATOR_VERSION, provenance_of
from lithoscope_services.cli import options
from lithoscope_services.errors import SourceError
from lithoscope_services.sources.files import open_scan
from lithoscope_services.sources.simulated_files import write_simulated_scans, write_tile
from lithoscope_services.sources.simulation import FAULTS, Simulation, parse_faults

Run = Callable[..., tuple[int, str, str]]


def small(**choice: Any) -> SimulatedCell:  # fields of Simulation
    """The cell of a simulation before a detector that is quick to read out."""
    made = Simulation(**choice).cell()
    detector = replace(made.detector, n_rows=12, n_columns=64, n_angles=40, voxel_um=13.0)
    scans = len(made.schedule)
    return make_cell(seed=made.cell.seed, n_scans=scans, cell=made.cell, detector=detector)


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_one_seed_gives_the_same_files_to_the_byte(tmp_path: Path) -> None:
    simulation = Simulation(seed=5, n_scans=1, faults={"lost": 0.1, "late": 0.1})

    for name in ("first", "second"):
        write_simulated_scans(tmp_path / name, name="cell", simulation=simulation)

    first = hashes(tmp_path / "first")
    assert first == hashes(tmp_path / "second")
    assert {"scan_000.h5", "truth.json", "electrochemistry.csv"} < set(first)
    assert any(name.startswith("labels_000.zarr/") for name in first)


def test_another_seed_gives_other_frames(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_tile(tmp_path / f"{seed}.h5", small(seed=seed), 0)

    assert len(set(hashes(tmp_path).values())) == 2


def test_a_scan_in_a_file_is_what_arrived_of_it(tmp_path: Path) -> None:
    cell = small(seed=3, faults={"lost": 0.1, "repeated": 0.1, "late": 0.1}, order="golden")
    frames = cell.frames(1)

    write_tile(tmp_path / "scan.h5", cell, 1)

    with h5py.File(tmp_path / "scan.h5") as file:
        thetas_deg, projections = file["exchange/theta"][()], file["exchange/data"][()]
    assert len(projections) == 40 - 4 + 4
    np.testing.assert_array_equal(thetas_deg, cell.scan_thetas_deg(1)[frames.arrivals])
    np.testing.assert_array_equal(projections[7], frames.frame("projection", frames.arrivals[7]))


def test_the_truth_names_what_the_file_lacks(tmp_path: Path) -> None:
    cell = small(seed=3, faults={"lost": 0.1})
    (entry,) = [each for each in provenance_of(cell)["faults"] if each["scan"] == 1]

    write_tile(tmp_path / "scan.h5", cell, 1)

    with h5py.File(tmp_path / "scan.h5") as file:
        thetas_deg = file["exchange/theta"][()]
    missing = np.setdiff1d(cell.scan_thetas_deg(1), thetas_deg)
    np.testing.assert_array_equal(missing, cell.scan_thetas_deg(1)[entry["lost"]])


def test_a_file_says_how_it_was_taken_and_can_be_ingested(tmp_path: Path) -> None:
    cell = small(seed=3)
    write_tile(tmp_path / "scan.h5", cell, 0)

    with open_scan(tmp_path / "scan.h5") as scan:
        assert scan.voxel_size_um == cell.voxel_um
        assert scan.energy_keV == cell.cell.optics.energy_keV
        assert scan.distance_mm == cell.cell.optics.distance_mm
        np.testing.assert_allclose(scan.thetas_deg, cell.thetas_deg)


def test_each_tile_is_a_file_of_its_own(tmp_path: Path) -> None:
    cell = small(seed=3, n_tiles=2)

    for tile in range(2):
        write_tile(tmp_path / f"scan_000_tile_{tile}.h5", cell, 0, tile)

    tiles = provenance_of(cell)["tiles"]
    assert [tile["first_row"] for tile in tiles] == [0, 4]
    assert len(set(hashes(tmp_path).values())) == 2


def test_the_truth_says_version_parameters_and_pulses() -> None:
    truth = json.loads(json.dumps(provenance_of(small(seed=3)), allow_nan=False))

    assert truth["simulator_version"] == SIMULATOR_VERSION
    assert truth["family"] == "default"
    assert truth["parameters"]["detector"]["acquisition"]["order"] == "linear"
    assert truth["parameters"]["cell"]["growth"]["bridge"] == "none"
    assert len(truth["pulses"]) == 24
    assert truth["pulses"][0]["efficiency"] == pytest.approx(0.7668)
    assert truth["faults"] == []


@pytest.mark.parametrize(
    ("choice", "value"),
    [
        ({"order": "golden"}, lambda cell: cell.detector.acquisition.order == "golden"),
        ({"is_back_and_forth": True}, lambda cell: cell.scan_thetas_deg(1)[0] > 170),
        ({"n_tiles": 3}, lambda cell: cell.detector.n_volume_rows == 3 * 24 - 2 * 8),
        ({"n_cycles": 2}, lambda cell: cell.schedule[-1].pulse == 48),
        ({"n_null_scans": 2}, lambda cell: [p.pulse for p in cell.schedule] == [0, 0, 24]),
        ({"bridge": "outside"}, lambda cell: cell.cell.growth.bridge == "outside"),
        ({"family": "blurred"}, lambda cell: cell.detector.response.psf_fwhm_px == 2.0),
        ({"size": "small"}, lambda cell: cell.detector.n_columns == 384),
    ],
)
def test_each_choice_reaches_the_cell(
    choice: dict[str, Any], value: Callable[[SimulatedCell], bool]
) -> None:
    assert value(Simulation(**choice).cell())
    assert not value(Simulation().cell())


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_reaches_the_detector(name: str) -> None:
    part, field, size = FAULTS[name]

    detector = Simulation(faults=parse_faults([name])).cell().detector

    assert getattr(getattr(detector, part), field) == size
    assert getattr(getattr(SIZES["tiny"], part), field) != size


def test_faults_are_read_with_sizes_and_commas() -> None:
    assert parse_faults(["lost=0.2,shutter", " late=0.01"]) == {
        "lost": 0.2,
        "shutter": 0.1,
        "late": 0.01,
    }


def test_an_unknown_fault_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SourceError, match=r"fault 'flood' is not known; one of lost, edge-on"):
        parse_faults(["flood"])


def test_a_size_that_is_no_number_is_refused_with_an_example() -> None:
    with pytest.raises(SourceError, match=r"'much' is no number; write lost=0\.05"):
        parse_faults(["lost=much"])


def test_a_simulation_comes_back_from_the_description_of_its_source() -> None:
    simulation = Simulation(seed=4, order="golden", faults={"lost": 0.1}, bridge="inside")
    source = {"kind": "simulated", "scan_s": 0.0, **simulation.model_dump(mode="json")}

    assert Simulation.of_source(json.loads(json.dumps(source))) == simulation


def test_the_command_line_offers_what_the_cell_knows() -> None:
    assert {each.value for each in options.Order} == set(get_args(AngleOrder))
    assert {each.value for each in options.Bridge} == set(get_args(Bridge))
    assert {each.value for each in options.FamilyChoice} == set(FAMILIES)
    assert set(get_args(Simulation.model_fields["family"].annotation)) == set(FAMILIES)


def test_wrong_faults_are_wrong_usage(run: Run, tmp_path: Path) -> None:
    code, _, err = run("simulate", "--out", str(tmp_path / "out"), "--faults", "flood")

    assert code == 2
    assert "flood" in err
    assert not (tmp_path / "out").exists()
