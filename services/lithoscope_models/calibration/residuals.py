"""Metrics of labels beside those of the true labels, scan after scan."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.calibration.images import CalibrationScans
from lithoscope_models.calibration.labelled import LabelledScans, Source
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure import Metric, ReferenceMetrics, measure_labels
from lithoscope_pipeline.measure.report import EarlierScans

Values = tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """One metric of one experiment, scan after scan; None where it was not measured.

    Parameters
    ----------
    measured, truth
        Of the labels, and of the true labels.
    """

    measured: Values
    truth: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentResiduals:
    """What the labels of one source make of an experiment.

    Parameters
    ----------
    name, family
        Which experiment.
    voxel_um, area_um2
        Edge of a voxel; area of the region in the plane of the electrodes.
    pulses, half_cycles, cnr
        Pulses before each scan, its half-cycle, and its contrast-to-noise.
    metrics
        By name.
    """

    name: str
    family: str
    voxel_um: float
    area_um2: float
    pulses: tuple[int, ...]
    half_cycles: tuple[int, ...]
    cnr: tuple[float, ...]
    metrics: Mapping[str, Trajectory]


def measure_residuals(
    folder: Path,
    scans: CalibrationScans,
    labelled: LabelledScans,
    source: Source,
    *,
    key: str,
) -> ExperimentResiduals:
    """Measure an experiment, or read what was measured if it is there.

    Parameters
    ----------
    folder
        Of the experiment.
    scans, labelled
        Its truth and its labels.
    source
        Which labels.
    key
        Of model and measurement, for the name of the file.
    """
    path = folder / f"residuals-{source}-{key}.json"
    if path.is_file():
        return read_residuals(path)
    truth = _measured(scans, scans.truth, source)
    found = _measured(scans, labelled.labels[source], source)
    names = sorted(set(found[0]) & set(truth[0]))
    _, n_z, _, n_x = scans.truth.shape
    residuals = ExperimentResiduals(
        name=scans.name,
        family=scans.family,
        voxel_um=scans.voxel_um,
        area_um2=n_z * n_x * scans.voxel_um**2,
        pulses=scans.pulses,
        half_cycles=scans.half_cycles,
        cnr=labelled.cnr,
        metrics={
            name: Trajectory(
                measured=tuple(each[name].value if name in each else None for each in found),
                truth=tuple(each[name].value if name in each else None for each in truth),
            )
            for name in names
        },
    )
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(residuals)))
    os.replace(partial, path)
    return residuals


def read_residuals(path: Path) -> ExperimentResiduals:
    """Read what `measure_residuals` has written."""
    stored = json.loads(path.read_text())
    metrics = {
        name: Trajectory(measured=tuple(each["measured"]), truth=tuple(each["truth"]))
        for name, each in stored["metrics"].items()
    }
    return ExperimentResiduals(
        name=stored["name"],
        family=stored["family"],
        voxel_um=stored["voxel_um"],
        area_um2=stored["area_um2"],
        pulses=tuple(stored["pulses"]),
        half_cycles=tuple(stored["half_cycles"]),
        cnr=tuple(stored["cnr"]),
        metrics=metrics,
    )


def _measured(
    scans: CalibrationScans, labels: NDArray[np.uint8], source: Source
) -> Sequence[Mapping[str, Metric]]:
    """Measure all scans, each against the first and the last of the half-cycle before."""
    done: list[Mapping[str, Metric]] = []
    unsegmented = (Label.PIT, Label.VOID) if source == "layers" else ()
    for i, half_cycle in enumerate(scans.half_cycles):
        before = [at for at in range(i) if scans.half_cycles[at] < half_cycle]
        reference = None
        if i:
            start = done[before[-1]] if before else done[0]
            reference = ReferenceMetrics(first_scan=done[0], half_cycle_start=start)
        measurement = measure_labels(
            labels[i],
            voxel_um=scans.voxel_um,
            charge=scans.charges[i],
            reference=reference,
            active_area_cm2=scans.active_area_cm2,
            unsegmented=unsegmented,
            earlier=EarlierScans(charged=labels[_charged(scans, before)] if before else None),
        )
        done.append(measurement.metrics)
    return done


def _charged(scans: CalibrationScans, before: Sequence[int]) -> int:
    """Give the last scan of the last half-cycle that stripped the stripping side."""
    return [at for at in before if scans.half_cycles[at] % 2 == 0][-1]
