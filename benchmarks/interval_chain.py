"""Intervals calibrated on images, against experiments that went through the whole chain.

``python -m benchmarks.interval_chain DIR [--workers N]`` makes the experiments that are missing,
80 s of one core each. Reconstructions stay in DIR (70 MB each) and serve the next network; after a
kill the same command goes on.
"""

import argparse
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.tables import Report, Table
from lithoscope_models.calibration.draws import Plan, draw_experiment
from lithoscope_models.calibration.fit import residuals_of
from lithoscope_models.calibration.images import make_chain_images, read_images
from lithoscope_models.calibration.labelled import LABELS_VERSIONS
from lithoscope_models.calibration.residuals import (
    ExperimentResiduals,
    measure_residuals,
    to_residuals,
)
from lithoscope_models.calibration.tables import CALIBRATION_FILE, read_calibration
from lithoscope_models.errors import TrainingDataError
from lithoscope_models.model_file import DEFAULT_MODEL, find_model, model_sha256
from lithoscope_models.worker_pool import worker_pool
from lithoscope_pipeline.measure.intervals.conformal import covered, intervals_of
from lithoscope_pipeline.measure.intervals.kinds import EXTREMES
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
    """Judge the intervals on the experiments that are stored; `make` makes them."""
    del is_quick
    experiments = stored()
    return Report(
        title="Intervals through the whole chain",
        method=(
            f"{len(experiments)} of {N_EXPERIMENTS} experiments (size small, scans 0, 4, 8, 12 "
            "and 20): frames with noise, corrected, reconstructed at the true axis, laid into "
            "the found frame by the true drift, faces measured, segmented by the default network "
            "with the earlier scans beside, measured. Their region is 4.7 times as large as that "
            "of the calibration: extremes reach accordingly farther. They are in "
            "`interval_chain/`, made by `python -m benchmarks.interval_chain DIR`; none was "
            "calibrated on.",
            "Covered: scans whose true value lies in the interval, among those that are not zero "
            "in truth and labels, with the 95 % Clopper-Pearson bounds as if scans were "
            "independent, which they are not. Ratio: mean width of the intervals over the range "
            "of the middle 95 % of these few errors.",
        ),
        tables=(judge(experiments),),
    )


def stored() -> list[ExperimentResiduals]:
    """Read the experiments that the present network has labelled."""
    told = [json.loads(path.read_text()) for path in sorted(STORED.glob("*.json"))]
    now = _made_by()
    return [to_residuals(each["residuals"]) for each in told if each["made_by"] == now]


def make(number: int, work: Path) -> str:
    """Make one experiment, or what is missing of it; give its name and what became of it."""
    experiment = draw_experiment(number, Plan())
    out = STORED / f"{experiment.name}.json"
    made_by = _made_by()
    if out.is_file() and json.loads(out.read_text())["made_by"] == made_by:
        return f"{experiment.name}: there"
    try:
        folder = make_chain_images(work, experiment)
        residuals = measure_residuals(
            folder,
            partial(read_images, folder),
            DEFAULT_MODEL,
            made_by["model_sha256"],
            sources=("network",),
        )["network"]
    except TrainingDataError as error:
        return f"{experiment.name}: {error}"
    STORED.mkdir(exist_ok=True)
    out.write_text(json.dumps({"made_by": made_by, "residuals": _told(residuals)}) + "\n")
    return f"{experiment.name}: made"


def _told(residuals: ExperimentResiduals) -> dict[str, Any]:  # JSON
    told = asdict(residuals)
    del told["objects"]  # chances of objects are judged elsewhere
    return told


def _made_by() -> dict[str, Any]:  # JSON
    return {
        "model_sha256": model_sha256(DEFAULT_MODEL),
        "measure_version": METRICS_VERSION,
        "labels_version": LABELS_VERSIONS["network"],
    }


def judge(experiments: list[ExperimentResiduals]) -> Table:
    """Say how often the truth lies in the intervals."""
    found = read_calibration(find_model(DEFAULT_MODEL) / CALIBRATION_FILE)
    calibration = next(each for each in found.calibrations if each.origin == "network")
    tables = calibration.metrics
    rows, n_in, n_all = [], 0, 0
    for name in (each for each in SHOWN if experiments and each in tables):
        residuals = residuals_of(experiments, name)
        residuals = residuals.where((residuals.seen.size != 0) | (residuals.truth != 0))
        larger = experiments[0].area_um2 / calibration.holds.area_um2
        n_regions = larger if name in EXTREMES else 1.0
        inside = covered(tables[name], residuals, n_regions=n_regions)
        low, high = intervals_of(tables[name], residuals.seen, n_regions=n_regions)
        errors = residuals.seen.size - residuals.truth
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


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interval_chain")
    parser.add_argument("work", type=Path, metavar="DIR", help="where reconstructions are kept")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes [1]")
    arguments = parser.parse_args()
    numbers = range(FIRST, FIRST + N_EXPERIMENTS)
    with worker_pool(arguments.workers) as pool:
        for line in pool.map(partial(make, work=arguments.work), numbers):
            print(line, flush=True)


if __name__ == "__main__":
    _main()
