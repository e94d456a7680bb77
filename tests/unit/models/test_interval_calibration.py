"""A calibration from simulated experiments to the file beside a network, in small."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lithoscope_models.calibration.draws import FAMILIES, Plan, draw_experiment
from lithoscope_models.calibration.residuals import ExperimentResiduals, Trajectory
from lithoscope_models.calibration.run import calibrate_model, fit_file, measure_experiments
from lithoscope_models.calibration.tables import (
    CALIBRATION_FILE,
    calibrations_for,
    read_calibration,
    write_calibration,
)
from lithoscope_models.errors import ModelRefusedError, TrainingDataError
from lithoscope_models.model_file import DEFAULT_MODEL, find_model, model_sha256
from lithoscope_pipeline.measure.intervals import IntervalContext, with_intervals
from lithoscope_pipeline.measure.version import METRICS_VERSION
from lithoscope_pipeline.metric import measured
from lithoscope_pipeline.phantom.provenance import SIMULATOR_VERSION

SMALL = Plan(size="tiny", scans=(0, 12), view_px=(10, 176), box_px=(8, 152, 24))


def experiment(number: int) -> ExperimentResiduals:
    """An experiment whose gap closes, measured 1 um too wide with a spread of 0.5 um."""
    rng = np.random.default_rng(number)
    truth = np.linspace(250.0, 50.0, 6)
    error = 1.0 + 0.5 * rng.standard_normal(6)
    return ExperimentResiduals(
        name=str(number),
        family=FAMILIES[number % len(FAMILIES)],
        voxel_um=2.25,
        area_um2=20_000.0,
        pulses=(0, 2, 4, 6, 8, 10),
        half_cycles=(0,) * 6,
        cnr=tuple(rng.uniform(3.0, 5.0, 6)),
        blur_px=tuple(rng.uniform(0.8, 1.2, 6)),
        grain=tuple(rng.uniform(0.3, 0.4, 6)),
        metrics={
            "remaining_gap_um": Trajectory(measured=tuple(truth + error), truth=tuple(truth))
        },
    )


def write_image_model(folder: Path) -> None:
    """Pretend that blur and noise of the chain were measured: a sharp image with little noise."""
    folder.mkdir()
    np.savez(
        folder / f"tiny-default-{SIMULATOR_VERSION}.npz",
        transfer=np.ones((8, 25)),
        noise=np.full((8, 25), 0.02),
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    experiments = [experiment(number) for number in range(72)]
    found = fit_file(
        {"network": experiments, "single_scan": experiments, "layers": experiments}, "c" * 64
    )
    path = tmp_path_factory.mktemp("calibration") / CALIBRATION_FILE
    write_calibration(path, found)
    return path


def test_residuals_become_a_file_that_gives_intervals(stored: Path) -> None:
    context = IntervalContext(
        calibrations=read_calibration(stored).calibrations,
        origin="network",
        model_sha256="c" * 64,
        measure_version=METRICS_VERSION,
        voxel_um=2.25,
        area_um2=20_000.0,
        cnr=4.0,
        blur_px=1.0,
    )

    gap = with_intervals({"remaining_gap_um": measured(101.0, "um")}, context)["remaining_gap_um"]

    # 101 - 1 is the truth; 1.96 x 0.5 um lie to either side of it, and the value stays inside.
    assert gap.low95 == pytest.approx(99.0, abs=0.5)
    assert gap.high95 == pytest.approx(101.0, abs=0.5)


def test_a_calibration_says_how_good_it_is_and_keeps_whole_trajectories(stored: Path) -> None:
    found = read_calibration(stored)

    score = found.scores["network"]["remaining_gap_um"]
    assert score.n_experiments == 72
    assert score.bias == pytest.approx(1.0, abs=0.1)
    assert set(score.left_out) == set(FAMILIES)
    assert found.gaps["network"][0].pulses == (0, 2, 4, 6, 8, 10)


def test_a_damaged_calibration_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / CALIBRATION_FILE
    path.write_text('{"format_version": 3}')

    with pytest.raises(ModelRefusedError, match="run lithoscope model calibrate"):
        read_calibration(path)


def test_the_default_network_comes_with_a_calibration_of_its_own() -> None:
    found = calibrations_for(DEFAULT_MODEL)

    by_origin = {each.origin: each for each in found}
    assert set(by_origin) == {"network", "single_scan", "layers"}
    assert by_origin["network"].model_sha256 == model_sha256(DEFAULT_MODEL)
    assert by_origin["network"].measure_version == METRICS_VERSION
    assert read_calibration(find_model(DEFAULT_MODEL) / CALIBRATION_FILE).n_experiments >= 60


def test_a_folder_that_is_no_network_has_no_calibration(tmp_path: Path) -> None:
    assert calibrations_for(str(tmp_path)) == ()


def test_experiments_take_turns_among_families_and_are_the_same_each_time() -> None:
    drawn = [draw_experiment(number, SMALL) for number in range(6)]

    assert {each.cell.family for each in drawn} == set(FAMILIES)
    assert draw_experiment(3, SMALL) == drawn[3]


def test_an_experiment_is_made_labelled_and_measured_once(tmp_path: Path) -> None:
    write_image_model(tmp_path / "models")
    first = measure_experiments(DEFAULT_MODEL, tmp_path, n_experiments=1, plan=SMALL)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    again = measure_experiments(DEFAULT_MODEL, tmp_path, n_experiments=1, plan=SMALL)

    files = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {path: path.stat().st_mtime_ns for path in files} == written
    assert again == first
    network = first["network"][0]
    assert network.pulses == (0, 12)
    side = network.metrics["plating_side_thickness_um"]
    assert side.truth[1] == pytest.approx(side.measured[1], rel=0.2)
    assert first["layers"][0].metrics["pit_volume_um3"].measured == (None, None)


def test_time_that_is_up_leaves_the_rest_to_the_next_call(tmp_path: Path) -> None:
    run = calibrate_model(DEFAULT_MODEL, tmp_path, n_experiments=60, time_limit_s=-1.0)

    assert run.path is None
    assert run.n_experiments == 0


def test_too_few_experiments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="at least 60"):
        calibrate_model(DEFAULT_MODEL, tmp_path, n_experiments=12)


def test_another_version_of_the_measurement_has_no_intervals(stored: Path) -> None:
    calibrations = tuple(
        replace(each, measure_version=METRICS_VERSION + 1)
        for each in read_calibration(stored).calibrations
    )
    context = IntervalContext(
        calibrations=calibrations,
        origin="layers",
        model_sha256="",
        measure_version=METRICS_VERSION,
        voxel_um=2.25,
        area_um2=20_000.0,
        cnr=4.0,
        blur_px=1.0,
    )

    gap = with_intervals({"remaining_gap_um": measured(101.0, "um")}, context)["remaining_gap_um"]

    assert gap.low95 is None
    assert "interval_not_calibrated" in gap.flags
