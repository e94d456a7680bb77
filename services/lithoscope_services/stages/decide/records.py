"""What is known of the scans, as the policy takes it; and what it decides, as facts."""

from collections.abc import Mapping, Sequence
from typing import Any

from lithoscope_messages import MetricValue
from lithoscope_pipeline.decide import (
    GateLimits,
    Mode,
    PulseVoltage,
    ScanRecord,
    find_pulses,
)
from lithoscope_services.settings.decide_table import DecideSettings
from lithoscope_services.stages.decide.numbers import measure_numbers
from lithoscope_services.stages.measure.values import to_message, to_metric
from lithoscope_store import ExperimentPaths, read_electrochemistry

#: A pulse ends before the scan after it; clocks of cycler and detector differ by less than this.
_CLOCK_S = 5.0


def image_mode(settings: DecideSettings, *, is_validated: bool) -> Mode:
    """Give the most that a rule on images may do, by whether their model was tried out."""
    return "auto" if is_validated else settings.unvalidated_images


def gate_limits(settings: DecideSettings, *, residual_limit_px: float) -> GateLimits:
    """Give where the gates stand; a scan counts as registered for rules as it does for maps."""
    return GateLimits(
        min_completeness=settings.min_completeness,
        max_registration_px=residual_limit_px,
        faraday_band=settings.faraday_band,
        max_age_s=settings.max_age_s,
    )


def records_of(
    described: Sequence[Mapping[str, Any]], paths: ExperimentPaths, settings: DecideSettings
) -> tuple[ScanRecord, ...]:
    """Make the records of scans from what the task says of them and what is stored.

    Parameters
    ----------
    described
        Each as ``describe_scan`` wrote it, in order. The numbers of those that were decided on
        are taken as they were then; those of the others are measured now.
    paths
        Of the experiment.
    settings
        What was commissioned, and budgets.
    """
    pulses = read_pulses(paths)
    return tuple(_record(each, pulses, paths, settings) for each in described)


def read_pulses(paths: ExperimentPaths) -> tuple[PulseVoltage, ...]:
    """Read what the cycler recorded, cut into pulses."""
    stored = read_electrochemistry(paths)
    return find_pulses(stored.time_s, stored.potential_V, stored.current_mA)


def _record(
    described: Mapping[str, Any],
    pulses: tuple[PulseVoltage, ...],
    paths: ExperimentPaths,
    settings: DecideSettings,
) -> ScanRecord:
    before = tuple(pulse for pulse in pulses if pulse.end_s <= described["time_s"] + _CLOCK_S)
    metrics = {name: to_metric(value) for name, value in described["metrics"].items()}
    if described["numbers"]:
        metrics |= {name: to_metric(value) for name, value in described["numbers"].items()}
    else:
        metrics |= measure_numbers(described, before, paths, settings)
    return ScanRecord(
        scan=described["scan"],
        time_s=described["time_s"],
        pulse=described["pulse"],
        last_current_mA=before[-1].current_mA if before else None,
        next_current_mA=described["next_current_mA"],
        metrics=metrics,
        model=described["model"],
        image_mode=image_mode(settings, is_validated=described["is_validated"]),
        is_unregistered=described["is_unregistered"],
        failure=described["failure"],
    )


def numbers_of(record: ScanRecord, described: Mapping[str, Any]) -> dict[str, MetricValue]:
    """Give what was measured for the rules alone."""
    return {
        name: to_message(metric)
        for name, metric in record.metrics.items()
        if name not in described["metrics"]
    }
