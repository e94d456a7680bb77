"""One measured number with everything that must travel with it."""

import math
from dataclasses import dataclass
from typing import Final

from lithoscope_pipeline.errors import PipelineError

INTERVAL_NOT_MODELLED = "interval_not_modelled"
#: What a metric is called when it is read from labels that no earlier scan has touched.
SINGLE_SCAN_PREFIX: Final = "single_scan_"
#: 95 % of a normal distribution lie within so many standard deviations.
Z95: Final = 1.959964


class MetricError(PipelineError, ValueError):
    """A number that must not be published as a metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number, its unit, its interval and what must be known about it.

    Parameters
    ----------
    value
        Finite, or None when it could not be measured; then a flag says why.
    unit
        ``um``, ``um3``, ``mAh`` and so on; ``1`` for a pure number.
    low95, high95
        Bounds of the 95 % interval; None with the flag ``interval_not_modelled``.
    voxels
        Voxels (or pixels of a map) that the value rests on.
    flags
        Reasons and warnings, constant words.
    p_value
        Of a correlation: the share of chance that does as well.
    """

    value: float | None
    unit: str
    low95: float | None = None
    high95: float | None = None
    voxels: int = 0
    flags: tuple[str, ...] = ()
    p_value: float | None = None

    def __post_init__(self) -> None:
        for number in (self.value, self.low95, self.high95, self.p_value):
            if number is not None and not math.isfinite(number):
                msg = f"a metric is {number}, a finite number or None with a flag is needed"
                raise MetricError(msg)
        if self.value is None and not self.flags:
            msg = "a metric without a value has no flag, one that says why is needed"
            raise MetricError(msg)


def measured(
    value: float,
    unit: str,
    *,
    voxels: int = 0,
    flags: tuple[str, ...] = (),
    p_value: float | None = None,
) -> Metric:
    """Make a metric whose interval is not modelled."""
    # `+ 0.0` turns a negative zero into a plain one, which reads and hashes alike.
    number = float(value) + 0.0
    return Metric(
        value=number,
        unit=unit,
        voxels=voxels,
        flags=(INTERVAL_NOT_MODELLED, *flags),
        p_value=p_value,
    )


def not_measured(unit: str, reason: str) -> Metric:
    """Make a metric without a value."""
    return Metric(value=None, unit=unit, flags=(reason,))
