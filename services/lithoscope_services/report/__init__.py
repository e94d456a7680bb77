"""What an experiment has shown: as a document, as tables, as a page."""

from lithoscope_services.report.fold import DECISIONS, JsonObject, make_report
from lithoscope_services.report.rows import (
    COLUMN_TYPES,
    metric_columns,
    metrics_as_csv,
    report_as_csv,
)

__all__ = [
    "COLUMN_TYPES",
    "DECISIONS",
    "JsonObject",
    "make_report",
    "metric_columns",
    "metrics_as_csv",
    "report_as_csv",
]
