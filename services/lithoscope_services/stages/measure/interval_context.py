"""What the intervals of a scan depend on: who made its labels, and scans in which nothing is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lithoscope_messages import LabelsReady
from lithoscope_models.calibration.tables import calibration_sha256, calibrations_for
from lithoscope_pipeline.measure.intervals import IntervalContext
from lithoscope_pipeline.measure.version import METRICS_VERSION
from lithoscope_pipeline.metric import Metric
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.stages.measure.references import metrics_of
from lithoscope_services.stages.segment.earlier import SINGLE_SCAN_FLAG

_BY_THRESHOLDS = "layers"


def interval_parameters(history: History, labels: LabelsReady) -> dict[str, Any]:  # JSON
    """Say who made the labels of a scan, and by which calibration they are judged."""
    return {
        "origin": _origin(labels),
        "model_sha256": labels.model_sha256 or "",
        "calibration_sha256": calibration_sha256(_model(history, labels)),
        "area_um2": labels.shape[0] * labels.shape[2] * labels.voxel_um**2,
    }


def interval_arguments(
    history: History, labels: LabelsReady, null_scans: Sequence[ScanHistory]
) -> dict[str, Any]:  # JSON
    """Say where the calibration lies, and what scans before the first pulse measured."""
    return {
        "model": _model(history, labels),
        "null_scans": [metrics_of(scan.metrics) for scan in null_scans],
    }


def interval_context(
    parameters: Mapping[str, Any],
    arguments: Mapping[str, Any],
    null_scans: Sequence[Mapping[str, Metric]],
    *,
    blur_px: float | None,
    grain: float | None,
) -> IntervalContext:
    """Put together what `with_intervals` takes from the parts of a task and the image."""
    told, quality = parameters["intervals"], parameters["quality"]
    return IntervalContext(
        calibrations=calibrations_for(arguments["intervals"]["model"]),
        origin=told["origin"],
        model_sha256=told["model_sha256"],
        measure_version=METRICS_VERSION,
        voxel_um=parameters["voxel_um"],
        area_um2=told["area_um2"],
        cnr=quality["cnr_li_electrolyte"][0],
        blur_px=blur_px,
        grain=grain,
        registration_px=quality["registration_residual_px"][0],
        null_scans=null_scans,
    )


def _origin(labels: LabelsReady) -> str:
    if labels.model == _BY_THRESHOLDS:
        return _BY_THRESHOLDS
    return "single_scan" if SINGLE_SCAN_FLAG in labels.flags else "network"


def _model(history: History, labels: LabelsReady) -> str | None:
    if labels.model == _BY_THRESHOLDS:
        return None
    return str(Path(history.settings.segment.model))
