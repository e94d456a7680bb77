"""Metrics as a table, and the samples of the cycler thinned."""

import csv
import io
from collections.abc import Callable

import numpy as np

from lithoscope_dashboard.api.tables import COLUMNS, MAX_SAMPLES, metrics_csv, thin
from lithoscope_dashboard.model import ExperimentState
from lithoscope_store import Electrochemistry

MakeState = Callable[..., ExperimentState]


def test_each_value_is_a_line_and_a_hole_is_empty(make_state: MakeState) -> None:
    metrics = {
        "gap_um": {"value": 2.5, "unit": "um", "low95": 2.0, "high95": 3.0, "voxels": 9},
        "eta": {"value": None, "unit": "1", "flags": ["current_strips"]},
    }
    state = make_state(("MetricsReady", {"scan": 3, "charge_mAh": 0.5, "metrics": metrics}))

    rows = list(csv.DictReader(io.StringIO(metrics_csv([state], None))))

    assert tuple(rows[0]) == COLUMNS
    gap, eta = sorted(rows, key=lambda row: row["metric"], reverse=True)
    assert (gap["scan"], gap["value"], gap["low95"], gap["voxels"]) == ("3", "2.5", "2.0", "9")
    assert (eta["value"], eta["flags"]) == ("", "current_strips")


def test_only_what_is_shown_is_written(make_state: MakeState) -> None:
    metrics = {name: {"value": 1.0, "unit": "1"} for name in ("a", "b")}
    state = make_state(("MetricsReady", {"scan": 0, "metrics": metrics}))

    rows = list(csv.DictReader(io.StringIO(metrics_csv([state], ["b"]))))

    assert [row["metric"] for row in rows] == ["b"]


def test_no_cell_is_run_by_a_spreadsheet(make_state: MakeState) -> None:
    metrics = {"=HYPERLINK(1)": {"value": 1.0, "unit": "1"}}
    state = make_state(("MetricsReady", {"scan": 0, "metrics": metrics}))

    assert "'=HYPERLINK(1)" in metrics_csv([state], None)


def test_thinned_samples_keep_the_steps_of_the_current() -> None:
    time_s = np.arange(50_000.0)
    current_mA = np.where((time_s >= 12_345) & (time_s < 12_350), 1.0, 0.0)  # noqa: N806 - the unit
    samples = Electrochemistry(
        time_s=time_s, potential_V=time_s * 0, current_mA=current_mA, charge_mAh=time_s * 0
    )

    found = thin(samples)

    assert len(found["time_s"]) <= MAX_SAMPLES
    edges = {12_344.0, 12_345.0, 12_349.0, 12_350.0}
    assert edges <= set(found["time_s"])
