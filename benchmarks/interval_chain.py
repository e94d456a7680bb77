"""Intervals calibrated on images, against experiments that went through the whole chain."""

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy import stats

from benchmarks.tables import Report, Table
from lithoscope_models.calibration.draws import Plan, draw_experiment
from lithoscope_models.calibration.fit import residuals_of
from lithoscope_models.calibration.images import make_chain_images, read_images
from lithoscope_models.calibration.labelled import label_scans
from lithoscope_models.calibration.residuals import (
    ExperimentResiduals,
    measure_residuals,
    read_residuals,
)
from lithoscope_models.calibration.tables import CALIBRATION_FILE, read_calibration
from lithoscope_models.errors import TrainingDataError
from lithoscope_models.model_file import DEFAULT_MODEL, find_model, model_sha256
from lithoscope_pipeline.measure.intervals.conformal import covered, intervals_of
from lithoscope_pipeline.measure.version import METRICS_VERSION

STORED = Path(__file__).parent / "results" / "interval_chain"
FIRST = 1000  # far from the experiments of the calibration
N_EXPERIMENTS = 20
SHOWN = (
    "plating_side_thickness_um",
    "stripping_side_thickness_um",
    "electrolyte_thickness_um",
    "deposited_volume_um3",
    "redeposited_volume_um3",
    "dendrite_volume_um3",
    "pit_volume_um3",
    "void_volume_um3",
    "li_travelled_volume_um3",
    "li_conservation_residual_um3",
    "remaining_gap_um",
    "remaining_gap_any_um",
    "tip_height_um",
)


def measure(*, is_quick: bool) -> Report:
    """Make the experiments that are not stored yet, minutes each, and judge the intervals."""
    if not is_quick:
        for number in range(FIRST, FIRST + N_EXPERIMENTS):
            make(number)
    experiments = [read_residuals(path) for path in sorted(STORED.glob("*.json"))]
    return Report(
        title="Intervals through the whole chain",
        method=(
            f"{len(experiments)} of {N_EXPERIMENTS} experiments (size small, scans 0, 4, 8, 12 "
            "and 20): frames with noise, corrected, reconstructed at the true axis, laid into "
            "the found frame by the true drift, faces measured, segmented by the default network "
            "with the earlier scans beside, measured. Their region is 4.7 times as large as that "
            "of the calibration. They are in `interval_chain/`; none was calibrated on.",
            "Covered: scans whose true value lies in the interval, among those that are not zero "
            "in truth and labels, with the 95 % Clopper-Pearson bounds as if scans were "
            "independent, which they are not. Ratio: mean width of the intervals over the range "
            "of the middle 95 % of these few errors.",
        ),
        tables=(judge(experiments),),
    )


def make(number: int) -> None:
    """Make one experiment if it is not there, and keep its residuals."""
    experiment = draw_experiment(number, Plan())
    out = STORED / f"{experiment.name}.json"
    if out.is_file():
        return
    STORED.mkdir(exist_ok=True)
    with TemporaryDirectory() as work:
        try:
            folder = make_chain_images(Path(work), experiment)
        except TrainingDataError as error:
            print(f"{experiment.name}: {error}")
            return
        keep(folder, out)


def keep(folder: Path, out: Path) -> None:
    """Label and measure the images in a folder."""
    sha256 = model_sha256(DEFAULT_MODEL)
    scans = read_images(folder)
    labelled = label_scans(folder, scans, DEFAULT_MODEL, sha256)
    key = f"{sha256[:10]}-{METRICS_VERSION}"
    residuals = measure_residuals(folder, scans, labelled, "network", key=key)
    out.write_text(json.dumps(asdict(residuals)) + "\n")


def judge(experiments: list[ExperimentResiduals]) -> Table:
    """Say how often the truth lies in the intervals."""
    found = read_calibration(find_model(DEFAULT_MODEL) / CALIBRATION_FILE)
    tables = next(each for each in found.calibrations if each.origin == "network").metrics
    rows, n_in, n_all = [], 0, 0
    for name in (each for each in SHOWN if experiments and each in tables):
        residuals = residuals_of(experiments, name)
        residuals = residuals.where((residuals.measured != 0) | (residuals.truth != 0))
        inside = covered(tables[name], residuals)
        low, high = intervals_of(tables[name], residuals.measured, residuals.cnr)
        errors = residuals.measured - residuals.truth
        spread = float(np.diff(np.quantile(errors, (0.025, 0.975)))[0])
        rows.append(
            [
                f"`{name}`",
                *_share(int(inside.sum()), len(inside)),
                f"{np.mean(high - low) / spread:.2f}" if spread else "",
            ]
        )
        n_in, n_all = n_in + int(inside.sum()), n_all + len(inside)
    if n_all:
        rows.append(["all", *_share(n_in, n_all), ""])
    return Table(title="Covered", columns=("metric", "covered", "95 %", "ratio"), rows=rows)


def _share(k: int, n: int) -> list[str]:
    interval = stats.binomtest(k, n).proportion_ci()
    return [f"{k} of {n}, {k / n:.1%}", f"{interval.low:.0%} to {interval.high:.0%}"]
