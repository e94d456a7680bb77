"""Metrics of labels beside those of the true labels, scan after scan."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_models.calibration.images import CalibrationScans
from lithoscope_models.calibration.labelled import (
    LABELS_VERSIONS,
    SOURCES,
    LabelledScans,
    Source,
    label_scans,
)
from lithoscope_models.calibration.seen_objects import (
    SeenObjects,
    objects_file,
    read_seen_objects,
    write_seen_objects,
)
from lithoscope_models.calibration.true_faces import ScanValues, with_true_faces
from lithoscope_models.replaced_file import replace_file
from lithoscope_pipeline.labels import Label
from lithoscope_pipeline.measure import ReferenceMetrics, measure_labels
from lithoscope_pipeline.measure.report import EarlierScans
from lithoscope_pipeline.measure.version import METRICS_VERSION
from lithoscope_pipeline.metric import Metric

Values = tuple[float | None, ...]
#: Raised when equal labels may have another truth, or more is kept of them.
_VERSION: Final = 2


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
    name, family, towards
        Which experiment; the family that it is part of the way to, None if it is none.
    voxel_um, area_um2
        Edge of a voxel; area of the region in the plane of the electrodes.
    pulses, half_cycles, cnr, blur_px, grain
        Pulses before each scan, its half-cycle, its contrast-to-noise, how blurred its outer
        faces are, and how coarse its noise is.
    metrics
        By name.
    objects
        By kind: which of the objects of the labels are there.
    """

    name: str
    family: str
    voxel_um: float
    area_um2: float
    pulses: tuple[int, ...]
    half_cycles: tuple[int, ...]
    cnr: tuple[float, ...]
    blur_px: tuple[float, ...]
    grain: tuple[float, ...]
    metrics: Mapping[str, Trajectory]
    objects: Mapping[str, SeenObjects] = field(default_factory=dict)
    towards: str | None = None


def measure_residuals(
    folder: Path,
    read_scans: Callable[[], CalibrationScans],
    model: str,
    sha256: str,
    *,
    sources: Sequence[Source] = SOURCES,
) -> dict[Source, ExperimentResiduals]:
    """Label and measure an experiment, or read what was measured if it is there.

    Parameters
    ----------
    folder
        Of the experiment: what is found is kept there.
    read_scans
        Gives its scans; is called where something is missing.
    model, sha256
        Name or folder of the network, and which it is.
    sources
        Which labels are wanted.

    Raises
    ------
    TrainingDataError
        If the layers of the cell or its outer faces are not found in a scan.
    """
    paths = {source: folder / _residuals_file(source, sha256) for source in sources}
    objects = {source: objects_file(folder, source, sha256) for source in sources}
    missing = [
        source for source in sources if not (paths[source].is_file() and objects[source].is_file())
    ]
    if missing:
        scans = read_scans()
        labelled = label_scans(folder, scans, model, sha256, sources=missing)
        for source in missing:
            write_seen_objects(objects[source], labelled.labels[source], scans.truth, source)
            if not paths[source].is_file():
                residuals = _residuals(folder, scans, labelled, source)
                replace_file(paths[source], json.dumps(asdict(residuals)))
    return {
        source: replace(read_residuals(path), objects=read_seen_objects(objects[source]))
        for source, path in paths.items()
    }


def _residuals_file(source: Source, sha256: str) -> str:
    # Thresholds are the same whatever the network.
    of_whom = "" if source == "layers" else f"-{sha256[:10]}"
    versions = f"{LABELS_VERSIONS[source]}-{METRICS_VERSION}-{_VERSION}"
    return f"residuals-{source}{of_whom}-{versions}.json"


def _residuals(
    folder: Path, scans: CalibrationScans, labelled: LabelledScans, source: Source
) -> ExperimentResiduals:
    _, n_z, _, n_x = scans.truth.shape
    area_um2 = n_z * n_x * scans.voxel_um**2
    truth = with_true_faces(_true_values(folder, scans, source), scans, area_um2)
    found = [_values(each) for each in _measured(scans, labelled.labels[source], source)]
    names = sorted(set(found[0]) & set(truth[0]))
    return ExperimentResiduals(
        name=scans.name,
        family=scans.family,
        towards=scans.towards,
        voxel_um=scans.voxel_um,
        area_um2=area_um2,
        pulses=scans.pulses,
        half_cycles=scans.half_cycles,
        cnr=labelled.cnr,
        blur_px=labelled.blur_px,
        grain=labelled.grain,
        metrics={
            name: Trajectory(
                measured=tuple(each.get(name) for each in found),
                truth=tuple(each.get(name) for each in truth),
            )
            for name in names
        },
    )


def _true_values(folder: Path, scans: CalibrationScans, source: Source) -> list[ScanValues]:
    """Measure the true labels, or read what was measured: it serves every network."""
    kind = "layers" if source == "layers" else "network"
    path = folder / f"truth-{kind}-{METRICS_VERSION}.json"
    if not path.is_file():
        replace_file(
            path, json.dumps([_values(each) for each in _measured(scans, scans.truth, source)])
        )
    values: list[ScanValues] = json.loads(path.read_text())
    return values


def _values(metrics: Mapping[str, Metric]) -> ScanValues:
    return {name: metric.value for name, metric in metrics.items()}


def read_residuals(path: Path) -> ExperimentResiduals:
    """Read what `measure_residuals` has written."""
    return to_residuals(json.loads(path.read_text()))


def to_residuals(stored: Mapping[str, Any]) -> ExperimentResiduals:  # JSON
    """Turn what was stored into residuals."""
    metrics = {
        name: Trajectory(measured=tuple(each["measured"]), truth=tuple(each["truth"]))
        for name, each in stored["metrics"].items()
    }
    return ExperimentResiduals(
        name=stored["name"],
        family=stored["family"],
        towards=stored.get("towards"),
        voxel_um=stored["voxel_um"],
        area_um2=stored["area_um2"],
        pulses=tuple(stored["pulses"]),
        half_cycles=tuple(stored["half_cycles"]),
        cnr=tuple(stored["cnr"]),
        blur_px=tuple(stored["blur_px"]),
        grain=tuple(stored["grain"]),
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
