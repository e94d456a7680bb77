"""Metrics between the pipeline and the journal, and which of them must be kept from rules."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lithoscope_messages import MetricValue
from lithoscope_pipeline.metric import Metric
from lithoscope_services.stages.validated import UNVALIDATED_FLAG

#: What compares scans; without registration such a number is not worth giving.
COMPARING = (
    "li_conservation_residual_um3",
    "li_travelled_volume_um3",
    "ct_faraday_ratio",
    "ct_faraday_ratio_whole_cell",
    "missing_capacity_fraction",
    "deposited_volume_um3",
    "deposited_thickness_um",
    "redeposited_volume_um3",
    "redeposited_thickness_um",
    "unfilled_pit_fraction",
    "void_area_fraction",
    "contact_area_fraction",
)

_UNREGISTERED = {"value": None, "low95": None, "high95": None, "flags": ("unregistered",)}


def with_flags(metrics: Mapping[str, MetricValue], flags: Sequence[str]) -> dict[str, MetricValue]:
    """Take the value from what compares scans where the labels were never laid over the first."""
    if "unregistered" not in flags:
        return dict(metrics)
    return {
        name: metric.model_copy(update=_UNREGISTERED) if name in COMPARING else metric
        for name, metric in metrics.items()
    }


def unvalidated(
    metrics: Mapping[str, Metric], *, apart_from: Collection[str]
) -> dict[str, Metric]:
    """Let all that rests on labels say that nobody has tried out what made them."""
    return {
        name: each
        if each.value is None or name in apart_from
        else replace(each, flags=(*each.flags, UNVALIDATED_FLAG))
        for name, each in metrics.items()
    }


def to_metric(value: Mapping[str, Any]) -> Metric:
    """Read a metric of the journal as one of the pipeline."""
    return Metric(
        value=value["value"],
        unit=value["unit"],
        low95=value["low95"],
        high95=value["high95"],
        voxels=value["voxels"] or 0,
        flags=tuple(value["flags"]),
        p_value=value.get("p_value"),
    )


def to_message(metric: Metric) -> MetricValue:
    """Write a metric of the pipeline as one of the journal."""
    return MetricValue(
        value=metric.value,
        unit=metric.unit,
        low95=metric.low95,
        high95=metric.high95,
        voxels=metric.voxels,
        flags=metric.flags,
        p_value=metric.p_value,
    )
