"""The measure stage over a small experiment: what it waits for, lays over, and stores."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from scan_parts import parts

from lithoscope_messages import (
    ElectrochemistryAppended,
    Entry,
    ExpectedCount,
    ExperimentDescription,
    ExperimentStarted,
    JournalMessage,
    LabelsReady,
    MetricsReady,
    ScanAccount,
    ScanCompleted,
    ScanPhase,
    ScanStarted,
    StageFailed,
    VolumeReady,
)
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure import measure_labels
from lithoscope_services.history import History
from lithoscope_services.stage import Task
from lithoscope_services.stages.measure import MeasureStage
from lithoscope_services.stages.measure.laid_over import on_time_s
from lithoscope_services.stages.measure.object_table import to_objects, to_stored
from lithoscope_services.stages.measure.references import find_earlier
from lithoscope_services.stages.segment.written import CLASSES
from lithoscope_store import (
    Electrochemistry,
    ElectrochemistryWriter,
    Store,
    create_labels,
    create_volume,
    finish_volume,
    read_maps,
    read_objects,
    write_slab,
)

SHAPE = (32, 48, 32)
VOXEL_UM = 2.0
#: (half-cycle, pulses before) of each scan; one pulse is 10 min of 1 mA.
PHASES = ((0, 0), (0, 1), (0, 2), (1, 3), (1, 4))
PULSE_MAH = 1 / 6
#: What this scan and its labels are called by.
LAST = len(PHASES) - 1
SETTINGS = {
    "scan": {"voxel_size_um": VOXEL_UM, "energy_keV": 20.0},
    "measure": {"flux_per_s_mm2": 1e9, "exposure_s": 0.1},
}


def labels(scan: int) -> NDArray[np.uint8]:
    """Plate a voxel and grow a dendrite by five a pulse; then fill half of the pits again."""
    grown = (0, 1, 2, 1, 1)[scan]
    volume = np.full(SHAPE, Label.ELECTROLYTE, np.uint8)
    volume[:, 2:12], volume[:, 40:46] = Label.STRIPPING_ELECTRODE, Label.PLATING_ELECTRODE
    volume[:, :2], volume[:, 46:] = Label.BACKGROUND, Label.BACKGROUND
    volume[:, 40 - grown : 40] = Label.DEPOSITED
    volume[10:14, 40 - 6 * grown : 40 - grown, 10:14] = Label.DENDRITE
    volume[4:12, 12 - min(2 * scan, 4) : 12, 20:28] = Label.PIT
    if scan > 2:
        volume[4:12, 8:12, 20:24] = Label.REDEPOSITED
    return volume


class Cell:
    """Labelled scans in a store, and the journal that says so."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = Store(root).experiment("cell")
        self.paths.create()
        self.stage = MeasureStage()
        self.messages: list[JournalMessage] = [
            ExperimentStarted(
                experiment="cell",
                key="cell",
                time_ns=1,
                producer="test",
                description=ExperimentDescription(active_area_cm2=0.5, first_current_sign=1),
                settings=SETTINGS,
                format_version=1,
            )
        ]

    @property
    def history(self) -> History:
        history = History("cell")
        history.extend(
            Entry.model_construct(number=n, message=message)
            for n, message in enumerate(self.messages, start=1)
        )
        return history

    def add(self, scan: int, *, flags: tuple[str, ...] = ()) -> None:
        """Take and label a scan, after the current before it."""
        half_cycle, pulse = PHASES[scan]
        path = self.paths.volume(scan, "0" * 64)
        create_volume(path, shape=SHAPE, voxel_um=VOXEL_UM, name="test", slab_slices=16)
        create_labels(path, "cell", CLASSES)
        for z0 in (0, 16):
            write_slab(path, z0, np.zeros((16, *SHAPE[1:]), np.float32))
            write_slab(path, z0, labels(scan)[z0 : z0 + 16], label="cell")
        finish_volume(path)
        self._current(scan)
        self.messages += [
            ScanStarted(
                **parts("started", scan),
                expected=(ExpectedCount(kind="projection", count=100),),
                frame_shape=(16, 64),
                dtype="uint16",
                voxel_size_um=VOXEL_UM,
                phase=ScanPhase(
                    experiment_time_s=600.0 * pulse, half_cycle=half_cycle, pulse=pulse
                ),
            ),
            ScanCompleted(
                **parts("completed", scan),
                reason="scan_end",
                account=ScanAccount(sets=(), missing=0, completeness=1.0),
                frames_sha256="0" * 64,
            ),
            VolumeReady(
                **parts("volume", scan),
                stage="reconstruct",
                work_key="f" * 64,
                path="reconstructions/none.zarr",
                shape=SHAPE,
                voxel_um=VOXEL_UM,
                sha256="0" * 64,
            ),
            LabelsReady(
                **parts("labels", scan),
                work_key=f"{scan + 1:x}" * 64,
                path=self.paths.relative(path),
                shape=SHAPE,
                voxel_um=VOXEL_UM,
                sha256="0" * 64,
                model="test",
                unsegmented=(),
                flags=flags,
            ),
        ]

    def _current(self, scan: int) -> None:
        """Let a pulse flow before each scan but the first, forwards and then back."""
        half_cycle, pulse = PHASES[scan]
        sign = 1.0 if half_cycle == 0 else -1.0
        time_s = np.linspace(600.0 * (pulse - 1) + 1, 600.0 * pulse, 25) if pulse else np.zeros(25)
        current_mA = np.full(25, sign if pulse else 0.0)  # noqa: N806 - the unit is mA
        ElectrochemistryWriter(self.paths).append(25 * pulse, time_s, np.zeros(25), current_mA)
        signs = [1 if half_cycle == 0 else -1 for half_cycle, _ in PHASES[1 : scan + 1]]
        self.messages.append(
            ElectrochemistryAppended(
                experiment="cell",
                key=f"current{scan}",
                time_ns=1,
                producer="test",
                first=25 * pulse,
                count=25,
                time_s=600.0 * pulse,
                charge_mAh=PULSE_MAH * sum(signs),
            )
        )

    def plan(self) -> list[Task]:
        """Give the tasks that measure; surfaces come after."""
        return [task for task in self.stage.plan(self.history) if "voxel_um" in task.parameters]

    def run(self) -> list[MetricsReady]:
        """Do what is planned, once."""
        facts = [fact for task in self.plan() for fact in self.stage.execute(task, str(self.root))]
        self.messages += cast("list[JournalMessage]", facts)
        return cast("list[MetricsReady]", facts)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cell, list[MetricsReady]]:
    cell = Cell(tmp_path_factory.mktemp("store"))
    facts = []
    for scan in range(len(PHASES)):
        cell.add(scan)
        facts += cell.run()
    return cell, facts


def value(fact: MetricsReady, name: str) -> float:
    found = fact.metrics[name].value
    assert found is not None, fact.metrics[name].flags
    return found


def test_scans_are_measured_one_after_another(tmp_path: Path) -> None:
    cell = Cell(tmp_path)
    for scan in range(3):
        cell.add(scan)

    order = []
    while planned := cell.plan():
        order.append([task.scan for task in planned])
        cell.run()

    assert order == [[0], [1], [2]]


def test_a_scan_that_was_given_up_is_not_waited_for(tmp_path: Path) -> None:
    cell = Cell(tmp_path)
    for scan in range(3):
        cell.add(scan)
    cell.run()
    cell.messages.append(
        StageFailed(**parts("failed", 1), stage="segment", attempts=3, error="no layers")
    )

    (task,) = cell.plan()

    assert task.scan == 2
    assert task.arguments["laid_over"]["previous"]["time_s"] == 0.0


def test_each_scan_knows_what_it_is_compared_with(
    measured: tuple[Cell, list[MetricsReady]],
) -> None:
    history = measured[0].history

    earlier = find_earlier(history, history.scans[LAST])

    assert earlier.first is history.scans[0]
    assert earlier.half_cycle_start is history.scans[2]
    assert earlier.charged is history.scans[2]
    assert earlier.previous is history.scans[3]
    assert earlier.since_turn == (history.scans[2], history.scans[3])


def test_labels_that_were_never_laid_over_are_compared_with_nothing(tmp_path: Path) -> None:
    cell = Cell(tmp_path)
    for scan in range(4):
        cell.add(scan, flags=("unregistered",) if scan == 3 else ())
        (fact,) = cell.run()

    assert _task_of(cell, 3).arguments["laid_over"] == {"charged": None, "previous": None}
    for name in ("unfilled_pit_fraction", "void_area_fraction", "li_travelled_volume_um3"):
        assert fact.metrics[name].flags == ("unregistered",)
    assert value(fact, "plating_side_thickness_um") == 14.0


def _task_of(cell: Cell, scan: int) -> Task:
    kept = [
        message
        for message in cell.messages
        if not (isinstance(message, MetricsReady) and message.scan == scan)
    ]
    before = cell.messages
    cell.messages = kept
    try:
        return next(task for task in cell.plan() if task.scan == scan)
    finally:
        cell.messages = before


def test_the_metrics_are_those_of_the_pipeline(measured: tuple[Cell, list[MetricsReady]]) -> None:
    fact = measured[1][1]

    alone = measure_labels(labels(1), voxel_um=VOXEL_UM).metrics

    for name in ("dendrite_volume_um3", "remaining_gap_um", "electrolyte_thickness_um"):
        assert fact.metrics[name].value == alone[name].value
    assert value(fact, "ct_faraday_ratio") == pytest.approx(
        value(fact, "li_travelled_volume_um3") / value(fact, "faraday_volume_um3")
    )


def test_rates_follow_the_scans_since_the_current_turned(
    measured: tuple[Cell, list[MetricsReady]],
) -> None:
    _, facts = measured

    assert facts[0].metrics["plating_rate_um_per_pulse"].flags == ("too_few_scans",)
    assert value(facts[2], "plating_rate_um_per_pulse") == pytest.approx(VOXEL_UM)
    # A dendrite of 4 x 4 columns that grows by 5 voxels a pulse above the layer.
    assert value(facts[2], "dendrite_growth_um3_per_pulse") == pytest.approx(16 * 5 * 8)
    # The gap closes by 6 voxels a pulse, and may do so half as fast again.
    assert value(facts[2], "short_eta_pulses") == pytest.approx(
        value(facts[2], "remaining_gap_um") / (12.0 * 1.5)
    )
    assert facts[LAST].metrics["short_eta_pulses"].flags == ("current_strips_that_side",)


def test_pits_are_compared_with_the_end_of_stripping(
    measured: tuple[Cell, list[MetricsReady]],
) -> None:
    fact = measured[1][LAST]

    # Half of the pit pixels are filled again; 32 of 1024 columns are void.
    assert value(fact, "unfilled_pit_fraction") == pytest.approx(0.5)
    assert value(fact, "void_area_fraction") == pytest.approx(32 / 1024)
    assert fact.metrics["pearson_loss_gain"].p_value is not None


def test_the_dose_adds_up_over_the_scans(measured: tuple[Cell, list[MetricsReady]]) -> None:
    doses = [value(fact, "dose_kGy") for fact in measured[1]]

    np.testing.assert_allclose(doses, doses[0] * np.arange(1, 6))


def test_maps_of_a_scan_are_stored_with_their_units(
    measured: tuple[Cell, list[MetricsReady]],
) -> None:
    cell, facts = measured
    assert facts[1].maps_path is not None

    maps = read_maps(cell.paths.resolve(facts[1].maps_path))

    assert maps.units["remaining_gap_um"] == "um"
    assert maps.units["plating_current_density_mA_cm2"] == "mA/cm2"
    assert maps.units["pit_density_yx"] == "1"
    assert maps.maps["pit_density_yx"].shape == (SHAPE[1], SHAPE[2])
    # 2 um of dense lithium, nearly 10 min: 2 / 4.8514 * 6 mA/cm2.
    current = maps.maps["plating_current_density_mA_cm2"]
    assert np.median(current) == pytest.approx(2 / 4.8514 * 6, rel=0.01)


def test_objects_of_a_scan_are_stored_with_their_tracks(
    measured: tuple[Cell, list[MetricsReady]],
) -> None:
    cell, facts = measured
    tables = [
        read_objects(cell.paths.resolve(fact.objects_path))
        for fact in facts
        if fact.objects_path is not None
    ]

    assert tables[0].n_found == {"dendrite": 0, "pit": 0}
    events = [dict(zip(t.columns["kind"], t.columns["event"], strict=True)) for t in tables]
    assert events[1] == {"dendrite": "born", "pit": "born"}
    assert events[2] == {"dendrite": "grown", "pit": "grown"}
    tracks = [dict(zip(t.columns["kind"], t.columns["track"], strict=True)) for t in tables]
    assert tracks[1] == tracks[2]
    assert to_stored(to_objects(tables[2])) == tables[2]


def test_facts_and_objects_say_how_likely_an_object_is_there_or_why_not(
    measured: tuple[Cell, list[MetricsReady]],
) -> None:
    cell, facts = measured
    fact = facts[2]
    assert fact.objects_path is not None

    columns = read_objects(cell.paths.resolve(fact.objects_path)).columns

    # These labels are of no network that is calibrated: nothing is guessed.
    assert columns["existence"] == [None] * len(columns["track"])
    assert fact.metrics["tip_existence"].flags[0] in (
        "interval_not_calibrated",
        "interval_outside_calibration",
    )
    assert facts[0].metrics["tip_existence"].flags == ("no_object",)


def test_the_second_rank_stands_in_the_facts(measured: tuple[Cell, list[MetricsReady]]) -> None:
    charged, fact = measured[1][2], measured[1][LAST]

    assert value(fact, "plating_surface_sq_um") >= 0
    assert fact.metrics["voltage_envelope_V"].unit == "V"
    lost_um3 = sum(
        value(charged, f"{name}_volume_um3") - value(fact, f"{name}_volume_um3")
        for name in ("plating_electrode", "deposited", "dendrite")
    )
    assert value(fact, "coulombic_efficiency_ct") == pytest.approx(
        lost_um3 / value(charged, "li_travelled_volume_um3")
    )
    assert charged.metrics["coulombic_efficiency_ct"].flags == ("nothing_stripped_yet",)
    assert fact.metrics["bridge_probability"].flags[0] == "no_probabilities"
    assert fact.metrics["whole_cell_gap_um"].flags[0] == "too_few_tiles"


def test_current_flows_between_two_scans_as_long_as_it_was_on() -> None:
    time_s = np.arange(0.0, 1801.0, 10.0)
    samples = Electrochemistry(
        time_s=time_s,
        potential_V=np.zeros_like(time_s),
        current_mA=np.where((time_s >= 300) & (time_s < 900), -0.5, 1e-5),
        charge_mAh=np.zeros_like(time_s),
    )

    assert on_time_s(samples, 0.0, 1800.0) == pytest.approx(600, abs=10)
    assert on_time_s(samples, 600.0, 1800.0) == pytest.approx(300, abs=10)
    assert on_time_s(samples, 1000.0, 1800.0) == 0
