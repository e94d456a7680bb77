"""The metrics of a report as rows, one a metric of a scan: for CSV and for Parquet."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from lithoscope_services.report.fold import JsonObject

SCAN_COLUMNS = ("scan", "time_s", "charge_mAh", "cycle", "half_cycle", "completeness")
#: Types of the columns, also where all of a column is null.
COLUMN_TYPES = {
    "experiment": "string",
    "scan": "int64",
    "time_s": "float64",
    "charge_mAh": "float64",
    "cycle": "int64",
    "half_cycle": "int64",
    "completeness": "float64",
    "metric": "string",
    "value": "float64",
    "unit": "string",
    "low95": "float64",
    "high95": "float64",
    "voxels": "int64",
    "flags": "texts",
    "p_value": "float64",
}
METRIC_COLUMNS = ("value", "unit", "low95", "high95", "voxels", "flags")


def metric_rows(report: JsonObject) -> Iterator[tuple[Any, ...]]:
    """Give, for each metric of each scan, the scan, the name, the metric and its p-value."""
    for scan in report["scans"]:
        for name, metric in scan["metrics"].items():
            yield (
                *(scan[column] for column in SCAN_COLUMNS),
                name,
                *(metric.get(column) for column in METRIC_COLUMNS),
                metric.get("p_value"),
            )


def metric_columns(report: JsonObject) -> dict[str, list[Any]]:
    """Give the same as columns, with the name of the experiment: what pandas and polars read."""
    names = (*SCAN_COLUMNS, "metric", *METRIC_COLUMNS, "p_value")
    rows = list(metric_rows(report))
    columns: dict[str, list[Any]] = {"experiment": [report["experiment"]] * len(rows)}
    return columns | {name: [row[n] for row in rows] for n, name in enumerate(names)}


def report_as_csv(report: JsonObject) -> str:
    """Write one line for each metric of each scan, with a heading."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*SCAN_COLUMNS, "metric", *METRIC_COLUMNS))
    for *values, flags, _ in metric_rows(report):
        writer.writerow([*values, " ".join(flags)])
    return text.getvalue()


def metrics_as_csv(metrics: JsonObject) -> str:
    """Write one line for each metric of one label volume, with a heading."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("metric", *METRIC_COLUMNS))
    for name, metric in metrics.items():
        values = [metric.get(column) for column in METRIC_COLUMNS[:-1]]
        writer.writerow([name, *values, " ".join(metric["flags"])])
    return text.getvalue()
