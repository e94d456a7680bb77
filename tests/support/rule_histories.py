"""Histories of scans for tests of the policy: sound ones, and ones with something wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

from lithoscope_pipeline.decide import Rule, ScanRecord, default_rules
from lithoscope_pipeline.metric import Metric, measured, not_measured

PULSE_S = 1800.0


def default_rule(id_: str) -> Rule:
    """Give one of the default rules."""
    return next(rule for rule in default_rules() if rule.id == id_)


def gap(value: float | None, half_width: float | None = 0.0) -> Metric:
    """Make a remaining gap with its interval; None has none."""
    if value is None:
        return not_measured("um", "one_electrode_missing")
    if half_width is None:
        return measured(value, "um")
    return Metric(value=value, unit="um", low95=value - half_width, high95=value + half_width)


def sound_metrics(gap_um: float | None, half_width: float | None = 0.0) -> dict[str, Metric]:
    """Give the metrics of a scan in which nothing is wrong."""
    return {
        "remaining_gap_um": gap(gap_um, half_width),
        "remaining_gap_any_um": gap(gap_um, half_width),
        "reconstruction_completeness": measured(1.0, "1"),
        "registration_residual_px": measured(0.1, "px"),
        "ct_faraday_ratio": measured(2.0, "1"),
        "voltage_drop_share": Metric(value=0.01, unit="1", low95=-0.05, high95=0.07),
    }


def record(
    scan: int,
    gap_um: float | None = 200.0,
    *,
    half_width: float | None = 0.0,
    changed: Mapping[str, Metric | None] | None = None,
    **parts: Any,
) -> ScanRecord:
    """Make a scan, one a pulse; ``changed`` metrics replace sound ones, None takes one away."""
    metrics = {**sound_metrics(gap_um, half_width), **(changed or {})}
    return ScanRecord(
        **{
            "scan": scan,
            "time_s": PULSE_S * scan,
            "pulse": float(scan),
            "last_current_mA": 0.75 if scan else None,
            "next_current_mA": 0.75,
            "metrics": {name: metric for name, metric in metrics.items() if metric is not None},
            "model": "layers",
            **parts,
        }
    )


def records(gaps_um: Sequence[float | None]) -> list[ScanRecord]:
    """Make a history from remaining gaps."""
    return [record(i, value) for i, value in enumerate(gaps_um)]
