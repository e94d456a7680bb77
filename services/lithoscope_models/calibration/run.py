"""The whole of a calibration: experiments, labels, residuals, tables; it goes on where it was."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lithoscope_models.calibration.draws import FAMILIES, Plan, draw_experiment
from lithoscope_models.calibration.evaluation import gap_residuals, score_metrics
from lithoscope_models.calibration.fit import fit_calibration
from lithoscope_models.calibration.images import make_images, read_images
from lithoscope_models.calibration.labelled import SOURCES, label_scans
from lithoscope_models.calibration.residuals import ExperimentResiduals, measure_residuals
from lithoscope_models.calibration.tables import (
    CALIBRATION_FILE,
    CalibrationFile,
    write_calibration,
)
from lithoscope_models.errors import TrainingDataError
from lithoscope_models.model_file import find_model, model_sha256
from lithoscope_pipeline.measure.intervals import LabelOrigin
from lithoscope_pipeline.measure.version import METRICS_VERSION
from lithoscope_pipeline.phantom.provenance import SIMULATOR_VERSION

Advance = Callable[[int], None]
Residuals = Mapping[LabelOrigin, Sequence[ExperimentResiduals]]
#: An interval that leaves out 2.5 % at either end needs 39 experiments, and a fifth are held out
#: to judge it.
FEWEST: Final = 60


def _silent(_steps: int) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRun:
    """What a run has done.

    Parameters
    ----------
    path
        File that was written, None when time was up before there was enough.
    n_experiments
        Experiments that are measured.
    found
        What it says.
    """

    path: Path | None
    n_experiments: int
    found: CalibrationFile | None


def calibrate_model(
    model: str,
    work: Path,
    *,
    n_experiments: int,
    out: Path | None = None,
    command: str = "",
    advance: Advance = _silent,
    time_limit_s: float | None = None,
) -> CalibrationRun:
    """Calibrate the metrics of a network's labels, and of labels by thresholds.

    Parameters
    ----------
    model
        Name or folder of the network.
    work
        Where images, labels and residuals are kept; what is there is not made again. Images
        serve any network.
    n_experiments
        How many, at least 60.
    out
        File to write; beside the network if None.
    command
        That made it, for the record.
    advance
        Is called with 1 for each experiment.
    time_limit_s
        No further experiment is begun then.

    Raises
    ------
    TrainingDataError
        If fewer than 60 experiments are asked for.
    """
    if n_experiments < FEWEST:
        raise TrainingDataError(f"{n_experiments} experiments; at least {FEWEST} are needed")
    residuals = measure_experiments(
        model, work, n_experiments=n_experiments, advance=advance, time_limit_s=time_limit_s
    )
    n_done = len(residuals["network"])
    if n_done < n_experiments:
        return CalibrationRun(path=None, n_experiments=n_done, found=None)
    path = find_model(model) / CALIBRATION_FILE if out is None else out
    found = fit_file(residuals, model_sha256(model), command=command)
    write_calibration(path, found)
    return CalibrationRun(path=path, n_experiments=n_done, found=found)


def measure_experiments(
    model: str,
    work: Path,
    *,
    n_experiments: int,
    plan: Plan | None = None,
    advance: Advance = _silent,
    time_limit_s: float | None = None,
) -> Residuals:
    """Make, label and measure experiments until there are enough or time is up.

    Parameters
    ----------
    model, work, n_experiments, advance, time_limit_s
        As for `calibrate_model`.
    plan
        What is looked at of each.
    """
    plan = Plan() if plan is None else plan
    sha256 = model_sha256(model)
    begin_s = time.monotonic()
    out: dict[LabelOrigin, list[ExperimentResiduals]] = {source: [] for source in SOURCES}
    for number in range(n_experiments):
        if time_limit_s is not None and time.monotonic() - begin_s > time_limit_s:
            break
        folder = make_images(work, draw_experiment(number, plan), plan, work / "models")
        scans = read_images(folder)
        labelled = label_scans(folder, scans, model, sha256)
        key = f"{sha256[:10]}-{METRICS_VERSION}"
        for source in SOURCES:
            out[source].append(measure_residuals(folder, scans, labelled, source, key=key))
        advance(1)
    return out


def fit_file(residuals: Residuals, sha256: str, *, command: str = "") -> CalibrationFile:
    """Fit and judge the intervals of all metrics.

    Parameters
    ----------
    residuals
        Of all experiments.
    sha256
        Of the network.
    command
        That made them.
    """
    scored = {str(origin): score_metrics(each) for origin, each in residuals.items()}
    return CalibrationFile(
        simulator_version=SIMULATOR_VERSION,
        command=command,
        families=FAMILIES,
        n_experiments=len(residuals["network"]),
        n_scans=sum(len(each.pulses) for each in residuals["network"]),
        calibrations=tuple(
            fit_calibration(
                each,
                origin,
                model_sha256="" if origin == "layers" else sha256,
                measure_version=METRICS_VERSION,
            )
            for origin, each in residuals.items()
        ),
        scores=scored,
        gaps={origin: gap_residuals(each) for origin, each in residuals.items()},
    )
