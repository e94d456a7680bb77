"""The whole of a calibration: experiments, labels, residuals, tables; it goes on where it was."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Final

from lithoscope_models.calibration.draws import FAMILIES, Plan, draw_in_turn
from lithoscope_models.calibration.evaluation import gap_residuals, score_metrics
from lithoscope_models.calibration.existence import fit_objects, judge_objects
from lithoscope_models.calibration.fit import fit_calibration
from lithoscope_models.calibration.images import (
    CalibrationScans,
    experiment_model,
    make_images,
    read_images,
)
from lithoscope_models.calibration.labelled import SOURCES, Source
from lithoscope_models.calibration.residuals import ExperimentResiduals, measure_residuals
from lithoscope_models.calibration.seen import seen_scans
from lithoscope_models.calibration.tables import (
    CALIBRATION_FILE,
    CalibrationFile,
    write_calibration,
)
from lithoscope_models.errors import TrainingDataError
from lithoscope_models.model_file import find_model, model_sha256
from lithoscope_models.worker_pool import worker_pool
from lithoscope_pipeline.measure.intervals import LabelOrigin
from lithoscope_pipeline.measure.version import METRICS_VERSION
from lithoscope_pipeline.phantom.provenance import SIMULATOR_VERSION

Advance = Callable[[int], None]
Residuals = Mapping[LabelOrigin, Sequence[ExperimentResiduals]]
#: An interval that leaves out 2.5 % at either end needs 39 experiments, and a fifth are held out
#: to judge it; a third of all lie between families, and are not judged.
FEWEST: Final = 90


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
    n_workers: int = 1,
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
        How many, at least 90.
    out
        File to write; beside the network if None.
    command
        That made it, for the record.
    n_workers
        Processes; each works on an experiment of its own.
    advance
        Is called with 1 for each experiment.
    time_limit_s
        No further experiment is begun then.

    Raises
    ------
    TrainingDataError
        If fewer than 90 experiments are asked for.
    """
    if n_experiments < FEWEST:
        raise TrainingDataError(f"{n_experiments} experiments; at least {FEWEST} are needed")
    residuals = measure_experiments(
        model,
        work,
        n_experiments=n_experiments,
        n_workers=n_workers,
        advance=advance,
        time_limit_s=time_limit_s,
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
    n_workers: int = 1,
    advance: Advance = _silent,
    time_limit_s: float | None = None,
) -> Residuals:
    """Make, label and measure experiments until there are enough or time is up.

    Parameters
    ----------
    model, work, n_experiments, n_workers, advance, time_limit_s
        As for `calibrate_model`.
    plan
        What is looked at of each.
    """
    job = _Job(
        model=model, sha256=model_sha256(model), work=work, plan=Plan() if plan is None else plan
    )
    begin_s = time.monotonic()

    def has_time(_number: int) -> bool:
        return time_limit_s is None or time.monotonic() - begin_s <= time_limit_s

    out: dict[LabelOrigin, list[ExperimentResiduals]] = {source: [] for source in SOURCES}
    for found in _in_turn(job, takewhile(has_time, range(n_experiments)), n_workers):
        for source in SOURCES:
            out[source].append(found[source])
        advance(1)
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    model: str
    sha256: str
    work: Path
    plan: Plan


def _in_turn(
    job: _Job, numbers: Iterator[int], n_workers: int
) -> Iterator[dict[Source, ExperimentResiduals]]:
    """Measure experiments, several at once, and give them in their order."""
    if n_workers == 1:
        yield from (_measure_one(job, number) for number in numbers)
        return
    running: deque[Future[dict[Source, ExperimentResiduals]]] = deque()
    with worker_pool(n_workers) as pool:
        for number in numbers:
            running.append(pool.submit(_measure_one, job, number))
            if len(running) > n_workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _measure_one(job: _Job, number: int) -> dict[Source, ExperimentResiduals]:
    experiment, plan = draw_in_turn(number, job.plan)
    models = job.work / "models"
    folder = make_images(job.work, experiment, plan, models)

    def read_scans() -> CalibrationScans:
        return seen_scans(read_images(folder), experiment, experiment_model(models, experiment))

    # One drawing is one experiment: whoever draws it otherwise finds nothing of the old one.
    seen = folder / experiment.seen_name
    seen.mkdir(exist_ok=True)
    return measure_residuals(seen, read_scans, job.model, job.sha256)


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
            replace(
                fit_calibration(
                    each,
                    origin,
                    model_sha256="" if origin == "layers" else sha256,
                    measure_version=METRICS_VERSION,
                ),
                existence=fit_objects(each),
            )
            for origin, each in residuals.items()
        ),
        scores=scored,
        gaps={origin: gap_residuals(each) for origin, each in residuals.items()},
        objects={str(origin): judge_objects(each) for origin, each in residuals.items()},
    )
