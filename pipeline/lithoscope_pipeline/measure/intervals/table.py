"""What a calibration knows: for each metric, how far it lies from the truth, by noise and size."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

#: What labels were made by: a network that was shown earlier scans, the same without them, or
#: thresholds and the order of layers.
LabelOrigin = Literal["network", "single_scan", "layers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalCell:
    """One cell of noise and size.

    Parameters
    ----------
    cnr_below, size_below
        Where the cell ends: contrast-to-noise, and size of the metric without its sign; None for
        no end. A value belongs to the first cell that it lies below both ends of.
    low, high
        Truth less measured value, in scales, between which 95 % of the experiments lie.
    n_experiments
        Experiments that it was found from.
    """

    cnr_below: float | None
    size_below: float | None
    low: float
    high: float
    n_experiments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricTable:
    """One metric.

    Parameters
    ----------
    is_per_area
        Whether the metric is divided by the area of the region before all else: a volume.
    scale
        A residual is divided by ``a + b |size| + (c + d |size|) / cnr**4 + (e + f |size|)
        blur_px**2``: these six numbers.
    least, most
        Bounds of what is possible, None for none.
    cells
        In the order in which they are looked through.
    """

    is_per_area: bool
    scale: tuple[float, float, float, float, float, float]
    least: float | None
    most: float | None
    cells: tuple[IntervalCell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRange:
    """Where a calibration holds.

    Parameters
    ----------
    voxel_um
        Edge of the voxels.
    area_um2
        Of the regions that were measured.
    cnr, blur_px
        Least and largest contrast-to-noise of lithium against electrolyte, and blur of the outer
        faces.
    registration_px
        Largest error of where earlier scans lie.
    """

    voxel_um: float
    area_um2: float
    cnr: tuple[float, float]
    blur_px: tuple[float, float]
    registration_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What is known of the labels of one origin.

    Parameters
    ----------
    origin
        What made the labels.
    model_sha256
        Which network; empty for labels without one.
    measure_version
        Of the measurement.
    holds
        Where.
    n_experiments
        Held-out experiments in all.
    metrics
        By name.
    """

    origin: LabelOrigin
    model_sha256: str
    measure_version: int
    holds: CalibrationRange
    n_experiments: int
    metrics: Mapping[str, MetricTable]
