"""Plans and devices on a real RunEngine, with files on disk and pauses as a person makes them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from bluesky.utils import Msg
from run_engine import N_ANGLES, N_DARKS, N_FLATS, Bench, bench, look_at, pausing, value_of

from lithoscope_pipeline.phantom.schedule import record_electrochemistry
from lithoscope_services.beamline.cycler_backend import CyclerStep
from lithoscope_services.beamline.errors import PlanError
from lithoscope_services.beamline.plans import (
    ExperimentOptions,
    experiment_plan,
    finer_scan_plan,
    pulse_plan,
    repeat_flats_plan,
    scan_plan,
)
from lithoscope_services.beamline.requests import ScanBounds

OPTIONS = ExperimentOptions(experiment="cell")
SHORT_REST = CyclerStep(current_mA=0.0, duration_s=1.0)
SETS = {"darks": N_DARKS, "flats": N_FLATS, "projections": N_ANGLES}


def run_all(made: Bench, *, options: ExperimentOptions = OPTIONS) -> None:
    beamline = made.beamline
    made.run(experiment_plan(made.steps, beamline.cycler, beamline.tomograph, None, options))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """An experiment that nobody disturbs."""
    made = bench(tmp_path_factory.mktemp("undisturbed"))
    run_all(made)
    return made


def assert_same_frames(found: Bench, expected: Bench) -> None:
    these, those = found.frames(), expected.frames()
    assert these.keys() == those.keys()
    for place, (images, thetas_deg) in those.items():
        assert np.array_equal(these[place][0], images), place
        assert np.array_equal(these[place][1], thetas_deg), place


def test_each_pulse_and_each_scan_is_a_run_with_its_metadata(undisturbed: Bench) -> None:
    phases = [start["lithoscope_phase"] for start in undisturbed.all("start")]
    scans = [start for start in undisturbed.all("start") if start["lithoscope_phase"] == "scan"]

    assert phases == ["pulse", "scan", "pulse", "scan", "pulse", "scan"]
    assert undisturbed.exit_statuses() == ["success"] * 6
    assert {start["lithoscope_experiment"] for start in undisturbed.all("start")} == {"cell"}
    assert [start["lithoscope_scan"] for start in scans] == [0, 1, 2]
    assert [start["lithoscope_pulse"] for start in scans] == [0, 1, 2]
    assert [start.get("lithoscope_next_current_mA") for start in scans] == [0.75, -0.75, None]
    assert scans[0]["lithoscope_expected"] == {
        "dark": N_DARKS,
        "flat": N_FLATS,
        "projection": N_ANGLES,
    }
    assert scans[0]["lithoscope_voxel_size_um"] == undisturbed.cell.voxel_um


def test_frames_on_disk_are_those_of_the_cell_with_their_angles(undisturbed: Bench) -> None:
    found = undisturbed.frames()

    assert set(found) == {(scan, stream) for scan in range(3) for stream in SETS}
    for scan in range(3):
        truth = undisturbed.cell.frames(scan)
        assert np.array_equal(found[scan, "darks"][0], truth.darks)
        assert np.array_equal(found[scan, "flats"][0], truth.flats)
        assert np.array_equal(found[scan, "projections"][0], np.stack(list(truth.projections)))
        assert np.array_equal(found[scan, "projections"][1], truth.thetas_deg)


def test_each_stream_has_resources_of_its_own_counted_from_zero(undisturbed: Bench) -> None:
    uris = {resource["uri"] for resource in undisturbed.all("stream_resource")}
    keys = [set(d["data_keys"]) for d in undisturbed.all("descriptor") if d["name"] in SETS]

    assert len(uris) == 3 * len(SETS)
    assert keys == [{"detector", "detector-theta_deg"}] * 9
    assert {d["indices"]["start"] for d in undisturbed.all("stream_datum")} == {0}


def test_readings_of_the_cycler_are_whole_and_one_a_second(undisturbed: Bench) -> None:
    end_s = undisturbed.cell.schedule[-1].time_s
    truth = record_electrochemistry(undisturbed.cell.cell, start_s=0.0, stop_s=end_s)

    samples = undisturbed.samples()

    assert samples["time_s"] == truth.time_s.tolist()
    assert samples["potential_V"] == truth.potential_V.tolist()
    assert samples["charge_mAh"] == truth.charge_mAh.tolist()


def test_a_file_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    made = bench(tmp_path)
    seen: list[int] = []

    def look(name: str, document: dict[str, Any]) -> None:
        if name == "stream_datum" and not seen:
            resource = made.all("stream_resource")[0]
            path = resource["uri"].removeprefix("file://localhost")
            with h5py.File(path, "r", swmr=True) as file:
                seen.append(len(file[resource["parameters"]["dataset"]]))

    made.engine.subscribe(look)
    made.run(scan_plan(made.beamline.tomograph, made.steps[0].request))

    assert seen == [N_DARKS]


BEFORE_PAUSE: dict[str, Callable[[Msg], bool]] = {
    "at the checkpoint before the darks": lambda msg: msg.command == "open_run",
    "at the checkpoint before the flats": lambda msg: (
        msg.command == "unstage" and msg.obj.name == "detector"
    ),
    "while the projections are flown": lambda msg: (
        msg.command == "complete" and msg.obj.name == "rotation"
    ),
    "while the cell is cycled": lambda msg: msg.command == "complete" and msg.obj.name == "cycler",
}


@pytest.mark.parametrize("moment", BEFORE_PAUSE)
@pytest.mark.parametrize("defer", [True, False])
def test_a_paused_experiment_goes_on_to_the_same_frames(
    tmp_path: Path,
    undisturbed: Bench,
    moment: str,
    defer: bool,
) -> None:
    made = bench(tmp_path)
    beamline = made.beamline
    plan = experiment_plan(made.steps, beamline.cycler, beamline.tomograph, None, OPTIONS)

    made.run_until_paused(pausing(plan, after=BEFORE_PAUSE[moment], defer=defer))
    assert made.engine.state == "paused"
    made.engine.resume()

    assert made.exit_statuses() == ["success"] * 6
    assert_same_frames(made, undisturbed)
    assert made.samples() == undisturbed.samples()


@pytest.mark.parametrize("moment", BEFORE_PAUSE)
def test_an_aborted_experiment_is_left_safe_and_goes_on(
    tmp_path: Path, undisturbed: Bench, moment: str
) -> None:
    made = bench(tmp_path)
    beamline = made.beamline
    plan = experiment_plan(made.steps, beamline.cycler, beamline.tomograph, None, OPTIONS)

    made.run_until_paused(pausing(plan, after=BEFORE_PAUSE[moment], defer=True))
    made.engine.abort("a person said so")
    assert made.exit_statuses()[-1] == "abort"
    assert value_of(made, beamline.tomograph.shutter, "shutter-state") == "Closed"
    assert value_of(made, beamline.cycler, "cycler-current_mA") == 0.0
    again = bench(tmp_path)
    run_all(again)

    assert_same_frames(again, undisturbed)


def test_the_current_rests_while_the_engine_is_paused_in_a_pulse(
    tmp_path: Path, undisturbed: Bench
) -> None:
    made = bench(tmp_path, seconds_per_s=25.0)
    pulses = [pulse for step in made.steps[:2] for pulse in step.pulses]
    moment = BEFORE_PAUSE["while the cell is cycled"]

    made.run_until_paused(
        pausing(pulse_plan(made.beamline.cycler, pulses[0]), after=moment, defer=False)
    )
    assert look_at(made, "state") == "paused"
    assert look_at(made, "current_mA") == 0.0
    made.engine.resume()

    assert made.exit_statuses() == ["success"]
    n = round(sum(step.duration_s for step in pulses[0].steps))
    assert made.samples()["potential_V"] == undisturbed.samples()["potential_V"][:n]


def test_an_abort_in_mid_pulse_switches_the_current_off_at_once(tmp_path: Path) -> None:
    made = bench(tmp_path, seconds_per_s=1.0)
    pulse = made.steps[1].pulses[0]
    long = replace(pulse, steps=(CyclerStep(current_mA=0.75, duration_s=36_000.0),))
    moment = BEFORE_PAUSE["while the cell is cycled"]
    made.run_until_paused(
        pausing(pulse_plan(made.beamline.cycler, long), after=moment, defer=False)
    )

    made.engine.abort()

    assert made.exit_statuses() == ["abort"]
    assert look_at(made, "current_mA") == 0.0
    made.run(pulse_plan(made.beamline.cycler, replace(pulse, steps=(SHORT_REST,))))
    assert made.exit_statuses() == ["abort", "success"]
    assert look_at(made, "state") == "resting"


def test_the_same_devices_take_a_scan_again_after_an_abort(
    tmp_path: Path, undisturbed: Bench
) -> None:
    made = bench(tmp_path)
    request, tomograph = made.steps[0].request, made.beamline.tomograph
    moment = BEFORE_PAUSE["while the projections are flown"]
    made.run_until_paused(pausing(scan_plan(tomograph, request), after=moment, defer=False))
    made.engine.abort()

    made.run(scan_plan(tomograph, request))

    assert made.exit_statuses() == ["abort", "success"]
    for stream in SETS:
        assert np.array_equal(made.frames()[0, stream][0], undisturbed.frames()[0, stream][0])
    thetas_deg = made.frames()[0, "projections"][1]
    assert np.array_equal(thetas_deg, undisturbed.frames()[0, "projections"][1])


def test_scans_that_are_done_are_not_taken_again(tmp_path: Path, undisturbed: Bench) -> None:
    made = bench(tmp_path, first_scan=1)

    run_all(made, options=ExperimentOptions(experiment="cell", done=frozenset({0})))

    expected = {place: each for place, each in undisturbed.frames().items() if place[0] > 0}
    assert made.frames().keys() == expected.keys()
    for place, (images, _) in expected.items():
        assert np.array_equal(made.frames()[place][0], images)
    assert made.samples()["time_s"][0] == np.ceil(made.cell.schedule[0].time_s)


def test_a_finer_scan_has_more_angles_over_the_same_half_turn(tmp_path: Path) -> None:
    made = bench(tmp_path)
    bounds = ScanBounds(max_projections=40)

    made.run(
        finer_scan_plan(
            made.beamline.tomograph, made.steps[0].request, bounds, n_projections=2 * N_ANGLES
        )
    )

    images, thetas_deg = made.frames()[0, "projections"]
    assert made.all("start")[0]["lithoscope_expected"]["projection"] == 2 * N_ANGLES
    assert np.allclose(thetas_deg, np.arange(2 * N_ANGLES) * 7.5)
    assert len(images) == 2 * N_ANGLES


@pytest.mark.parametrize(
    "wanted",
    [
        {"n_projections": 41},
        {"n_projections": N_ANGLES},
        {"step_deg": 0.001},
        {"step_deg": 90.0},
        {"n_projections": 20, "step_deg": 9.0},
        {},
    ],
)
def test_a_finer_scan_outside_its_bounds_moves_nothing(
    tmp_path: Path, wanted: dict[str, Any]
) -> None:
    made = bench(tmp_path)
    plan = finer_scan_plan(
        made.beamline.tomograph,
        made.steps[0].request,
        ScanBounds(max_projections=40, min_step_deg=0.1),
        **wanted,
    )

    with pytest.raises(PlanError):
        made.run(plan)

    assert made.documents == []


def test_flats_taken_again_are_a_set_of_their_own(tmp_path: Path) -> None:
    made = bench(tmp_path)

    made.run(repeat_flats_plan(made.beamline.tomograph, made.steps[0].request, n_flats=2))

    found = made.frames()
    assert made.streams() == ["darks", "flats", "projections", "flats_1"]
    assert made.all("start")[0]["lithoscope_expected"]["flat_1"] == 2
    assert len(found[0, "flats_1"][0]) == 2
    assert not np.array_equal(found[0, "flats_1"][0][0], found[0, "flats"][0][0])
