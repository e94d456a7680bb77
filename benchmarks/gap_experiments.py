"""Measured and true gap of whole simulated experiments: projections, slices, labels, numbers."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.tables import Report, Table
from lithoscope_models.data.chain import reconstructed, true_transform
from lithoscope_pipeline.anatomy import AnatomyReference, find_side_thickness, label_anatomy
from lithoscope_pipeline.decide import Rule, ScanRecord, read
from lithoscope_pipeline.geometry import Roi
from lithoscope_pipeline.labels import classes_of
from lithoscope_pipeline.measure import measure_labels
from lithoscope_pipeline.metric import measured
from lithoscope_pipeline.phantom import (
    Bridge,
    CellParameters,
    FamilyName,
    SimulatedCell,
    make_cell,
)
from lithoscope_pipeline.reference_frame import find_reference_frame
from lithoscope_pipeline.resample import resample_region
from lithoscope_pipeline.segment import find_grey_references, lithium_share, segment_layers

STORED = Path(__file__).parent / "results" / "gap_experiments.json"
FAMILIES: tuple[FamilyName, ...] = (
    *("default", "mossy", "filaments", "soft_contrast", "coarse_noise", "blurred"),
)
#: The first scan and one after each pulse of one charge.
N_SCANS = 13
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class GapTrajectory:
    """The gap of one experiment, scan after scan, micrometres."""

    seed: int
    family: str
    bridge: str
    bridge_pulse: float | None
    true_um: Vector
    measured_um: Vector

    def first_hold(self, rule: Rule) -> float | None:
        """Give the pulses before the first scan at which a rule would hold; None without one."""
        records = [
            ScanRecord(
                scan=i,
                time_s=1800.0 * i,
                pulse=float(i),
                last_current_mA=0.75,
                next_current_mA=0.75,
                metrics={"remaining_gap_um": measured(float(gap), "um")},
            )
            for i, gap in enumerate(self.measured_um)
        ]
        for i in range(len(records)):
            reading = read(rule, records[: i + 1])
            if reading is not None and reading.value < rule.set_value:
                return float(i)
        return None


def measure(*, is_quick: bool) -> Report:
    """Make the experiments that are not stored yet; minutes each."""
    stored = [] if not STORED.is_file() else json.loads(STORED.read_text())
    for i in range(len(stored), 1 if is_quick else 20):
        stored.append(_experiment(i))
        if not is_quick:
            STORED.write_text(json.dumps(stored) + "\n")
    rows = [[str(each["seed"]), each["family"], each["bridge"]] for each in stored]
    return Report(
        title="Gaps of experiments at image level",
        method=("Each is in `gap_experiments.json`; `backtest.md` says what rules do with them.",),
        tables=(Table(title="Made", columns=("seed", "family", "bridge"), rows=rows),),
    )


def load_trajectories() -> tuple[GapTrajectory, ...]:
    """Read what is stored."""
    return tuple(
        GapTrajectory(
            **{
                **each,
                "true_um": np.array(each["true_um"]),
                "measured_um": np.array(each["measured_um"]),
            }
        )
        for each in json.loads(STORED.read_text())
    )


def _experiment(number: int) -> dict[str, Any]:  # an object of JSON
    bridge: Bridge = ("outside", "inside", "none", "inside")[number % 4]
    family = FAMILIES[number % len(FAMILIES)] if number % 3 else "default"
    pulse = float(np.round(np.random.default_rng(5).uniform(5.0, 11.5, number + 1)[number], 2))
    cell = CellParameters(seed=100 + number)
    cell = replace(cell, growth=replace(cell.growth, bridge=bridge, bridge_pulse=pulse))
    simulated = make_cell("tiny", seed=100 + number, n_scans=25, family=family, cell=cell)
    true, found = _gaps(simulated)
    return {
        "seed": 100 + number,
        "family": family,
        "bridge": bridge,
        "bridge_pulse": None if bridge == "none" else pulse,
        "true_um": true,
        "measured_um": found,
    }


def _gaps(cell: SimulatedCell) -> tuple[list[float], list[float]]:
    """Give the true and the measured gap of each scan."""
    true, found = [], []
    reference: AnatomyReference | None = None
    roi: Roi | None = None
    for scan in range(N_SCANS):
        volume = reconstructed(cell, scan)
        roi = find_reference_frame(volume, cell.voxel_um).roi if roi is None else roi
        grey = resample_region(volume, true_transform(cell, scan), roi=roi).volume
        references = find_grey_references(grey)
        labels = label_anatomy(
            segment_layers(grey, references),
            reference,
            voxel_um=cell.voxel_um,
            lithium_share=lithium_share(grey, references),
        )
        if reference is None:
            reference = AnatomyReference.from_first_scan(find_side_thickness(classes_of(labels)))
        gap = measure_labels(labels, voxel_um=cell.voxel_um).metrics["remaining_gap_um"].value
        true.append(cell.truth_metrics(scan, roi)["remaining_gap_um"])
        found.append(float("nan") if gap is None else gap)
    return true, found
