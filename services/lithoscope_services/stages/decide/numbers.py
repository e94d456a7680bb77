"""Numbers that only rules need: potential of the last pulse, drift, disk and budgets.

They are measured once, when their scan is decided on, and kept in its ``ScanDecided``.
"""

import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np

from lithoscope_messages import StageFailed
from lithoscope_pipeline.decide import PulseVoltage, measure_voltage
from lithoscope_pipeline.decide.flats import measure_flat_drift
from lithoscope_pipeline.geometry import FloatImage
from lithoscope_pipeline.metric import Metric, measured, not_measured
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.settings import DecideSettings
from lithoscope_services.stages.validated import is_validated
from lithoscope_store import ExperimentPaths, FrameReader, StoreError

Json = dict[str, Any]  # an object of JSON


def describe_scan(scan: ScanHistory, history: History) -> Json:
    """Write what the journal knows of a scan as JSON, for the task."""
    phase = None if scan.started is None else scan.started.phase
    failure: StageFailed | None = scan.failure
    first = next(history.in_order())
    transform = scan.transform
    return {
        "scan": scan.scan,
        "time_s": 0.0 if phase is None else phase.experiment_time_s,
        "pulse": 0 if phase is None else phase.pulse,
        "next_current_mA": None if phase is None else phase.next_current_mA,
        "metrics": {}
        if scan.metrics is None
        else {name: value.model_dump() for name, value in scan.metrics.metrics.items()},
        "numbers": {}
        if scan.decided is None
        else {name: value.model_dump() for name, value in scan.decided.numbers.items()},
        "model": "" if scan.labels is None else scan.labels.model,
        "is_validated": is_validated(history, scan.labels),
        "is_unregistered": transform is not None and transform.verdict == "unregistered",
        "axis_px": _axis_px(scan),
        "first_axis_px": _axis_px(first),
        "first_scan": first.scan,
        "late_share": _late_share(history, scan.scan),
        "failure": "" if failure is None else f"{failure.stage}: {failure.error}"[:500],
    }


def measure_numbers(
    described: Mapping[str, Any],
    pulses: tuple[PulseVoltage, ...],
    paths: ExperimentPaths,
    settings: DecideSettings,
) -> dict[str, Metric]:
    """Measure what only rules need of a scan.

    Parameters
    ----------
    described
        What :func:`describe_scan` wrote of it.
    pulses
        Those before the scan.
    paths
        Of the experiment.
    settings
        With the budgets.
    """
    disk = shutil.disk_usage(paths.root)
    return {
        **measure_voltage(pulses, n_expected=described["pulse"]),
        "axis_drift_px": _axis_drift(described["axis_px"], described["first_axis_px"]),
        "flat_drift_share": _flat_drift(paths, described["first_scan"], described["scan"]),
        "free_disk_fraction": measured(disk.free / disk.total, "1"),
        "late_verdict_share": measured(described["late_share"], "1"),
        "beam_time_used": _used(described["time_s"], settings.beam_time_s, "no_beam_time"),
        "dose_budget_used": _used(
            (described["metrics"].get("dose_kGy") or {}).get("value"),
            settings.dose_budget_kGy,
            "no_dose_budget",
        ),
    }


def _late_share(history: History, until: int) -> float:
    scans = [scan for scan in history.in_order() if scan.scan <= until]
    return sum(scan.late is not None for scan in scans) / max(1, len(scans))


def _axis_px(scan: ScanHistory) -> float | None:
    if scan.volume is None or scan.volume.axis is None:
        return None
    axis = scan.volume.axis
    return axis.position_px if axis.verdict in ("resolved", "given") else None


def _axis_drift(now_px: float | None, first_px: float | None) -> Metric:
    if now_px is None or first_px is None:
        return not_measured("px", "axis_not_resolved")
    return measured(abs(now_px - first_px), "px")


def _flat_drift(paths: ExperimentPaths, first: int, scan: int) -> Metric:
    """Compare the flats before a scan with those before the first one."""
    try:
        before, now = _flat(paths, first), _flat(paths, scan)
    except StoreError:
        return not_measured("1", "no_flats")
    if before.shape != now.shape:
        return not_measured("1", "another_detector")
    return measure_flat_drift(before, now)


def _flat(paths: ExperimentPaths, scan: int) -> FloatImage:
    """Give the mean of the first and the last flat before a scan, less a dark."""
    reader = FrameReader(paths, scan, 0)
    indices = reader.indices("flat")
    ends = sorted({int(index) for index in indices[:1]} | {int(index) for index in indices[-1:]})
    flats = reader.read("flat", indices=ends).astype(np.float32).mean(axis=0)
    darks = reader.indices("dark")
    if len(darks):
        flats -= reader.read("dark", indices=[int(darks[0])])[0].astype(np.float32)
    return flats.astype(np.float32)


def _used(part: float | None, whole: float | None, reason: str) -> Metric:
    if part is None or whole is None:
        return not_measured("1", reason)
    return measured(part / whole, "1")
