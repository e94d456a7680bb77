"""A calibration from simulated experiments to the file beside a network, in small."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lithoscope_models.calibration.draws import (
    FAMILIES,
    Plan,
    draw_between,
    draw_experiment,
    draw_in_turn,
)
from lithoscope_models.calibration.evaluation import score_metrics
from lithoscope_models.calibration.images import experiment_model, make_images, read_images
from lithoscope_models.calibration.residuals import ExperimentResiduals, Trajectory
from lithoscope_models.calibration.run import calibrate_model, fit_file, measure_experiments
from lithoscope_models.calibration.tables import (
    CALIBRATION_FILE,
    calibrations_for,
    read_calibration,
    write_calibration,
)
from lithoscope_models.data.measured_models import measured_model, seen_as
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


def write_image_model(
    folder: Path, family: str = "default", *, transfer: float = 1.0, noise: float = 0.02
) -> None:
    """Pretend that blur and noise of the chain were measured: a sharp image with little noise."""
    folder.mkdir(exist_ok=True)
    np.savez(
        folder / f"tiny-{family}-{SIMULATOR_VERSION}.npz",
        transfer=np.full((8, 25), transfer),
        noise=np.full((8, 25), noise),
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
    assert read_calibration(find_model(DEFAULT_MODEL) / CALIBRATION_FILE).n_experiments >= 90


def test_a_folder_that_is_no_network_has_no_calibration(tmp_path: Path) -> None:
    assert calibrations_for(str(tmp_path)) == ()


def test_experiments_take_turns_among_families_and_are_the_same_each_time() -> None:
    drawn = [draw_experiment(number, SMALL) for number in range(6)]

    assert {each.cell.family for each in drawn} == set(FAMILIES)
    assert draw_experiment(3, SMALL) == drawn[3]


def test_six_experiments_of_families_are_followed_by_three_between_them() -> None:
    drawn = [draw_in_turn(place, SMALL)[0] for place in range(18)]

    of_families = [each for each in drawn if each.cell.towards is None]
    between = [each for each in drawn if each.cell.towards is not None]
    assert of_families == [draw_experiment(number, SMALL) for number in range(12)]
    assert between == [draw_between(number, SMALL) for number in range(6)]
    assert len({each.cell.seed for each in drawn}) == 18


def test_what_lies_between_is_never_more_than_half_of_another_family() -> None:
    drawn = [draw_between(number, SMALL) for number in range(60)]

    assert all(each.cell.towards != each.cell.family for each in drawn)
    assert all(0.0 < each.cell.share <= 0.5 for each in drawn)
    assert {each.cell.towards for each in drawn} == {"mossy", "filaments", "blurred"}


def test_a_family_left_out_leaves_its_neighbours_and_what_lies_between_is_not_judged_with_it() -> (
    None
):
    """One family is 5 um wider; what lies half way to it is 2.5 um wider, and belongs to others.

    Experiments between that belong to the family itself are left out with it.
    """

    def wider(number: int, by_um: float, towards: str | None = None) -> ExperimentResiduals:
        usual = experiment(number)
        gap = usual.metrics["remaining_gap_um"]
        measured = tuple((each or 0.0) + by_um for each in gap.measured)
        return replace(
            usual,
            towards=towards,
            metrics={"remaining_gap_um": Trajectory(measured=measured, truth=gap.truth)},
        )

    pure = [wider(n, 5.0 if FAMILIES[n % 6] == "mossy" else 0.0) for n in range(72)]
    towards = [wider(6 * n, 2.5, "mossy") for n in range(15)]
    its_own = [wider(6 * n + 1, 5.0, "filaments") for n in range(15)]

    alone = score_metrics(pure)["remaining_gap_um"]
    near = score_metrics([*pure, *towards])["remaining_gap_um"]
    same = score_metrics([*pure, *its_own])["remaining_gap_um"]

    assert alone.of_families is None
    assert near.of_families is not None
    assert near.n_experiments == alone.n_experiments == 72
    assert near.left_out["mossy"] >= alone.left_out["mossy"]
    assert same.left_out["mossy"] == alone.left_out["mossy"]


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


def test_an_experiment_between_two_families_is_imaged_between_theirs(tmp_path: Path) -> None:
    drawn = (draw_between(number, SMALL) for number in range(17))
    experiment = next(each for each in drawn if each.cell.towards == "blurred")
    cell = experiment.cell
    write_image_model(tmp_path / "models", seen_as(cell.family))
    write_image_model(tmp_path / "models", "blurred", transfer=0.25, noise=0.08)

    model = experiment_model(tmp_path / "models", experiment)
    found = read_images(make_images(tmp_path, experiment, SMALL, tmp_path / "models"))

    np.testing.assert_allclose(model.transfer, 4.0**-cell.share)
    np.testing.assert_allclose(model.noise, 0.02 * 4.0**cell.share)
    assert (found.family, found.towards) == (cell.family, cell.towards)


def test_families_that_only_grow_otherwise_are_seen_alike(tmp_path: Path) -> None:
    write_image_model(tmp_path, "default", noise=0.03)

    filaments = measured_model(tmp_path, "tiny", "filaments")

    assert filaments.noise[0, 0] == pytest.approx(0.03)


def test_time_that_is_up_leaves_the_rest_to_the_next_call(tmp_path: Path) -> None:
    run = calibrate_model(DEFAULT_MODEL, tmp_path, n_experiments=90, time_limit_s=-1.0)

    assert run.path is None
    assert run.n_experiments == 0


def test_too_few_experiments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="at least 90"):
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
