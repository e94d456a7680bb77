"""Metric-level histories as the policy takes them."""

from collections.abc import Mapping

from lithoscope_pipeline.decide.scan_record import ScanRecord
from lithoscope_pipeline.growth_histories.history import GrowthHistory
from lithoscope_pipeline.metric import SINGLE_SCAN_PREFIX, Metric, measured

_SPREAD = 0.03


def as_records(history: GrowthHistory) -> tuple[ScanRecord, ...]:
    """Write a history as the scans of an experiment in which nothing else is wrong."""
    return tuple(_record(history, scan) for scan in range(history.n_scans))


def _record(history: GrowthHistory, scan: int) -> ScanRecord:
    gap = Metric(
        value=float(history.gap_um[scan]),
        unit="um",
        low95=float(history.low95_um[scan]),
        high95=float(history.high95_um[scan]),
    )
    drop = float(history.voltage_drop[scan])
    metrics: Mapping[str, Metric] = {
        "remaining_gap_um": gap,
        SINGLE_SCAN_PREFIX + "remaining_gap_um": gap,
        "remaining_gap_any_um": gap,
        "voltage_drop_share": Metric(
            value=drop, unit="1", low95=drop - 2 * _SPREAD, high95=drop + 2 * _SPREAD
        ),
        "ct_faraday_ratio": measured(2.0, "1"),
        "reconstruction_completeness": measured(1.0, "1"),
        "registration_residual_px": measured(0.1, "px"),
    }
    return ScanRecord(
        scan=scan,
        time_s=history.pulse_s * scan,
        pulse=float(scan),
        last_current_mA=history.current_mA if scan else None,
        next_current_mA=history.current_mA,
        metrics=metrics,
        model="simulated",
    )
